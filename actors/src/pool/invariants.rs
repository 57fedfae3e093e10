//! What is true of the pool after every turn. Each promise that can be read off the state has a
//! function of its name (`design.md` 2).
//!
//! Debug builds check, after every turn, what that turn touched; tests check everything.

use std::collections::BTreeSet;

use super::Pool;
use super::account::{Account, AccountState};
use super::ids::Subject;
use super::ids::{AccountId, ReservationId, Timestamp};
use super::reservation::{Reservation, ReservationState};

impl Pool {
    /// Panics if a promise is broken anywhere. For tests: it looks at everything.
    ///
    /// # Panics
    ///
    /// With the name of the broken promise.
    pub fn assert_invariants(&self) {
        for account in self.accounts.values() {
            self.assert_invariants_of_account(account);
        }
        for reservation in self.reservations.values() {
            self.assert_invariants_of_reservation(reservation);
        }
        self.assert_nobody_waits_for_nothing();
        let (accounts, reservations) = (self.accounts.values(), self.reservations.values());
        self.index.assert_derived(
            accounts,
            reservations,
            &self.exhausted,
            &self.policy,
            self.now,
        );
    }

    /// Panics if a promise is broken that has to do with one of these, where it still exists.
    pub(super) fn assert_invariants_of(&self, subjects: &BTreeSet<Subject>) {
        for subject in subjects {
            match subject {
                Subject::Account(id) => {
                    if let Some(account) = self.accounts.get(id) {
                        self.assert_invariants_of_account(account);
                    }
                }
                Subject::Reservation(id) => {
                    if let Some(reservation) = self.reservations.get(id) {
                        self.assert_invariants_of_reservation(reservation);
                    }
                }
                // See `Index::assert_derived`.
                Subject::Type(_) => {}
            }
        }
        self.assert_nobody_waits_for_nothing();
    }

    fn assert_invariants_of_account(&self, account: &Account) {
        let holder = match &account.state {
            AccountState::Leased { reservation } => {
                Some(self.assert_one_holder(account, reservation))
            }
            _ => None,
        };
        self.assert_credential_outlives_lease(account, holder);
    }

    fn assert_invariants_of_reservation(&self, reservation: &Reservation) {
        let id = reservation.id;
        let ReservationState::Active {
            accounts,
            expiration,
            ..
        } = &reservation.state
        else {
            return;
        };
        // P1, seen from the other side.
        for account in accounts {
            let state = &self.accounts[account].state;
            assert!(
                matches!(state, AccountState::Leased { reservation } if *reservation == id),
                "one_holder: {id} holds account {account}, which is {state:?}"
            );
        }
        let distinct: BTreeSet<&AccountId> = accounts.iter().collect();
        assert_eq!(
            distinct.len(),
            reservation.count,
            "all or nothing: {id} holds {accounts:?}"
        );
        assert!(
            self.now < *expiration,
            "deadline_holds: {id} is active after its expiration"
        );
    }

    /// P1: an active reservation and its account name each other. Returns when the lease ends.
    fn assert_one_holder(&self, account: &Account, reservation: &ReservationId) -> Timestamp {
        let holder = self.reservations.get(reservation).map(|r| &r.state);
        match holder {
            Some(ReservationState::Active {
                accounts,
                expiration,
                ..
            }) if accounts.contains(&account.id) => *expiration,
            _ => panic!(
                "one_holder: account {} is leased to {reservation}, which is {holder:?}",
                account.id
            ),
        }
    }

    /// A lease has a credential that IBM Cloud does not end before the lease does; so has every
    /// account that could be granted now.
    fn assert_credential_outlives_lease(&self, account: &Account, expiration: Option<Timestamp>) {
        let needed_until = match account.state {
            AccountState::Ready { .. } => {
                Some(self.now + self.policy.longest_lease(&account.account_type))
            }
            _ => expiration,
        };
        if let Some(needed_until) = needed_until {
            let ends = account.credential.as_ref().map(|c| c.expires_at);
            assert!(
                ends.is_some_and(|ends| ends >= needed_until),
                "account {} is {:?} with a credential that ends at {ends:?}, before {needed_until}",
                account.id,
                account.kind()
            );
        }
    }

    /// P8.
    fn assert_nobody_waits_for_nothing(&self) {
        assert!(
            self.index.next_match().is_none(),
            "no_idle_while_waiting: as many ready accounts as the next one of their type waits for"
        );
    }
}
