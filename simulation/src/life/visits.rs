//! What the consumers do: they ask, ask again, poll, renew, give back, or are never seen again; and what
//! they are told.

use std::time::Duration;

use acctpool_actors::pool::{
    CancelReservation, GetReservation, RenewError, RequestError, RequestReservation, ReservationId,
    ReservationState, ReservationStatus, ReservationView, Timestamp, TokenId,
};
use acctpool_soak::consumers::{Consumer, Holding, Intent, Told};
use acctpool_soak::wishes::{any_renewal, any_request, mistaken};
use uuid::Uuid;

use super::Life;
use crate::agenda::Happening;
use crate::line::Heard;
use crate::tally::Fault;

/// How long a rush goes on: one in so many of a thousand consumers is the last of it.
const LAST_OF_RUSH: u64 = 110;

impl Life {
    /// Somebody asks for an account. They come in rushes: many within an hour, then nobody for days.
    pub(super) fn arrive(&mut self) {
        let next = if self.dice.chance(LAST_OF_RUSH) {
            Duration::from_hours(24 + self.dice.below(24 * 18))
        } else {
            Duration::from_secs(self.dice.below(600))
        };
        self.plan(next, Happening::Arrival);
        if self.dice.chance(self.weather.slow_disks) {
            self.disk_gets_slow();
        }
        let id = self.fresh_id();
        let request = any_request(&mut self.dice, id, &self.policy);
        if let Some(process) = &self.process {
            process.ask_for(id, request.clone(), Heard::Asked);
            self.tally.several += u64::from(request.count > 1);
            self.consumers.insert(id, Consumer::new(request));
            self.come_back(id, Duration::from_mins(1), self.patience());
        }
    }

    fn fresh_id(&mut self) -> ReservationId {
        self.asked += 1;
        // In no order, so that nothing can lean on one.
        let scrambled = self
            .asked
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Uuid::from_u128(scrambled).into()
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
        let Some(consumer) = self.consumers.get(&id).cloned() else {
            return;
        };
        if self.weather.crash_every.is_some() && self.dice.chance(4) {
            // In the commit of what is answered now.
            self.lose_power_at(0);
        }
        if self.process.is_none() {
            // Nobody answers. It tries again.
            let soon = Duration::from_mins(1);
            return self.come_back(id, soon, soon * 2);
        }
        self.turn_to_service(id, &consumer);
        if self.dice.chance(20) {
            let token = TokenId::from("stranger");
            self.running()
                .ask_for(id, GetReservation { id, token }, |reply| {
                    assert!(reply.is_err(), "a stranger was told {reply:?}");
                    Heard::Looked(reply)
                });
        }
        // Whatever is heard, and if nothing is.
        let (soonest, latest) = match (&consumer.told, consumer.intent) {
            (Told::Active(holding), Intent::Look) => {
                let left = self.left_until(holding.expiration);
                (left, left + Duration::from_mins(1))
            }
            (Told::Active(holding), Intent::Renew) => self.in_time(holding.expiration),
            _ => (Duration::from_mins(1), self.patience()),
        };
        self.come_back(id, soonest, latest);
    }

    fn turn_to_service(&mut self, id: ReservationId, consumer: &Consumer) {
        let Consumer {
            request,
            told,
            intent,
        } = consumer;
        let token = request.token.clone();
        if request.key.is_some() && self.dice.chance(100) {
            return self.ask_again(id, request);
        }
        match (intent, told) {
            (Intent::Leave, told) if *told != Told::Ended => {
                self.running()
                    .ask_for(id, CancelReservation { id, token }, Heard::GaveBack);
            }
            (Intent::Renew, Told::Active(_)) => {
                let command = any_renewal(&mut self.dice, id, request, &self.policy);
                self.running().ask_for(id, command, Heard::Renewed);
            }
            _ => self
                .running()
                .ask_for(id, GetReservation { id, token }, Heard::Looked),
        }
    }

    /// Somebody does not know whether its request was heard, and asks again; or mistakes the key for
    /// another one.
    fn ask_again(&mut self, id: ReservationId, request: &RequestReservation) {
        let mut request = RequestReservation {
            id: self.fresh_id(),
            ..request.clone()
        };
        if self.dice.chance(200) {
            request = mistaken(request);
        }
        let asked = request.clone();
        self.running()
            .ask_for(id, request, |reply| Heard::AskedAgain(asked, reply));
    }

    fn left_until(&self, expiration: Timestamp) -> Duration {
        Duration::try_from(expiration - self.now).unwrap_or_default()
    }

    /// Returns between when a lease has to be renewed.
    fn in_time(&self, expiration: Timestamp) -> (Duration, Duration) {
        let left = self.left_until(expiration);
        let soonest = (left / 4).max(Duration::from_secs(10));
        (soonest, left * 9 / 10)
    }

    /// A consumer hears from the service.
    pub(super) fn heard(&mut self, id: ReservationId, heard: Heard) {
        match heard {
            Heard::Asked(Ok(view)) | Heard::Looked(Ok(view)) => self.told(id, &view),
            Heard::Renewed(Ok(view)) => {
                self.tally.renewals += 1;
                self.told(id, &view);
            }
            Heard::AskedAgain(request, reply) => self.heard_again(id, request, reply),
            Heard::Asked(Err(_)) => {
                self.consumers.remove(&id);
            }
            Heard::GaveBack(Ok(())) => {
                if let Some(consumer) = self.consumers.get_mut(&id) {
                    consumer.told = Told::Ended;
                }
                self.witness.assert_told(id, &Told::Ended);
            }
            Heard::Renewed(Err(RenewError::Ended)) => {
                self.witness.assert_told(id, &Told::Ended);
                if let Some(consumer) = self.consumers.get_mut(&id) {
                    consumer.intent = Intent::Look;
                }
            }
            Heard::Renewed(Err(RenewError::Pending)) => {
                panic!("acknowledged_is_durable: {id} was told of its lease, and waits")
            }
            // A stranger's question is answered like this too, and changes nothing.
            Heard::Looked(Err(_))
            | Heard::Renewed(Err(RenewError::Unknown(_)))
            | Heard::GaveBack(Err(_)) => {
                if let Some(consumer) = self.consumers.get(&id) {
                    self.witness.assert_told(id, &consumer.told);
                }
            }
        }
    }

    /// A consumer hears what became of a request that it had made before.
    fn heard_again(
        &mut self,
        id: ReservationId,
        request: RequestReservation,
        reply: Result<ReservationView, RequestError>,
    ) {
        self.tally.repetitions += 1;
        let Some(consumer) = self.consumers.get(&id) else {
            return;
        };
        let is_the_same = request.purpose == consumer.request.purpose;
        if self.witness.reservation(id).is_none() {
            // It never was one, or is forgotten: then the key is free.
            self.witness.assert_told(id, &consumer.told);
            self.consumers.remove(&id);
            if let Ok(view) = reply {
                assert_eq!(view.id, request.id, "what is forgotten came back");
                self.consumers.insert(view.id, Consumer::new(request));
                self.come_back(view.id, Duration::from_mins(1), self.patience());
                self.told(view.id, &view);
            }
            return;
        }
        match reply {
            Ok(view) if is_the_same => {
                assert_eq!(view.id, id, "one_key_one_reservation");
                self.told(id, &view);
            }
            Err(RequestError::KeyReused) if !is_the_same => {}
            reply => panic!("one_key_one_reservation: {request:?} of {id} led to {reply:?}"),
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
        if told == Told::Nothing {
            return;
        }
        let before = std::mem::replace(&mut consumer.told, told.clone());
        if consumer.intent != Intent::Leave {
            let (leaving, renewing) = match (&told, view.ttl) {
                (Told::Active(_), Some(_)) => (40, 930),
                (Told::Active(_), None) => (600, 100),
                _ => (30, 0),
            };
            consumer.intent = match self.dice.below(1000) {
                n if n < leaving => Intent::Leave,
                n if n < leaving + renewing => Intent::Renew,
                _ => Intent::Look,
            };
        }
        let intent = consumer.intent;
        self.witness.assert_told(id, &before);
        self.witness.assert_told(id, &told);
        match &told {
            Told::Active(holding) => {
                assert_eq!(holding.leases.len(), view.count, "all_or_nothing: {view:?}");
                self.one_holder(id, holding);
                if !matches!(before, Told::Active(_)) {
                    self.holding_begins(holding);
                    if intent == Intent::Renew {
                        let (soonest, latest) = self.in_time(holding.expiration);
                        self.come_back(id, soonest, latest);
                    }
                }
            }
            Told::Ended => {
                self.consumers.remove(&id);
            }
            Told::Nothing | Told::Pending => {}
        }
    }

    /// A consumer has been told for the first time what it holds.
    fn holding_begins(&mut self, holding: &Holding) {
        let left = self.left_until(holding.expiration);
        for lease in &holding.leases {
            let key = self.cloud.lease_key(&lease.account, lease.fence);
            assert!(key.is_some(), "told of a key that does not work: {lease:?}");
            self.lease_told(lease, left);
        }
    }

    /// P1: nobody else who was told of one of these accounts holds it still.
    fn one_holder(&self, id: ReservationId, holding: &Holding) {
        for (other, consumer) in &self.consumers {
            let Told::Active(theirs) = &consumer.told else {
                continue;
            };
            let both = theirs.leases.iter().find_map(|theirs| {
                let mut leases = holding.leases.iter();
                let mine = leases.find(|lease| lease.account == theirs.account)?;
                Some((mine, theirs))
            });
            let Some((mine, theirs)) = both.filter(|_| *other != id) else {
                continue;
            };
            let holds = self
                .witness
                .reservation(*other)
                .is_some_and(|record| matches!(record.state, ReservationState::Active { .. }));
            assert!(
                !holds && theirs.fence != mine.fence,
                "one_holder: {id} and {other} were told of {}",
                mine.account
            );
        }
    }
}
