//! `acctpool audit`: what was done is written down with it, and anybody can verify it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bench::{Bench, status_of};
use crate::environment;
use crate::process::{Ended, acctpool, command, run};
use crate::spoiled::state_directory;

pub(crate) fn audit(home: &Path, arguments: &[&str]) -> Ended {
    let arguments = [&["audit"], arguments].concat();
    run(&mut acctpool(home, &arguments))
}

/// Every entry.
pub(crate) fn entries(home: &Path) -> Vec<Value> {
    let shown = audit(home, &["show"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let lines = shown.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Computes every hash as the schema of the file says, with nothing of acctpool's.
const VERIFY: &str = r#"
import hashlib, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT * FROM audit ORDER BY number").fetchall()
before = ""
for number, (*columns, known) in enumerate(rows, 1):
    assert columns[0] == number
    text = b""
    for column in [before, *columns]:
        value = b"" if column is None else str(column).encode()
        text += b"\xff" * 8 if column is None else len(value).to_bytes(8, "big") + value
    before = hashlib.sha256(text).hexdigest()
    assert before == known, number
print(len(rows), before)
"#;

#[test]
fn the_audit_tells_a_leases_story_and_anybody_can_verify_it() {
    let bench = Bench::new(1);
    let home = bench.path();
    let server = bench.serve(&bench.configure(""));
    let (location, lease) = server.lease(&bench.token);
    assert_eq!(status_of(home, &["-X", "DELETE", &location]), 204);
    server.until("ready", 1);

    let all = entries(home);
    let story: Vec<&str> = all
        .iter()
        .filter(|entry| entry["reservation"] == lease["id"])
        .inspect(|entry| assert_eq!(entry["consumer"], "ci", "{entry}"))
        .map(|entry| entry["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        story,
        [
            "reservation_requested",
            "reservation_granted",
            "credential_shown",
            "reservation_ended"
        ]
    );
    let ended = all
        .iter()
        .position(|entry| entry["event"] == "reservation_ended")
        .unwrap();
    let aftermath: Vec<&str> = all[ended..]
        .iter()
        .filter(|entry| entry["account"] == lease["account"]["id"])
        .map(|entry| entry["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        aftermath,
        [
            "reservation_ended",
            "cleaning_started",
            "credential_revoked",
            "account_proven",
            "credential_minted",
            "account_ready"
        ]
    );
    let since = all[ended]["at"].as_str().unwrap();
    let shown = audit(home, &["show", "--since", since]);
    assert_eq!(shown.stdout.lines().count(), all.len() - ended);
    assert_eq!(
        audit(home, &["show", "--since", "1h"])
            .stdout
            .lines()
            .count(),
        all.len()
    );

    let good = audit(home, &["verify"]);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    let (_, end) = good.stdout.trim().rsplit_once(' ').unwrap();
    assert_eq!(audit(home, &["verify", "--known", end]).code, Some(0));
    let database = state_directory(&bench).join("state.db");
    let mut python = command(environment::interpreter(), home);
    let verified = run(python.args(["-c", VERIFY]).arg(&database));
    let expected = format!("{} {}\n", all.len(), end.split_once(':').unwrap().1);
    assert_eq!(verified.stdout, expected, "{}", verified.stderr);

    // The log keeps the end of every start, so that the audit can be held to it.
    assert_eq!(server.end().code, Some(0));
    let server = bench.serve(&bench.configure(""));
    assert!(
        server
            .process
            .stderr()
            .contains(&format!("the audit ends at {end}"))
    );
}

#[test]
fn an_audit_that_was_tampered_with_is_shown_for_what_it_is() {
    let bench = Bench::new(1);
    let home = bench.path();
    let config = bench.configure("");
    let server = bench.serve(&config);
    server.until("ready", 1);
    assert_eq!(server.end().code, Some(0));
    let known = audit(home, &["verify"]).stdout;
    let known = known.trim().rsplit_once(' ').unwrap().1.to_owned();
    let database = state_directory(&bench).join("state.db");
    let tamper = |how: &str| {
        let connection = rusqlite::Connection::open(&database).unwrap();
        connection.execute_batch(how).unwrap();
    };
    let mistake = rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch("UPDATE audit SET details = '{}'");
    assert!(mistake.unwrap_err().to_string().contains("never changed"));
    tamper(
        "DROP TRIGGER audit_is_never_changed;
         UPDATE audit SET account = 'other' WHERE event = 'account_ready'",
    );
    let found = audit(home, &["verify"]);
    assert_eq!(found.code, Some(1));
    assert!(
        found.stderr.contains("is not what was written"),
        "{}",
        found.stderr
    );

    // Who writes the whole chain anew is found out by an end that is kept elsewhere.
    tamper("DROP TRIGGER audit_is_pruned_from_its_start; DELETE FROM audit");
    fs::remove_file(state_directory(&bench).join("state.head")).unwrap();
    assert_eq!(audit(home, &["verify"]).code, Some(0));
    let found = audit(home, &["verify", "--known", &known]);
    assert_eq!(found.code, Some(1));
    assert!(found.stderr.contains("are missing"), "{}", found.stderr);
}

#[test]
fn old_entries_are_removed_while_the_server_runs() {
    let bench = Bench::new(1);
    let home = bench.path();
    let server = bench.serve(&bench.configure(""));
    server.until("ready", 1);
    let kept = entries(home).pop().unwrap();
    let before = kept["at"].as_str().unwrap();
    let pruned = audit(home, &["prune", "--before", before]);
    assert!(pruned.stdout.starts_with("removed: "), "{}", pruned.stderr);
    assert_eq!(entries(home)[0]["at"], kept["at"]);
    let (location, _) = server.lease(&bench.token);
    assert_eq!(status_of(home, &["-X", "DELETE", &location]), 204);
    server.until("ready", 1);
    let verified = audit(home, &["verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert!(
        verified.stdout.contains("that were pruned"),
        "{}",
        verified.stdout
    );
    server.process.signal("KILL");
    server.process.end();
    bench.serve(&bench.configure("")).until("ready", 1);
}
