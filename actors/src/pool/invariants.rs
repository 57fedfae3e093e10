//! What is true of the pool after every turn. Each promise that can be read off the state has a
//! function of its name (`design.md` 2).
//!
//! Debug builds check, after every turn, what that turn touched; tests check everything.

use super::Pool;
use super::account::AccountState;
use super::ids::Timestamp;
use super::index::Subject;
use super::reservation::ReservationState;

impl Pool {
    /// Panics if a promise is broken anywhere. For tests: it looks at everything.
    ///
    /// # Panics
    ///
    /// With the name of the broken promise.
    pub fn assert_invariants(&self) {
        let reservations = self.reservations.keys().copied().map(Subject::Reservation);
        let accounts = self.accounts.keys().cloned().map(Subject::Account);
        self.assert_invariants_of(reservations.chain(accounts));
        let (accounts, reservations) = (self.accounts.values(), self.reservations.values());
        self.index
            .assert_derived(accounts, reservations, &self.policy, self.now);
    }

    pub(super) fn assert_invariants_of(&self, subjects: impl Iterator<Item = Subject>) {
        for subject in subjects {
            self.assert_one_holder(&subject);
            self.assert_deadline_holds(&subject);
            self.assert_credential_outlives_lease(&subject);
        }
        assert!(
            self.index.next_match().is_none(),
            "no_idle_while_waiting: a ready account while a reservation of its type is pending"
        );
    }

    /// P1: an active reservation and its account name each other.
    fn assert_one_holder(&self, subject: &Subject) {
        match subject {
            Subject::Account(id) => {
                if let Some(AccountState::Leased { reservation }) =
                    self.accounts.get(id).map(|account| &account.state)
                {
                    let holder = self.reservations.get(reservation).map(|r| &r.state);
                    assert!(
                        matches!(holder, Some(ReservationState::Active { account, .. }) if account == id),
                        "one_holder: account {id} is leased to {reservation}, which is {holder:?}"
                    );
                }
            }
            Subject::Reservation(id) => {
                if let Some(ReservationState::Active { account, .. }) =
                    self.reservations.get(id).map(|r| &r.state)
                {
                    let state = &self.accounts[account].state;
                    assert!(
                        matches!(state, AccountState::Leased { reservation } if reservation == id),
                        "one_holder: {id} holds account {account}, which is {state:?}"
                    );
                }
            }
        }
    }

    /// P3: nothing is active at or after its expiration.
    fn assert_deadline_holds(&self, subject: &Subject) {
        if let Subject::Reservation(id) = subject
            && let Some(ReservationState::Active { expiration, .. }) =
                self.reservations.get(id).map(|r| &r.state)
        {
            assert!(
                self.now < *expiration,
                "deadline_holds: {id} is active after its expiration"
            );
        }
    }

    /// A lease has a credential that IBM Cloud does not end before the lease does; so has every
    /// account that could be granted now.
    fn assert_credential_outlives_lease(&self, subject: &Subject) {
        let Subject::Account(id) = subject else {
            return;
        };
        let Some(account) = self.accounts.get(id) else {
            return;
        };
        let needed_until: Option<Timestamp> = match &account.state {
            AccountState::Leased { reservation } => match &self.reservations[reservation].state {
                ReservationState::Active { expiration, .. } => Some(*expiration),
                _ => None,
            },
            AccountState::Ready { .. } => {
                Some(self.now + self.policy.longest_lease(&account.account_type))
            }
            _ => None,
        };
        if let Some(needed_until) = needed_until {
            let ends = account.credential.as_ref().map(|c| c.expires_at);
            assert!(
                ends.is_some_and(|ends| ends >= needed_until),
                "account {id} is {:?} with a credential that ends at {ends:?}, before {needed_until}",
                account.kind()
            );
        }
    }
}
