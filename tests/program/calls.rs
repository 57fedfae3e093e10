//! SIGKILL between any two calls to IBM Cloud: the next one was carried out or not, and the service
//! ends before it knows which.
//!
//! Tried both ways are the calls that change an account, and some more of a whole life's
//! (`ACCTPOOL_TEST_CALLS` says how many; 1000 is more than there are, hence all of them).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use acctpool::simulator::LoggedRequest;

use crate::bench::Bench;
use crate::chance::{Random, number, seed};
use crate::consumer::{Consumer, check_one_holder, policy};
use crate::failpoint::{Call, Failpoint};
use crate::process::eventually;
use crate::promises::{Cloud, check_nothing_is_left, makes_a_key};
use crate::wire::Connection;

/// The calls that change an account, and how many of each kind are tried in any case.
const CHANGES: [(&str, &str, u32); 7] = [
    // A lease credential is minted.
    ("POST", "/v1/serviceids", 1),
    ("POST", "/v2/policies", 2),
    // Keys are disabled, and rotation makes one.
    ("POST", "/v1/apikeys", 4),
    ("DELETE", "/v2/policies", 2),
    ("DELETE", "/v1/apikeys", 2),
    ("DELETE", "/v1/serviceids", 2),
    // What a borrower made is swept.
    ("DELETE", "/v2/resource_instances", 1),
];

#[test]
fn ends_between_any_two_calls_leave_nothing_behind() {
    let sample = number("ACCTPOOL_TEST_CALLS").unwrap_or(6);
    let seed = seed();
    let mut trial = Trial {
        bench: &Bench::new(1),
        struck: BTreeMap::new(),
    };
    let life = trial.length_of_a_life();
    println!("ACCTPOOL_TEST_SEED={seed} ACCTPOOL_TEST_CALLS={sample}: {life} calls in a life");
    let changes = CHANGES.into_iter().flat_map(|(method, path, tried)| {
        (0..tried).map(move |answered| Call::of_kind(method, path, answered))
    });
    let sample = sample.min(life);
    let offset = Random(seed).below(life);
    let spread = (0..sample).map(|nth| {
        let answered = (offset + nth * life / sample) % life;
        Call::after(answered.try_into().unwrap())
    });

    let mut consumer = Consumer::new(trial.bench, seed);
    let mut cloud = Cloud::new(trial.bench);
    let mut kills = 0;
    for call in changes.chain(spread) {
        for failpoint in [
            Failpoint::BeforeCall(call),
            Failpoint::AfterCallBeforeReply(call),
        ] {
            trial.die(failpoint, &mut consumer);
            cloud.check(&format!("{failpoint:?}"));
            trial.recover(failpoint, &mut consumer);
            cloud.check(&format!("{failpoint:?}, recovered"));
            kills += 1;
        }
    }
    for (call, times) in &trial.struck {
        println!("{times:>5} × {call}");
    }
    let leases = check_one_holder(&[consumer]);
    println!(
        "{kills} kills, {leases} leases, {} rotations, {} calls to IBM Cloud",
        cloud.rotations, cloud.calls
    );
    assert!(cloud.rotations > 0 && leases > 0, "too little happened");
}

struct Trial<'a> {
    bench: &'a Bench,
    /// How often which kind of call was struck.
    struck: BTreeMap<String, u32>,
}

impl Trial<'_> {
    /// Rotates in every life, and leaves time for a lease in between.
    fn rotating(&self) -> PathBuf {
        self.bench.configure(&policy("150ms"))
    }

    fn resting(&self) -> PathBuf {
        self.bench.configure(&policy("never"))
    }

    /// Returns how many calls are made from a start, over a rotation and a lease, until the account is
    /// ready again.
    fn length_of_a_life(&self) -> u64 {
        let server = self.bench.serve(&self.resting());
        server.until("ready", 1);
        assert_eq!(server.end().code, Some(0));
        self.bench.simulator.clear_requests();

        let server = self.bench.serve(&self.rotating());
        let mut consumer = Consumer::new(self.bench, 0);
        let mut connection = Connection::open(server.address()).unwrap();
        eventually("a rotation", || {
            let requests = self.bench.simulator.requests();
            requests.iter().any(makes_a_key).then_some(())
        });
        consumer.borrow_once(&mut connection).unwrap();
        server.until("ready", 1);
        let calls = self.bench.simulator.requests().len();
        assert_eq!(server.end().code, Some(0));
        calls.try_into().unwrap()
    }

    fn die(&mut self, failpoint: Failpoint, consumer: &mut Consumer<'_>) {
        failpoint.kill(self.bench, &self.rotating(), |address: SocketAddr| {
            if let Ok(mut connection) = Connection::open(address) {
                while consumer.borrow_once(&mut connection).is_ok() {}
            }
        });
        let requests = self.bench.simulator.requests();
        let struck = requests.iter().find(|request| request.status.is_none());
        let kind = kind_of(struck.expect("the service was killed at it"));
        *self.struck.entry(kind).or_default() += 1;
    }

    /// Checks all that the consumer knows, and that everything comes back to order.
    fn recover(&self, failpoint: Failpoint, consumer: &mut Consumer<'_>) {
        let server = self.bench.serve(&self.resting());
        let mut connection = Connection::open(server.address()).unwrap();
        consumer.look_at_all(&mut connection).unwrap();
        consumer.cancel_all(&mut connection).unwrap();
        server.until("ready", 1);
        check_nothing_is_left(self.bench, &format!("{failpoint:?}"));
        consumer.look_at_all(&mut connection).unwrap();
        server.process.signal("KILL");
        assert_eq!(server.process.end().code, None, "a signal ended it");
    }
}

/// Returns a call without the ids in it.
fn kind_of(call: &LoggedRequest) -> String {
    let words = call.path.split('/').map(|word| {
        let version = word.len() == 2;
        let id = word.bytes().any(|byte| byte.is_ascii_digit()) && !version;
        if id { "{}" } else { word }
    });
    format!("{} {}", call.method, words.collect::<Vec<_>>().join("/"))
}
