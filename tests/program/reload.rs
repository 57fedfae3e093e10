//! Another configuration without a restart: what each kind of change does, and what a bad one does not.

use std::fs;
use std::path::Path;

use acctpool::simulator::AccountSpec;
use acctpool::token::NewToken;
use secrecy::ExposeSecret;

use crate::bench::{Bench, Server, curl, status_of, write_private};
use crate::process::eventually;

/// Lets the server read its file again, and returns what it says about that.
pub(crate) fn reload(server: &mut Server) -> String {
    let said = server.process.said();
    server.process.signal("HUP");
    server.process.says_after(said, "reloaded ")
}

/// All but the last account of a bench, each of type `lite`.
fn but_one(bench: &Bench) -> Vec<(&AccountSpec, &str)> {
    let all = bench.accounts.len();
    let accounts = bench.accounts[..all - 1].iter();
    accounts.map(|account| (account, "lite")).collect()
}

fn list(home: &Path, server: &Server, token: &str) -> u16 {
    let bearer = format!("Authorization: Bearer {token}");
    status_of(
        home,
        &["-H", &bearer, &format!("{}/reservations", server.url)],
    )
}

#[test]
fn an_account_joins_and_leaves_while_the_service_runs() {
    let bench = Bench::new(2);
    let mut server = bench.serve(&bench.configure_with("", but_one(&bench)));
    server.until("ready", 1);
    let (held, first) = server.lease(&bench.token);

    bench.configure("");
    let said = reload(&mut server);
    assert!(said.ends_with("accounts.toml: 1 account added"), "{said}");
    let (location, second) = server.lease(&bench.token);
    assert_eq!(second["account"]["id"], *bench.accounts[1].id);

    bench.configure_with("", but_one(&bench));
    let said = reload(&mut server);
    assert!(said.ends_with("accounts.toml: 1 account removed"), "{said}");
    let key = second["credentials"]["api_key"].as_str().unwrap();
    assert_eq!(
        curl(bench.path(), &[&location]).json(),
        second,
        "the lease goes on"
    );
    assert!(bench.simulator.working_key(key).is_some());
    assert_eq!(status_of(bench.path(), &["-X", "DELETE", &location]), 204);
    server.until("drained", 1);
    assert_eq!(bench.simulator.working_key(key), None);
    assert_eq!(curl(bench.path(), &[&held]).json(), first);
}

#[test]
fn the_file_is_read_again_when_it_has_changed() {
    let bench = Bench::new(2);
    let config = bench.configure_with("", but_one(&bench));
    let mut server = bench.serve(&config);
    // Written in place, then renamed over, as editors do.
    bench.configure("");
    server.process.says(": 1 account added");
    let other = bench.path().join("accounts.toml~");
    write_private(
        &other,
        &bench.configuration("max_pending = 7", but_one(&bench)),
    );
    fs::rename(&other, &config).unwrap();
    server.process.says(": 1 account removed, policy changed");
    // Once for each change, however often it is looked at; a slow machine may give a new file its mode
    // so late that this is a change by itself.
    let read = server.process.stderr().matches("reloaded ").count();
    assert!((2..=3).contains(&read), "read {read} times");
}

#[test]
fn tokens_come_and_go_and_may_do_less() {
    let bench = Bench::new(1);
    let home = bench.path();
    let config = bench.configure("");
    let mut server = bench.serve(&config);
    let (held, lease) = server.lease(&bench.token);
    let text = fs::read_to_string(&config).unwrap();
    let new = NewToken::generate("nightly".parse().unwrap()).unwrap();
    let limited = format!("{}max_reservations = 1\n", new.toml());
    write_private(&config, &format!("{text}\n{limited}"));
    let said = reload(&mut server);
    assert!(
        said.ends_with("policy changed, tokens added: nightly"),
        "{said}"
    );
    assert_eq!(list(home, &server, new.reveal()), 200);

    // Without those of before.
    let (before, after) = text.split_once("[[tokens]]").unwrap();
    let (_, after) = after.split_once("\n\n[types").unwrap();
    write_private(&config, &format!("{before}\n[types{after}\n{}", new.toml()));
    let said = reload(&mut server);
    let expected = "policy changed, tokens removed: ci stranger, tokens changed: nightly";
    assert!(said.ends_with(expected), "{said}");
    assert_eq!(list(home, &server, &bench.token), 401);
    assert_eq!(status_of(home, &[&held]), 401);
    assert_eq!(list(home, &server, new.reveal()), 200);

    // What they hold stays theirs.
    write_private(&config, &text);
    reload(&mut server);
    assert_eq!(curl(home, &[&held]).json(), lease);
    assert_eq!(list(home, &server, new.reveal()), 401);
}

#[test]
fn a_bad_file_changes_nothing_and_is_told_with_its_places_but_without_secrets() {
    let bench = Bench::new(2);
    let config = bench.configure("");
    let mut server = bench.serve(&config);
    server.until("ready", 2);
    let good = fs::read_to_string(&config).unwrap();
    let lines = good.lines().count();
    let secret = bench.accounts[0].api_key.expose_secret();
    let gone = NewToken::generate("gone".parse().unwrap()).unwrap();
    // A token that would come, an account that would go, and a key of which nobody knows the purpose.
    let account = format!("id = \"{}\"", bench.accounts[1].id);
    let bad = good.replace(&account, "id = \"nothing\"");
    write_private(
        &config,
        &format!("{bad}api_kee = \"{secret}\"\n\n{}", gone.toml()),
    );
    let said = server.process.said();
    reload(&mut server);
    let complaints = server.process.stderr()[said..].to_owned();
    for place in [
        format!("accounts.toml:{}:", lines + 1),
        "unknown key".to_owned(),
    ] {
        assert!(complaints.contains(&place), "{place}: {complaints}");
    }
    assert!(complaints.contains("not reloaded "), "{complaints}");
    assert!(!complaints.contains(secret) && !complaints.contains(gone.reveal()));
    assert_eq!(list(bench.path(), &server, gone.reveal()), 401);
    server.until("ready", 2);

    fs::remove_file(&config).unwrap();
    reload(&mut server);
    server.until("ready", 2);
    write_private(&config, &good);
    let said = reload(&mut server);
    assert!(said.ends_with("nothing changed"), "{said}");
    server.until("ready", 2);
}

#[test]
fn what_takes_a_restart_is_named_and_left_as_it_is() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let mut server = bench.serve(&config);
    let text = fs::read_to_string(&config).unwrap();
    let section = "[server]\nmax_connections = 5\nallow_query_tokens = false\n\n";
    write_private(&config, &format!("{section}{text}"));
    let said = reload(&mut server);
    assert!(said.ends_with(": [server] changed"), "{said}");
    server
        .process
        .says("[server] max_connections is not the one in use: it takes a restart");
    let list = format!("{}/reservations?token={}", server.url, bench.token);
    assert_eq!(status_of(bench.path(), &[&list]), 400, "no query tokens");
    eventually("an audit entry", || {
        let shown = crate::process::run(&mut crate::process::acctpool(
            bench.path(),
            &["audit", "show"],
        ));
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        Some(())
    });
}

#[test]
fn an_account_that_is_protected_from_now_on_is_not_touched_any_more() {
    let bench = Bench::new(2);
    let config = bench.configure("");
    let mut server = bench.serve(&config);
    server.until("ready", 2);
    let (location, lease) = server.lease(&bench.token);
    let held = lease["account"]["id"].as_str().unwrap();
    let others = bench.accounts.iter().filter(|account| account.id != held);
    let text = bench.configuration("", others.map(|account| (account, "lite")));
    let keep = format!("[keep]\nprotected_accounts = [\"{held}\"]\n\n");
    write_private(&config, &format!("{keep}{text}"));
    reload(&mut server);
    bench.simulator.clear_requests();
    assert_eq!(status_of(bench.path(), &["-X", "DELETE", &location]), 204);
    server.until("quarantined", 1);
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    assert!(bench.simulator.working_key(key).is_some());
}
