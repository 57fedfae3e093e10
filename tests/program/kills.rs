//! SIGKILL at random moments, a hundred times (`ACCTPOOL_TEST_KILLS` says how often), while consumers
//! reserve, use and cancel, leases expire and management keys are rotated.
//!
//! What is random follows from one seed, which is printed; `ACCTPOOL_TEST_SEED` repeats it as far as
//! the machine's own timing lets it.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use acctpool::keyring::{Keyring, MasterKey};
use acctpool_actors::pool::Epoch;
use secrecy::ExposeSecret;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::bench::{Bench, Server};
use crate::consumer::{Consumer, POLICY, Random, check_one_holder, check_revoked};
use crate::process::{Process, acctpool, eventually};
use crate::wire::Connection;

const ACCOUNTS: usize = 3;
const CONSUMERS: u64 = 4;

/// One life in so many is long enough for leases to expire and be revoked.
const LONG: u64 = 25;
const LONG_LIFE: Duration = Duration::from_secs(4);

/// One life in so many ends before the service is known to listen.
const SHORT: u64 = 5;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap())
}

#[test]
fn kills_at_any_moment_break_no_promise() {
    let kills = number("ACCTPOOL_TEST_KILLS").unwrap_or(100);
    let seed = number("ACCTPOOL_TEST_SEED").unwrap_or_else(|| {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos();
        u64::try_from(now).unwrap()
    });
    println!("ACCTPOOL_TEST_SEED={seed} ACCTPOOL_TEST_KILLS={kills}");

    let started = Instant::now();
    let bench = Bench::new(ACCOUNTS);
    let config = bench.configure(POLICY);
    let mut random = Random(seed);
    let mut consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| Consumer::new(&bench, random.below(u64::MAX)))
        .collect();
    let mut cloud = Cloud::new(&bench);
    for kill in 0..kills {
        if kill % SHORT == SHORT - 1 {
            let delay = Duration::from_millis(random.below(60));
            kill_a_start(&bench, &config, delay);
        } else {
            let life = match kill % LONG {
                0 => LONG_LIFE,
                _ => Duration::from_millis(random.below(300)),
            };
            kill_at_work(&bench, &config, &mut consumers, life);
        }
        cloud.check(&format!("after kill {kill}"));
        check_one_holder(&consumers);
    }

    let server = bench.serve(&config);
    let mut connection = Connection::open(server.address()).unwrap();
    for consumer in &mut consumers {
        consumer.look_at_all(&mut connection).unwrap();
        consumer.cancel_all(&mut connection).unwrap();
    }
    // What was asked for and never answered is abandoned.
    server.until("ready", u64::try_from(ACCOUNTS).unwrap());
    let leases = check_one_holder(&consumers);
    cloud.check("at the end");
    check_nothing_is_left(&bench);
    let report = format!(
        "{kills} kills, {leases} leases, {} rotations, {} calls to IBM Cloud in {:?}",
        cloud.rotations,
        cloud.calls,
        started.elapsed()
    );
    println!("{report}");
    assert!(
        u64::try_from(leases).unwrap() * 4 >= kills,
        "too little happened: {report}"
    );
    assert!(
        cloud.rotations * 10 >= kills,
        "too little happened: {report}"
    );
}

/// Kills a process that may not have come far.
fn kill_a_start(bench: &Bench, config: &Path, delay: Duration) {
    let arguments = [
        "serve",
        "--config",
        config.to_str().unwrap(),
        "--bind",
        "127.0.0.1:0",
    ];
    let process = Process::start(&mut acctpool(bench.path(), &arguments));
    thread::sleep(delay);
    process.signal("KILL");
    assert_eq!(process.end().code, None, "a signal ended it");
}

/// Kills a service that consumers use.
fn kill_at_work(bench: &Bench, config: &Path, consumers: &mut [Consumer<'_>], life: Duration) {
    let server: Server = bench.serve(config);
    let up = OffsetDateTime::now_utc();
    let address: SocketAddr = server.address();
    thread::scope(|scope| {
        let server = &server;
        for consumer in consumers.iter_mut() {
            scope.spawn(move || consumer.work(address, LONG_LIFE * 2));
        }
        thread::sleep(life);
        server.process.signal("KILL");
    });
    assert_eq!(server.process.end().code, None, "a signal ended it");
    check_revoked(bench, consumers, up);
}

/// What must be true of IBM Cloud at every moment.
pub(crate) struct Cloud<'a> {
    bench: &'a Bench,
    /// Of each account, the newest epoch whose key was seen working.
    newest: Vec<Epoch>,
    rotations: u64,
    calls: usize,
}

impl<'a> Cloud<'a> {
    pub(crate) fn new(bench: &'a Bench) -> Self {
        Self {
            bench,
            newest: vec![Epoch(0); bench.accounts.len()],
            rotations: 0,
            calls: 0,
        }
    }

    pub(crate) fn check(&mut self, when: &str) {
        let simulator = &self.bench.simulator;
        let requests = simulator.requests();
        simulator.clear_requests();
        self.calls += requests.len();
        let made = requests.iter().filter(|request| {
            request.applied && request.method == "POST" && request.path == "/v1/apikeys"
        });
        self.rotations += u64::try_from(made.count()).unwrap();

        let path = self.bench.path().join(".local/state/acctpool/master.key");
        let Ok(master) = MasterKey::load(&path) else {
            // The first start was killed before it had made one, or anything else.
            assert!(self.newest.iter().all(|epoch| *epoch == Epoch(0)), "{when}");
            return;
        };
        let keyring = Keyring::new(master, Uuid::nil());
        for (account, newest) in self.bench.accounts.iter().zip(&mut self.newest) {
            let id = account.id.as_str().into();
            let works = |epoch: &Epoch| {
                let derived = keyring.management(&id, *epoch);
                let key = derived.as_ref().unwrap_or(&account.api_key);
                simulator.working_key(key.expose_secret()).is_some()
            };
            let found = (newest.0..newest.0 + 20).rev().map(Epoch).find(works);
            *newest = found.unwrap_or_else(|| {
                panic!("management_key_never_lost: {when}: {}", account.id);
            });
        }
    }
}

/// Once nothing is lent, an account holds one lease credential, and one management key or, during a
/// rotation, two.
pub(crate) fn check_nothing_is_left(bench: &Bench) {
    for account in &bench.accounts {
        eventually("an account without leftovers", || {
            let inventory = bench.simulator.inventory(&account.id);
            let count = |collection| inventory.of(collection).len();
            let clean = count("service_ids") == 1
                && count("resource_instances") == 0
                && (2..=3).contains(&count("api_keys"));
            clean.then_some(())
        });
    }
}
