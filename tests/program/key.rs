//! `acctpool key`, and where secrets must not go.

use std::fs;
use std::path::Path;

use acctpool::keyring::MasterKey;
use secrecy::ExposeSecret;

use crate::bench::{Bench, curl, status_of};
use crate::process::{Ended, Process, acctpool, eventually, run};

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

fn rotate(home: &Path, arguments: &[&str]) -> Ended {
    run(acctpool(home, &["key", "rotate"]).args(arguments))
}

fn rotate_account(bench: &Bench, account: usize) {
    let account = &bench.accounts[account];
    let asked = rotate(bench.path(), &["--account", &account.id]);
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    let configured = account.api_key.expose_secret();
    eventually("a rotation on demand", || {
        let works = bench.simulator.working_key(configured);
        works.is_none().then_some(())
    });
}

#[test]
fn a_new_master_key_is_introduced_while_the_server_runs() {
    let bench = Bench::new(2);
    let config = bench.configure("rotate_every = \"never\"");
    let state = bench.path().join(".local/state/acctpool");
    let (current, previous) = (state.join("master.key"), state.join("master.key.previous"));
    let gone = || (!previous.exists()).then_some(());
    let server = bench.serve(&config);
    server.until("ready", 2);
    rotate_account(&bench, 0);
    server.until("ready", 2);
    let (location, lease) = server.lease(&bench.token);
    let held = lease["account"]["id"].as_str().unwrap();
    let first = fs::read(&current).unwrap();

    let rotated = rotate(bench.path(), &[]);
    assert_eq!(rotated.code, Some(0), "{}", rotated.stderr);
    assert!(rotated.stdout.contains("back it up now"));
    assert!(
        rotated.stdout.contains("the server moves"),
        "{}",
        rotated.stdout
    );
    assert_eq!(fs::read(&previous).unwrap(), first);
    let shown = eventually("the move of the idle account", || {
        let shown = run(&mut acctpool(bench.path(), &["state", "show"])).stdout;
        let needing = shown.contains("master key 0: former, still needed by 1 accounts");
        needing.then_some(shown)
    });
    assert!(shown.contains("master key 1: in use"), "{shown}");
    let needs = shown
        .lines()
        .find(|line| line.contains("needs master key 0"));
    assert!(needs.unwrap().contains(held), "{shown}");

    let again = rotate(bench.path(), &[]);
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("not over") && again.stderr.contains(held),
        "{}",
        again.stderr
    );
    assert_eq!(curl(bench.path(), &[&location]).json(), lease);
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    assert!(bench.simulator.working_key(key).is_some());

    assert_eq!(status_of(bench.path(), &["-X", "DELETE", &location]), 204);
    eventually("the end of the former master key", gone);
    let shown = key_show(bench.path(), &bench.accounts[0].id);
    assert!(bench.simulator.working_key(shown.stdout.trim()).is_some());

    // A server that dies at once is told by the files.
    assert_eq!(rotate(bench.path(), &[]).code, Some(0));
    server.process.signal("KILL");
    server.process.end();
    let server = bench.serve(&config);
    server.until("ready", 2);
    eventually("the end of the second master key", gone);
    assert_eq!(server.end().code, Some(0));
    let shown = key_show(bench.path(), &bench.accounts[0].id);
    assert!(bench.simulator.working_key(shown.stdout.trim()).is_some());

    // Without a server, the next one does it.
    let rotated = rotate(bench.path(), &[]);
    assert!(
        rotated.stdout.contains("the next one moves"),
        "{}",
        rotated.stdout
    );
    let server = bench.serve(&config);
    eventually("the end of the third master key", gone);
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn the_former_master_key_in_the_place_of_the_new_one_is_refused() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let server = bench.serve(&config);
    server.until("ready", 1);
    let key = bench.path().join(".local/state/acctpool/master.key");
    let first = fs::read(&key).unwrap();
    assert_eq!(rotate(bench.path(), &[]).code, Some(0));
    server.until("ready", 1);
    eventually("the end of the former master key", || {
        let previous = key.with_extension("key.previous");
        (!previous.exists()).then_some(())
    });
    assert_eq!(server.end().code, Some(0));
    fs::write(&key, first).unwrap();
    let refused = serve_with(&bench, &config, &[]).end();
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("another master key"),
        "{}",
        refused.stderr
    );
}

fn serve_with(bench: &Bench, config: &Path, arguments: &[&str]) -> Process {
    let mut serve = acctpool(
        bench.path(),
        &["serve", "--bind", "127.0.0.1:0", "--config"],
    );
    Process::start(serve.arg(config).args(arguments))
}

#[test]
fn a_master_key_that_is_looked_after_elsewhere_is_rotated_there() {
    let bench = Bench::new(1);
    let config = bench.configure("rotate_every = \"never\"");
    let [first, second] = ["first.key", "second.key"].map(|name| {
        let path = bench.path().join(name).to_str().unwrap().to_owned();
        let made = run(&mut acctpool(bench.path(), &["key", "new", &path]));
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        path
    });
    let only = |key| ["--master-key-file", key];
    let mut rotate = acctpool(bench.path(), &["key", "rotate"]);
    let refused = run(rotate.env("ACCTPOOL_MASTER_KEY_FILE", &first));
    assert_eq!(refused.code, Some(1));
    let how = "ACCTPOOL_PREVIOUS_MASTER_KEY_FILE";
    assert!(refused.stderr.contains(how), "{}", refused.stderr);

    let mut server = serve_with(&bench, &config, &only(&first));
    server.says("listening on ");
    server.says(": ready");
    rotate_account(&bench, 0);
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    let both = [
        "--master-key-file",
        &second,
        "--previous-master-key-file",
        &first,
    ];
    let mut server = serve_with(&bench, &config, &both);
    server.says("no account needs the previous master key any more");
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    let mut server = serve_with(&bench, &config, &only(&second));
    server.says(": ready");
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    let mut show = acctpool(bench.path(), &["key", "show", &bench.accounts[0].id]);
    let shown = run(show.env("ACCTPOOL_MASTER_KEY_FILE", &second));
    assert!(bench.simulator.working_key(shown.stdout.trim()).is_some());
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
