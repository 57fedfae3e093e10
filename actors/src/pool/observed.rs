//! How long things took lately, per type of account: what an estimate is made from.
//!
//! It is in memory only, so that nothing is known after a start until it has been seen again; and what
//! is not known is never made up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Pool;
use super::ids::{AccountId, AccountType, Timestamp};
use super::view::{Statistics, TypeStatistics};

/// Each observation counts one part in so many; those before it share the rest.
const WEIGHT: u32 = 4;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    types: BTreeMap<AccountType, Times>,
    /// When accounts came back that have not been ready since.
    back_since: BTreeMap<AccountId, Timestamp>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Times {
    hold: Mean,
    clean: Mean,
}

/// An exponentially weighted mean; unknown before the first observation.
#[derive(Clone, Copy, Debug, Default)]
struct Mean(Option<Duration>);

impl Mean {
    fn observe(&mut self, sample: Duration) {
        self.0 = Some(match self.0 {
            None => sample,
            Some(mean) => (mean * (WEIGHT - 1) + sample) / WEIGHT,
        });
    }
}

impl Observed {
    /// Notes that a lease is over.
    pub(super) fn lease_ended(
        &mut self,
        account_type: &AccountType,
        granted_at: Timestamp,
        now: Timestamp,
    ) {
        let times = self.types.entry(account_type.clone()).or_default();
        times.hold.observe((now - granted_at).unsigned_abs());
    }

    /// Notes that an account came back, to be cleaned.
    pub(super) fn came_back(&mut self, account: &AccountId, now: Timestamp) {
        self.back_since.insert(account.clone(), now);
    }

    /// Notes that an account is ready.
    pub(super) fn became_ready(
        &mut self,
        account: &AccountId,
        account_type: &AccountType,
        now: Timestamp,
    ) {
        if let Some(since) = self.back_since.remove(account) {
            let times = self.types.entry(account_type.clone()).or_default();
            times.clean.observe((now - since).unsigned_abs());
        }
    }

    /// Notes that an account needs a person, or is out: whatever it takes to be ready again, it is no
    /// cleaning.
    pub(super) fn went_out(&mut self, account: &AccountId) {
        self.back_since.remove(account);
    }
}

impl Pool {
    /// Returns the counts of a type, with what was observed of it.
    pub(super) fn statistics_of(&self, label: &AccountType) -> TypeStatistics {
        let times = self.observed.types.get(label).copied().unwrap_or_default();
        TypeStatistics {
            mean_hold: times.hold.0,
            mean_clean: times.clean.0,
            ..self.index.counts(label)
        }
    }

    /// Returns the counts of everything.
    pub(super) fn statistics(&self) -> Statistics {
        let types = self.index.types();
        Statistics {
            types: types
                .map(|label| (label.clone(), self.statistics_of(label)))
                .collect(),
        }
    }
}
