//! What the consumers do: they ask, poll, give back, or are never seen again; and what they are told.

use std::time::Duration;

use acctpool_actors::pool::{
    AccountType, CancelReservation, GetReservation, RequestReservation, ReservationId,
    ReservationState, ReservationStatus, ReservationView, TokenId,
};
use acctpool_soak::consumers::{Consumer, Told};
use uuid::Uuid;

use super::Life;
use crate::agenda::Happening;
use crate::line::Heard;
use crate::tally::Fault;

/// How long a rush goes on: one in so many of a thousand consumers is the last of it.
const LAST_OF_RUSH: u64 = 70;

impl Life {
    /// Somebody asks for an account. They come in rushes: many within an hour, then nobody for days.
    pub(super) fn arrive(&mut self) {
        let next = if self.dice.chance(LAST_OF_RUSH) {
            Duration::from_hours(24 + self.dice.below(24 * 11))
        } else {
            Duration::from_secs(self.dice.below(600))
        };
        self.plan(next, Happening::Arrival);
        if self.dice.chance(self.weather.slow_disks) {
            self.disk_gets_slow();
        }
        self.asked += 1;
        // In no order, so that nothing can lean on one.
        let scrambled = self
            .asked
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let id = ReservationId::from(Uuid::from_u128(scrambled));
        let token = TokenId::from(format!("consumer-{}", self.dice.below(8)));
        let label = if self.dice.chance(500) {
            "free"
        } else {
            "lite"
        };
        let account_type = AccountType::from(label);
        let longest = self.policy.longest_lease(&account_type);
        let duration = self
            .dice
            .chance(700)
            .then(|| self.dice.between(Duration::from_mins(1), longest));
        let consumer = Consumer {
            token: token.clone(),
            told: Told::Nothing,
            leaves: false,
        };
        let command = RequestReservation {
            duration,
            ..RequestReservation::new(id, token, account_type)
        };
        if let Some(process) = &self.process {
            process.ask_for(id, command, Heard::Asked);
            self.consumers.insert(id, consumer);
            self.come_back(id, Duration::from_mins(1), self.patience());
        }
    }

    /// Returns how long one can be silent without being given up.
    fn patience(&self) -> Duration {
        self.policy.pending_timeout.min(self.policy.claim_timeout) * 9 / 10
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
        let Some(Consumer {
            token,
            told,
            leaves,
        }) = self.consumers.get(&id).cloned()
        else {
            return;
        };
        if self.weather.crash_every.is_some() && self.dice.chance(4) {
            // In the commit of what is answered now.
            self.lose_power_at(0);
        }
        let Some(process) = &self.process else {
            // Nobody answers. It tries again.
            let soon = Duration::from_mins(1);
            return self.come_back(id, soon, soon * 2);
        };
        if leaves && told != Told::Ended {
            process.ask_for(id, CancelReservation { id, token }, Heard::GaveBack);
        } else {
            process.ask_for(id, GetReservation { id, token }, Heard::Looked);
        }
        if self.dice.chance(20) {
            let token = TokenId::from("stranger");
            self.running()
                .ask_for(id, GetReservation { id, token }, |reply| {
                    assert!(reply.is_err(), "a stranger was told {reply:?}");
                    Heard::Looked(reply)
                });
        }
        // Whatever is heard, and if nothing is.
        let (soonest, latest) = match (&told, leaves) {
            (Told::Active(lease), false) => {
                let left = Duration::try_from(lease.expiration - self.now).unwrap_or_default();
                (left, left + Duration::from_mins(1))
            }
            _ => (Duration::from_mins(1), self.patience()),
        };
        self.come_back(id, soonest, latest);
    }

    /// A consumer hears from the service.
    pub(super) fn heard(&mut self, id: ReservationId, heard: Heard) {
        match heard {
            Heard::Asked(Ok(view)) | Heard::Looked(Ok(view)) => self.told(id, &view),
            Heard::Asked(Err(_)) => {
                self.consumers.remove(&id);
            }
            Heard::GaveBack(Ok(())) => {
                if let Some(consumer) = self.consumers.get_mut(&id) {
                    consumer.told = Told::Ended;
                }
                self.witness.assert_told(id, &Told::Ended);
            }
            // A stranger's question is answered like this too, and changes nothing.
            Heard::Looked(Err(_)) | Heard::GaveBack(Err(_)) => {
                if let Some(consumer) = self.consumers.get(&id) {
                    self.witness.assert_told(id, &consumer.told);
                }
            }
        }
    }

    fn told(&mut self, id: ReservationId, view: &ReservationView) {
        let text = format!("{view:?}");
        assert!(
            !self.secrets.are_in(&text),
            "secrets_stay_secret: an answer to {id} has one"
        );
        self.tally.happened((self.now, text));
        let Some(consumer) = self.consumers.get_mut(&id) else {
            return;
        };
        // What is shown is decided when it is rendered: nothing of a lease that is over.
        if let ReservationStatus::Active { expiration, .. } = view.status
            && self.now >= expiration
        {
            return;
        }
        let told = Told::from(view);
        let before = std::mem::replace(&mut consumer.told, told.clone());
        let leaving = match view.status {
            ReservationStatus::Pending { .. } => 30,
            ReservationStatus::Active { .. } => 600,
            ReservationStatus::Ended { .. } => 0,
        };
        consumer.leaves = consumer.leaves || self.dice.chance(leaving);
        self.witness.assert_told(id, &before);
        self.witness.assert_told(id, &told);
        match &told {
            Told::Active(lease) => {
                self.one_holder(id, &told);
                if !matches!(before, Told::Active(_)) {
                    let key = self.cloud.lease_key(&lease.account, lease.fence);
                    assert!(key.is_some(), "{id} was told of a key that does not work");
                    let lease = lease.clone();
                    self.lease_told(&lease);
                }
            }
            Told::Ended => {
                self.consumers.remove(&id);
            }
            Told::Nothing | Told::Pending => {}
        }
    }

    /// P1: nobody else who was told of this account holds it still.
    fn one_holder(&self, id: ReservationId, told: &Told) {
        let Told::Active(lease) = told else {
            return;
        };
        for (other, consumer) in &self.consumers {
            let Told::Active(theirs) = &consumer.told else {
                continue;
            };
            if *other == id || theirs.account != lease.account {
                continue;
            }
            let holds = self
                .witness
                .reservation(*other)
                .is_some_and(|record| matches!(record.state, ReservationState::Active { .. }));
            assert!(
                !holds && theirs.fence != lease.fence,
                "one_holder: {id} and {other} were told of {}",
                lease.account
            );
        }
    }
}
