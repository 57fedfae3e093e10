//! What can go wrong, and what is said about it.

use serde_json::json;

use crate::app::{App, Setup, bearer, token_query};
use crate::ports::{CI, NIGHTLY};

#[test]
fn a_problem_has_the_members_of_rfc_9457_and_ours() {
    let app = App::new();
    let headers = [bearer(CI), "x-request-id: build-17.retry_2".to_owned()];
    let headers = headers.each_ref().map(String::as_str);
    let answer = app.send("POST", "/reservations?type=gold", &headers);
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({
            "type": "urn:acctpool:problem:invalid_parameter",
            "title": "Invalid parameter",
            "status": 400,
            "detail": "parameter \"type\" has a value that is not allowed; allowed: lite",
            "code": "invalid_parameter",
            "parameter": "type",
            "allowed": ["lite"],
            "request_id": "build-17.retry_2",
        })
    );
}

#[test]
fn a_bad_duration_is_named_with_what_is_allowed() {
    let app = App::new();
    for duration in [
        "soon",
        "0",
        "481",
        "9h",
        "-1",
        "",
        "30s",
        "99999999999999999999",
    ] {
        let answer = app.as_ci(
            "POST",
            &format!("/reservations?type=lite&duration={duration}"),
        );
        assert_eq!(answer.status, 400, "{duration:?}");
        assert_eq!(answer.code(), "invalid_parameter");
        assert_eq!(answer.json()["parameter"], "duration");
        let allowed = answer.json()["allowed"][0].as_str().unwrap().to_owned();
        assert!(allowed.contains("minutes"), "{allowed}");
    }
    let too_long = app.as_ci("POST", "/reservations?type=lite&duration=481");
    assert!(
        too_long.body.contains("1 to 480 minutes"),
        "{}",
        too_long.body
    );
    for duration in ["480", "8h", "1h%2030m", "1h+30m"] {
        app.reserve(&format!("type=lite&duration={duration}"));
    }
}

#[test]
fn unknown_and_repeated_parameters_are_refused_by_name() {
    let app = App::new();
    let unknown = app.as_ci("POST", "/reservations?type=lite&colour=red");
    assert_eq!(unknown.status, 400);
    assert_eq!(unknown.code(), "unknown_parameter");
    assert_eq!(unknown.json()["parameter"], "colour");
    assert_eq!(
        unknown.json()["allowed"],
        json!(["token", "duration", "type"])
    );
    assert!(!unknown.body.contains("red\""), "{}", unknown.body);

    let path = app.reserve("type=lite");
    let misplaced = app.as_ci("GET", &format!("{path}?duration=60"));
    assert_eq!(misplaced.json()["allowed"], json!(["token"]));
    assert_eq!(app.as_ci("DELETE", &format!("{path}?force=1")).status, 400);

    let token = token_query(CI);
    for query in ["type=lite&type=free", &format!("{token}&{token}"), "a&a"] {
        let repeated = app.as_ci("POST", &format!("/reservations?{query}"));
        assert_eq!(repeated.status, 400, "{query}");
        assert_eq!(repeated.code(), "repeated_parameter");
    }
}

#[test]
fn parameters_that_came_later_are_named_beside_the_first_ones() {
    let app = App::new();
    let unknown = app.as_ci("POST", "/reservations?colour=red");
    assert_eq!(
        unknown.json()["also_allowed"],
        json!(["ttl", "count", "purpose", "link"])
    );
    assert!(
        unknown.body.contains("duration, type, ttl"),
        "{}",
        unknown.body
    );
    let path = app.reserve("type=lite");
    let misplaced = app.as_ci("GET", &format!("{path}?ttl=60s"));
    assert!(misplaced.json().get("also_allowed").is_none());
}

#[test]
fn parameters_in_a_body_are_refused_rather_than_overlooked() {
    let app = App::new();
    let mut wire = app.connect();
    wire.send(
        format!(
            "POST /reservations HTTP/1.1\r\nhost: pool\r\n{}\r\n\
            content-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\n\r\ntype=lite",
            bearer(CI)
        )
        .as_bytes(),
    );
    let answer = wire.last_answer();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.code(), "unexpected_body");
    // What `curl -d ''` sends.
    let headers = [bearer(CI), "content-length: 0".to_owned()];
    let headers = headers.each_ref().map(String::as_str);
    assert_eq!(
        app.send("POST", "/reservations?type=lite", &headers).status,
        302
    );
}

#[test]
fn too_many_pending_reservations_are_refused_for_now() {
    let app = App::with(Setup {
        max_pending_per_token: 1,
        max_pending: 2,
        ..Setup::default()
    });
    app.reserve("type=lite");
    app.reserve("type=lite");
    let of_token = app.as_ci("POST", "/reservations?type=lite");
    assert_eq!(of_token.status, 429);
    assert_eq!(of_token.code(), "too_many_pending");
    assert_eq!(of_token.header("retry-after"), Some("30"));

    let as_nightly = || app.send("POST", "/reservations?type=lite", &[&bearer(NIGHTLY)]);
    assert_eq!(as_nightly().status, 302);
    assert_eq!(as_nightly().status, 429);
}

#[test]
fn a_full_queue_is_the_services_trouble() {
    let app = App::with(Setup {
        max_pending: 1,
        ..Setup::default()
    });
    app.reserve("type=lite");
    app.reserve("type=lite");
    let answer = app.as_ci("POST", "/reservations?type=lite");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.code(), "queue_full");
    assert_eq!(answer.header("retry-after"), Some("30"));
}

#[test]
fn a_pool_that_cannot_write_makes_changes_unavailable() {
    let app = App::new();
    app.disk.fail();
    let answer = app.as_ci("POST", "/reservations?type=lite");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.code(), "unavailable");
    assert_eq!(answer.header("retry-after"), Some("2"));
    // What was said before stays true.
    assert_eq!(app.send("GET", "/", &[]).status, 200);
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let app = App::new();
    let path = app.reserve("type=lite");
    for (method, target, allow) in [
        ("POST", "/", "GET, HEAD"),
        ("OPTIONS", "/", "GET, HEAD"),
        ("GET", "/reservations", "POST"),
        ("OPTIONS", "/reservations", "POST"),
        ("PUT", path.as_str(), "GET, HEAD, DELETE"),
        ("PURGE", path.as_str(), "GET, HEAD, DELETE"),
        ("DELETE", "/assets/acctpool.css", "GET, HEAD"),
    ] {
        let answer = app.send(method, target, &[]);
        assert_eq!(answer.status, 405, "{method} {target}");
        assert_eq!(answer.header("allow"), Some(allow));
        assert_eq!(answer.code(), "method_not_allowed");
    }
    let repeated = app.send("POST", &path, &[&bearer(CI)]);
    assert!(
        repeated.body.contains("curl -L -X POST"),
        "{}",
        repeated.body
    );
}

#[test]
fn head_answers_as_get_does_without_the_body() {
    let app = App::new();
    let path = app.reserve("type=lite");
    for target in ["/", path.as_str(), "/assets/acctpool.css"] {
        let got = app.as_ci("GET", target);
        let head = app.as_ci("HEAD", target);
        assert_eq!(head.status, 200, "{target}");
        assert_eq!(head.body, "");
        assert_eq!(head.header("content-length"), got.header("content-length"));
        assert_eq!(head.header("content-type"), got.header("content-type"));
    }
}

#[test]
fn an_unknown_path_is_a_problem_too() {
    let app = App::new();
    for target in [
        "/nothing",
        "/reservations/",
        "/reservations/a/b",
        "//",
        "/assets/../etc",
    ] {
        let answer = app.as_ci("GET", target);
        assert_eq!(answer.status, 404, "{target}");
        assert_eq!(answer.code(), "unknown_path");
    }
}

#[test]
fn every_answer_has_the_headers_that_protect_it() {
    let app = App::new();
    let path = app.reserve("type=lite");
    let uri = format!("/?{}", "x".repeat(3000));
    for (method, target) in [
        ("GET", "/"),
        ("POST", "/reservations?type=lite"),
        ("GET", path.as_str()),
        ("DELETE", path.as_str()),
        ("GET", "/reservations/nothing"),
        ("GET", "/nothing"),
        ("OPTIONS", "/"),
        ("GET", uri.as_str()),
        ("POST", "/reservations?colour=red"),
    ] {
        let answer = app.as_ci(method, target);
        let context = format!("{method} {target} {}", answer.status);
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{context}"
        );
        assert_eq!(
            answer.header("referrer-policy"),
            Some("no-referrer"),
            "{context}"
        );
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{context}"
        );
        assert!(answer.header("x-request-id").is_some(), "{context}");
    }
}

#[test]
fn a_request_id_is_taken_over_only_if_it_is_short_and_plain() {
    let app = App::new();
    let id_of = |given: &str| {
        let answer = app.send("GET", "/", &[&format!("x-request-id: {given}")]);
        answer.header("x-request-id").unwrap().to_owned()
    };
    let longest = "a".repeat(64);
    for given in ["build-17", "0b6c.4_f", &longest] {
        assert_eq!(id_of(given), given);
    }
    let too_long = "a".repeat(65);
    for given in ["", "a b", "a\"b", "a/b", "\u{e9}", &too_long] {
        let made = id_of(given);
        assert_eq!(made.len(), 32, "{given:?}");
        assert_ne!(made, id_of(given));
    }
}
