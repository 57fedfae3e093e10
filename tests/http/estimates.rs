//! How long one waits, and why.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, Setup};

fn pending(app: &App, path: &str) -> Value {
    let shown = app.as_ci("GET", path);
    assert_eq!(shown.json()["state"], "pending", "{}", shown.body);
    shown.json()
}

#[test]
fn an_estimate_is_told_once_leases_and_cleanings_were_seen() {
    let app = App::new();
    let first = app.reserve("type=lite");
    app.as_ci("GET", &first);
    let waiting = app.reserve("type=lite");
    app.clock.advance(Duration::from_mins(10));
    app.as_ci("DELETE", &first);
    let cleaned = pending(&app, &waiting);
    assert!(cleaned.get("estimated_wait").is_none(), "{cleaned}");
    app.as_ci("DELETE", &waiting);
    app.clean_all(1);

    let second = app.reserve("type=lite");
    app.as_ci("GET", &second);
    let posted = app.as_ci("POST", "/reservations?type=lite");
    let next = posted.header("location").unwrap();
    let last = app.reserve("type=lite");
    let told = |shown: &Value| shown["estimated_wait"].as_u64().unwrap();
    let wait = told(&pending(&app, next));
    // Ten minutes of holding, and some seconds of cleaning.
    assert!((600..660).contains(&wait), "{wait}");
    assert_eq!(told(&posted.json()), wait);
    assert_eq!(told(&pending(&app, &last)), 2 * wait);
}

#[test]
fn whoever_waits_for_more_than_leases_is_told_what_for() {
    let app = App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("acct-2", "lite"), ("bad-3", "lite")],
        ..Setup::default()
    });
    let path = app.reserve("type=lite&count=2");
    app.as_ci("GET", &path);
    let posted = app.as_ci("POST", "/reservations?type=lite");
    let expected = json!({"total": 3, "ready": 0, "leased": 2, "dirty": 0, "cleaning": 0,
                          "quarantined": 1, "drained": 0});
    assert_eq!(posted.json()["accounts"], expected);
    let waiting = posted.header("location").unwrap();
    let shown = pending(&app, waiting);
    assert_eq!(shown["accounts"], expected);
    assert_eq!(
        shown["accounts"],
        app.send("GET", "/", &[]).json()["accounts"]["lite"]
    );
}

#[test]
fn whoever_only_waits_for_leases_to_end_is_told_the_place_in_the_line() {
    let app = App::new();
    app.reserve("type=lite");
    let waiting = app.reserve("type=lite");
    let shown = pending(&app, &waiting);
    assert_eq!(shown["queue_position"], 1);
    assert!(shown.get("accounts").is_none(), "{shown}");
}
