//! What is written down: whole records of what changed, keyed by their ids.

use std::collections::BTreeMap;

use super::account::{Account, AccountState};
use super::event::Event;
use super::ids::{
    AccountId, AccountType, Fingerprint, Generation, ReservationId, Timestamp, WebhookName,
};
use super::reservation::{EndReason, Reservation, ReservationState};

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
    /// Keys may be derived from this master key.
    MasterKey {
        /// Its number.
        generation: Generation,
        /// What it is known by.
        fingerprint: Fingerprint,
    },
    /// No key is derived from this master key any more.
    MasterKeyForgotten(Generation),
    /// A type is exhausted, or is not any more.
    Exhaustion {
        /// The type.
        account_type: AccountType,
        /// Since when; `None` if it is not any more.
        since: Option<Timestamp>,
    },
    /// A webhook has been told of more than before. Nothing that the pool knows of.
    Delivered {
        /// The webhook.
        webhook: WebhookName,
        /// The last entry of the audit up to which there is nothing left to tell; `None` if there is no
        /// such webhook any more.
        through: Option<u64>,
    },
}

/// Everything that was written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The accounts, also those that are no longer configured.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The reservations that can still be read.
    pub reservations: BTreeMap<ReservationId, Reservation>,
    /// The master keys that some key may be derived from; the last is in use.
    pub master_keys: BTreeMap<Generation, Fingerprint>,
    /// The types that are exhausted, and since when.
    pub exhausted: BTreeMap<AccountType, Timestamp>,
    /// Up to which entry of the audit each webhook has been told.
    pub delivered: BTreeMap<WebhookName, u64>,
}

impl Snapshot {
    /// Returns what has to change where this is a copy of records that went on without it, and what
    /// happens by that: of no lease can be said that it still is what it was, and of no account that
    /// no lease credential exists, or which management key works.
    #[must_use]
    pub fn disown(&self, now: Timestamp) -> (Vec<Change>, Vec<Event>) {
        let mut changes = Vec::new();
        let mut events = Vec::new();
        for account in self.accounts.values() {
            let mut account = account.clone();
            account.unrevoked = true;
            account.keys.verified = false;
            if let AccountState::Leased { reservation } = account.state {
                account.used_by = Some(reservation);
                account.state = AccountState::Dirty { not_before: now };
                account.since = now;
            }
            changes.push(Change::Account(account));
        }
        for reservation in self.reservations.values() {
            let ReservationState::Active { accounts, .. } = &reservation.state else {
                continue;
            };
            let reason = EndReason::Revoked;
            events.push(Event::ReservationEnded {
                reservation: reservation.id,
                token: reservation.token.clone(),
                reason,
                accounts: accounts.clone(),
            });
            changes.push(Change::Reservation(Reservation {
                state: ReservationState::Ended {
                    reason,
                    ended_at: now,
                },
                ..reservation.clone()
            }));
        }
        (changes, events)
    }

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
            Change::MasterKey {
                generation,
                fingerprint,
            } => {
                self.master_keys.insert(generation, fingerprint);
            }
            Change::MasterKeyForgotten(generation) => {
                self.master_keys.remove(&generation);
            }
            Change::Exhaustion {
                account_type,
                since,
            } => {
                match since {
                    Some(since) => self.exhausted.insert(account_type, since),
                    None => self.exhausted.remove(&account_type),
                };
            }
            Change::Delivered { webhook, through } => {
                match through {
                    Some(through) => self.delivered.insert(webhook, through),
                    None => self.delivered.remove(&webhook),
                };
            }
        }
    }
}
