//! What is written down: whole records of what changed, keyed by their ids.

use std::collections::BTreeMap;

use super::account::Account;
use super::ids::{AccountId, ReservationId};
use super::reservation::Reservation;

/// One record that a turn changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The account is now this.
    Account(Account),
    /// The reservation is now this.
    Reservation(Reservation),
    /// The reservation is no more.
    ReservationForgotten {
        /// Its id.
        id: ReservationId,
        /// Its place in the order of asking.
        sequence: u64,
    },
}

/// Everything that was written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The accounts, also those that are no longer configured.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The reservations that can still be read.
    pub reservations: BTreeMap<ReservationId, Reservation>,
}

impl Snapshot {
    /// Writes one change down.
    pub fn write(&mut self, change: Change) {
        match change {
            Change::Account(account) => {
                self.accounts.insert(account.id.clone(), account);
            }
            Change::Reservation(reservation) => {
                self.reservations.insert(reservation.id, reservation);
            }
            Change::ReservationForgotten { id, .. } => {
                self.reservations.remove(&id);
            }
        }
    }
}
