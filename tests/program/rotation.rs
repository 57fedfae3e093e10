//! The master key: with it alone, rotated accounts are found again; without it, none is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use secrecy::ExposeSecret;

use crate::bench::{Bench, Server};
use crate::process::{acctpool, eventually, run};

#[test]
fn a_rotated_account_survives_a_restart_with_nothing_but_the_master_key() {
    let bench = Bench::new(1);
    let account = &bench.accounts[0];
    let configured = account.api_key.expose_secret();
    let works = |key: &str| bench.simulator.working_key(key).is_some();

    let server = bench.serve(&bench.configure("rotate_every = \"200ms\""));
    eventually("the end of the configured key", || {
        (!works(configured)).then_some(())
    });
    assert_eq!(server.end().code, Some(0));
    let state = bench.path().join(".local/state/acctpool");
    let metadata = fs::metadata(state.join("master.key")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.len(), 32);
    // The records are lost.
    for file in fs::read_dir(&state).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_dir() {
            fs::remove_dir_all(file.path()).unwrap();
        } else if file.file_name() != "master.key" {
            fs::remove_file(file.path()).unwrap();
        }
    }

    let config = bench.configure("rotate_every = \"never\"");
    let server = bench.serve(&config);
    server.until("ready", 1);
    assert!(!works(configured), "the file's key is dead by design");
    let (_, lease) = server.lease(&bench.token);
    assert!(works(lease["credentials"]["api_key"].as_str().unwrap()));
    assert_eq!(server.end().code, Some(0));
    let check = run(acctpool(bench.path(), &["check", "--online"]).arg(&config));
    assert_eq!(check.code, Some(0), "{}", check.stdout);
    let good = format!(
        "account {}: good, with the rotated key of epoch ",
        account.id
    );
    assert!(check.stdout.contains(&good), "{}", check.stdout);

    // Elsewhere there is another master key, from which no key of the account follows.
    let elsewhere = tempfile::tempdir().unwrap();
    bench.simulator.clear_requests();
    let server = Server::start(elsewhere.path(), &config);
    server.until("quarantined", 1);
    let requests = bench.simulator.requests();
    assert!(!requests.is_empty() && !requests.iter().any(|request| request.is_write));
}
