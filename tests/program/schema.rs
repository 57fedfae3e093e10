//! Every operation of the API's document, fuzzed from it by schemathesis.

use crate::bench::Bench;
use crate::environment;
use crate::process::{command, run};

/// What schemathesis is told that the document cannot say.
const SETTINGS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/program/schemathesis.toml"
);

/// How long it may go on, in seconds; it stops by itself.
const LONGEST: &str = "30";

#[test]
fn whatever_the_document_allows_is_answered_as_it_says() {
    let bench = Bench::new(1);
    let server = bench.serve(&bench.configure(""));
    server.until("ready", 1);
    let schemathesis = environment::interpreter().with_file_name("schemathesis");
    let document = format!("{}/openapi.json", server.url);
    let mut schemathesis = command(schemathesis, bench.path());
    schemathesis
        .env("ACCTPOOL_TOKEN", &bench.token)
        .args(["--config-file", SETTINGS, "run", "--no-color"])
        .args(["--max-examples", "20", "--max-time", LONGEST, "--seed", "5"])
        .arg(document);
    let ended = run(&mut schemathesis);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    // A document that nobody could read would be fuzzed in vain.
    for tried in ["Coverage", "Fuzzing", "Stateful"] {
        assert!(ended.stdout.contains(tried), "{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("unresolvable"), "{}", ended.stdout);
    let status = crate::bench::curl(bench.path(), &[&server.url]).json();
    assert_eq!(status["status"], "ok");
}
