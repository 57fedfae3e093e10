//! Keeps `mutations.toml` true while the code goes on: every entry still applies, and every promise
//! has one. Whether its test fails is seen by `run.py`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The promises of the design, as failing tests and invariants name them; then those of the surfaces.
const PROMISES: [&str; 24] = [
    "P1 one_holder",
    "P2 never_lent_dirty",
    "P3 deadline_holds",
    "P4 acknowledged_is_durable",
    "P5 no_orphan_credential",
    "P6 management_key_never_lost",
    "P7 first_come_first_served",
    "P8 no_idle_while_waiting",
    "P9 stale_report_is_inert",
    "P10 secrets_stay_secret",
    "P11 one_stuck_account_blocks_nobody",
    "P12 no_silent_leftover",
    "S1 renewal_keeps_its_word",
    "S2 all_or_nothing",
    "S3 one_key_one_reservation",
    "S4 roles_hold",
    "S5 limits_hold",
    "S6 known_is_not_sent_again",
    "S7 reload_loses_nothing",
    "S8 tampering_shows",
    "S9 unseen_stays_untold",
    "S10 run_gives_back",
    "S11 standstill_is_degraded",
    "S12 operators_are_told",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutations: Vec<Mutation>,
}

/// One break of the code, as the head of the list explains it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    promise: String,
    breaks: String,
    file: String,
    find: String,
    replace: String,
    test: String,
    fails: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn list() -> Vec<Mutation> {
    let text = fs::read_to_string(root().join("tests/mutations/mutations.toml")).unwrap();
    toml::from_str::<List>(&text).unwrap().mutations
}

#[test]
fn every_promise_has_a_mutation() {
    let named: BTreeSet<String> = list().into_iter().map(|entry| entry.promise).collect();
    let promises: BTreeSet<String> = PROMISES.iter().map(ToString::to_string).collect();
    assert_eq!(named, promises);
}

#[test]
fn every_mutation_still_applies() {
    for entry in list() {
        let breaks = &entry.breaks;
        let code = fs::read_to_string(root().join(&entry.file)).unwrap();
        assert_eq!(
            code.matches(&entry.find).count(),
            1,
            "{breaks}: {} must contain exactly once: {}",
            entry.file,
            entry.find
        );
        assert_ne!(entry.find, entry.replace, "{breaks}: nothing changes");
    }
}

#[test]
fn every_mutation_names_a_test_that_exists() {
    for entry in list() {
        let (modules, name) = entry.fails.rsplit_once("::").unwrap_or(("", &entry.fails));
        let mut path = directory(&entry.test);
        path.extend(modules.split("::").filter(|module| !module.is_empty()));
        // A test outside of all modules is in the crate's own file; one of `tests` within a file is
        // in the file of the module around it.
        let around = path.parent().unwrap().with_extension("rs");
        let candidates = [path.with_extension("rs"), path.join("main.rs"), around];
        let definition = format!("fn {name}(");
        let is_there = candidates.iter().any(|file| {
            let code = fs::read_to_string(file).unwrap_or_default();
            code.contains(&definition)
        });
        assert!(
            is_there,
            "{}: no {} in {candidates:?}",
            entry.breaks, entry.fails
        );
    }
}

/// Returns where the code of a test target is.
fn directory(test: &str) -> PathBuf {
    let words: Vec<&str> = test.split(' ').collect();
    let after = |option: &str| {
        let place = words.iter().position(|word| *word == option)?;
        words.get(place + 1).copied()
    };
    let package = match after("-p") {
        None | Some("acctpool") => root().to_owned(),
        Some(member) => root().join(member.strip_prefix("acctpool-").unwrap()),
    };
    match after("--test") {
        Some(target) => package.join("tests").join(target),
        None => package.join("src"),
    }
}
