//! Whether the process runs, and whether it can do what it is for.

use std::time::Duration;

use acctpool::http::Settings;
use serde_json::{Value, json};

use crate::app::{App, Setup};

fn app(accounts: &[(&'static str, &'static str)]) -> App {
    App::with(Setup {
        accounts: accounts.to_vec(),
        settings: Settings {
            check_timeout: Duration::from_millis(100),
            ..Setup::default().settings
        },
        ..Setup::default()
    })
}

fn status_of(told: &Value, name: &str) -> String {
    let mut checks = told["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["name"] == name);
    check.unwrap()["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_service_that_works_is_ready_and_says_of_what_on_demand() {
    let app = app(&[("acct-1", "lite"), ("bad-1", "gold")]);
    for target in ["/livez", "/readyz", "/healthz"] {
        let answer = app.send("GET", target, &[]);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        assert_eq!(answer.json(), json!({"status": "ok"}));
        assert_eq!(app.send("HEAD", target, &[]).status, 200);
        assert_eq!(
            app.send("POST", target, &[]).header("allow"),
            Some("GET, HEAD")
        );
    }
    let told = app.send("GET", "/readyz?verbose", &[]).json();
    assert_eq!(told["status"], "ok");
    for name in ["service", "store", "pool", "accounts of type lite"] {
        assert_eq!(status_of(&told, name), "ok", "{name}");
    }
    // Whoever asks for other types is served.
    assert_eq!(status_of(&told, "accounts of type gold"), "degraded");
    let typo = app.send("GET", "/readyz?verbos", &[]);
    assert_eq!(typo.code(), "unknown_parameter");
}

#[test]
fn a_service_whose_disk_hangs_lives_and_is_not_ready() {
    let app = app(&[("acct-1", "lite")]);
    app.disk.hold();
    // The store's thread is in this write until the disk is released.
    let mut stuck = app.connect();
    let head = format!(
        "POST /reservations?type=lite HTTP/1.1\r\nhost: pool\r\n{}\r\n\r\n",
        crate::app::bearer(crate::ports::CI)
    );
    stuck.send(head.as_bytes());
    app.disk.wait_for_write();
    let answer = app.send("GET", "/readyz", &[]);
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.code(), "not_ready");
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(status_of(&answer.json(), "store"), "failed");
    assert!(
        answer.body.contains("store: does not answer"),
        "{}",
        answer.body
    );
    assert_eq!(app.send("GET", "/livez", &[]).status, 200);
    app.disk.release();
    assert_eq!(stuck.answer().status, 302);
    assert_eq!(app.send("GET", "/readyz", &[]).status, 200);
}
