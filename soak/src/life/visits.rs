//! What the consumers do: they ask, poll, use, give back, or are never seen again.

use std::time::Duration;

use acctpool_actors::pool::{
    AccountId, AccountType, CancelReservation, Fence, GetReservation, RequestReservation,
    ReservationId, ReservationStatus, ReservationView, TokenId,
};

use super::{Happening, Life};
use crate::consumers::{Consumer, Told};
use crate::tally::Fault;

/// How long a rush goes on: one in so many of a thousand consumers is the last of it.
const LAST_OF_RUSH: u64 = 40;

impl Life {
    /// Somebody asks for an account. They come in rushes: many within an hour, then nobody for weeks.
    pub(super) fn arrive(&mut self) {
        let next = if self.dice.chance(LAST_OF_RUSH) {
            Duration::from_hours(24 + self.dice.below(24 * 28))
        } else {
            Duration::from_secs(self.dice.below(240))
        };
        self.plan(next, Happening::Arrival);
        if self.dice.chance(self.weather.slow_disks) {
            self.disk_gets_slow();
        }
        let id = self.world.fresh_id();
        let token = TokenId::from(format!("consumer-{}", self.dice.below(8)));
        let label = if self.dice.chance(500) {
            "free"
        } else {
            "lite"
        };
        let account_type = AccountType::from(label);
        let longest = self.world.pool.policy().longest_lease(&account_type);
        let duration = self
            .dice
            .chance(700)
            .then(|| self.dice.between(Duration::ZERO, longest * 9 / 8));
        let reply = self.apply(RequestReservation {
            duration,
            ..RequestReservation::new(id, token.clone(), account_type)
        });
        let valid = duration.is_none_or(|asked| !asked.is_zero() && asked <= longest);
        let Ok(view) = reply else {
            return;
        };
        assert!(valid, "a duration out of range was accepted: {view:?}");
        let consumer = Consumer {
            token,
            told: Told::Nothing,
            leaves: false,
        };
        self.consumers.insert(id, consumer);
        self.tell(id, Told::from(&view));
        self.come_back(id, Duration::from_mins(1), self.patience());
    }

    /// Returns how long one can be silent without being given up.
    fn patience(&self) -> Duration {
        let policy = self.world.pool.policy();
        policy.pending_timeout.min(policy.claim_timeout) * 9 / 10
    }

    /// Comes back within some time, or never.
    fn come_back(&mut self, id: ReservationId, soonest: Duration, latest: Duration) {
        if self.dice.chance(30) {
            return self.fault(Fault::ConsumerVanished);
        }
        let after = self.dice.between(soonest, latest.max(soonest));
        self.plan(after, Happening::Visit(id));
    }

    /// Somebody comes back to its reservation.
    pub(super) fn visit(&mut self, id: ReservationId) {
        if self.dice.chance(20) {
            let token = TokenId::from("stranger");
            let reply = self.apply(GetReservation { id, token });
            assert!(reply.is_err(), "a stranger was told {reply:?}");
        }
        let Some(Consumer {
            token,
            told,
            leaves,
        }) = self.consumers.get(&id).cloned()
        else {
            return;
        };
        if leaves && told != Told::Ended {
            return self.give_back(id, token);
        }
        match self.apply(GetReservation { id, token }) {
            Ok(view) => self.look(id, &told, &view),
            Err(_) => self.not_found(id, &told),
        }
    }

    fn look(&mut self, id: ReservationId, told: &Told, view: &ReservationView) {
        self.model.told(view, self.world.now);
        told.assert_true(id, self.world.reservation(id));
        self.tell(id, Told::from(view));
        match view.status {
            ReservationStatus::Pending { .. } => {
                self.leave(id, 30);
                self.come_back(id, Duration::from_mins(1), self.patience());
            }
            ReservationStatus::Active { expiration, .. } => {
                let left = (expiration - self.world.now).unsigned_abs();
                if self.leave(id, 850) {
                    self.come_back(id, Duration::from_secs(10), left);
                } else {
                    let after = left + Duration::from_mins(1);
                    self.come_back(id, after, after);
                }
            }
            ReservationStatus::Ended { .. } => {
                self.consumers.remove(&id);
            }
        }
    }

    /// Decides whether to give the reservation back at the next visit.
    fn leave(&mut self, id: ReservationId, per_mille: u64) -> bool {
        let leaves = self.dice.chance(per_mille);
        if let Some(consumer) = self.consumers.get_mut(&id) {
            consumer.leaves = leaves;
        }
        leaves
    }

    fn give_back(&mut self, id: ReservationId, token: TokenId) {
        if self.apply(CancelReservation { id, token }).is_err() {
            let told = self.consumers[&id].told.clone();
            return self.not_found(id, &told);
        }
        self.tell(id, Told::Ended);
        let soon = Duration::from_mins(1);
        self.come_back(id, soon, soon);
    }

    fn not_found(&mut self, id: ReservationId, told: &Told) {
        assert!(
            self.model.has_forgotten(id),
            "acknowledged_is_durable: {id} was told {told:?}, and is not known"
        );
        self.consumers.remove(&id);
    }

    /// A consumer hears of its reservation. One that hears of its lease for the first time uses it,
    /// and goes on for as long as its tokens work.
    pub(super) fn deliver(&mut self, id: ReservationId, told: Told) {
        let Some(consumer) = self.consumers.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut consumer.told, told.clone());
        if let (Told::Nothing | Told::Pending, Told::Active(lease)) = (before, told) {
            let left = (lease.expiration - self.world.now).unsigned_abs();
            for _ in 0..self.dice.below(4) {
                let after = self
                    .dice
                    .between(Duration::ZERO, left + Duration::from_mins(15));
                let using = Happening::Use(lease.account.clone(), lease.fence);
                self.plan(after, using);
            }
        }
    }

    /// Makes a resource with a lease, or with a token of it that still works.
    pub(super) fn use_lease(&mut self, account: &AccountId, lease: Fence) {
        let now = self.world.now;
        let immortal = self.weather.immortals && self.dice.chance(60);
        let cloud = self.world.at_cloud(account);
        let before = cloud.resources;
        cloud.use_lease(lease, now);
        if immortal && cloud.resources > before {
            cloud.immortal = true;
            self.fault(Fault::UndeletableResource);
        }
    }
}
