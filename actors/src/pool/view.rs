//! What the pool tells those who ask.

use std::collections::BTreeMap;
use std::time::Duration;

use super::account::StateKind;
use super::credentials::Credential;
use super::ids::{AccountId, AccountType, ReservationId, Timestamp};
use super::reservation::EndReason;

/// A reservation as its owner may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationView {
    /// Its id.
    pub id: ReservationId,
    /// The type of account that was asked for.
    pub account_type: AccountType,
    /// How many accounts were asked for.
    pub count: usize,
    /// How long its lease may last.
    pub duration: Duration,
    /// How long its lease lasts without a renewal; `None` if it needs none.
    pub ttl: Option<Duration>,
    /// What its owner needs it for, in words.
    pub purpose: Option<Box<str>>,
    /// Where there is more about that.
    pub link: Option<Box<str>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Where it stands.
    pub status: ReservationStatus,
}

/// Where a reservation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReservationStatus {
    /// It waits.
    Pending {
        /// Its place among those that wait for the same type: 1 is next.
        queue_position: u64,
    },
    /// It holds what it asked for.
    Active {
        /// When the lease ends. No credential must be shown at or after this moment.
        expiration: Timestamp,
        /// Why it is over then.
        lapse: EndReason,
        /// What is held: as many accounts as were asked for.
        leases: Vec<Lease>,
    },
    /// It is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// Since when.
        ended_at: Timestamp,
    },
}

/// An account that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The account.
    pub account: AccountId,
    /// The lease credential, once the reservation's owner has asked for it.
    pub credential: Option<Credential>,
}

/// Counts of everything, per type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Every type of account that is configured.
    pub types: BTreeMap<AccountType, TypeStatistics>,
}

impl Statistics {
    /// Tells whether the operator should look: an account is quarantined, or whoever is next in a
    /// line waits for more accounts than can become ready, so that nobody behind gets any either.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        let mut types = self.types.values();
        types.any(|counts| counts.quarantined > 0 || counts.is_stalled())
    }
}

/// The counts of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeStatistics {
    /// Accounts that can be granted at once.
    pub ready: usize,
    /// Accounts that are held.
    pub leased: usize,
    /// Accounts that wait for their cleaning to start.
    pub dirty: usize,
    /// Accounts that a cleaner is at work on.
    pub cleaning: usize,
    /// Accounts that need a person.
    pub quarantined: usize,
    /// Accounts that the operator took out.
    pub drained: usize,
    /// Of those that are ready, leased, dirty or being cleaned: how many will not be lent again.
    pub leaving: usize,
    /// Reservations that wait.
    pub pending: usize,
    /// How many accounts whoever is next in the line waits for; 0 while nobody waits.
    pub next_count: usize,
    /// Reservations that hold what they asked for.
    pub active: usize,
    /// How long leases lasted lately; `None` before one has ended since the start.
    pub mean_hold: Option<Duration>,
    /// How long it took lately until an account was ready again; `None` before one was.
    pub mean_clean: Option<Duration>,
}

impl TypeStatistics {
    /// Returns the number of accounts in a state.
    #[must_use]
    pub fn accounts(&self, state: StateKind) -> usize {
        match state {
            StateKind::Dirty => self.dirty,
            StateKind::Cleaning => self.cleaning,
            StateKind::Ready => self.ready,
            StateKind::Leased => self.leased,
            StateKind::Quarantined => self.quarantined,
            StateKind::Drained => self.drained,
        }
    }

    /// Returns the number of accounts.
    #[must_use]
    pub fn total(&self) -> usize {
        self.ready + self.leased + self.dirty + self.cleaning + self.quarantined + self.drained
    }

    /// Returns the number of accounts that are ready or can become so without a person.
    fn turning(&self) -> usize {
        self.total() - self.quarantined - self.drained - self.leaving
    }

    /// Tells whether the line cannot move: whoever is next waits for more accounts than can become
    /// ready without a person.
    fn is_stalled(&self) -> bool {
        self.next_count > self.turning()
    }

    /// Returns how long whoever is at this place in the line will wait, if leases last and cleanings
    /// take as long as lately; `None` where either was not seen yet, or the line cannot move.
    #[must_use]
    pub fn estimated_wait(&self, queue_position: u64) -> Option<Duration> {
        if self.is_stalled() {
            return None;
        }
        let turn = self.mean_hold? + self.mean_clean?;
        let turning = u32::try_from(self.turning()).ok()?;
        let turns = u32::try_from(queue_position).ok()?;
        turn.saturating_mul(turns).checked_div(turning)
    }
}
