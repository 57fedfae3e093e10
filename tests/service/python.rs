//! Python with IBM's own SDK: as the judge of the simulator, and as a consumer of the service.

#[path = "../sdk/environment.rs"]
mod environment;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use acctpool::simulator::{AccountSpec, Lags, Settings, Simulator, Time};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::app::{Setup, TestApp, anywhere};

#[test]
fn ibms_sdk_finds_the_simulator_to_be_like_ibm_cloud() {
    let account = AccountSpec::generate("lite", 1, 11);
    let settings = Settings {
        accounts: vec![account.clone(), AccountSpec::generate("lite", 2, 11)],
        lags: Lags::short(),
        // The SDK looks at the machine's clock.
        time: Time::Frozen(OffsetDateTime::now_utc()),
        seed: 11,
    };
    let simulator = Simulator::start(anywhere(), &settings).unwrap();
    let judged = script("conformance.py")
        .args(["--url", simulator.url(), "--account", &account.id])
        .env("SIMULATOR_KEY", account.api_key.expose_secret())
        .output()
        .unwrap();
    simulator.stop();
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(
        judged.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&judged.stderr)
    );
    // A judge who was asked nothing is content, too.
    let verdicts = said.lines().filter(|line| line.starts_with("ok    "));
    assert!(verdicts.count() > 50, "{said}");
}

#[actix_rt::test]
async fn a_cancelled_lease_of_standard_rights_leaves_nothing() {
    an_account_is_used_and_given_back("standard", End::Cancelled).await;
}

#[actix_rt::test]
async fn an_expired_lease_of_standard_rights_leaves_nothing() {
    an_account_is_used_and_given_back("standard", End::Expired).await;
}

#[actix_rt::test]
async fn a_cancelled_lease_of_an_administrator_leaves_nothing() {
    an_account_is_used_and_given_back("administrator", End::Cancelled).await;
}

#[actix_rt::test]
async fn an_expired_lease_of_an_administrator_leaves_nothing() {
    an_account_is_used_and_given_back("administrator", End::Expired).await;
}

#[derive(Clone, Copy)]
enum End {
    Cancelled,
    Expired,
}

const MINUTES: u64 = 30;

async fn an_account_is_used_and_given_back(rights: &'static str, end: End) {
    let app = TestApp::start(Setup {
        accounts: vec![("lent", 1)],
        rights,
        start: OffsetDateTime::now_utc(),
        ..Setup::default()
    })
    .await;
    let mut python = Python::start();
    let account = app.accounts[0].clone();
    let listing = as_owner("listing", &app, &account);
    let before = python.step(&listing);
    assert!(!before.as_array().unwrap().is_empty());

    // Asked for before the account is ready: there is something to poll for.
    let lease = reserve(&mut python, &app).await;
    assert_eq!(lease["first_state"], "pending");
    assert_eq!(lease["account"]["id"], *account.id);
    assert_eq!(lease["credentials"]["iam_url"], *app.simulator.url());
    let door_key = use_account(&mut python, rights, &lease);
    assert_ne!(python.step(&listing), before, "the mess is seen");
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    let key_id = app.simulator.working_key(key).unwrap();
    app.simulator.clear_requests();

    match end {
        End::Cancelled => drop(python.step(&about(&app, "cancel", &lease))),
        End::Expired => app.advance(Duration::from_mins(MINUTES)).await,
    }
    let shown = python.step(&about(&app, "show", &lease));
    let reason = match end {
        End::Cancelled => "cancelled",
        End::Expired => "expired",
    };
    assert_eq!(shown["end_reason"], reason);
    assert_eq!(shown.get("credentials"), None);
    // No clock moves here: what was due at the end is all that it takes.
    python.step(&refusal(&app, &lease["credentials"]["api_key"]));
    let requests = app.simulator.requests();
    let first_write = requests.iter().find(|request| request.is_write).unwrap();
    assert_eq!(
        format!("{} {}", first_write.method, first_write.path),
        format!("POST /v1/apikeys/{key_id}/disable"),
        "the key goes before anything else is done"
    );

    app.until_ready("lent", 1).await;
    if let Some(door_key) = door_key {
        python.step(&refusal(&app, &door_key));
    }
    assert_eq!(python.step(&listing), before);
    let next = reserve(&mut python, &app).await;
    assert_eq!(next["account"], lease["account"]);
    for secret in ["api_key", "service_id"] {
        assert_ne!(next["credentials"][secret], lease["credentials"][secret]);
    }
    app.finish().await;
}

/// Makes the mess that these rights allow; returns the key of the back door, if one could be made.
fn use_account(python: &mut Python, rights: &str, lease: &Value) -> Option<Value> {
    let credentials = &lease["credentials"];
    let within = |step: &str| {
        json!({
            "step": step,
            "iam_url": credentials["iam_url"],
            "account": lease["account"]["id"],
            "key": credentials["api_key"],
        })
    };
    python.step(&within("make_a_mess"));
    let mut doors = within("make_back_doors");
    doors["service_id"] = credentials["service_id"].clone();
    if rights == "administrator" {
        return Some(python.step(&doors));
    }
    doors["step"] = "back_doors_are_refused".into();
    python.step(&doors);
    None
}

/// A step that the owner of an account does.
pub(super) fn as_owner(step: &str, app: &TestApp, account: &AccountSpec) -> Value {
    json!({
        "step": step,
        "iam_url": app.simulator.url(),
        "account": account.id,
        "key": account.api_key.expose_secret(),
    })
}

/// Reserves and polls; meanwhile, time passes until the account is lent.
pub(super) async fn reserve(python: &mut Python, app: &TestApp) -> Value {
    python.begin(&json!({
        "step": "reserve",
        "pool": app.url(),
        "token": app.token,
        "account_type": "lent",
        "minutes": MINUTES,
    }));
    app.until("lent", |counts| counts.active == 1).await;
    python.end()
}

pub(super) fn about(app: &TestApp, step: &str, lease: &Value) -> Value {
    json!({ "step": step, "location": lease["location"], "token": app.token })
}

fn refusal(app: &TestApp, key: &Value) -> Value {
    json!({ "step": "await_refusal", "iam_url": app.simulator.url(), "key": key })
}

/// Returns a command that runs a script of `tests/sdk`.
fn script(name: &str) -> Command {
    let mut command = Command::new(environment::interpreter());
    command
        .arg(format!("{}/tests/sdk/{name}", env!("CARGO_MANIFEST_DIR")))
        .env_remove("PYTHONPATH")
        // Nothing is written beside the scripts.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // The servers are on this machine.
        .env("NO_PROXY", "*");
    command
}

/// A running `consumer.py`.
pub(super) struct Python {
    process: Child,
    steps: Option<ChildStdin>,
    results: BufReader<ChildStdout>,
}

impl Python {
    pub(super) fn start() -> Self {
        let mut process = script("consumer.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let results = BufReader::new(process.stdout.take().unwrap());
        Self {
            steps: process.stdin.take(),
            process,
            results,
        }
    }

    pub(super) fn step(&mut self, step: &Value) -> Value {
        self.begin(step);
        self.end()
    }

    fn begin(&mut self, step: &Value) {
        let steps = self.steps.as_mut().unwrap();
        writeln!(steps, "{step}").unwrap();
        steps.flush().unwrap();
    }

    fn end(&mut self) -> Value {
        let mut line = String::new();
        self.results.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "a step failed: the traceback is above");
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // At the end of its input it ends by itself; a step that hangs does not.
        drop(self.steps.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
