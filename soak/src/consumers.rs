//! The consumers: what each wants, and what it was told. What was told must be true for ever.

use std::collections::BTreeMap;

use acctpool_actors::pool::{
    AccountId, EndReason, Fence, RequestReservation, Reservation, ReservationId, ReservationState,
    ReservationStatus, ReservationView, Timestamp,
};

/// What a consumer has been told of its reservation, last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing: no reply has reached it.
    Nothing,
    /// That it waits.
    Pending,
    /// That it holds what it asked for.
    Active(Holding),
    /// That it is over.
    Ended,
}

/// What a consumer knows of what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// As many as it asked for.
    pub leases: Vec<Lease>,
    /// Until when, unless it is renewed.
    pub expiration: Timestamp,
}

/// What a consumer knows of one account that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The account.
    pub account: AccountId,
    /// Which credential it was shown.
    pub fence: Fence,
}

impl From<&ReservationView> for Told {
    fn from(view: &ReservationView) -> Self {
        match &view.status {
            ReservationStatus::Pending { .. } => Self::Pending,
            ReservationStatus::Active {
                expiration, leases, ..
            } => {
                let leases = leases.iter().map(|lease| {
                    let credential = lease.credential.as_ref()?;
                    Some(Lease {
                        account: lease.account.clone(),
                        fence: credential.fence,
                    })
                });
                let shown: Option<Vec<Lease>> = leases.collect();
                shown.map_or(Self::Nothing, |leases| {
                    Self::Active(Holding {
                        leases,
                        expiration: *expiration,
                    })
                })
            }
            ReservationStatus::Ended { .. } => Self::Ended,
        }
    }
}

impl Told {
    /// Panics where the record contradicts it (P4). `None` stands for a reservation that was
    /// forgotten in due course.
    pub fn assert_true(&self, id: ReservationId, record: Option<&Reservation>) {
        let Some(record) = record else {
            return;
        };
        let holds = match (self, &record.state) {
            (Self::Nothing | Self::Pending, _) | (Self::Ended, ReservationState::Ended { .. }) => {
                true
            }
            (Self::Active(holding), state) => holding.is_true_of(state),
            (Self::Ended, _) => false,
        };
        assert!(
            holds,
            "acknowledged_is_durable: {id} was told {self:?}, and is {record:?}"
        );
    }
}

impl Holding {
    /// A lease lasts until the moment that was told, if neither its owner nor an operator ends it; it
    /// may have been renewed since.
    fn is_true_of(&self, state: &ReservationState) -> bool {
        match state {
            ReservationState::Pending => false,
            ReservationState::Active {
                accounts,
                expiration,
                claimed,
                ..
            } => {
                let told = self.leases.iter().map(|lease| &lease.account);
                told.eq(accounts) && *expiration >= self.expiration && *claimed
            }
            ReservationState::Ended { reason, ended_at } => match reason {
                EndReason::Expired | EndReason::Abandoned => *ended_at >= self.expiration,
                EndReason::Cancelled | EndReason::Revoked => true,
            },
        }
    }
}

/// Who waits for accounts, or holds some.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// What it asked for.
    pub request: RequestReservation,
    /// What it was told.
    pub told: Told,
    /// What it is about to do.
    pub intent: Intent,
}

/// What a consumer is about to do with its reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Look how it stands.
    Look,
    /// Renew it.
    Renew,
    /// Give it back.
    Leave,
}

impl Consumer {
    /// Returns one who has just asked, and heard nothing yet.
    #[must_use]
    pub fn new(request: RequestReservation) -> Self {
        Self {
            request,
            told: Told::Nothing,
            intent: Intent::Look,
        }
    }
}

/// All consumers, by their reservations.
pub type Consumers = BTreeMap<ReservationId, Consumer>;
