//! What is done with leases, and that a lease can be used for as long as it lives.

use std::time::Duration;

use acctpool_actors::pool::{AccountId, AccountState, Fence, ReservationState};
use acctpool_soak::consumers::Lease;

use super::Life;
use crate::agenda::Happening;
use crate::borrowers::{Outcome, Use, any_use};
use crate::cloud::ADMINISTRATED;
use crate::tally::Fault;

impl Life {
    /// A consumer has been told of its lease, and makes use of it, for as long as its tokens work.
    pub(super) fn lease_told(&mut self, lease: &Lease, left: Duration) {
        self.tally.leases += 1;
        self.borrowers.forget(&lease.account, lease.fence);
        if self.cloud.is_full(&lease.account) {
            self.cloud.move_to(self.now);
            // Whether its holder may make all that is not the question here.
            self.cloud.mess(&lease.account, self.dice.below(1000));
            self.fault(Fault::Infrastructure);
        }
        let late = left + Duration::from_mins(15);
        for _ in 0..=self.dice.below(3) {
            let after = self.dice.between(Duration::ZERO, late);
            self.plan(after, Happening::Use(lease.account.clone(), lease.fence));
        }
    }

    /// Does something with a lease, or with a token of it that still works.
    pub(super) fn use_lease(&mut self, account: &AccountId, lease: Fence) {
        self.cloud.move_to(self.now);
        let administrator = self
            .cloud
            .accounts()
            .any(|(id, label)| id == account && label.as_str() == ADMINISTRATED);
        let what = if self.weather.undeletable && self.dice.chance(80) {
            Use::Undeletable
        } else {
            any_use(&mut self.dice, administrator)
        };
        let outcome = self.borrowers.act(&mut self.cloud, account, lease, what);
        self.tally.uses += 1;
        self.tally
            .happened((self.now, account.as_str(), outcome == Outcome::Done));
        assert!(
            outcome == Outcome::Done || !self.is_live(account, lease),
            "the lease of {account} is live, and {what:?} ends with {outcome:?}"
        );
        match what {
            _ if outcome != Outcome::Done => {}
            Use::Undeletable => self.fault(Fault::UndeletableResource),
            Use::BackDoor => {
                self.fault(Fault::BackDoor);
                self.plan_about(Duration::from_mins(30), Happening::SneakIn(account.clone()));
            }
            _ => {}
        }
    }

    /// Tells whether a lease with this credential holds, by what is written down.
    fn is_live(&self, account: &AccountId, lease: Fence) -> bool {
        let Some(record) = self.witness.account(account) else {
            return false;
        };
        let AccountState::Leased { reservation } = &record.state else {
            return false;
        };
        let holder = self.witness.reservation(*reservation);
        record.credential.as_ref().is_some_and(|known| known.fence == lease)
            && holder.is_some_and(|holder| {
                matches!(&holder.state, ReservationState::Active { expiration, .. } if self.now < *expiration)
            })
    }

    pub(super) fn sneak_in(&mut self, account: &AccountId) {
        self.cloud.move_to(self.now);
        let entered = self.borrowers.sneak_in(&mut self.cloud, account);
        self.tally.happened((self.now, account.as_str(), entered));
    }
}
