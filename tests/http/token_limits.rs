//! What single tokens may not do.

use std::time::Duration;

use acctpool_actors::pool::TokenLimits;
use serde_json::json;

use crate::app::{App, Setup, bearer};
use crate::ports::NIGHTLY;

fn app(limits: TokenLimits) -> App {
    App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("acct-2", "lite"), ("acct-3", "free")],
        tokens: vec![("ci", limits)],
        ..Setup::default()
    })
}

#[test]
fn a_type_that_is_not_for_a_token_is_refused_by_name_of_those_that_are() {
    let app = app(TokenLimits {
        types: Some(["lite".into()].into()),
        ..TokenLimits::default()
    });
    let answer = app.as_ci("POST", "/reservations?type=free");
    assert_eq!(answer.status, 403);
    assert_eq!(answer.code(), "type_not_allowed");
    assert_eq!(answer.json()["allowed"], json!(["lite"]));
    let unknown = app.as_ci("POST", "/reservations?type=gold");
    assert_eq!(
        (unknown.status, unknown.code()),
        (400, "invalid_parameter".to_owned())
    );
    assert_eq!(unknown.json()["allowed"], json!(["lite"]));
    app.reserve("type=lite");
    let other = app.send("POST", "/reservations?type=free", &[&bearer(NIGHTLY)]);
    assert_eq!(other.status, 302);
}

#[test]
fn the_longest_duration_of_a_token_is_named_and_holds_for_renewals_too() {
    let app = app(TokenLimits {
        max_duration: Some(Duration::from_mins(90)),
        ..TokenLimits::default()
    });
    let answer = app.as_ci("POST", "/reservations?type=lite&duration=91");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("1 to 90 minutes"), "{}", answer.body);
    let path = app.reserve("type=lite&duration=90");
    app.clock.advance(Duration::from_mins(30));
    let renewed = app.as_ci("POST", &format!("{path}/renew?duration=90"));
    assert_eq!(renewed.json()["expiration"], "2026-05-01T11:30:00Z");
}

#[test]
fn what_a_token_waits_for_and_holds_is_limited() {
    let app = app(TokenLimits {
        max_reservations: Some(2),
        ..TokenLimits::default()
    });
    let path = app.reserve("type=lite&count=2");
    let answer = app.as_ci("POST", "/reservations?type=free");
    assert_eq!(answer.status, 429);
    assert_eq!(answer.code(), "too_many_reservations");
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert!(
        answer.body.contains("2 accounts at once"),
        "{}",
        answer.body
    );
    app.as_ci("DELETE", &path);
    app.reserve("type=free");
}
