//! Every operation of the API's document, fuzzed from it by schemathesis.

use crate::bench::{Bench, curl};
use crate::environment;
use crate::process::command;

/// What schemathesis is told that the document cannot say.
const SETTINGS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/program/schemathesis.toml"
);

/// How long it may go on, in seconds; it stops by itself.
const LONGEST: &str = "25";

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
    let status = curl(bench.path(), &[&server.url]).json();
    assert_eq!(status["status"], "ok");
}
