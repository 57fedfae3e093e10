//! The access log, and what must never be in any log line.

use std::sync::Mutex;

use acctpool::http::Settings;
use log::{Log, Metadata, Record};

use crate::app::{App, Setup, bearer, token_query};
use crate::ports::{CI, LEASE_KEY, NIGHTLY};

static LINES: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Keeps every line of every test of this binary.
struct Memory;

impl Log for Memory {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        let line = (record.target().to_owned(), record.args().to_string());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

fn remember() {
    if log::set_logger(&Memory).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}

/// Returns the access log's line of a request; an empty one if there is none.
fn line_of(request_id: &str) -> String {
    let ending = format!("request_id={request_id}");
    LINES
        .lock()
        .unwrap()
        .iter()
        .find(|(target, line)| target == "acctpool::http::access" && line.ends_with(&ending))
        .map(|(_, line)| line.clone())
        .unwrap_or_default()
}

#[test]
fn each_exchange_is_logged_without_its_query() {
    remember();
    let app = App::new();
    let path = app.reserve("type=lite");
    let target = format!("{path}?{}", token_query(CI));
    let answer = app.send("GET", &target, &["x-request-id: logged-1"]);
    let line = line_of("logged-1");
    assert!(
        line.starts_with(&format!("127.0.0.1 GET {path} 200 {}B ", answer.body.len())),
        "{line}"
    );
    assert!(line.contains(" token=ci "), "{line}");

    app.send(
        "GET",
        "/reservations&token=mistyped-secret",
        &["x-request-id: logged-2"],
    );
    assert!(line_of("logged-2").starts_with("127.0.0.1 GET - 404 "));
    app.send("OPTIONS", "/", &["x-request-id: logged-3"]);
    assert!(line_of("logged-3").starts_with("127.0.0.1 OPTIONS / 405 "));
}

#[test]
fn the_client_behind_a_trusted_proxy_is_logged() {
    remember();
    let app = App::with(Setup {
        settings: Settings {
            trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
            ..Setup::default().settings
        },
        ..Setup::default()
    });
    let headers = [
        "x-forwarded-for: 203.0.113.9, 192.0.2.7",
        "x-request-id: proxied-1",
    ];
    app.send("GET", "/", &headers);
    assert!(line_of("proxied-1").starts_with("192.0.2.7 GET / 200 "));

    let direct = App::new();
    direct.send(
        "GET",
        "/",
        &["x-forwarded-for: 192.0.2.7", "x-request-id: direct-1"],
    );
    assert!(line_of("direct-1").starts_with("127.0.0.1 GET / 200 "));
}

#[test]
fn no_log_line_holds_a_secret() {
    remember();
    let app = App::new();
    let query = token_query(CI);
    let unknown = "acctpool_unknown-secret";
    for (method, target) in [
        ("POST", format!("/reservations?{query}&type=lite")),
        ("POST", format!("/reservations?{query}&type=gold")),
        ("POST", format!("/reservations?{query}&{query}")),
        ("GET", format!("/reservations/{NIGHTLY}")),
        ("GET", format!("/{NIGHTLY}")),
        ("GET", format!("/reservations?token={unknown}")),
        (NIGHTLY, "/".to_owned()),
    ] {
        app.send(method, &target, &[&bearer(CI)]);
    }
    let path = app.reserve("type=lite");
    app.send("DELETE", &path, &[&bearer(unknown)]);
    let path = app.as_ci("POST", "/reservations?type=lite");
    app.as_ci("GET", path.header("location").unwrap());

    let escaped = query.strip_prefix("token=").unwrap();
    let secrets = [CI, escaped, NIGHTLY, unknown, LEASE_KEY, "mistyped-secret"];
    // The framework traces raw requests at a level that acctpool never turns on for it.
    let ours: Vec<String> = LINES
        .lock()
        .unwrap()
        .iter()
        .filter(|(target, _)| target.starts_with("acctpool"))
        .map(|(_, line)| line.clone())
        .collect();
    assert!(!ours.is_empty());
    for line in ours {
        assert!(
            !secrets.iter().any(|secret| line.contains(secret)),
            "{line}"
        );
    }
}
