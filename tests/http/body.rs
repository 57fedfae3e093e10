//! Parameters in a JSON body.

use std::time::Duration;

use acctpool::http::Settings;

use crate::app::{App, Setup, bearer};
use crate::ports::CI;
use crate::wire::{Answer, Wire};

fn post(app: &App, headers: &[&str], body: &[u8]) -> Answer {
    let mut wire = begin(app, headers);
    wire.send(body);
    wire.last_answer()
}

fn begin(app: &App, headers: &[&str]) -> Wire {
    let mut wire = app.connect();
    let headers: String = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
    wire.send(
        format!(
            "POST /reservations HTTP/1.1\r\nhost: pool\r\nconnection: close\r\n{}\r\n{headers}\r\n",
            bearer(CI)
        )
        .as_bytes(),
    );
    wire
}

#[test]
fn parameters_may_come_as_json() {
    let app = App::new();
    for body in [
        "{\"type\":\"lite\",\"duration\":90}",
        "{\"type\":\"lite\",\"duration\":\"90\"}",
        " { \"duration\" : \"1h 30m\", \"type\":\"l\\u0069te\" } ",
    ] {
        let posted = app.post_json("/reservations", body);
        assert_eq!(posted.status, 302, "{body}: {}", posted.body);
        assert_eq!(posted.json()["duration"], 90);
        assert_eq!(posted.json()["type"], "lite");
    }
    let both = app.post_json("/reservations?duration=90", "{\"type\":\"lite\"}");
    assert_eq!((both.status, &both.json()["duration"]), (302, &90.into()));
    let none = app.post_json("/reservations?type=lite", "{}");
    assert_eq!(none.status, 302);
    let empty = app.post_json("/reservations?type=lite", "");
    assert_eq!(empty.status, 302);
}

#[test]
fn a_parameter_comes_once_and_by_a_name_that_is_known() {
    let app = App::new();
    for (target, body, code, parameter) in [
        (
            "/reservations?type=lite",
            "{\"type\":\"lite\"}",
            "repeated_parameter",
            "type",
        ),
        (
            "/reservations",
            "{\"type\":\"lite\",\"type\":\"lite\"}",
            "repeated_parameter",
            "type",
        ),
        (
            "/reservations",
            "{\"colour\":\"red\"}",
            "unknown_parameter",
            "colour",
        ),
        ("/reservations", "{\"type\":5}", "invalid_parameter", "type"),
        (
            "/reservations",
            "{\"type\":null}",
            "invalid_parameter",
            "type",
        ),
        (
            "/reservations",
            "{\"type\":[\"lite\"]}",
            "invalid_parameter",
            "type",
        ),
        (
            "/reservations",
            "{\"duration\":1.5}",
            "invalid_parameter",
            "duration",
        ),
        (
            "/reservations",
            "{\"duration\":-1}",
            "invalid_parameter",
            "duration",
        ),
        (
            "/reservations",
            "{\"duration\":true}",
            "invalid_parameter",
            "duration",
        ),
        (
            "/reservations?type=lite",
            "{\"duration\":0}",
            "invalid_parameter",
            "duration",
        ),
        (
            "/reservations",
            "{\"type\":\"gold\"}",
            "invalid_parameter",
            "type",
        ),
    ] {
        let answer = app.post_json(target, body);
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.code(), code, "{body}");
        assert_eq!(answer.json()["parameter"], parameter, "{body}");
    }
}

#[test]
fn what_is_not_an_object_is_told_where_and_never_what() {
    let app = App::new();
    for (body, line, column) in [
        ("{\"type\":\n\"secret\" \"lite\"}", 2, 10),
        ("\"secret\"", 1, 8),
        ("[\"secret\"]", 1, 0),
        ("{\"type\":\"secret", 1, 15),
        ("{} {}", 1, 4),
        ("\u{1}", 1, 1),
    ] {
        let answer = app.post_json("/reservations", body);
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.code(), "malformed_body");
        assert!(!answer.body.contains("secret"), "{}", answer.body);
        let place = format!("line {line}, column {column}");
        assert!(answer.body.contains(&place), "{body:?}: {}", answer.body);
    }
}

#[test]
fn a_token_in_a_body_is_refused_and_not_repeated() {
    let app = App::new();
    let answer = app.post_json("/reservations", "{\"token\":\"acctpool_secret\"}");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.code(), "token_in_body");
    assert!(!answer.body.contains("acctpool_secret"), "{}", answer.body);
}

#[test]
fn a_body_says_that_it_is_json() {
    let app = App::new();
    for media_type in ["text/plain", "application/json-patch+json", "nonsense"] {
        let header = format!("content-type: {media_type}");
        let answer = post(&app, &[&header, "content-length: 2"], b"{}");
        assert_eq!(answer.status, 415, "{media_type}");
        assert_eq!(answer.code(), "unsupported_media_type");
        assert_eq!(answer.header("accept"), Some("application/json"));
    }
    // A client that says nothing sends a form, as far as anybody knows.
    let silent = post(&app, &["content-length: 2"], b"{}");
    assert_eq!(
        (silent.status, silent.code()),
        (400, "unexpected_body".to_owned())
    );
    let header = "content-type: Application/JSON; charset=utf-8";
    let body = b"{\"type\":\"lite\"}";
    assert_eq!(
        post(&app, &[header, "content-length: 15"], body).status,
        302
    );
}

#[test]
fn a_body_that_grows_too_long_is_refused() {
    let app = App::new();
    let json = "content-type: application/json";
    let long = format!("{{\"type\":\"{}\"}}", "x".repeat(5000));
    let chunked = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let headers = [json, "transfer-encoding: chunked"];
    let answer = post(&app, &headers, chunked.as_bytes());
    assert_eq!(
        (answer.status, answer.code()),
        (413, "body_too_large".to_owned())
    );
    let short = b"f\r\n{\"type\":\"lite\"}\r\n0\r\n\r\n";
    assert_eq!(post(&app, &headers, short).status, 302);
}

#[test]
fn a_body_that_stalls_is_given_up() {
    let app = App::with(Setup {
        settings: Settings {
            // The head has as long, on a slow machine, too.
            client_timeout: Duration::from_secs(2),
            ..Setup::default().settings
        },
        ..Setup::default()
    });
    for (framing, part) in [
        ("content-length: 100", "{\"type\":"),
        ("transfer-encoding: chunked", "8\r\n{\"type\":\r\n"),
    ] {
        let mut wire = begin(&app, &["content-type: application/json", framing]);
        wire.send(part.as_bytes());
        let answer = wire.last_answer();
        assert_eq!(
            (answer.status, answer.code()),
            (408, "slow_body".to_owned())
        );
    }
}

#[test]
fn a_body_of_a_stranger_is_not_read() {
    let app = App::new();
    let mut wire = app.connect();
    wire.send(
        b"POST /reservations HTTP/1.1\r\nhost: pool\r\n\
        content-type: application/json\r\ncontent-length: 100\r\n\r\n",
    );
    assert_eq!(wire.last_answer().status, 401);
}

#[test]
fn a_connection_is_used_again_after_a_body() {
    let app = App::new();
    let mut wire = app.connect();
    for _ in 0..3 {
        wire.send(
            format!(
                "POST /reservations HTTP/1.1\r\nhost: pool\r\n{}\r\ncontent-type: application/json\r\n\
                content-length: 15\r\n\r\n{{\"type\":\"lite\"}}",
                bearer(CI)
            )
            .as_bytes(),
        );
        assert_eq!(wire.answer().status, 302);
    }
}
