//! Slow disks and crashes: what was not durable is lost, and so is every reply and every job that
//! depended on it.

use std::time::Duration;

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{Done, Event, Policy, ReservationId, Timestamp};

use super::{Happening, Life};
use crate::consumers::Told;
use crate::model::Model;
use crate::tally::Fault;
use crate::weather::any_policy;
use crate::world::{Answer, Issued};

/// What is not durable: the model as it was before, what has been seen since, and the replies that
/// wait.
pub(super) struct Held {
    model: Model,
    seen: Vec<Seen>,
    replies: Vec<(ReservationId, Told)>,
}

enum Seen {
    Turn(Vec<Event>, Timestamp),
    Answer(Box<Issued>, Result<Done, CloudError>, Timestamp),
}

impl Held {
    pub(super) fn turn(&mut self, events: &[Event], now: Timestamp) {
        self.seen.push(Seen::Turn(events.to_vec(), now));
    }

    pub(super) fn answered(
        &mut self,
        issued: &Issued,
        result: &Result<Done, CloudError>,
        now: Timestamp,
    ) {
        let issued = Box::new(issued.clone());
        self.seen.push(Seen::Answer(issued, result.clone(), now));
    }

    /// Returns the model as it is when only the first turns have been.
    fn model_after(self, turns: usize, policy: &Policy) -> Model {
        let mut model = self.model;
        let mut left = turns;
        for seen in self.seen {
            if left == 0 {
                break;
            }
            match seen {
                Seen::Turn(events, now) => {
                    model.observe_turn(&events, now);
                    left -= 1;
                }
                Seen::Answer(issued, result, now) => model.answered(&issued, &result, now, policy),
            }
        }
        model
    }
}

impl Life {
    pub(super) fn disk_gets_slow(&mut self) {
        if self.held.is_some() {
            return;
        }
        self.fault(Fault::SlowDisk);
        self.world.disk_is_slow = true;
        self.held = Some(Held {
            model: self.model.clone(),
            seen: Vec::new(),
            replies: Vec::new(),
        });
        let season = self.season;
        let slow = self
            .dice
            .between(Duration::from_secs(1), Duration::from_mins(15));
        self.plan(slow, Happening::DiskRecovers { season });
    }

    /// The disk catches up, or the process dies over it.
    pub(super) fn disk_recovers(&mut self) {
        let Some(held) = self.held.take_if(|_| !self.dice.chance(400)) else {
            if self.held.is_some() {
                self.crash();
            }
            return;
        };
        self.world.disk_is_slow = false;
        self.world.save();
        for (reservation, told) in held.replies {
            self.deliver(reservation, told);
        }
        self.send_out();
    }

    /// Tells a consumer something, as soon as it is durable.
    pub(super) fn tell(&mut self, reservation: ReservationId, told: Told) {
        match &mut self.held {
            Some(held) => held.replies.push((reservation, told)),
            None => self.deliver(reservation, told),
        }
    }

    /// The process dies, and is started again some time later, perhaps with other settings.
    pub(super) fn crash(&mut self) {
        self.fault(Fault::Crash);
        let saved = self.dice.place(self.world.unsaved() + 1);
        if saved < self.world.unsaved() {
            self.fault(Fault::CommitsLost);
        }
        if let Some(held) = self.held.take() {
            self.model = held.model_after(saved, self.world.pool.policy());
        }
        self.break_off_calls();
        self.world.crash(saved);
        self.tally.records(&self.world.written);

        let minutes = if self.dice.chance(100) { 12 * 60 } else { 5 };
        self.world.now += self
            .dice
            .between(Duration::from_secs(1), Duration::from_mins(minutes));
        let policy = if self.dice.chance(300) {
            any_policy(&mut self.dice)
        } else {
            self.world.pool.policy().clone()
        };
        self.start(policy);
        for (reservation, consumer) in &self.consumers {
            let record = self.world.reservation(*reservation);
            assert!(
                record.is_some()
                    || consumer.told == Told::Nothing
                    || self.model.has_forgotten(*reservation),
                "acknowledged_is_durable: {reservation} was told {:?}, and is not known",
                consumer.told
            );
            consumer.told.assert_true(*reservation, record);
        }
        let season = self.season;
        if let Some(every) = self.weather.crash_every {
            self.plan_about(every, Happening::Crash { season });
        }
    }

    pub(super) fn start(&mut self, policy: Policy) {
        self.model.restarted(&self.world.accounts);
        self.world.restart_with(policy);
        self.observe();
    }

    /// Calls that are under way come to the cloud, or do not. Nobody hears of them any more.
    fn break_off_calls(&mut self) {
        let now = self.world.now;
        for issued in self.world.open_jobs.clone() {
            if self.dice.chance(500) {
                let cloud = self.world.at_cloud(&issued.account);
                let _unheard = cloud.answer(&issued, Answer::Well, now);
            }
        }
        self.agenda.retain(|_, happening| {
            !matches!(
                happening,
                Happening::Answer { .. } | Happening::Again(..) | Happening::Unheard(_)
            )
        });
    }
}
