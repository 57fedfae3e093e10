//! What can be asked of the pool.
//!
//! Each command is a small type with a rule, which runs between settling and granting, and a reply,
//! which is made after granting.

use std::time::Duration;

use super::Pool;
use super::account::AccountState;
use super::credentials::Credential;
use super::event::Event;
use super::findings::{CloudError, Pass, Probe, Proof, Verified};
use super::ids::{AccountId, AccountType, Fence, ReservationId, Timestamp, TokenId};
use super::reservation::{EndReason, Reservation, ReservationState};
use super::view::{ReservationStatus, ReservationView, Statistics};

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

/// Asks for an account.
#[derive(Clone, Debug)]
pub struct RequestReservation {
    /// The id for the reservation: a fresh random UUID.
    pub id: ReservationId,
    /// Who asks.
    pub token: TokenId,
    /// The type of account.
    pub account_type: AccountType,
    /// How long the lease may last; `None` for the type's default.
    pub duration: Option<Duration>,
}

/// Why a reservation was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is a reservation with this id already: draw another.
    #[error("the id is taken")]
    IdTaken,
    /// There is no such type.
    #[error("unknown account type")]
    UnknownType {
        /// The types that there are.
        known: Vec<AccountType>,
    },
    /// The duration is zero or too long.
    #[error("duration out of range")]
    DurationOutOfRange {
        /// The longest that the type allows.
        max: Duration,
    },
    /// The consumer has too many pending reservations.
    #[error("too many pending reservations of this token")]
    TooManyPendingOfToken {
        /// How many it may have.
        limit: usize,
    },
    /// The pool has too many pending reservations.
    #[error("too many pending reservations")]
    TooManyPending {
        /// How many it may have.
        limit: usize,
    },
}

impl Rule for RequestReservation {
    type Outcome = Result<ReservationId, RequestError>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        if pool.reservations.contains_key(&self.id) {
            return Err(RequestError::IdTaken);
        }
        let policy = &pool.policy;
        let Some(of_type) = policy.types.get(&self.account_type) else {
            return Err(RequestError::UnknownType {
                known: policy.types.keys().cloned().collect(),
            });
        };
        let max = of_type.max_duration;
        let duration = self.duration.unwrap_or(of_type.default_duration);
        if duration.is_zero() || duration > max {
            return Err(RequestError::DurationOutOfRange { max });
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
        });
        pool.add_reservation(Reservation {
            id: self.id,
            sequence,
            token: self.token,
            account_type: self.account_type,
            duration,
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
        outcome.map(|id| pool.view(id, None))
    }
}

/// There is no such reservation, or it is somebody else's: nobody can tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reservation")]
pub struct UnknownReservation;

/// Asks where one's own reservation stands. While it is active, the answer has the credential, and
/// from then on the account counts as used.
#[derive(Clone, Debug)]
pub struct GetReservation {
    /// The reservation.
    pub id: ReservationId,
    /// Who asks.
    pub token: TokenId,
}

impl Rule for GetReservation {
    type Outcome = Result<(ReservationId, Option<Credential>), UnknownReservation>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        let reservation = pool.owned(self.id, &self.token)?;
        let credential = match &reservation.state {
            ReservationState::Pending => {
                pool.note_interest(self.id, pool.now);
                None
            }
            ReservationState::Active {
                account, claimed, ..
            } => {
                let (account, claimed) = (account.clone(), *claimed);
                if !claimed {
                    pool.claim(self.id, account.clone());
                }
                pool.accounts[&account].credential.clone()
            }
            ReservationState::Ended { .. } => None,
        };
        Ok((self.id, credential))
    }
}

impl Command for GetReservation {
    type Reply = Result<ReservationView, UnknownReservation>;

    fn reply(outcome: Self::Outcome, pool: &Pool) -> Self::Reply {
        outcome.map(|(id, credential)| pool.view(id, credential))
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
        pool.index.statistics()
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
    fn owned(
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

    fn claim(&mut self, id: ReservationId, account: AccountId) {
        let token = self.change_reservation(id, |reservation| {
            if let ReservationState::Active { claimed, .. } = &mut reservation.state {
                *claimed = true;
            }
            reservation.token.clone()
        });
        debug_assert!(matches!(
            self.accounts[&account].state,
            AccountState::Leased { reservation } if reservation == id
        ));
        self.events.push(Event::CredentialShown {
            reservation: id,
            token,
            account,
        });
    }

    pub(super) fn view(
        &self,
        id: ReservationId,
        credential: Option<Credential>,
    ) -> ReservationView {
        let reservation = &self.reservations[&id];
        ReservationView {
            id,
            account_type: reservation.account_type.clone(),
            duration: reservation.duration,
            created_at: reservation.created_at,
            status: match &reservation.state {
                ReservationState::Pending => ReservationStatus::Pending {
                    queue_position: self.index.position(reservation),
                },
                ReservationState::Active {
                    account,
                    expiration,
                    ..
                } => ReservationStatus::Active {
                    expiration: *expiration,
                    account: account.clone(),
                    credential,
                },
                ReservationState::Ended { reason, ended_at } => ReservationStatus::Ended {
                    reason: *reason,
                    ended_at: *ended_at,
                },
            },
        }
    }
}
