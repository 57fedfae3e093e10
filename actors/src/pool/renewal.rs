//! Renewal: a lease goes on for longer, or proves that somebody is still there.
//!
//! A lease credential is made before anybody knows for how long its lease will be renewed. So IBM
//! Cloud's own expiry of it is chosen for the longest lease of the type, counted from the last moment
//! at which it may be granted, plus a grace; a renewal moves the end of a lease within that, and the
//! expiry stays where it is. A lease of before a restart with a longer maximum is renewed for no
//! longer than its credential allows.

use std::time::Duration;

use super::Pool;
use super::command::sealed::Rule;
use super::command::{Command, UnknownReservation};
use super::event::Event;
use super::ids::{AccountId, ReservationId, Timestamp, TokenId};
use super::reservation::{Reservation, ReservationState};
use super::view::ReservationView;

/// Renews one's own lease: its time without a renewal begins anew. Never shortens it.
#[derive(Clone, Debug)]
pub struct RenewReservation {
    /// The reservation.
    pub id: ReservationId,
    /// Who asks.
    pub token: TokenId,
    /// How long it is to last from now on, as far as that is allowed; `None` if its end is to stay.
    pub duration: Option<Duration>,
}

/// Why a reservation was not renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// There is no such reservation, or it is somebody else's.
    #[error(transparent)]
    Unknown(#[from] UnknownReservation),
    /// It holds nothing yet.
    #[error("the reservation is pending")]
    Pending,
    /// It is over.
    #[error("the reservation has ended")]
    Ended,
}

impl Rule for RenewReservation {
    type Outcome = Result<ReservationId, RenewError>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        let reservation = pool.owned(self.id, &self.token)?;
        let (granted_at, accounts) = match &reservation.state {
            ReservationState::Pending => return Err(RenewError::Pending),
            ReservationState::Ended { .. } => return Err(RenewError::Ended),
            ReservationState::Active {
                granted_at,
                accounts,
                ..
            } => (*granted_at, accounts),
        };
        let latest = pool.latest_end(reservation, granted_at, accounts);
        let longest = pool.longest(reservation);
        let wished = self.duration.map(|wished| {
            // What is longer than any lease ends as late as is allowed.
            let end = (pool.now + wished.min(longest)).min(latest);
            Duration::try_from(end - granted_at).unwrap_or_default()
        });
        pool.renew(self.id, granted_at, wished.unwrap_or_default());
        Ok(self.id)
    }
}

impl Command for RenewReservation {
    type Reply = Result<ReservationView, RenewError>;

    fn reply(outcome: Self::Outcome, pool: &Pool) -> Self::Reply {
        outcome.map(|id| pool.view(id))
    }
}

impl Pool {
    /// Returns when a lease has to be over, however often it is renewed.
    fn latest_end(
        &self,
        reservation: &Reservation,
        granted_at: Timestamp,
        accounts: &[AccountId],
    ) -> Timestamp {
        let by_policy = granted_at + self.longest(reservation);
        let by_credential = accounts.iter().map(|account| {
            let credential = self.accounts[account].credential.as_ref();
            credential.map_or(granted_at, |credential| {
                credential.expires_at - self.policy.credential_grace
            })
        });
        by_credential.fold(by_policy, Timestamp::min)
    }

    /// Returns the longest lease that the owner of a reservation may have.
    fn longest(&self, reservation: &Reservation) -> Duration {
        self.policy
            .longest_lease_of(&reservation.token, &reservation.account_type)
    }

    fn renew(&mut self, id: ReservationId, granted_at: Timestamp, duration: Duration) {
        let now = self.now;
        let renewed = self.change_reservation(id, |reservation| {
            let is_longer = duration > reservation.duration;
            reservation.duration = reservation.duration.max(duration);
            reservation.silent_since = now;
            let renewed = reservation.expiration(granted_at, now);
            if let ReservationState::Active { expiration, .. } = &mut reservation.state {
                *expiration = renewed;
            }
            Event::ReservationRenewed {
                reservation: id,
                token: reservation.token.clone(),
                expiration: renewed,
                is_longer,
            }
        });
        self.events.push(renewed);
    }
}
