//! A life of the service: everything that happens to it, from one seed.
//!
//! Processes follow each other, each on a runtime of its own whose time is virtual. What is to happen
//! in the world around them stands on an agenda. Before each thing on it happens, everything that the
//! process has made durable, asked of the cloud and told its consumers is taken in, and every promise
//! is checked. While nothing is under way, time leaps to just before the next thing.

mod calls;
mod outages;
mod seasons;
mod uses;
mod visits;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{AccountId, Change, Policy, ReservationId, Tick, Timestamp};
use acctpool_soak::consumers::Consumers;
use acctpool_soak::dice::Dice;
use acctpool_soak::lives::Mortal;
use acctpool_soak::weather::any_policy;
use acctpool_soak::world::START;
use actix::System;
use tokio::runtime::Builder;
use tokio::time::{advance, timeout_at};

use crate::agenda::{Agenda, Happening};
use crate::borrowers::Borrowers;
use crate::clock::VirtualClock;
use crate::cloud::Cloud;
use crate::disk::Disk;
use crate::line::{Line, Signal};
use crate::process::{Installation, Process};
use crate::speech::{self, Secrets};
use crate::tally::{Fault, Tally};
use crate::weather::Weather;
use crate::witness::{Fact, Witness};

/// Time leaps only where nothing happens for longer than this.
const WORTH_A_LEAP: Duration = Duration::from_secs(4);

/// How long before the next thing a leap ends, so that the process meets it as it meets everything.
const RUN_UP: Duration = Duration::from_millis(1500);

/// See the module.
pub struct Life {
    now: Timestamp,
    dice: Dice,
    cloud: Cloud,
    disk: Disk,
    policy: Policy,
    agenda: Agenda,
    witness: Witness,
    process: Option<Process>,
    /// How many processes there have been.
    processes: u64,
    consumers: Consumers,
    borrowers: Borrowers,
    /// How many reservations were ever asked for.
    asked: u128,
    weather: Weather,
    /// Since when the weather is what it is, and how many there were before it.
    since: Timestamp,
    season: u64,
    /// The account of whose requests nothing is heard in calm weather.
    mute: Option<AccountId>,
    /// The accounts that have been ready in the present weather.
    recovered: BTreeSet<AccountId>,
    /// In calm weather: since when those who are next in their lines have been so.
    next_since: BTreeMap<ReservationId, Timestamp>,
    secrets: Secrets,
    tally: Tally,
}

impl Mortal for Life {
    type Tally = Tally;

    fn begin(seed: u64) -> Self {
        speech::listen(seed);
        let mut dice = Dice::new(seed);
        let mut life = Self {
            now: START,
            policy: any_policy(&mut dice),
            weather: Weather::any(&mut dice),
            dice,
            cloud: Cloud::new(seed, START),
            disk: Disk::new(),
            agenda: Agenda::default(),
            witness: Witness::new(),
            process: None,
            processes: 0,
            consumers: Consumers::new(),
            borrowers: Borrowers::default(),
            asked: 0,
            since: START,
            season: 0,
            mute: None,
            recovered: BTreeSet::new(),
            next_since: BTreeMap::new(),
            secrets: Secrets::default(),
            tally: Tally::default(),
        };
        life.plan(Duration::ZERO, Happening::Arrival);
        life.plan(Duration::ZERO, Happening::WeatherChanges);
        life.plan(Duration::from_hours(1), Happening::StaleReport);
        life
    }

    fn live(&mut self, time: Duration) {
        let end = START + time;
        while self.now < end {
            self.live_a_process(end);
            if self.now < end {
                self.outage();
            }
        }
        self.search_for_secrets();
    }

    fn tally(&self) -> Tally {
        self.tally.clone()
    }

    fn age(&self) -> Duration {
        (self.now - START).unsigned_abs()
    }
}

impl Life {
    /// Starts a process and lets it run until it dies, or until the end.
    fn live_a_process(&mut self, end: Timestamp) {
        let system = System::with_tokio_rt(|| {
            Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime without I/O can always be made")
        });
        system.block_on(async {
            self.start().await;
            self.run(end).await;
        });
        // Drops every actor where it stands.
        drop(system);
        self.process = None;
    }

    async fn start(&mut self) {
        self.processes += 1;
        self.disk.recover();
        let installation = Installation {
            policy: self.policy.clone(),
            accounts: self
                .cloud
                .accounts()
                .map(|(id, account_type)| (id.clone(), account_type.clone()))
                .collect(),
            ibm: self.cloud.settings(),
            keyring: self.cloud.keyring.clone(),
            disk: self.disk.clone(),
        };
        let line = Line::new(Dice::new(self.dice.below(u64::from(u32::MAX))));
        let clock = VirtualClock::starting_at(self.now);
        self.witness.started(self.now);
        self.process = Some(Process::start(&installation, clock, line).await);
    }

    async fn run(&mut self, end: Timestamp) {
        loop {
            let process = self.running();
            let (clock, line) = (process.clock, process.line.clone());
            self.now = clock.now();
            self.take_in();
            if line.is_cut() || self.disk.has_failed() || self.now >= end {
                return;
            }
            if let Some(happening) = self.agenda.take_due(self.now) {
                self.happen(happening).await;
                tokio::task::yield_now().await;
                continue;
            }
            let next = self.agenda.next().map_or(end, |at| at.min(end));
            self.wait(next).await;
        }
    }

    /// Waits until `next`, or until the process has something to say.
    async fn wait(&mut self, next: Timestamp) {
        let process = self.running();
        let (clock, bell) = (process.clock, process.line.bell());
        let mut until = next;
        if process.line.is_quiet() {
            let Ok(deadline) = process.ask(Tick).await else {
                // It has just died.
                return;
            };
            let next = deadline.map_or(next, |deadline| deadline.min(next));
            let gap = Duration::try_from(next - clock.now()).unwrap_or_default();
            if gap > WORTH_A_LEAP && process.line.is_quiet() {
                return advance(gap.saturating_sub(RUN_UP)).await;
            }
            until = until.min(clock.now() + WORTH_A_LEAP);
        }
        // Either is a reason to look.
        let _ = timeout_at(clock.instant(until), bell.notified()).await;
    }

    fn running(&self) -> &Process {
        self.process
            .as_ref()
            .expect("what needs a process happens while one runs")
    }

    async fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::StaleReport => self.stale_report().await,
            happening => self.happen_anyway(happening),
        }
    }

    /// Lets something happen for which it does not matter whether a process runs.
    fn happen_anyway(&mut self, happening: Happening) {
        match happening {
            Happening::Arrival => self.arrive(),
            Happening::Visit(reservation) => self.visit(reservation),
            Happening::Use(account, lease) => self.use_lease(&account, lease),
            Happening::SneakIn(account) => self.sneak_in(&account),
            Happening::Request(flight) => self.request_arrives(*flight),
            Happening::Reply(reply, answer) => {
                // Who asked may have lost patience.
                let _ = reply.send(answer);
            }
            Happening::StaleReport => self.plan(Duration::from_hours(1), Happening::StaleReport),
            Happening::KeyIsDead {
                account,
                lease,
                process,
            } => self.key_is_dead(&account, lease, process),
            Happening::OperatorLooks { season } if season == self.season => self.operator_looks(),
            Happening::WeatherChanges => self.weather_changes(),
            Happening::AllHasRecovered { season } if season == self.season => {
                self.assert_recovered();
            }
            Happening::Crash { season } if season == self.season => self.crash(),
            Happening::DiskRecovers { process } if process == self.processes => {
                self.disk_recovers();
            }
            Happening::OperatorLooks { .. }
            | Happening::AllHasRecovered { .. }
            | Happening::Crash { .. }
            | Happening::DiskRecovers { .. } => {}
        }
    }

    /// Takes in what the process has made durable and what it has said, and checks everything.
    fn take_in(&mut self) {
        assert!(
            !speech::somebody_panicked(),
            "a panic was caught on the way"
        );
        self.cloud.move_to(self.now);
        loop {
            for batch in self.disk.take_batches() {
                self.committed(batch);
            }
            let Some(signal) = self.running().line.next() else {
                break;
            };
            match signal {
                Signal::Request(account, outgoing, reply) => self.sent(account, outgoing, reply),
                Signal::Began(account, job) => self.call_began(&account, &job),
                Signal::Ended(account, keys, job, result) => {
                    self.call_ended(&account, keys, &job, &result);
                }
                Signal::Heard(id, heard) => self.heard(id, heard),
            }
        }
        self.witness.deadline_holds(self.now);
        if self.weather.is_calm() {
            self.assert_lines_move();
        }
    }

    fn committed(&mut self, batch: Vec<Change>) {
        self.tally.commits += 1;
        let text = format!("{batch:?}");
        self.tally.happened((self.now, &text));
        assert!(
            !self.secrets.are_in(&text),
            "secrets_stay_secret: the store was given one"
        );
        for fact in self.witness.committed(batch, &self.policy, self.now) {
            match fact {
                Fact::Ready(account) => {
                    self.tally.readies += 1;
                    self.witness.assert_ready(&account, &self.cloud);
                    self.recovered.insert(account);
                }
                Fact::Quarantined(account) => {
                    self.tally.quarantines += 1;
                    self.witness.no_silent_leftover(&account, &self.cloud);
                }
                Fact::LeaseEnded(account) => self.lease_ended(&account),
                Fact::Lapsed => self.tally.lapses += 1,
            }
        }
    }

    /// P10: nothing that was said has a secret in it.
    fn search_for_secrets(&mut self) {
        let known = self.secrets.known();
        self.secrets.learn(&self.cloud.secrets_after(known));
        self.cloud.forget_requests();
        for line in speech::take_log() {
            self.tally.lines += 1;
            assert!(
                !self.secrets.are_in(&line),
                "secrets_stay_secret: a line of the log has one"
            );
        }
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.agenda.plan(self.now + after, happening);
    }

    /// Plans something for some time that is so long on average.
    fn plan_about(&mut self, after: Duration, happening: Happening) {
        let after = self.dice.between(Duration::ZERO, after * 2);
        self.plan(after, happening);
    }

    fn fault(&mut self, fault: Fault) {
        self.tally.fault(fault);
    }
}
