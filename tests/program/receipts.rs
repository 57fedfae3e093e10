//! `acctpool receipts`: what a cleaning did, for who operates the service.

use std::path::Path;

use serde_json::Value;

use crate::bench::{Bench, curl, status_of};
use crate::process::{Ended, acctpool, run};
use crate::secrets::make_a_mess;

fn receipts(home: &Path, arguments: &[&str]) -> Ended {
    let arguments = [&["receipts"], arguments].concat();
    run(&mut acctpool(home, &arguments))
}

#[test]
fn an_operator_sees_what_the_consumer_sees_and_what_stuck() {
    let bench = Bench::new(1);
    let home = bench.path();
    let server = bench.serve(&bench.configure(""));
    let (location, lease) = server.lease(&bench.token);
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    make_a_mess(&bench, &lease, key);
    assert_eq!(status_of(home, &["-X", "DELETE", &location]), 204);
    server.until("quarantined", 1);

    let account = bench.accounts[0].id.as_str();
    let shown = receipts(home, &[account, "--format", "json", "--last", "1"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let told: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(told["state"], "quarantined");
    assert_eq!(told["reservation"], lease["id"]);
    let url = location.replace('?', "/receipt?");
    let consumer = curl(home, &[&url]).json();
    assert_eq!(consumer["cleaning"], told["cleaning"]);
    assert_eq!(consumer["reason"], Value::Null);
    assert_eq!(told["reason"], "sweep: cannot be deleted");
    let collections = told["collections"].as_array().unwrap();
    let instances = collections
        .iter()
        .find(|found| found["collection"] == "resource instances")
        .unwrap();
    assert_eq!(instances["stuck"], 1, "{instances}");
    assert_eq!(instances["items"]["stuck"][0]["name"], "left");

    // The one at the start, and this one: the newest first.
    let shown = receipts(home, &[account]);
    let words = &shown.stdout;
    let [newest, first] = words.split("\n\naccount ").collect::<Vec<_>>()[..] else {
        panic!("{words}");
    };
    assert!(newest.starts_with(&format!("account {account}, cleaning ")));
    for told in [": quarantined\n", "collection", "stuck", "(left)"] {
        assert!(newest.contains(told), "{told:?}: {words}");
    }
    for told in [": proven empty, ready\n", "proof 1", "proof 2"] {
        assert!(first.contains(told), "{told:?}: {words}");
    }
    let shown = run(&mut acctpool(home, &["state", "show"]));
    assert!(shown.stdout.contains("quarantined: sweep"));
    server.end();
}

#[test]
fn an_account_without_receipts_is_told_from_one_that_is_unknown() {
    let bench = Bench::new(1);
    let home = bench.path();
    let account = bench.accounts[0].id.as_str();
    let server = bench.serve(&bench.configure(""));
    server.until("ready", 1);
    server.end();
    let unknown = receipts(home, &["nobody"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains("the records know no such account"),
        "{}",
        unknown.stderr
    );
    let state = home.join(".local/state/acctpool/state.db");
    let file = rusqlite::Connection::open(state).unwrap();
    file.execute("DELETE FROM receipts", []).unwrap();
    drop(file);
    let none = receipts(home, &[account]);
    assert_eq!(none.code, Some(1));
    assert!(none.stderr.contains("no cleaning of it"), "{}", none.stderr);
}
