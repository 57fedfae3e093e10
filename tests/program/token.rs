//! `acctpool token new`.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::process::{acctpool, run};

#[test]
fn a_new_token_has_the_hash_that_is_printed_for_the_file() {
    let home = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let ended = run(&mut acctpool(
            home.path(),
            &["token", "new", "ci@example.com"],
        ));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let words: Vec<_> = ended.stdout.split_whitespace().collect();
        let token = words
            .iter()
            .find(|word| word.starts_with("acctpool_"))
            .unwrap();
        let lines: toml::Table = ended.stdout.parse().expect("all of it is TOML");
        let entry = &lines["tokens"][0];
        assert_eq!(entry["name"].as_str(), Some("ci@example.com"));
        assert_eq!(entry["sha256"].as_str(), Some(&*sha256(token)));
        seen.push((*token).to_owned());
    }
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn a_bad_name_is_a_usage_error_that_says_what_is_allowed() {
    let home = tempfile::tempdir().unwrap();
    let long = "x".repeat(65);
    for name in ["", "a b", "-", "über", &long] {
        let ended = run(&mut acctpool(home.path(), &["token", "new", "--", name]));
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{name:?}"
        );
        assert!(
            ended.stderr.contains("1 to 64 letters, digits"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_token_pasted_as_a_name_is_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let pasted = "acctpool_NHNhd310Ic9EMtbVhWwQ2goA06ZaXS62JtR4jt7";
    let ended = run(&mut acctpool(home.path(), &["token", "new", pasted]));
    assert_eq!(ended.code, Some(2));
    assert!(!ended.stderr.contains("NHNhd310Ic9"), "{}", ended.stderr);
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
}
