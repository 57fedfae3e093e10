//! A change that the disk has and nobody was told of: it is as true after a crash as any other, and
//! whoever asked finds it.

use std::path::PathBuf;
use std::thread;

use acctpool::store::SqliteStore;
use acctpool_actors::pool::{Reservation, ReservationState};
use acctpool_actors::store::Store;
use serde_json::Value;

use crate::bench::{Bench, Server};
use crate::failpoint::HELD;
use crate::process::eventually;
use crate::spoiled::{RECORDS, SYNC, Spoil, Spoiled, state_directory};
use crate::wire::Connection;

/// A pool of one account, which is lent; its server is down.
struct Lent {
    bench: Bench,
    config: PathBuf,
    /// The reservation's path.
    path: String,
}

impl Lent {
    fn new() -> Self {
        let bench = Bench::new(1);
        let config = bench.configure("");
        let server = bench.serve(&config);
        server.until("ready", 1);
        let mut connection = Connection::open(server.address()).unwrap();
        let asked = connection.ask("POST", "/reservations?type=lite", &bench.token);
        let path = asked.unwrap().location.unwrap();
        let lent = Self {
            bench,
            config,
            path,
        };
        lent.kill(server);
        lent
    }

    fn kill(&self, server: Server) {
        server.process.signal("KILL");
        assert_eq!(server.process.end().code, None, "a signal ended it");
        self.bench.simulator.clear_requests();
    }

    /// Asks for a change; kills the server when the disk has it and before it is answered.
    fn leave_unanswered(&self, method: &str, target: &str) {
        let held = Spoil {
            call: SYNC,
            how: HELD,
            nth: None,
            files: RECORDS,
        };
        let mut server = Spoiled::start(&self.bench, &self.config, held);
        let address = server.listens().unwrap();
        // With the account lent there is nothing to be written but what is asked for now.
        let before = server.times_struck();
        let answer = thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut connection = Connection::open(address).unwrap();
                connection.ask(method, target, &self.bench.token)
            });
            eventually("a commit", || {
                (server.times_struck() > before).then_some(())
            });
            assert!(!asking.is_finished(), "{method} was answered too early");
            server.process.signal("KILL");
            asking.join().unwrap()
        });
        assert!(answer.is_err(), "{method}: {answer:?}");
        assert_eq!(server.process.end().code, None, "a signal ended it");
        let called = self.bench.simulator.requests();
        assert!(
            called.is_empty(),
            "nothing is done before it is durable: {called:?}"
        );
    }

    /// Returns the reservations in the records, in the order of asking.
    fn written(&self) -> Vec<Reservation> {
        let path = state_directory(&self.bench).join("state.db");
        let mut records = SqliteStore::inspect(&path).unwrap();
        let written = records.load().unwrap().reservations;
        let mut written: Vec<_> = written.into_values().collect();
        written.sort_by_key(|reservation| reservation.sequence);
        written
    }

    fn read(&self, server: &Server, path: &str) -> Value {
        let mut connection = Connection::open(server.address()).unwrap();
        connection.ask("GET", path, &self.bench.token).unwrap().body
    }

    fn cancel(&self, server: &Server) {
        let mut connection = Connection::open(server.address()).unwrap();
        let answer = connection.ask("DELETE", &self.path, &self.bench.token);
        assert_eq!(answer.unwrap().status, 204);
    }
}

fn api_key(lease: &Value) -> &str {
    lease["credentials"]["api_key"].as_str().unwrap()
}

#[test]
fn a_reservation_that_was_committed_and_not_answered_has_its_place() {
    let lent = Lent::new();
    lent.leave_unanswered("POST", "/reservations?type=lite");
    let [_, waiting] = &lent.written()[..] else {
        panic!("two were asked for");
    };
    let server = lent.bench.serve(&lent.config);
    let shown = lent.read(&server, &format!("/reservations/{}", waiting.id));
    assert_eq!(
        (&shown["state"], &shown["queue_position"]),
        (&"pending".into(), &1.into())
    );
}

#[test]
fn a_cancellation_that_was_committed_and_not_answered_is_carried_out() {
    let lent = Lent::new();
    let server = lent.bench.serve(&lent.config);
    let lease = lent.read(&server, &lent.path);
    lent.kill(server);

    lent.leave_unanswered("DELETE", &lent.path);
    let [cancelled] = &lent.written()[..] else {
        panic!("one was asked for");
    };
    assert!(matches!(cancelled.state, ReservationState::Ended { .. }));
    let works = || lent.bench.simulator.working_key(api_key(&lease)).is_some();
    assert!(works(), "nobody has revoked it yet");
    let server = lent.bench.serve(&lent.config);
    assert_eq!(lent.read(&server, &lent.path)["end_reason"], "cancelled");
    eventually("the end of the leased key", || (!works()).then_some(()));
}

#[test]
fn a_credential_whose_showing_was_committed_and_not_answered_counts_as_used() {
    let lent = Lent::new();
    lent.leave_unanswered("GET", &lent.path);
    let [shown] = &lent.written()[..] else {
        panic!("one was asked for");
    };
    assert!(matches!(
        shown.state,
        ReservationState::Active { claimed: true, .. }
    ));
    // Somebody may have seen it: the account is cleaned, though no answer ever arrived.
    let server = lent.bench.serve(&lent.config);
    lent.cancel(&server);
    server.until("ready", 1);
    let calls = lent.bench.simulator.requests();
    assert!(calls.iter().any(|call| call.path.ends_with("/disable")));
}
