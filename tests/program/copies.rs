//! Records that are not the last ones: a copy that takes the place of lost ones, and a log that lost
//! its end. No key is derived twice, no lease goes on unknown, and nothing is missing unnoticed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::audit::entries;
use crate::bench::{Bench, curl, status_of};
use crate::process::{Ended, Process, acctpool, eventually, run};
use crate::spoiled::state_directory;

fn kill(process: Process) {
    process.signal("KILL");
    assert_eq!(process.end().code, None);
}

fn key(lease: &Value) -> String {
    lease["credentials"]["api_key"].as_str().unwrap().to_owned()
}

fn state(home: &Path, arguments: &[&str]) -> Ended {
    run(&mut acctpool(home, &[&["state"], arguments].concat()))
}

/// The same reservation at another server.
fn at(url: &str, location: &str) -> String {
    let path = location.find("/reservations").unwrap();
    format!("{url}{}", &location[path..])
}

#[test]
fn a_copy_in_the_place_of_the_records_ends_every_lease_and_repeats_no_key() {
    let bench = Bench::new(2);
    let home = bench.path();
    let config = bench.configure("rotate_every = \"1s\"");
    let server = bench.serve(&config);
    server.until("ready", 2);
    let (held, in_the_copy) = server.lease(&bench.token);
    let copy = home.join("copy.db");
    assert_eq!(
        state(home, &["backup", copy.to_str().unwrap()]).code,
        Some(0)
    );
    let (later, unknown_to_it) = server.lease(&bench.token);
    // The account of the copied lease is lent again meanwhile.
    assert_eq!(status_of(home, &["-X", "DELETE", &held]), 204);
    let (_, again) = server.lease(&bench.token);
    assert_eq!(again["account"], in_the_copy["account"]);
    let keys = [&in_the_copy, &unknown_to_it, &again].map(key);
    kill(server.process);

    // The log and its index stay where they are, as they do when somebody is in a hurry.
    fs::copy(&copy, state_directory(&bench).join("state.db")).unwrap();
    let server = bench.serve(&config);
    assert!(
        server.process.stderr().contains("1 leases were ended"),
        "{}",
        server.process.stderr()
    );
    server.until("ready", 2);
    let shown = curl(home, &[&at(&server.url, &held)]).json();
    assert_eq!(shown["end_reason"], "revoked");
    assert_eq!(status_of(home, &[&at(&server.url, &later)]), 404);
    for key in &keys {
        assert!(
            bench.simulator.working_key(key).is_none(),
            "a lease that nobody knows of"
        );
    }
    for _ in 0..2 {
        let (_, fresh) = server.lease(&bench.token);
        assert!(!keys.contains(&key(&fresh)), "a key was derived twice");
        assert!(bench.simulator.working_key(&key(&fresh)).is_some());
    }
    let adopted = entries(home)
        .into_iter()
        .filter(|entry| entry["event"] == "store_adopted");
    assert_eq!(adopted.count(), 1);
    kill(server.process);
    // Adopted once: from then on it is a store as any other.
    let server = bench.serve(&config);
    assert_eq!(state(home, &["check"]).code, Some(0));
    kill(server.process);
}

#[test]
fn a_log_that_lost_its_end_is_refused_and_what_is_advised_works() {
    let bench = Bench::new(1);
    let home = bench.path();
    let config = bench.configure("");
    let server = bench.serve(&config);
    let (held, lease) = server.lease(&bench.token);
    kill(server.process);
    let directory = state_directory(&bench);
    let log = directory.join("state.db-wal");
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() - 100]).unwrap();

    let arguments = ["serve", "--bind", "127.0.0.1:0", "--config"];
    let refused = run(acctpool(home, &arguments).arg(&config));
    assert_eq!(refused.code, Some(1));
    let complaint = refused.stderr.lines().last().unwrap();
    for words in [
        "acknowledged are missing",
        "a whole copy of the state directory",
        "state backup",
    ] {
        assert!(complaint.contains(words), "{complaint}");
    }
    let checked = state(home, &["check"]);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stderr.contains("acknowledged are missing"),
        "{}",
        checked.stderr
    );

    let copy = directory.join("copy.db");
    assert_eq!(
        state(home, &["backup", copy.to_str().unwrap()]).code,
        Some(0)
    );
    fs::rename(&copy, directory.join("state.db")).unwrap();
    let server = bench.serve(&config);
    server.until("ready", 1);
    let shown = curl(home, &[&at(&server.url, &held)]).json();
    assert_eq!(shown["end_reason"], "revoked", "{shown}");
    eventually("the end of the lost lease", || {
        bench
            .simulator
            .working_key(&key(&lease))
            .is_none()
            .then_some(())
    });
    assert_eq!(state(home, &["check"]).code, Some(0));
}
