//! What the consumers do: they ask, ask again, poll, use, renew, give back, or are never seen again.

use std::time::Duration;

use acctpool_actors::pool::{
    AccountId, CancelReservation, Fence, GetReservation, RenewError, RequestError,
    RequestReservation, ReservationId, ReservationStatus, ReservationView, Timestamp, TokenId,
};

use super::{Happening, Life};
use crate::consumers::{Consumer, Intent, Lease, Told};
use crate::dice::Dice;
use crate::promises;
use crate::tally::Fault;
use crate::wishes::{any_renewal, any_request, is_allowed, mistaken};

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
        let request = any_request(&mut self.dice, id, self.world.pool.policy());
        if let Ok(view) = self.apply(request.clone()) {
            self.begins(request, &view);
        }
    }

    /// A reservation was made.
    fn begins(&mut self, request: RequestReservation, view: &ReservationView) {
        let (id, policy) = (view.id, self.world.pool.policy());
        assert!(
            is_allowed(
                &request,
                policy,
                self.world.configured(&request.account_type)
            ),
            "what is out of range was accepted: {view:?}"
        );
        promises::keeps_within_limits(&self.world, &request.token);
        self.tally.several += u64::from(request.count > 1);
        self.consumers.insert(id, Consumer::new(request));
        self.tell(id, Told::from(view));
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
        let Some(consumer) = self.consumers.get(&id).cloned() else {
            return;
        };
        if consumer.request.key.is_some() && self.dice.chance(100) {
            return self.repeat(id, &consumer);
        }
        match (consumer.intent, &consumer.told) {
            (Intent::Leave, told) if *told != Told::Ended => {
                self.give_back(id, consumer.request.token);
            }
            (Intent::Renew, Told::Active(_)) => self.renew(id, &consumer),
            _ => {
                let token = consumer.request.token;
                match self.apply(GetReservation { id, token }) {
                    Ok(view) => self.look(id, &consumer.told, &view),
                    Err(_) => self.not_found(id, &consumer.told),
                }
            }
        }
    }

    fn look(&mut self, id: ReservationId, told: &Told, view: &ReservationView) {
        self.model.told(view, self.world.now);
        told.assert_true(id, self.world.reservation(id));
        let hears = Told::from(view);
        self.tell(id, hears.clone());
        match (&view.status, hears) {
            (ReservationStatus::Active { .. }, Told::Active(holding)) => {
                self.stay(id, view.ttl.is_some(), holding.expiration);
            }
            (ReservationStatus::Ended { .. }, _) => {
                self.consumers.remove(&id);
            }
            // It waits, or has been granted something and not asked for it.
            _ => {
                self.intends(id, |dice| {
                    let leaves = dice.chance(30);
                    if leaves { Intent::Leave } else { Intent::Look }
                });
                self.come_back(id, Duration::from_mins(1), self.patience());
            }
        }
    }

    /// Decides what to do with a lease: to renew it in time, to give it back early, or to let it run
    /// out.
    fn stay(&mut self, id: ReservationId, has_ttl: bool, expiration: Timestamp) {
        let left = (expiration - self.world.now).unsigned_abs();
        let renewing = if has_ttl { 930 } else { 150 };
        let intent = self.intends(id, |dice| {
            if dice.chance(renewing) {
                Intent::Renew
            } else if dice.chance(850) {
                Intent::Leave
            } else {
                Intent::Look
            }
        });
        match intent {
            Intent::Renew => self.come_back(id, left / 4, left * 9 / 10),
            Intent::Leave => self.come_back(id, Duration::from_secs(10), left),
            Intent::Look => {
                let after = left + Duration::from_mins(1);
                self.come_back(id, after, after);
            }
        }
    }

    fn intends(&mut self, id: ReservationId, decide: impl FnOnce(&mut Dice) -> Intent) -> Intent {
        let intent = decide(&mut self.dice);
        if let Some(consumer) = self.consumers.get_mut(&id) {
            consumer.intent = intent;
        }
        intent
    }

    fn renew(&mut self, id: ReservationId, consumer: &Consumer) {
        let policy = self.world.pool.policy();
        let command = any_renewal(&mut self.dice, id, &consumer.request, policy);
        let wished = command.duration;
        let before = self.world.reservation(id).cloned();
        match (self.apply(command), before) {
            (Ok(view), Some(before)) => {
                promises::renewal_is_as_wished(&self.world, &before, wished);
                self.look(id, &consumer.told, &view);
            }
            (Err(RenewError::Ended), _) => {
                self.intends(id, |_| Intent::Look);
                self.come_back(id, Duration::from_mins(1), self.patience());
            }
            (Err(RenewError::Unknown(_)), _) => self.not_found(id, &consumer.told),
            (reply, before) => panic!(
                "acknowledged_is_durable: {id} was told {:?}, and the renewal of {before:?} was \
                 answered {reply:?}",
                consumer.told
            ),
        }
    }

    /// Somebody does not know whether its request was heard, and asks again; or mistakes the key for
    /// another one.
    fn repeat(&mut self, id: ReservationId, consumer: &Consumer) {
        let mut request = RequestReservation {
            id: self.world.fresh_id(),
            ..consumer.request.clone()
        };
        let is_mistaken = self.dice.chance(200);
        if is_mistaken {
            request = mistaken(request);
        }
        let reply = self.apply(request.clone());
        if self.model.has_forgotten(id) {
            // The key is free again.
            self.consumers.remove(&id);
            if let Ok(view) = reply {
                assert_eq!(view.id, request.id, "what is forgotten came back");
                self.begins(request, &view);
            }
            return;
        }
        self.tally.repetitions += 1;
        match reply {
            Ok(view) if !is_mistaken => {
                assert_eq!(view.id, id, "one_key_one_reservation");
                self.look(id, &consumer.told, &view);
            }
            Err(RequestError::KeyReused) if is_mistaken => {
                self.come_back(id, Duration::from_secs(1), Duration::from_mins(1));
            }
            reply => panic!("one_key_one_reservation: {request:?} of {id} led to {reply:?}"),
        }
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
        if told == Told::Nothing {
            return;
        }
        let before = std::mem::replace(&mut consumer.told, told.clone());
        if let (Told::Nothing | Told::Pending, Told::Active(holding)) = (before, told) {
            let left = (holding.expiration - self.world.now).unsigned_abs();
            for lease in holding.leases {
                self.plan_uses(&lease, left);
            }
        }
    }

    fn plan_uses(&mut self, lease: &Lease, left: Duration) {
        for _ in 0..self.dice.below(4) {
            let after = self
                .dice
                .between(Duration::ZERO, left + Duration::from_mins(15));
            let using = Happening::Use(lease.account.clone(), lease.fence);
            self.plan(after, using);
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
