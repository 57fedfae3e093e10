//! Records of an older version: brought up whole, whenever the process or the disk fails.

use std::fs;

use crate::bench::{Bench, curl, write_private};
use crate::process::{acctpool, run};
use crate::spoiled::{RECORDS, Spoil, Spoiled, state_directory};

/// Records as acctpool wrote them in an older version of the format.
struct Former {
    version: u32,
    dump: &'static str,
    /// How many lines `state show` has of leases and of what was given up.
    lines: usize,
    /// A lease in them, and the key that its holder was shown.
    lease: (&'static str, &'static str),
}

const VERSION_1: Former = Former {
    version: 1,
    dump: include_str!("../../src/store/sqlite/tests/v1.sql"),
    lines: 3 + 3 + 1,
    lease: (
        "bd49ac4f-38a2-4e80-bb80-366aeea952a1",
        "Vrr20I1osdD2-cisvh-s0gMkAwXWzq89NIch-H8dreY",
    ),
};

const VERSION_2: Former = Former {
    version: 2,
    dump: include_str!("../../src/store/sqlite/tests/v2.sql"),
    lines: 1 + 1 + 1,
    lease: (
        "3f20d8c4-d909-4c61-b000-c9a3a02854de",
        "_pi_B8jrVS4hUaRCbN55JMzvbcaPsr1cQ5fOLDE2emg",
    ),
};

const VERSION_3: Former = Former {
    version: 3,
    dump: include_str!("../../src/store/sqlite/tests/v3.sql"),
    lines: 1 + 1 + 1,
    lease: VERSION_2.lease,
};

const VERSION_4: Former = Former {
    version: 4,
    dump: include_str!("../../src/store/sqlite/tests/v4.sql"),
    lines: 1 + 1 + 1,
    lease: VERSION_2.lease,
};

/// The version that this program writes.
const VERSION: u32 = 5;

/// The master key that they were made with.
const MASTER_KEY: &str = "0123456789abcdef0123456789abcdef";

fn put_in_place(bench: &Bench, former: &Former) {
    let directory = state_directory(bench);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    write_private(&directory.join("master.key"), MASTER_KEY);
    let file = rusqlite::Connection::open(directory.join("state.db")).unwrap();
    file.execute_batch(former.dump).unwrap();
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

fn leases_go_on_with_their_keys(former: &Former) {
    let bench = Bench::new(1);
    put_in_place(&bench, former);
    let before = shown(&bench);
    assert_eq!(before.len(), former.lines, "{before:?}");
    let server = bench.serve(&bench.configure(""));
    let (id, key) = former.lease;
    let lease = format!("{}/reservations/{id}?token={}", server.url, bench.token);
    let lease = curl(bench.path(), &[&lease]).json();
    assert_eq!(
        (&lease["state"], &lease["credentials"]["api_key"]),
        (&"active".into(), &key.into())
    );
    assert_eq!(version(&bench), VERSION);
}

#[test]
fn leases_of_version_1_go_on_with_their_keys() {
    leases_go_on_with_their_keys(&VERSION_1);
}

#[test]
fn leases_of_version_2_go_on_with_their_keys() {
    leases_go_on_with_their_keys(&VERSION_2);
}

#[test]
fn leases_of_version_3_go_on_with_their_keys() {
    leases_go_on_with_their_keys(&VERSION_3);
}

#[test]
fn leases_of_version_4_go_on_with_their_keys() {
    leases_go_on_with_their_keys(&VERSION_4);
}

/// Spoils one call of a migration after the other, until none is left to be.
fn can_be_repeated(former: &Former, call: &'static str, how: &'static str) {
    let bench = Bench::new(1);
    let config = bench.configure("");
    put_in_place(&bench, former);
    let before = shown(&bench);
    let (mut old, mut new) = (0, 0);
    for nth in 1.. {
        put_in_place(&bench, former);
        let spoil = Spoil {
            call,
            how,
            nth: Some(nth),
            files: RECORDS,
        };
        let mut server = Spoiled::start(&bench, &config, spoil);
        if server.listens().is_some() {
            // It may have died since: the call was one of its work.
            drop(server);
            break;
        }
        let ended = server.process.end();
        assert_ne!(ended.code, Some(0), "{spoil:?}");
        match version(&bench) {
            VERSION => new += 1,
            version if version == former.version => old += 1,
            other => panic!("{spoil:?}: version {other}"),
        }
        assert_eq!(shown(&bench), before, "{spoil:?}");
    }
    assert!(old > 0, "{call} {how}: never before the commit");
    // Where the migration has changed no row, what the start that follows writes of its own may come
    // before it listens or after.
    let writes_after = former.version == 1;
    assert!(
        new > 0 || !writes_after,
        "{call} {how}: never after the commit"
    );
    assert_eq!(version(&bench), VERSION);
}

#[test]
fn a_migration_that_is_killed_anywhere_can_be_repeated() {
    can_be_repeated(&VERSION_1, "pwrite64", "signal=KILL");
    can_be_repeated(&VERSION_2, "pwrite64", "signal=KILL");
    can_be_repeated(&VERSION_3, "pwrite64", "signal=KILL");
}

#[test]
fn a_migration_for_which_the_disk_is_full_can_be_repeated() {
    can_be_repeated(&VERSION_1, "pwrite64", "error=ENOSPC");
    can_be_repeated(&VERSION_2, "pwrite64", "error=ENOSPC");
    can_be_repeated(&VERSION_3, "pwrite64", "error=ENOSPC");
}
