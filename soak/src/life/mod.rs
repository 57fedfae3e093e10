//! A life of the pool: everything that happens to it, from one seed.
//!
//! What is to happen stands on an agenda. The next thing on it, or the pool's own deadline where that
//! comes first, happens; then every promise is checked.

mod calls;
mod outages;
mod seasons;
mod visits;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{
    AccountId, Command, Done, Event, Fence, ReservationId, Tick, Timestamp,
};

use crate::consumers::Consumers;
use crate::dice::Dice;
use crate::lives::Mortal;
use crate::model::Model;
use crate::promises;
use crate::tally::{Fault, Tally};
use crate::weather::{Weather, any_policy};
use crate::world::{Answer, Issued, START, World};
use outages::Held;

/// How many accounts there are of each type in the beginning.
pub const ACCOUNTS_PER_TYPE: usize = 10;

/// How long a year is.
pub const YEAR: Duration = Duration::from_hours(24 * 365);

/// See the module.
pub struct Life {
    world: World,
    model: Model,
    dice: Dice,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    /// How many things have ever been put on the agenda.
    planned: u64,
    consumers: Consumers,
    weather: Weather,
    /// How many weathers there were before the present one.
    season: u64,
    /// The account of which nothing is heard in calm weather.
    mute: Option<AccountId>,
    /// The accounts that have been ready in the present weather.
    recovered: BTreeSet<AccountId>,
    /// In calm weather: since when those who are next in their lines have been so.
    next_since: BTreeMap<ReservationId, Timestamp>,
    held: Option<Held>,
    tally: Tally,
}

/// What is on the agenda.
enum Happening {
    Arrival,
    Visit(ReservationId),
    Use(AccountId, Fence),
    Answer {
        issued: Issued,
        answer: Answer,
        twice: bool,
    },
    Again(Issued, Result<Done, CloudError>),
    Unheard(Issued),
    OperatorLooks {
        season: u64,
    },
    WeatherChanges,
    AllHasRecovered {
        season: u64,
    },
    Crash {
        season: u64,
    },
    DiskRecovers {
        season: u64,
    },
}

impl Mortal for Life {
    type Tally = Tally;

    fn begin(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let policy = any_policy(&mut dice);
        let mut life = Self {
            world: World::new(ACCOUNTS_PER_TYPE, ACCOUNTS_PER_TYPE),
            model: Model::default(),
            weather: Weather::any(&mut dice),
            dice,
            agenda: BTreeMap::new(),
            planned: 0,
            consumers: Consumers::new(),
            season: 0,
            mute: None,
            recovered: BTreeSet::new(),
            next_since: BTreeMap::new(),
            held: None,
            tally: Tally::default(),
        };
        life.start(policy);
        life.plan(Duration::ZERO, Happening::Arrival);
        life.plan(Duration::ZERO, Happening::WeatherChanges);
        life
    }

    fn live(&mut self, time: Duration) {
        while self.world.now < START + time {
            self.step();
        }
    }

    fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        tally.records(&self.world.written);
        tally
    }

    fn age(&self) -> Duration {
        (self.world.now - START).unsigned_abs()
    }
}

impl Life {
    fn step(&mut self) {
        let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.world.pool.next_deadline();
        match (next, deadline) {
            (Some(next), Some(deadline)) if deadline <= next => {
                // The clock ticks at least once a second.
                let tick = deadline + Duration::from_millis(self.dice.below(1000));
                self.world.now = self.world.now.max(tick.min(next));
                self.apply(Tick);
            }
            _ => {
                if let Some(((at, _), happening)) = self.agenda.pop_first() {
                    self.world.now = self.world.now.max(at);
                    self.happen(happening);
                }
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrival => self.arrive(),
            Happening::Visit(reservation) => self.visit(reservation),
            Happening::Use(account, lease) => self.use_lease(&account, lease),
            Happening::Answer {
                issued,
                answer,
                twice,
            } => self.answer(&issued, answer, twice),
            Happening::Again(issued, result) => self.answer_again(&issued, result),
            Happening::Unheard(issued) => self.carry_out_unheard(&issued),
            Happening::OperatorLooks { season } if season == self.season => self.operator_looks(),
            Happening::WeatherChanges => self.weather_changes(),
            Happening::AllHasRecovered { season } if season == self.season => {
                self.assert_recovered();
            }
            Happening::Crash { season } if season == self.season => self.crash(),
            Happening::DiskRecovers { season } if season == self.season => self.disk_recovers(),
            Happening::OperatorLooks { .. }
            | Happening::AllHasRecovered { .. }
            | Happening::Crash { .. }
            | Happening::DiskRecovers { .. } => {}
        }
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.planned += 1;
        let at = self.world.now + after;
        self.agenda.insert((at, self.planned), happening);
    }

    /// Plans something for some time that is so long on average.
    fn plan_about(&mut self, after: Duration, happening: Happening) {
        let after = self.dice.between(Duration::ZERO, after * 2);
        self.plan(after, happening);
    }

    /// Carries a command out, and checks everything.
    fn apply<C: Command>(&mut self, command: C) -> C::Reply {
        let reply = self.world.apply(command);
        self.observe();
        reply
    }

    fn observe(&mut self) {
        let (events, now) = (&self.world.events, self.world.now);
        self.tally.turn(events, now);
        if let Some(held) = &mut self.held {
            held.turn(events, now);
        }
        self.model.observe(&self.world);
        promises::check(&self.world, &self.model);
        if self.weather.is_calm() {
            for event in &self.world.events {
                if let Event::AccountReady { account } = event {
                    self.recovered.insert(account.clone());
                }
            }
            self.assert_lines_move();
        }
        self.send_out();
    }

    fn fault(&mut self, fault: Fault) {
        self.tally.fault(fault);
    }
}
