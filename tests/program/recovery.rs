//! The first second after a start: what ended while the server was down is revoked before anything
//! else, and what is written down can be read before IBM Cloud has answered anything.

use std::time::Duration;

use acctpool::simulator::{AccountSpec, Fault, FaultAction, LoggedRequest};
use secrecy::ExposeSecret;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::bench::{Bench, LITE, Server, curl};
use crate::process::eventually;
use crate::wire::Connection;

/// Revocation starts so soon after a start at the latest, if the lease ended before (P3).
const AT_ONCE: time::Duration = time::Duration::SECOND;

/// Longer than any test.
const FOREVER: Duration = Duration::from_hours(1);

/// A lease as its holder saw it.
struct Lease {
    path: String,
    shown: Value,
}

impl Lease {
    fn take(server: &Server, bench: &Bench) -> Self {
        let mut connection = Connection::open(server.address()).unwrap();
        let asked = connection.ask("POST", "/reservations?type=lite", &bench.token);
        let path = asked.unwrap().location.unwrap();
        let shown = eventually("a lease", || {
            let shown = connection.ask("GET", &path, &bench.token).unwrap().body;
            (shown["state"] == "active").then_some(shown)
        });
        Self { path, shown }
    }

    fn account(&self) -> &str {
        self.shown["account"]["id"].as_str().unwrap()
    }

    fn works(&self, bench: &Bench) -> bool {
        let key = self.shown["credentials"]["api_key"].as_str().unwrap();
        bench.simulator.working_key(key).is_some()
    }

    fn expiration(&self) -> OffsetDateTime {
        OffsetDateTime::parse(self.shown["expiration"].as_str().unwrap(), &Rfc3339).unwrap()
    }
}

/// Kills a server, and lets the leases end while none is there.
fn down_until_the_end_of(bench: &Bench, server: Server, leases: &[Lease]) {
    server.process.signal("KILL");
    assert_eq!(server.process.end().code, None, "a signal ended it");
    let last = leases.iter().map(Lease::expiration).max().unwrap();
    eventually("the end of the leases", || {
        (OffsetDateTime::now_utc() >= last).then_some(())
    });
    assert!(
        leases.iter().all(|lease| lease.works(bench)),
        "nobody is there"
    );
    bench.simulator.clear_requests();
}

/// Waits until the key of a lease was disabled; returns how long after `start` that was asked for. But
/// for the token, nothing else was asked about the account before.
fn revocation(bench: &Bench, lease: &Lease, start: OffsetDateTime) -> time::Duration {
    eventually("a revocation", || (!lease.works(bench)).then_some(()));
    let calls = bench.simulator.requests();
    let of_account = |call: &&LoggedRequest| call.account.as_deref() == Some(lease.account());
    let mut calls = calls
        .iter()
        .filter(of_account)
        .skip_while(|call| call.path == "/identity/token");
    let first = calls.next().unwrap();
    let disables = first.method == "POST" && first.path.ends_with("/disable");
    assert!(disables, "{first:?}");
    first.at - start
}

/// The section of a type whose leases last so long.
fn leases_of(duration: &str) -> String {
    format!("[types.lite]\n{LITE}default_duration = \"{duration}\"\n")
}

#[test]
fn a_lease_that_ended_while_the_server_was_down_is_revoked_first() {
    let bench = Bench::new(1);
    let config = bench.configure(&leases_of("1s"));
    let server = bench.serve(&config);
    server.until("ready", 1);
    let lease = Lease::take(&server, &bench);
    down_until_the_end_of(&bench, server, std::slice::from_ref(&lease));

    let server = bench.serve(&config);
    let ready = bench.simulator.now();
    let after = revocation(&bench, &lease, ready);
    assert!(after < AT_ONCE, "deadline_holds: {after}");
    let mut connection = Connection::open(server.address()).unwrap();
    let shown = connection
        .ask("GET", &lease.path, &bench.token)
        .unwrap()
        .body;
    assert_eq!(shown["end_reason"], "expired");
    assert!(shown["credentials"].is_null(), "deadline_holds: {shown}");
}

#[test]
fn fifty_leases_are_revoked_at_once_beside_an_account_that_hangs() {
    const ACCOUNTS: usize = 50;
    let bench = Bench::new(ACCOUNTS);
    let config = bench.configure(&leases_of("5s"));
    let server = bench.serve(&config);
    server.until("ready", ACCOUNTS.try_into().unwrap());
    let leases: Vec<_> = (0..ACCOUNTS)
        .map(|_| Lease::take(&server, &bench))
        .collect();
    down_until_the_end_of(&bench, server, &leases);
    let (stuck, others) = leases.split_first().unwrap();
    let hang = Fault::new("", FaultAction::Slow(FOREVER));
    bench.simulator.inject(hang.account(stuck.account()));

    let server = bench.serve(&config);
    let ready = bench.simulator.now();
    let began = others.iter().map(|lease| revocation(&bench, lease, ready));
    let last = began.max().unwrap();
    println!("the last of 49 revocations began {last:.3} after the start");
    assert!(last < AT_ONCE, "deadline_holds: {last}");
    assert!(
        stuck.works(&bench),
        "IBM Cloud has answered nothing about it"
    );
    // The others get on with their cleaning, too.
    eventually("an account that is ready", || {
        let status = curl(bench.path(), &[&server.url]).json();
        status["accounts"]["lite"]["ready"]
            .as_u64()
            .filter(|ready| *ready > 0)
    });
}

#[test]
fn reads_are_served_before_the_cloud_has_answered() {
    let bench = Bench::new(2);
    let config = bench.configure("");
    let server = bench.serve(&config);
    server.until("ready", 2);
    let lease = Lease::take(&server, &bench);
    server.process.signal("KILL");
    assert_eq!(server.process.end().code, None, "a signal ended it");
    bench.simulator.clear_requests();
    bench
        .simulator
        .inject(Fault::new("", FaultAction::Slow(FOREVER)));

    let server = bench.serve(&config);
    let mut connection = Connection::open(server.address()).unwrap();
    let shown = connection
        .ask("GET", &lease.path, &bench.token)
        .unwrap()
        .body;
    assert_eq!(shown, lease.shown);
    // The other account is looked after, and that hangs.
    eventually("a cleaning", || {
        let status = connection.ask("GET", "/", &bench.token).unwrap().body;
        let of_type = &status["accounts"]["lite"];
        (of_type["cleaning"] == 1 && of_type["leased"] == 1).then_some(())
    });
    let asked = bench.simulator.requests();
    assert!(asked.is_empty(), "the cloud has answered: {asked:?}");
}

#[test]
fn an_account_that_left_the_file_while_it_was_lent_is_drained_after_its_lease() {
    let bench = Bench::new(2);
    let lasting = leases_of("2s");
    let rotating = format!("rotate_every = \"100ms\"\n{lasting}");
    let server = bench.serve(&bench.configure(&rotating));
    eventually("a key of acctpool's own in each account", || {
        let works = |account: &AccountSpec| {
            let configured = account.api_key.expose_secret();
            bench.simulator.working_key(configured).is_some()
        };
        (!bench.accounts.iter().any(works)).then_some(())
    });
    let lease = Lease::take(&server, &bench);
    server.process.signal("KILL");
    assert_eq!(server.process.end().code, None, "a signal ended it");

    let others = bench
        .accounts
        .iter()
        .filter(|account| account.id != lease.account());
    let config = bench.configure_with(&lasting, others.map(|account| (account, "lite")));
    let server = bench.serve(&config);
    let mut connection = Connection::open(server.address()).unwrap();
    let shown = connection.ask("GET", &lease.path, &bench.token).unwrap();
    assert_eq!(shown.body, lease.shown, "the lease goes on");
    server.until("drained", 1);
    assert!(!lease.works(&bench), "deadline_holds");
    let inventory = bench.simulator.inventory(lease.account());
    assert!(inventory.of("service_ids").is_empty(), "{inventory}");
    server.process.signal("KILL");
    assert_eq!(server.process.end().code, None, "a signal ended it");

    let server = bench.serve(&bench.configure(&lasting));
    server.until("ready", 2);
}
