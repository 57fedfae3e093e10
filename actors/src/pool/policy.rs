//! How long things may take and how many there may be: everything that the operator can tune in
//! the pool.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::findings::Pass;
use super::ids::{AccountType, TokenId};

/// The pool's settings. All durations are positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A pending reservation that nobody asks about for so long is abandoned.
    pub pending_timeout: Duration,
    /// An active reservation whose credential nobody fetches for so long is abandoned.
    pub claim_timeout: Duration,
    /// A type counts as exhausted from when somebody has waited for it for so long.
    pub exhausted_after: Duration,
    /// How long nothing must have been taken away before the first proof is read: until then tokens
    /// that were already issued, the lease's or a back door's, may still work (`ibm-cloud.md` 4).
    pub settle: Duration,
    /// The pause between the two proofs.
    pub proof_gap: Duration,
    /// The pause between two passes of a sweep, and between two probes.
    pub pass_interval: Duration,
    /// How long one call to a cleaner may take before its answer no longer counts.
    pub pass_timeout: Duration,
    /// How long one cleaning may take.
    pub cleaning_timeout: Duration,
    /// After so many cleanings that ran out of time an account is quarantined.
    pub cleaning_attempts: u32,
    /// After so many passes in a row that only met refusals an account is quarantined.
    pub stuck_passes: u32,
    /// The first pause after a transient fault; it doubles with each further one.
    pub backoff_min: Duration,
    /// The longest pause after a transient fault.
    pub backoff_max: Duration,
    /// How often an idle account is verified.
    pub verify_every: Duration,
    /// How old a lease credential may grow on an idle account.
    pub remint_every: Duration,
    /// How old a management key may grow; `None` means for ever.
    pub rotate_every: Option<Duration>,
    /// How long a lease credential outlives the latest possible end of its lease.
    pub credential_grace: Duration,
    /// How long an ended reservation can still be read.
    pub retain_ended: Duration,
    /// How many reservations of one token may be pending at once.
    pub max_pending_per_token: usize,
    /// How many reservations may be pending at once.
    pub max_pending: usize,
    /// How many ended reservations can be read at once; beyond that the oldest is forgotten early.
    pub max_ended: usize,
    /// What may be asked for. A configured account's type is always among them.
    pub types: BTreeMap<AccountType, TypePolicy>,
    /// What single tokens may not do that others may.
    pub tokens: BTreeMap<TokenId, TokenLimits>,
}

/// The settings of one type of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypePolicy {
    /// The duration of a lease that does not ask for one.
    pub default_duration: Duration,
    /// The longest duration that may be asked for.
    pub max_duration: Duration,
}

/// The limits of one token, beside those that hold for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenLimits {
    /// The only types that it may ask for, if not all.
    pub types: Option<BTreeSet<AccountType>>,
    /// The longest duration that it may ask for.
    pub max_duration: Option<Duration>,
    /// How many accounts it may wait for and hold at once.
    pub max_reservations: Option<usize>,
}

impl Default for Policy {
    /// What suits IBM Cloud, without any type.
    fn default() -> Self {
        Self {
            pending_timeout: Duration::from_mins(15),
            claim_timeout: Duration::from_mins(15),
            exhausted_after: Duration::from_mins(1),
            settle: Duration::from_mins(10),
            proof_gap: Duration::from_mins(2),
            pass_interval: Duration::from_secs(10),
            pass_timeout: Duration::from_mins(15),
            cleaning_timeout: Duration::from_hours(2),
            cleaning_attempts: 3,
            stuck_passes: 3,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_mins(5),
            verify_every: Duration::from_hours(6),
            remint_every: Duration::from_hours(7 * 24),
            rotate_every: Some(Duration::from_hours(30 * 24)),
            credential_grace: Duration::from_hours(1),
            retain_ended: Duration::from_hours(24),
            max_pending_per_token: 100,
            max_pending: 10_000,
            max_ended: 100_000,
            types: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// Returns the longest lease that an account of this type can be asked for.
    #[must_use]
    pub fn longest_lease(&self, account_type: &AccountType) -> Duration {
        self.types
            .get(account_type)
            .map_or(Duration::ZERO, |of_type| of_type.max_duration)
    }

    /// Tells whether a person has to look after so many refused passes in a row, of which `pass` is
    /// the last.
    #[must_use]
    pub fn gives_up(&self, refusals: u32, pass: &Pass) -> bool {
        // At the usual interval, which grows with them, a quarter of an hour.
        const FOR_THOSE_BEHIND: u32 = 10;
        // What waits behind a refusal may still go by itself: lists and caches lag.
        let more = if pass.waiting.is_empty() {
            0
        } else {
            FOR_THOSE_BEHIND
        };
        refusals >= self.stuck_passes.saturating_add(more)
    }

    /// Tells whether a token may ask for accounts of this type, if there is such a type.
    #[must_use]
    pub fn allows(&self, token: &TokenId, account_type: &AccountType) -> bool {
        let limits = self.tokens.get(token);
        let types = limits.and_then(|limits| limits.types.as_ref());
        types.is_none_or(|types| types.contains(account_type))
    }

    /// Returns the longest lease that a token can ask for: none where the type is not for it.
    #[must_use]
    pub fn longest_lease_of(&self, token: &TokenId, account_type: &AccountType) -> Duration {
        if !self.allows(token, account_type) {
            return Duration::ZERO;
        }
        let longest = self.longest_lease(account_type);
        let limits = self.tokens.get(token);
        let own = limits.and_then(|limits| limits.max_duration);
        own.map_or(longest, |own| own.min(longest))
    }

    /// Returns how many accounts a token may wait for and hold at once, if that is limited.
    #[must_use]
    pub fn max_reservations_of(&self, token: &TokenId) -> Option<usize> {
        self.tokens.get(token)?.max_reservations
    }

    /// Returns the pause before the next attempt after `failures` transient faults in a row.
    #[must_use]
    pub fn backoff(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        self.backoff_min
            .saturating_mul(1 << doublings)
            .min(self.backoff_max)
    }
}
