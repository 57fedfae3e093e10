//! `--help` and `--version`: what teaches.

use crate::process::{acctpool, run};

const VERBS: [&[&str]; 31] = [
    &["run"],
    &["reserve"],
    &["show"],
    &["renew"],
    &["release"],
    &["list"],
    &["status"],
    &["account"],
    &["account", "list"],
    &["account", "show"],
    &["account", "clean"],
    &["account", "drain"],
    &["account", "enable"],
    &["account", "quarantine"],
    &["completion"],
    &["serve"],
    &["demo"],
    &["simulate"],
    &["check"],
    &["plan"],
    &["baseline"],
    &["clean"],
    &["token"],
    &["token", "new"],
    &["audit"],
    &["audit", "show"],
    &["audit", "verify"],
    &["audit", "prune"],
    &["webhook"],
    &["webhook", "secret"],
    &["webhook", "test"],
];

#[test]
fn help_names_every_verb_and_shows_the_way() {
    let home = tempfile::tempdir().unwrap();
    let ended = run(&mut acctpool(home.path(), &["--help"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let lesson = [
        "acctpool demo",
        "acctpool token new ci",
        "acctpool check accounts.toml",
        "acctpool serve --config accounts.toml",
        "/reservations?type=lite",
    ];
    for line in lesson {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    for verb in VERBS.iter().filter(|verb| verb.len() == 1) {
        assert!(
            ended.stdout.contains(&format!("\n  {}", verb[0])),
            "{verb:?}"
        );
    }
}

#[test]
fn every_verb_explains_itself_and_each_of_its_options() {
    let home = tempfile::tempdir().unwrap();
    for verb in VERBS {
        let mut arguments = verb.to_vec();
        arguments.push("--help");
        let ended = run(&mut acctpool(home.path(), &arguments));
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{verb:?}"
        );
        let (about, _) = ended.stdout.split_once("\n\nUsage: ").unwrap();
        assert!(about.len() > 20, "{verb:?}: {about}");
        assert!(!ended.stdout.contains("See the verb"), "{verb:?}");
    }
}

#[test]
fn the_version_is_the_packages_own() {
    let home = tempfile::tempdir().unwrap();
    let ended = run(&mut acctpool(home.path(), &["--version"]));
    let version = format!("acctpool {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ended.code, ended.stdout), (Some(0), version));
}

#[test]
fn an_unknown_verb_is_a_usage_error() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["lend"][..], &[], &["serve", "--no-such-option"]] {
        let ended = run(&mut acctpool(home.path(), arguments));
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(ended.stderr.contains("Usage: acctpool"), "{}", ended.stderr);
    }
}
