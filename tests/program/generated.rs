//! A client in Python that a public generator makes from the API's document, as its users use it.

use acctpool::token::NewToken;

use crate::bench::Bench;
use crate::environment;
use crate::process::{command, eventually, run};

/// What the generator is told that the document cannot say.
const SETTINGS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/program/openapi-python-client.yaml"
);

/// What the users do.
const USERS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/program/generated_client.py"
);

#[test]
fn a_generated_client_borrows_accounts_and_looks_after_them() {
    let bench = Bench::new(1);
    let operator = NewToken::generate("ops".parse().unwrap()).unwrap();
    let policy = format!("{}\nrole = \"operator\"\n", operator.toml());
    let server = bench.serve(&bench.configure(&policy));
    server.until("ready", 1);

    let generator = environment::interpreter().with_file_name("openapi-python-client");
    let document = format!("{}/openapi.json", server.url);
    let mut generator = command(generator, bench.path());
    generator
        .args(["generate", "--meta", "none", "--fail-on-warning"])
        .args(["--output-path", "acctpool_client", "--config", SETTINGS])
        .args(["--url", &document]);
    let generated = run(&mut generator);
    let told = format!("{}{}", generated.stdout, generated.stderr);
    assert_eq!(generated.code, Some(0), "{told}");
    assert!(!told.to_lowercase().contains("warning"), "{told}");

    let mut users = command(environment::interpreter(), bench.path());
    users
        .arg(USERS)
        .env("PYTHONPATH", bench.path())
        .env("ACCTPOOL_URL", &server.url)
        .env("ACCTPOOL_TOKEN", &bench.token)
        .env("OPERATOR_TOKEN", operator.reveal());
    let ended = run(&mut users);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let key = ended.stdout.trim();
    assert!(!key.is_empty());
    eventually("the end of the key of a lease that was given back", || {
        bench.simulator.working_key(key).is_none().then_some(())
    });
}
