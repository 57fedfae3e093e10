//! What one webhook has still to be told, and in which order: pure, with time as an argument.
//!
//! Of each account and of each type, the next notification is due only when the one before it was
//! delivered or given up; one that fails holds up nobody else's. What was not delivered is tried again
//! with growing patience, for a day.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use crate::courier::Delivery;
use crate::notification::{About, Notification, NotificationKind};
use crate::pool::Timestamp;

/// How many notifications are held at once; then reading on waits.
const CAPACITY: usize = 1000;

/// How many are on their way at once.
const AT_ONCE: usize = 8;

/// The pause after a first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause, also where the receiver asks for more.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// For how long one is tried.
const PATIENCE: Duration = Duration::from_hours(24);

/// See the module.
#[derive(Debug)]
pub(crate) struct Outbox {
    wanted: BTreeSet<NotificationKind>,
    /// The last entry of the audit that was read.
    read: u64,
    pending: BTreeMap<u64, Pending>,
    /// What is pending, in order: none is empty, and only the first of each is due or on its way.
    lines: BTreeMap<About, VecDeque<u64>>,
    due: BTreeSet<(Timestamp, u64)>,
    on_their_way: BTreeSet<u64>,
    /// Those that failed before.
    failing: BTreeSet<u64>,
    /// Whether the receiver wanted nothing any more.
    is_closed: bool,
}

#[derive(Debug)]
struct Pending {
    notification: Rc<Notification>,
    since: Timestamp,
    attempts: u32,
}

/// What became of a notification by an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It was delivered.
    Delivered,
    /// It is tried again then.
    Postponed(Timestamp),
    /// It was tried for long enough.
    GivenUp,
    /// Nothing is sent any more.
    Closed,
    /// Nobody waited for this any more.
    Stale,
}

impl Outbox {
    /// Returns an empty one: there is nothing to tell up to the entry `through` of the audit.
    pub(crate) fn new(wanted: BTreeSet<NotificationKind>, through: u64) -> Self {
        Self {
            wanted,
            read: through,
            pending: BTreeMap::new(),
            lines: BTreeMap::new(),
            due: BTreeSet::new(),
            on_their_way: BTreeSet::new(),
            failing: BTreeSet::new(),
            is_closed: false,
        }
    }

    /// Opens it again, for these kinds of what is read from now on.
    pub(crate) fn open(&mut self, wanted: BTreeSet<NotificationKind>) {
        self.wanted = wanted;
        self.is_closed = false;
    }

    /// Returns how many more notifications it takes.
    pub(crate) fn room(&self) -> usize {
        if self.is_closed {
            0
        } else {
            CAPACITY.saturating_sub(self.pending.len())
        }
    }

    /// Returns the last entry of the audit that was read.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Returns the last entry of the audit up to which there is nothing left to tell.
    pub(crate) fn delivered_through(&self) -> u64 {
        let first = self.pending.first_key_value();
        first.map_or(self.read, |(number, _)| number - 1)
    }

    /// Returns how many notifications are pending.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Tells whether any of them failed before.
    pub(crate) fn is_failing(&self) -> bool {
        !self.failing.is_empty()
    }

    /// Tells whether the receiver wanted nothing any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes in what was read of the audit behind the entry `after`, up to the entry `through`. It is
    /// nothing if something else has been read meanwhile.
    pub(crate) fn take_in(
        &mut self,
        after: u64,
        notifications: impl IntoIterator<Item = Notification>,
        through: u64,
        now: Timestamp,
    ) {
        if after != self.read || self.is_closed {
            return;
        }
        for notification in notifications {
            if !self.wanted.contains(&notification.kind) {
                continue;
            }
            let number = notification.number;
            let line = self.lines.entry(notification.about.clone()).or_default();
            if line.is_empty() {
                self.due.insert((now, number));
            }
            line.push_back(number);
            let pending = Pending {
                notification: Rc::new(notification),
                since: now,
                attempts: 0,
            };
            self.pending.insert(number, pending);
        }
        self.read = through;
    }

    /// Returns the next notification that is to be sent now. It is on its way then.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Rc<Notification>> {
        if self.on_their_way.len() >= AT_ONCE {
            return None;
        }
        let (at, number) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, number));
        let pending = self.pending.get_mut(&number)?;
        pending.attempts += 1;
        self.on_their_way.insert(number);
        Some(Rc::clone(&pending.notification))
    }

    /// Takes in what came of an attempt.
    pub(crate) fn settle(&mut self, number: u64, delivery: &Delivery, now: Timestamp) -> Settled {
        let was_on_its_way = self.on_their_way.remove(&number);
        let Some(pending) = self.pending.get(&number).filter(|_| was_on_its_way) else {
            return Settled::Stale;
        };
        match delivery {
            Delivery::Accepted => {
                self.finish(number, now);
                Settled::Delivered
            }
            Delivery::Gone => {
                self.close();
                Settled::Closed
            }
            Delivery::Failed { .. } if pending.since + PATIENCE <= now => {
                self.finish(number, now);
                Settled::GivenUp
            }
            Delivery::Failed { retry_after, .. } => {
                let wanted = retry_after.unwrap_or_default().min(LONGEST_PAUSE);
                let at = now + pause(number, pending.attempts).max(wanted);
                self.due.insert((at, number));
                self.failing.insert(number);
                Settled::Postponed(at)
            }
        }
    }

    /// Ends what is to be told of a notification; the next one about the same is due.
    fn finish(&mut self, number: u64, now: Timestamp) {
        self.failing.remove(&number);
        let Some(done) = self.pending.remove(&number) else {
            return;
        };
        let about = &done.notification.about;
        let Some(line) = self.lines.get_mut(about) else {
            return;
        };
        line.pop_front();
        match line.front() {
            Some(next) => {
                self.due.insert((now, *next));
            }
            None => {
                self.lines.remove(about);
            }
        }
    }

    /// Forgets everything that is pending: it is read again once this is open.
    fn close(&mut self) {
        *self = Self {
            is_closed: true,
            ..Self::new(std::mem::take(&mut self.wanted), self.delivered_through())
        };
    }
}

/// Returns the pause before the next attempt after so many: exponential, and somewhat different for each
/// notification, so that those that failed together do not come back together.
fn pause(number: u64, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let full = FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE);
    // Chance is not needed for that: any well mixed number is as good (Steele and others, "Fast
    // splittable pseudorandom number generators", 2014, has this mixer).
    let mut mixed = (number << 8 | u64::from(attempts)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let per_mille = u32::try_from((mixed >> 32) % 500).expect("it is below 500");
    full * (500 + per_mille) / 1000
}

#[cfg(test)]
mod tests;
