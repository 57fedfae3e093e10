//! The consumers: what each wants, and what it was told. What was told must be true for ever.

use std::collections::BTreeMap;

use acctpool_actors::pool::{
    AccountId, Fence, Reservation, ReservationId, ReservationState, ReservationStatus,
    ReservationView, Timestamp, TokenId,
};

/// What a consumer has been told of its reservation, last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing: no reply has reached it.
    Nothing,
    /// That it waits.
    Pending,
    /// That it holds an account.
    Active(Lease),
    /// That it is over.
    Ended,
}

/// What a consumer knows of its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The account.
    pub account: AccountId,
    /// Until when.
    pub expiration: Timestamp,
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
                // None of them asks for more than one account.
                let lease = leases.first();
                let credential = lease.and_then(|lease| Some((lease, lease.credential.as_ref()?)));
                credential.map_or(Self::Nothing, |(lease, credential)| {
                    Self::Active(Lease {
                        account: lease.account.clone(),
                        expiration: *expiration,
                        fence: credential.fence,
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
            (Self::Nothing | Self::Pending, _)
            | (Self::Active(_) | Self::Ended, ReservationState::Ended { .. }) => true,
            (
                Self::Active(lease),
                ReservationState::Active {
                    accounts,
                    expiration,
                    claimed,
                    ..
                },
            ) => {
                *accounts == [lease.account.clone()] && *expiration == lease.expiration && *claimed
            }
            (Self::Active(_) | Self::Ended, _) => false,
        };
        assert!(
            holds,
            "acknowledged_is_durable: {id} was told {self:?}, and is {record:?}"
        );
    }
}

/// Who waits for an account, or holds one.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its token.
    pub token: TokenId,
    /// What it was told.
    pub told: Told,
    /// Whether it wants to give its reservation back.
    pub leaves: bool,
}

/// All consumers, by their reservations.
pub type Consumers = BTreeMap<ReservationId, Consumer>;
