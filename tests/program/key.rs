//! `acctpool key`, and where secrets must not go.

use std::fs;
use std::path::Path;

use acctpool::keyring::MasterKey;
use secrecy::ExposeSecret;

use crate::bench::Bench;
use crate::process::{Ended, acctpool, eventually, run};

fn key_show(home: &Path, account: &str) -> Ended {
    run(&mut acctpool(home, &["key", "show", account]))
}

#[test]
fn the_key_of_a_rotated_account_can_be_derived_when_nothing_else_works() {
    let bench = Bench::new(1);
    let account = &bench.accounts[0];
    let server = bench.serve(&bench.configure("rotate_every = \"never\""));
    server.until("ready", 1);
    let never = key_show(bench.path(), &account.id);
    assert_eq!(never.code, Some(1));
    assert!(never.stderr.contains("never rotated"), "{}", never.stderr);
    assert_eq!(server.end().code, Some(0));

    let server = bench.serve(&bench.configure("rotate_every = \"1s\""));
    let configured = account.api_key.expose_secret();
    eventually("a rotation", || {
        bench
            .simulator
            .working_key(configured)
            .is_none()
            .then_some(())
    });
    server.until("ready", 1);
    assert_eq!(server.end().code, Some(0));
    let shown = key_show(bench.path(), &account.id);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(bench.simulator.working_key(shown.stdout.trim()).is_some());

    let unknown = key_show(bench.path(), "0123456789abcdef0123456789abcdef");
    assert!(
        unknown.stderr.contains("not in the records"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn records_are_not_used_with_another_master_key() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let server = bench.serve(&config);
    let (_, lease) = server.lease(&bench.token);
    assert_eq!(server.end().code, Some(0));
    let key = bench.path().join(".local/state/acctpool/master.key");
    fs::remove_file(&key).unwrap();
    MasterKey::load_or_create(&key).unwrap();
    let arguments = ["serve", "--bind", "127.0.0.1:0", "--config"];
    let refused = run(acctpool(bench.path(), &arguments).arg(&config));
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("another master key"),
        "{}",
        refused.stderr
    );
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    assert!(
        bench.simulator.working_key(key).is_some(),
        "nothing was touched"
    );
}

#[test]
fn no_core_is_dumped() {
    let bench = Bench::new(1);
    let server = bench.serve(&bench.configure(""));
    let limits = format!("/proc/{}/limits", server.process.id());
    let limits = fs::read_to_string(limits).unwrap();
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = cores.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{words:?}");
}
