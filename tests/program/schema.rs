//! Every operation of the API's document, fuzzed from it by schemathesis, for a token of each role.

use acctpool::token::NewToken;

use crate::bench::{Bench, Server, curl};
use crate::environment;
use crate::process::command;

/// What schemathesis is told that the document cannot say.
const SETTINGS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/program/schemathesis.toml"
);

/// Fuzzes a server with a token, trying so many examples of each kind and taking so many seconds at
/// most; it stops by itself.
fn fuzz(bench: &Bench, server: &Server, token: &str, examples: &str, seconds: &str) {
    let schemathesis = environment::interpreter().with_file_name("schemathesis");
    let document = format!("{}/openapi.json", server.url);
    let mut schemathesis = command(schemathesis, bench.path());
    schemathesis
        .env("ACCTPOOL_TOKEN", token)
        .env("ACCTPOOL_ACCOUNT", &bench.accounts[0].id)
        .args(["--config-file", SETTINGS, "run", "--no-color"])
        .args(["--max-examples", examples, "--max-time", seconds])
        .args(["--seed", "5", &document]);
    // Not within the patience that other programs are watched with: it takes its time.
    let ended = schemathesis.output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    let troubles = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}\n{troubles}");
    // A document that nobody could read would be fuzzed in vain.
    for tried in ["Coverage", "Fuzzing", "Stateful"] {
        assert!(told.contains(tried), "{told}");
    }
    assert!(!told.contains("unresolvable"), "{told}");
}

/// Fuzzes a server with a token of another role than a consumer's.
fn fuzz_as(role: &str, examples: &str, seconds: &str) -> Server {
    let bench = Bench::new(1);
    let token = NewToken::generate(role.parse().unwrap()).unwrap();
    let policy = format!("{}\nrole = \"{role}\"\n", token.toml());
    let server = bench.serve(&bench.configure(&policy));
    server.until("ready", 1);
    fuzz(&bench, &server, token.reveal(), examples, seconds);
    let status = curl(bench.path(), &[&server.url]).json();
    assert!(status["status"].is_string());
    server
}

#[test]
fn whatever_the_document_allows_is_answered_as_it_says() {
    let bench = Bench::new(1);
    let server = bench.serve(&bench.configure(""));
    server.until("ready", 1);
    fuzz(&bench, &server, &bench.token, "15", "20");
    let status = curl(bench.path(), &[&server.url]).json();
    assert_eq!(status["status"], "ok");
}

#[test]
fn whatever_an_operator_may_do_is_answered_as_the_document_says() {
    let server = fuzz_as("operator", "10", "15");
    // In earnest, and not up to a refusal.
    let log = server.process.stderr();
    for done in [
        "is to be cleaned",
        "is to be drained",
        "enabled",
        "is to be quarantined",
        "is to be revoked",
    ] {
        let by_operator = format!("{done}, operator operator: ");
        assert!(log.contains(&by_operator), "{done}");
    }
}

#[test]
fn whatever_a_viewer_may_see_is_answered_as_the_document_says() {
    let server = fuzz_as("viewer", "4", "8");
    assert!(!server.process.stderr().contains("operator viewer: "));
}
