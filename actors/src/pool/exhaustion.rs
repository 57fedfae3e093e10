//! When a type is exhausted: for the operators, who may want to add accounts or to look who holds
//! them.
//!
//! A type is exhausted from the moment at which somebody has waited for it for `exhausted_after`, until
//! nobody waits for it any more: while there is a line, its head alone says little. What is so is
//! written down, so that each exhaustion ends once, over restarts and other configurations too.

use super::Pool;
use super::event::Event;
use super::ids::{AccountType, Subject};
use super::progress::Lasting;

impl Pool {
    /// Does what the deadline of a line was set for: its first has waited for too long.
    pub(super) fn line_due(&mut self, label: AccountType) {
        // What became ready in this very turn may be for them.
        self.grant();
        let Some(since) = self.index.overdue(&label, self.now) else {
            return;
        };
        self.events.push(Event::PoolExhausted {
            account_type: label.clone(),
            oldest_wait: Lasting::between(since, self.now),
            counts: self.index.counts(&label),
        });
        self.index.exhaustion_moved(&label, true, &self.policy);
        self.touched.insert(Subject::Type(label.clone()));
        self.exhausted.insert(label, self.now);
    }

    /// Notes the types that were exhausted and that nobody waits for any more.
    pub(super) fn note_relief(&mut self) {
        while let Some(label) = self.index.relieved() {
            self.index.exhaustion_moved(&label, false, &self.policy);
            self.touched.insert(Subject::Type(label.clone()));
            let since = self.exhausted.remove(&label).unwrap_or(self.now);
            self.events.push(Event::PoolRecovered {
                account_type: label,
                lasted: Lasting::between(since, self.now),
            });
        }
    }

    /// Tells an index that was made anew what is exhausted.
    pub(super) fn file_exhausted(&mut self) {
        for label in self.exhausted.keys() {
            self.index.exhaustion_moved(label, true, &self.policy);
        }
    }
}
