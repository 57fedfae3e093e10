//! `kill -9`: what was answered is true after it.

use std::path::Path;

use crate::bench::{Bench, Server, curl, status_of};
use crate::process::{acctpool, eventually, run};

/// Ends a server at once, and starts another on the same state.
fn crash(bench: &Bench, config: &Path, server: Server) -> Server {
    server.process.signal("KILL");
    assert_eq!(server.process.end().code, None, "a signal ended it");
    bench.serve(config)
}

/// The same reservation at another server.
fn at(server: &Server, location: &str) -> String {
    let path = location.find("/reservations").unwrap();
    format!("{}{}", server.url, &location[path..])
}

fn reserve(home: &Path, server: &Server, token: &str) -> String {
    let asked = format!("{}/reservations?type=lite&token={token}", server.url);
    let format = ["-o", "/dev/null", "-w", "%{redirect_url}", "-d", ""];
    curl(home, &[&format[..], &[&asked]].concat()).body
}

#[test]
fn what_was_answered_survives_a_kill() {
    let bench = Bench::new(1);
    let home = bench.path();
    let config = bench.configure("");
    let server = bench.serve(&config);
    let (held, lease) = server.lease(&bench.token);
    let waiting = reserve(home, &server, &bench.token);
    let given_up = reserve(home, &server, &bench.token);
    assert_eq!(status_of(home, &["-X", "DELETE", &given_up]), 204);

    let server = crash(&bench, &config, server);
    let held = at(&server, &held);
    assert_eq!(
        curl(home, &[&held]).json(),
        lease,
        "key and deadline as before"
    );
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    assert!(bench.simulator.working_key(key).is_some());
    let shown = curl(home, &[&at(&server, &waiting)]).json();
    assert_eq!(
        (&shown["state"], &shown["queue_position"]),
        (&"pending".into(), &1.into())
    );
    let shown = curl(home, &[&at(&server, &given_up)]).json();
    assert_eq!(shown["end_reason"], "cancelled");

    // A cancellation is carried out, however soon the end comes after its answer.
    assert_eq!(status_of(home, &["-X", "DELETE", &held]), 204);
    let server = crash(&bench, &config, server);
    assert_eq!(
        curl(home, &[&at(&server, &held)]).json()["end_reason"],
        "cancelled"
    );
    eventually("the end of the leased key", || {
        bench.simulator.working_key(key).is_none().then_some(())
    });
    let next = eventually("the next lease", || {
        let shown = curl(home, &[&at(&server, &waiting)]).json();
        (shown["state"] == "active").then_some(shown)
    });
    assert_ne!(next["credentials"]["api_key"], *key);
}

#[test]
fn a_state_directory_has_one_server() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let _server = bench.serve(&config);
    let config = config.to_str().unwrap();
    let arguments = ["serve", "--config", config, "--bind", "127.0.0.1:0"];
    let second = run(&mut acctpool(bench.path(), &arguments));
    assert_eq!(second.code, Some(1));
    let expected = "error: cannot keep state: another acctpool uses the state directory";
    assert!(second.stderr.contains(expected), "{}", second.stderr);
}

#[test]
fn the_records_can_be_shown_copied_and_checked_while_the_server_runs() {
    let bench = Bench::new(1);
    let server = bench.serve(&bench.configure(""));
    let (_, lease) = server.lease(&bench.token);
    let state = |arguments: &[&str]| {
        let arguments: Vec<_> = ["state"].iter().chain(arguments).copied().collect();
        run(&mut acctpool(bench.path(), &arguments))
    };
    let shown = state(&["show"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for part in ["account", "id"] {
        let id = if part == "id" {
            &lease["id"]
        } else {
            &lease["account"]["id"]
        };
        assert!(
            shown.stdout.contains(id.as_str().unwrap()),
            "{}",
            shown.stdout
        );
    }
    assert_eq!(
        state(&["check"]).stdout,
        "good: 1 accounts, 1 reservations\n"
    );
    let copy = bench.path().join("copy.db");
    let copied = state(&["backup", copy.to_str().unwrap()]);
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    assert!(copy.exists());
    // A copy is never written over.
    assert_eq!(state(&["backup", copy.to_str().unwrap()]).code, Some(1));

    let elsewhere = tempfile::tempdir().unwrap();
    let nothing = run(&mut acctpool(elsewhere.path(), &["state", "show"]));
    assert_eq!(nothing.code, Some(1));
    assert!(
        nothing.stderr.starts_with("error: no records"),
        "{}",
        nothing.stderr
    );
}
