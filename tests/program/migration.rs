//! Records of an older version: brought up whole, whenever the process or the disk fails.

use std::fs;

use crate::bench::{Bench, curl, write_private};
use crate::process::{acctpool, run};
use crate::spoiled::{RECORDS, Spoil, Spoiled, state_directory};

/// Records as acctpool wrote them in version 1 of the format.
const VERSION_1: &str = include_str!("../../src/store/sqlite/tests/v1.sql");

/// The master key that they were made with.
const MASTER_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A lease in them, and the key that its holder was shown.
const LEASE: (&str, &str) = (
    "bd49ac4f-38a2-4e80-bb80-366aeea952a1",
    "Vrr20I1osdD2-cisvh-s0gMkAwXWzq89NIch-H8dreY",
);

fn put_in_place(bench: &Bench) {
    let directory = state_directory(bench);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    write_private(&directory.join("master.key"), MASTER_KEY);
    let file = rusqlite::Connection::open(directory.join("state.db")).unwrap();
    file.execute_batch(VERSION_1).unwrap();
    let wal =
        file.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    assert_eq!(wal.unwrap(), "wal");
}

/// The lines about leases and what was given up; a server that has begun to work adds to the others.
fn shown(bench: &Bench) -> Vec<String> {
    let shown = run(&mut acctpool(bench.path(), &["state", "show"]));
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let lines = shown.stdout.lines().map(ToOwned::to_owned);
    let told = ["leased by", "active on", "cancelled"];
    lines
        .filter(|line| told.iter().any(|word| line.contains(word)))
        .collect()
}

fn version(bench: &Bench) -> u32 {
    let file = rusqlite::Connection::open(state_directory(bench).join("state.db")).unwrap();
    file.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[test]
fn leases_of_version_1_go_on_with_their_keys() {
    let bench = Bench::new(1);
    put_in_place(&bench);
    let before = shown(&bench);
    assert_eq!(before.len(), 3 + 3 + 1, "{before:?}");
    let server = bench.serve(&bench.configure(""));
    let (id, key) = LEASE;
    let lease = format!("{}/reservations/{id}?token={}", server.url, bench.token);
    let lease = curl(bench.path(), &[&lease]).json();
    assert_eq!(
        (&lease["state"], &lease["credentials"]["api_key"]),
        (&"active".into(), &key.into())
    );
    server.until("leased", 4);
    assert_eq!(version(&bench), 2);
}

/// Spoils one call of a migration after the other, until none is left to be.
fn can_be_repeated(call: &'static str, how: &'static str) {
    let bench = Bench::new(1);
    let config = bench.configure("");
    put_in_place(&bench);
    let before = shown(&bench);
    let (mut old, mut new) = (0, 0);
    for nth in 1.. {
        put_in_place(&bench);
        let spoil = Spoil {
            call,
            how,
            nth: Some(nth),
            files: RECORDS,
        };
        let mut server = Spoiled::start(&bench, &config, spoil);
        if server.listens().is_some() {
            server.process.signal("KILL");
            server.process.end();
            break;
        }
        let ended = server.process.end();
        assert_ne!(ended.code, Some(0), "{spoil:?}");
        match version(&bench) {
            1 => old += 1,
            2 => new += 1,
            other => panic!("{spoil:?}: version {other}"),
        }
        assert_eq!(shown(&bench), before, "{spoil:?}");
    }
    assert!(
        old > 0 && new > 0,
        "{call} {how}: {old} before the commit, {new} after it"
    );
}

#[test]
fn a_migration_that_is_killed_anywhere_can_be_repeated() {
    can_be_repeated("pwrite64", "signal=KILL");
}

#[test]
fn a_migration_for_which_the_disk_is_full_can_be_repeated() {
    can_be_repeated("pwrite64", "error=ENOSPC");
}
