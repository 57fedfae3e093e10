//! What a token's role and its limit let it do.

use std::time::Duration;

use crate::app::{App, bearer};
use crate::ports::{BOARD, OPS, SLOW};

#[test]
fn a_viewer_changes_nothing_not_even_for_itself() {
    let app = App::new();
    let path = app.reserve("type=lite");
    let as_board = |method: &str, target: &str| app.send(method, target, &[&bearer(BOARD)]);
    for (method, target) in [
        ("POST", "/reservations?type=lite"),
        ("POST", "/reservations?type=none&colour=red"),
        ("DELETE", path.as_str()),
    ] {
        let answer = as_board(method, target);
        assert_eq!(answer.status, 403, "{method} {target}");
        assert_eq!(answer.code(), "role_not_allowed");
        assert!(
            answer.body.contains("consumer or operator"),
            "{}",
            answer.body
        );
    }
    assert_eq!(as_board("GET", &path).status, 404);
    assert_eq!(app.as_ci("GET", &path).json()["state"], "active");
}

#[test]
fn an_operator_reserves_as_well() {
    let app = App::new();
    let answer = app.send("POST", "/reservations?type=lite", &[&bearer(OPS)]);
    assert_eq!(answer.status, 302, "{}", answer.body);
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let app = App::new();
    let ask = || app.send("GET", "/reservations/nothing", &[&bearer(SLOW)]);
    assert_eq!([ask().status, ask().status], [404, 404]);
    let refused = ask();
    assert_eq!(refused.status, 429);
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("30"));
    assert!(
        refused.body.contains("requests_per_minute"),
        "{}",
        refused.body
    );
    app.clock.advance(Duration::from_millis(29_500));
    assert_eq!(ask().header("retry-after"), Some("1"));
    app.clock.advance(Duration::from_millis(500));
    assert_eq!(ask().status, 404);
    // Nobody else is slowed down, and what needs no token is not counted.
    assert_eq!(app.as_ci("GET", "/reservations/nothing").status, 404);
    assert_eq!(app.send("GET", "/", &[]).status, 200);
}
