//! What an operator may do to accounts and reservations, and who did it.
//!
//! Each intervention is a command by itself, as whoever runs the program may give it, and, wrapped
//! in [`ByOperator`], one whose author is kept for the auditor, be it done or refused: an auditor
//! wants to know who tried.

use std::fmt;
use std::net::IpAddr;

use super::Pool;
use super::account::AccountState;
use super::command::sealed::Rule;
use super::command::{Command, UnknownReservation};
use super::event::Event;
use super::ids::{AccountId, ReservationId, Subject, TokenId};
use super::reservation::EndReason;
use sealed::Intervention;

/// Who intervenes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Whose token was presented.
    pub token: TokenId,
    /// Why, in the operator's own words.
    pub reason: String,
    /// Where the order came from, as far as that is known.
    pub from: Option<IpAddr>,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operator {}: {}", self.token, self.reason)
    }
}

/// An intervention, and whose it is.
#[derive(Clone, Debug)]
pub struct ByOperator<C> {
    /// Who wants it, and why.
    pub operator: Operator,
    /// What is wanted.
    pub command: C,
}

mod sealed {
    use super::{Operator, Pool, Subject};

    pub trait Intervention {
        /// What it is called.
        const NAME: &'static str;

        /// Why it is not done.
        type Refusal: ToString;

        /// Returns what it is about.
        fn subject(&self) -> Subject;

        fn intervene(self, by: Option<Operator>, pool: &mut Pool) -> Result<(), Self::Refusal>;
    }
}

impl<I: Intervention> Rule for I {
    type Outcome = Result<(), I::Refusal>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        self.intervene(None, pool)
    }
}

impl<I: Intervention<Refusal: Send + 'static> + Send + 'static> Command for I {
    type Reply = Result<(), I::Refusal>;

    fn reply(outcome: Self::Outcome, _: &Pool) -> Self::Reply {
        outcome
    }
}

impl<I: Intervention> Rule for ByOperator<I> {
    type Outcome = Result<(), I::Refusal>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        let Self { operator, command } = self;
        let subject = command.subject();
        let outcome = command.intervene(Some(operator.clone()), pool);
        if let Err(refusal) = &outcome {
            pool.events.push(Event::InterventionRefused {
                intervention: I::NAME,
                // An id of nothing is whatever was typed, a secret perhaps: it is not kept.
                subject: pool.has(&subject).then_some(subject),
                refusal: refusal.to_string(),
                by: operator,
            });
        }
        outcome
    }
}

impl<I: Intervention<Refusal: Send + 'static> + Send + 'static> Command for ByOperator<I> {
    type Reply = Result<(), I::Refusal>;

    fn reply(outcome: Self::Outcome, _: &Pool) -> Self::Reply {
        outcome
    }
}

/// There is no such account in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown account")]
pub struct UnknownAccount;

/// Why an account is not cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CleanRefused {
    /// There is no such account in the pool.
    #[error(transparent)]
    Unknown(#[from] UnknownAccount),
    /// Somebody holds it.
    #[error("the account is leased")]
    Leased,
}

/// Cleans an account that nobody holds, in full and at once: one that was ready, quarantined or out
/// too, of which the last is out again afterwards. A full cleaning that is under way goes on.
#[derive(Clone, Debug)]
pub struct CleanAccount {
    /// The account.
    pub account: AccountId,
}

impl Intervention for CleanAccount {
    const NAME: &'static str = "clean";

    type Refusal = CleanRefused;

    fn subject(&self) -> Subject {
        Subject::Account(self.account.clone())
    }

    fn intervene(self, by: Option<Operator>, pool: &mut Pool) -> Result<(), Self::Refusal> {
        let Self { account } = self;
        if let AccountState::Leased { .. } = pool.known(&account)? {
            return Err(CleanRefused::Leased);
        }
        pool.events.push(Event::CleaningRequested {
            account: account.clone(),
            by,
        });
        pool.clean(&account);
        Ok(())
    }
}

/// Takes an account out: at once where it is quarantined, else as soon as its lease is over and it is
/// proven clean.
#[derive(Clone, Debug)]
pub struct DrainAccount {
    /// The account.
    pub account: AccountId,
}

impl Intervention for DrainAccount {
    const NAME: &'static str = "drain";

    type Refusal = UnknownAccount;

    fn subject(&self) -> Subject {
        Subject::Account(self.account.clone())
    }

    fn intervene(self, by: Option<Operator>, pool: &mut Pool) -> Result<(), Self::Refusal> {
        let Self { account } = self;
        pool.known(&account)?;
        pool.events.push(Event::DrainRequested {
            account: account.clone(),
            by,
        });
        pool.drain(&account);
        Ok(())
    }
}

/// Brings a quarantined or drained account back: it is dirty then.
#[derive(Clone, Debug)]
pub struct EnableAccount {
    /// The account.
    pub account: AccountId,
}

impl Intervention for EnableAccount {
    const NAME: &'static str = "enable";

    type Refusal = UnknownAccount;

    fn subject(&self) -> Subject {
        Subject::Account(self.account.clone())
    }

    fn intervene(self, by: Option<Operator>, pool: &mut Pool) -> Result<(), Self::Refusal> {
        let Self { account } = self;
        pool.known(&account)?;
        pool.events.push(Event::AccountEnabled {
            account: account.clone(),
            by,
        });
        pool.enable(&account);
        Ok(())
    }
}

/// Sets an account aside, for a person to look at: what is done to it stops, a lease on it is
/// revoked, and its lease credential is taken away. One that is quarantined already stays as it is.
#[derive(Clone, Debug)]
pub struct QuarantineAccount {
    /// The account.
    pub account: AccountId,
}

impl Intervention for QuarantineAccount {
    const NAME: &'static str = "quarantine";

    type Refusal = UnknownAccount;

    fn subject(&self) -> Subject {
        Subject::Account(self.account.clone())
    }

    fn intervene(self, by: Option<Operator>, pool: &mut Pool) -> Result<(), Self::Refusal> {
        let Self { account } = self;
        pool.known(&account)?;
        let reason = by
            .as_ref()
            .map_or_else(|| "operator".to_owned(), ToString::to_string);
        pool.events.push(Event::QuarantineRequested {
            account: account.clone(),
            by,
        });
        pool.set_aside(&account, reason);
        Ok(())
    }
}

/// Takes a reservation away from its owner. One that is over stays as it ended.
#[derive(Clone, Debug)]
pub struct RevokeReservation {
    /// The reservation.
    pub id: ReservationId,
}

impl Intervention for RevokeReservation {
    const NAME: &'static str = "revoke";

    type Refusal = UnknownReservation;

    fn subject(&self) -> Subject {
        Subject::Reservation(self.id)
    }

    fn intervene(self, by: Option<Operator>, pool: &mut Pool) -> Result<(), Self::Refusal> {
        if !pool.reservations.contains_key(&self.id) {
            return Err(UnknownReservation);
        }
        pool.events.push(Event::RevocationRequested {
            reservation: self.id,
            by,
        });
        pool.end_unless_ended(self.id, EndReason::Revoked);
        Ok(())
    }
}

impl Pool {
    fn has(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Account(account) => self.accounts.contains_key(account),
            Subject::Reservation(reservation) => self.reservations.contains_key(reservation),
            Subject::Type(label) => self.policy.types.contains_key(label),
        }
    }

    fn known(&self, account: &AccountId) -> Result<&AccountState, UnknownAccount> {
        let account = self.accounts.get(account).ok_or(UnknownAccount)?;
        Ok(&account.state)
    }
}
