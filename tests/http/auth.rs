//! Who may ask, and how a token is presented.

use acctpool::http::Settings;

use crate::app::{App, Setup, bearer, token_query};
use crate::ports::{CI, NIGHTLY};

#[test]
fn without_a_valid_token_nothing_else_is_said() {
    let app = App::new();
    let existing = app.reserve("type=lite");
    let requests = [
        ("GET", existing.as_str()),
        ("GET", "/reservations/00000000-0000-4000-8000-000000000000"),
        ("GET", "/reservations/nothing-of-ours?colour=red"),
        ("DELETE", existing.as_str()),
        ("POST", "/reservations?type=none&duration=soon&colour=red"),
    ];
    let tokens: [&[&str]; 5] = [
        &[],
        &["authorization: Bearer wrong"],
        &["authorization: Bearer"],
        &["authorization: Basic Y2k6c2VjcmV0"],
        &["authorization: Bearer \u{e9}"],
    ];
    for (method, target) in requests {
        for headers in tokens {
            let answer = app.send(method, target, headers);
            assert_eq!(answer.status, 401, "{method} {target} {headers:?}");
            assert_eq!(answer.code(), "unauthorized");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer realm=\"acctpool\"")
            );
        }
    }
    let in_query = app.send("GET", &format!("{existing}?token=wrong"), &[]);
    assert_eq!(in_query.status, 401);
}

#[test]
fn the_scheme_is_understood_in_any_case() {
    let app = App::new();
    let path = app.reserve("type=lite");
    for scheme in ["Bearer", "bearer", "BEARER", "bearer "] {
        let header = format!("authorization: {scheme} {CI}");
        assert_eq!(app.send("GET", &path, &[&header]).status, 200, "{scheme:?}");
    }
}

#[test]
fn two_different_tokens_are_refused_and_two_equal_ones_are_not() {
    let app = App::new();
    let path = app.reserve("type=lite");
    let target = format!("{path}?{}", token_query(CI));
    assert_eq!(app.send("GET", &target, &[&bearer(CI)]).status, 200);
    let contradiction = app.send("GET", &target, &[&bearer(NIGHTLY)]);
    assert_eq!(contradiction.status, 400);
    assert_eq!(contradiction.code(), "two_tokens");
    let twice = app.send("GET", &path, &[&bearer(CI), &bearer(NIGHTLY)]);
    assert_eq!(twice.status, 400);
}

#[test]
fn query_tokens_can_be_switched_off() {
    let app = App::with(Setup {
        settings: Settings {
            allow_query_tokens: false,
            ..Setup::default().settings
        },
        ..Setup::default()
    });
    let path = app.reserve("type=lite");
    let refused = app.send("GET", &format!("{path}?{}", token_query(CI)), &[]);
    assert_eq!(refused.status, 400);
    assert_eq!(refused.code(), "query_token_refused");
    assert!(
        refused.body.contains("Authorization: Bearer"),
        "{}",
        refused.body
    );
}
