//! What can be asked of the pool.
//!
//! Each command is a small type with a rule, which runs between settling and granting, and a reply,
//! which is made after granting.

use std::time::Duration;

use super::Pool;
use super::credentials::Credential;
use super::event::Event;
use super::findings::{CloudError, Pass, Probe, Proof, Verified};
use super::ids::{
    AccountId, AccountType, Fence, IdempotencyKey, ReservationId, Timestamp, TokenId,
};
use super::reservation::{EndReason, Repeatable, Reservation, ReservationState};
use super::view::{Lease, ReservationStatus, ReservationView, Statistics};

/// A request to the pool. Only the commands of this module are.
pub trait Command: sealed::Rule + Send + 'static {
    /// What is answered.
    type Reply: Send + 'static;

    #[doc(hidden)]
    fn reply(outcome: Self::Outcome, pool: &Pool) -> Self::Reply;
}

pub(super) mod sealed {
    use super::Pool;

    pub trait Rule {
        /// What the rule decided, from which the reply is made.
        type Outcome;

        fn rule(self, pool: &mut Pool) -> Self::Outcome;
    }
}
use sealed::Rule;

/// How many accounts may be asked for at once, whatever a pool has.
pub const MAX_COUNT: usize = 100;

/// Asks for an account, or for several at once; with a key, no more than once.
#[derive(Clone, Debug)]
pub struct RequestReservation {
    /// The id for the reservation: a fresh random UUID.
    pub id: ReservationId,
    /// Who asks.
    pub token: TokenId,
    /// The type of account.
    pub account_type: AccountType,
    /// How many of them, at once or not at all.
    pub count: usize,
    /// How long the lease may last; `None` for the type's default.
    pub duration: Option<Duration>,
    /// How long it lasts without a renewal; `None` if it needs none.
    pub ttl: Option<Duration>,
    /// What it is needed for, in words.
    pub purpose: Option<Box<str>>,
    /// Where there is more about that.
    pub link: Option<Box<str>>,
    /// With it, the same request of the same token is answered with the same reservation, for as long
    /// as that is kept.
    pub key: Option<IdempotencyKey>,
}

impl RequestReservation {
    /// Returns a request for one account, without any further wishes.
    #[must_use]
    pub fn new(id: ReservationId, token: TokenId, account_type: AccountType) -> Self {
        Self {
            id,
            token,
            account_type,
            count: 1,
            duration: None,
            ttl: None,
            purpose: None,
            link: None,
            key: None,
        }
    }
}

/// Why a reservation was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is a reservation with this id already: draw another.
    #[error("the id is taken")]
    IdTaken,
    /// The token has asked for something else with this key.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// There is no such type.
    #[error("unknown account type")]
    UnknownType {
        /// The types that this token may ask for.
        known: Vec<AccountType>,
    },
    /// The type is not for this token.
    #[error("account type not allowed")]
    TypeNotAllowed {
        /// The types that are.
        allowed: Vec<AccountType>,
    },
    /// None is asked for, or more than there are, or than the token may ever hold.
    #[error("count out of range")]
    CountOutOfRange {
        /// How many of the type the token may ask for at once.
        max: usize,
    },
    /// The duration is zero or too long.
    #[error("duration out of range")]
    DurationOutOfRange {
        /// The longest that the type allows, and the token.
        max: Duration,
    },
    /// The consumer has too many pending reservations.
    #[error("too many pending reservations of this token")]
    TooManyPendingOfToken {
        /// How many it may have.
        limit: usize,
    },
    /// The consumer would wait for more accounts, and hold more, than it may.
    #[error("too many reservations of this token")]
    TooManyReservations {
        /// How many accounts it may wait for and hold at once.
        limit: usize,
    },
    /// The pool has too many pending reservations.
    #[error("too many pending reservations")]
    TooManyPending {
        /// How many it may have.
        limit: usize,
    },
}

impl RequestReservation {
    /// Tells whether a reservation with the same key was made by the same request.
    fn is_what_led_to(&self, reservation: &Reservation) -> bool {
        let asked = reservation.repeatable.as_ref();
        self.account_type == reservation.account_type
            && self.count == reservation.count
            && asked.is_some_and(|asked| asked.duration == self.duration)
            && self.ttl == reservation.ttl
            && self.purpose == reservation.purpose
            && self.link == reservation.link
    }
}

impl Rule for RequestReservation {
    type Outcome = Result<ReservationId, RequestError>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        if pool.reservations.contains_key(&self.id) {
            return Err(RequestError::IdTaken);
        }
        if let Some(earlier) = pool.asked_with(&self) {
            if !self.is_what_led_to(earlier) {
                return Err(RequestError::KeyReused);
            }
            let id = earlier.id;
            if earlier.state == ReservationState::Pending {
                pool.note_interest(id, pool.now);
            }
            return Ok(id);
        }
        let policy = &pool.policy;
        let allows = |label: &&AccountType| policy.allows(&self.token, label);
        let allowed = || policy.types.keys().filter(allows).cloned().collect();
        let Some(of_type) = policy.types.get(&self.account_type) else {
            return Err(RequestError::UnknownType { known: allowed() });
        };
        if !allows(&&self.account_type) {
            return Err(RequestError::TypeNotAllowed { allowed: allowed() });
        }
        let limit = policy.max_reservations_of(&self.token);
        // What never fits into the token's limit is not refused for now, but for good.
        let max = limit.map_or(usize::MAX, |limit| limit.max(1));
        let max = max.min(pool.most_at_once(&self.account_type));
        if !(1..=max).contains(&self.count) {
            return Err(RequestError::CountOutOfRange { max });
        }
        let max = policy.longest_lease_of(&self.token, &self.account_type);
        let default = of_type.default_duration.min(max);
        let duration = self.duration.unwrap_or(default);
        if duration.is_zero() || duration > max {
            return Err(RequestError::DurationOutOfRange { max });
        }
        let present = pool.index.accounts_of(&self.token);
        if let Some(limit) = limit
            && present + self.count > limit
        {
            return Err(RequestError::TooManyReservations { limit });
        }
        let limit = policy.max_pending_per_token;
        if pool.index.pending_of(&self.token) >= limit {
            return Err(RequestError::TooManyPendingOfToken { limit });
        }
        let limit = policy.max_pending;
        if pool.index.pending() >= limit {
            return Err(RequestError::TooManyPending { limit });
        }
        let sequence = pool.next_sequence();
        pool.events.push(Event::ReservationRequested {
            reservation: self.id,
            token: self.token.clone(),
            account_type: self.account_type.clone(),
            count: self.count,
        });
        pool.add_reservation(Reservation {
            id: self.id,
            sequence,
            token: self.token,
            account_type: self.account_type,
            count: self.count,
            duration,
            ttl: self.ttl,
            purpose: self.purpose,
            link: self.link,
            repeatable: self.key.map(|key| Repeatable {
                key,
                duration: self.duration,
            }),
            created_at: pool.now,
            state: ReservationState::Pending,
            silent_since: pool.now,
        });
        Ok(self.id)
    }
}

impl Command for RequestReservation {
    type Reply = Result<ReservationView, RequestError>;

    fn reply(outcome: Self::Outcome, pool: &Pool) -> Self::Reply {
        outcome.map(|id| pool.view(id))
    }
}

/// There is no such reservation, or it is somebody else's: nobody can tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reservation")]
pub struct UnknownReservation;

/// Asks where one's own reservation stands. While it is active, the answer has the credentials, and
/// from then on the accounts count as used.
#[derive(Clone, Debug)]
pub struct GetReservation {
    /// The reservation.
    pub id: ReservationId,
    /// Who asks.
    pub token: TokenId,
}

impl Rule for GetReservation {
    type Outcome = Result<ReservationId, UnknownReservation>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        let reservation = pool.owned(self.id, &self.token)?;
        match reservation.state {
            ReservationState::Pending => pool.note_interest(self.id, pool.now),
            ReservationState::Active { claimed: false, .. } => pool.claim(self.id),
            ReservationState::Active { .. } | ReservationState::Ended { .. } => {}
        }
        Ok(self.id)
    }
}

impl Command for GetReservation {
    type Reply = Result<ReservationView, UnknownReservation>;

    fn reply(outcome: Self::Outcome, pool: &Pool) -> Self::Reply {
        outcome.map(|id| pool.view(id))
    }
}

/// Says that the owner of a reservation goes on asking about it, having been answered by others.
#[derive(Clone, Copy, Debug)]
pub struct NoteInterest {
    /// The reservation. While it is pending, its owner does not count as silent.
    pub id: ReservationId,
    /// Until when this counts.
    pub until: Timestamp,
}

impl Rule for NoteInterest {
    type Outcome = ();

    fn rule(self, pool: &mut Pool) {
        let state = pool.reservations.get(&self.id).map(|r| &r.state);
        if matches!(state, Some(ReservationState::Pending)) {
            pool.note_interest(self.id, self.until);
        }
    }
}

impl Command for NoteInterest {
    type Reply = ();

    fn reply((): (), _: &Pool) {}
}

/// Gives a reservation back. Repeating it changes nothing.
#[derive(Clone, Debug)]
pub struct CancelReservation {
    /// The reservation.
    pub id: ReservationId,
    /// Who asks.
    pub token: TokenId,
}

impl Rule for CancelReservation {
    type Outcome = Result<(), UnknownReservation>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        pool.owned(self.id, &self.token)?;
        pool.end_unless_ended(self.id, EndReason::Cancelled);
        Ok(())
    }
}

impl Command for CancelReservation {
    type Reply = Result<(), UnknownReservation>;

    fn reply(outcome: Self::Outcome, _: &Pool) -> Self::Reply {
        outcome
    }
}

/// Counts everything.
#[derive(Clone, Copy, Debug)]
pub struct GetStatistics;

impl Rule for GetStatistics {
    type Outcome = ();

    fn rule(self, _: &mut Pool) {}
}

impl Command for GetStatistics {
    type Reply = Statistics;

    fn reply((): (), pool: &Pool) -> Self::Reply {
        pool.statistics()
    }
}

/// Says that time has passed, and nothing else. The answer is when something falls due next.
#[derive(Clone, Copy, Debug)]
pub struct Tick;

impl Rule for Tick {
    type Outcome = ();

    fn rule(self, _: &mut Pool) {}
}

impl Command for Tick {
    type Reply = Option<Timestamp>;

    fn reply((): (), pool: &Pool) -> Self::Reply {
        pool.next_deadline()
    }
}

/// Reports how a job ended. A report whose fence is not the account's changes nothing.
#[derive(Clone, Debug)]
pub struct ReportCleaning {
    /// The account.
    pub account: AccountId,
    /// The fence that the job was issued with.
    pub fence: Fence,
    /// What came of it.
    pub result: Result<Done, CloudError>,
}

/// How a job ended well: one variant per job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// No lease credential is left.
    Revoked,
    /// The account is what it should be.
    Verified(Verified),
    /// A pass is over.
    Swept(Pass),
    /// The account was read; this was found.
    Proved(Proof),
    /// The management key exists and works.
    Rotated,
    /// No other management key is left.
    Retired,
    /// The lease credential exists.
    Minted(Credential),
    /// The lease credential was tried.
    Probed(Probe),
}

impl Rule for ReportCleaning {
    type Outcome = ();

    fn rule(self, pool: &mut Pool) {
        pool.cleaning_reported(&self.account, self.fence, self.result);
    }
}

impl Command for ReportCleaning {
    type Reply = ();

    fn reply((): (), _: &Pool) {}
}

impl Pool {
    /// Returns the reservation that the same token has asked for with the same key.
    fn asked_with(&self, request: &RequestReservation) -> Option<&Reservation> {
        let id = self.index.of_key(&request.token, request.key.as_ref()?)?;
        Some(&self.reservations[&id])
    }

    pub(super) fn owned(
        &self,
        id: ReservationId,
        token: &TokenId,
    ) -> Result<&Reservation, UnknownReservation> {
        self.reservations
            .get(&id)
            .filter(|reservation| reservation.token == *token)
            .ok_or(UnknownReservation)
    }

    pub(super) fn end_unless_ended(&mut self, id: ReservationId, reason: EndReason) {
        if !matches!(self.reservations[&id].state, ReservationState::Ended { .. }) {
            self.end_reservation(id, reason);
        }
    }

    fn claim(&mut self, id: ReservationId) {
        let shown = self.change_reservation(id, |reservation| {
            let ReservationState::Active {
                accounts, claimed, ..
            } = &mut reservation.state
            else {
                return None;
            };
            *claimed = true;
            Some(Event::CredentialShown {
                reservation: id,
                token: reservation.token.clone(),
                accounts: accounts.clone(),
            })
        });
        self.events.extend(shown);
    }

    /// Returns what the owner of a reservation may see, with the credentials once they were claimed.
    pub(super) fn view(&self, id: ReservationId) -> ReservationView {
        let reservation = &self.reservations[&id];
        ReservationView {
            id,
            account_type: reservation.account_type.clone(),
            count: reservation.count,
            duration: reservation.duration,
            ttl: reservation.ttl,
            purpose: reservation.purpose.clone(),
            link: reservation.link.clone(),
            created_at: reservation.created_at,
            status: match &reservation.state {
                ReservationState::Pending => ReservationStatus::Pending {
                    queue_position: self.index.position(reservation),
                },
                ReservationState::Active {
                    accounts,
                    granted_at,
                    expiration,
                    claimed,
                } => ReservationStatus::Active {
                    expiration: *expiration,
                    lapse: reservation.lapse(*granted_at, *expiration),
                    leases: self.leases(accounts, *claimed),
                },
                ReservationState::Ended { reason, ended_at } => ReservationStatus::Ended {
                    reason: *reason,
                    ended_at: *ended_at,
                },
            },
        }
    }

    fn leases(&self, accounts: &[AccountId], claimed: bool) -> Vec<Lease> {
        let leases = accounts.iter().map(|account| Lease {
            account: account.clone(),
            credential: self.accounts[account]
                .credential
                .clone()
                .filter(|_| claimed),
        });
        leases.collect()
    }
}
