//! SIGKILL a hundred times (`ACCTPOOL_TEST_KILLS` says how often), at random moments and at every
//! failpoint, while consumers reserve, use, cancel and lose interest, leases expire, management keys
//! are rotated, and an operator edits the accounts' file.
//!
//! With `--nocapture` it prints what happened as it goes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::bench::Bench;
use crate::chance::{Random, number, seed};
use crate::consumer::{Consumer, check_one_holder, check_revoked};
use crate::failpoint::{Call, Failpoint};
use crate::operator::{Operator, TYPES};
use crate::process::eventually;
use crate::promises::{Cloud, check_nothing_is_left};
use crate::wire::Connection;

const ACCOUNTS: usize = 3;
const CONSUMERS: u64 = 4;

/// The order of the moments repeats after so many kills.
const ROUND: u64 = 25;

/// Long enough for leases to expire, be revoked and be granted again.
const LONG_LIFE: Duration = Duration::from_secs(4);

/// How long consumers work at most in a life: it ends before.
const AT_MOST: Duration = Duration::from_secs(40);

/// The operator edits the file before one life in so many.
const EDITS: u64 = 8;

#[test]
fn kills_at_any_moment_break_no_promise() {
    let kills = number("ACCTPOOL_TEST_KILLS").unwrap_or(100);
    let seed = seed();
    println!("ACCTPOOL_TEST_SEED={seed} ACCTPOOL_TEST_KILLS={kills}");

    let bench = Bench::new(ACCOUNTS);
    let mut soak = Soak::new(&bench, seed);
    for kill in 0..kills {
        soak.live_and_die(kill);
    }
    // How much happens in a life depends on the machine: there are more until enough has.
    for kill in kills..kills * 3 {
        if soak.has_seen_enough(kills) {
            break;
        }
        soak.live_and_die(kill);
    }
    soak.come_to_rest();
    soak.report();
    assert!(soak.has_seen_enough(kills), "too little happened");
}

struct Soak<'a> {
    bench: &'a Bench,
    random: Random,
    consumers: Vec<Consumer<'a>>,
    operator: Operator<'a>,
    cloud: Cloud<'a>,
    /// How often each failpoint struck, and how long those lives took.
    struck: BTreeMap<&'static str, (u32, Duration)>,
    leases: usize,
    started: Instant,
}

impl<'a> Soak<'a> {
    fn new(bench: &'a Bench, seed: u64) -> Self {
        let mut random = Random(seed);
        let consumers = (0..CONSUMERS)
            .map(|_| Consumer::new(bench, random.below(u64::MAX)))
            // What they asked for once stays in the records: not too much of it.
            .map(|consumer| consumer.of_types(TYPES).pausing(12))
            .collect();
        Self {
            bench,
            random,
            consumers,
            operator: Operator::new(bench, "1s"),
            cloud: Cloud::new(bench),
            struck: BTreeMap::new(),
            leases: 0,
            started: Instant::now(),
        }
    }

    fn failpoint(&mut self, kill: u64) -> Failpoint {
        let nth = usize::try_from(self.random.below(25)).unwrap() + 1;
        let answered = u32::try_from(self.random.below(250)).unwrap();
        let short = Duration::from_millis(self.random.below(800));
        match kill % ROUND {
            0 => Failpoint::AnyMoment(LONG_LIFE),
            4 | 9 | 14 | 19 | 24 => Failpoint::Start(short / 12),
            1 | 13 => Failpoint::BeforeCommit(nth),
            6 | 18 => Failpoint::AfterCommitBeforeReply(nth),
            3 | 11 | 16 => Failpoint::BeforeCall(Call::after(answered)),
            8 | 12 | 21 => Failpoint::AfterCallBeforeReply(Call::after(answered)),
            _ => Failpoint::AnyMoment(short),
        }
    }

    fn live_and_die(&mut self, kill: u64) {
        if self.random.below(EDITS) == 0 {
            self.operator.edit(&mut self.random);
        }
        let config = self.operator.configure();
        let failpoint = self.failpoint(kill);
        let mut up = None;
        let born = Instant::now();
        let consumers = &mut self.consumers;
        failpoint.kill(self.bench, &config, |address| {
            up = Some(OffsetDateTime::now_utc());
            let work = |consumer: &mut Consumer<'_>| consumer.work(address, AT_MOST);
            thread::scope(|scope| {
                for consumer in consumers.iter_mut() {
                    scope.spawn(|| work(consumer));
                }
            });
        });
        let (times, took) = self.struck.entry(failpoint.name()).or_default();
        *times += 1;
        *took += born.elapsed();

        let when = format!("after kill {kill}, {failpoint:?}");
        self.cloud.check(&when);
        self.leases = check_one_holder(&self.consumers);
        // Whoever is traced, or cut off from IBM Cloud, is not measured.
        if let (Failpoint::AnyMoment(_), Some(up)) = (failpoint, up) {
            let in_charge = |account: &str| self.operator.names(account);
            check_revoked(self.bench, &self.consumers, up, in_charge);
        }
        if (kill + 1).is_multiple_of(ROUND) {
            println!("{:>5} kills, {}", kill + 1, self.figures());
        }
    }

    fn figures(&self) -> String {
        format!(
            "{} leases, {} cancelled, {} expired, {} abandoned, {} rotations, {} edits, {} calls to \
             IBM Cloud in {:.0} s",
            self.leases,
            self.ended_as("cancelled"),
            self.ended_as("expired"),
            self.ended_as("abandoned"),
            self.cloud.rotations,
            self.operator.edits,
            self.cloud.calls,
            self.started.elapsed().as_secs_f32()
        )
    }

    /// With every account back and nobody asking, everything is over, and nothing is left.
    fn come_to_rest(&mut self) {
        let config = Operator::new(self.bench, "never").configure();
        let server = self.bench.serve(&config);
        let address: SocketAddr = server.address();
        let mut connection = Connection::open(address).unwrap();
        for consumer in &mut self.consumers {
            consumer.look_at_all(&mut connection).unwrap();
            consumer.cancel_all(&mut connection).unwrap();
        }
        for consumer in &mut self.consumers {
            eventually("the end of what nobody wants", || {
                consumer
                    .left_is_over(&mut connection)
                    .unwrap()
                    .then_some(())
            });
        }
        // What was asked for and never answered is abandoned.
        server.until("ready", u64::try_from(ACCOUNTS).unwrap());
        self.cloud.check("at the end");
        self.leases = check_one_holder(&self.consumers);
        check_nothing_is_left(self.bench, "at the end");
    }

    fn report(&self) {
        for (failpoint, (times, took)) in &self.struck {
            println!("{times:>5} × {failpoint}, {:.2?} each", *took / *times);
        }
        let kills: u32 = self.struck.values().map(|(times, _)| times).sum();
        println!("{kills} kills, {}", self.figures());
    }

    /// Whether so many kills hit anything.
    fn has_seen_enough(&self, kills: u64) -> bool {
        let at_least = |count: usize, one_in: u64| u64::try_from(count).unwrap() * one_in >= kills;
        at_least(self.leases, 4)
            && at_least(self.cloud.rotations, 10)
            && at_least(self.operator.edits, 4 * EDITS)
            && at_least(self.ended_as("abandoned"), 20)
            && at_least(self.ended_as("expired"), 20)
    }

    fn ended_as(&self, reason: &str) -> usize {
        let consumers = self.consumers.iter();
        consumers.map(|consumer| consumer.ended_as(reason)).sum()
    }
}
