//! What a client cannot hold on to, and how much it cannot send.

use std::fmt::Write as _;

use std::time::Duration;

use acctpool::http::Settings;

use crate::app::{App, Setup, bearer};
use crate::ports::CI;

/// A server that is as impatient as a test.
fn impatient() -> App {
    App::with(Setup {
        settings: Settings {
            client_timeout: Duration::from_millis(500),
            keep_alive: Duration::from_millis(200),
            ..Setup::default().settings
        },
        ..Setup::default()
    })
}

fn head(method: &str, headers: &str) -> Vec<u8> {
    format!(
        "{method} /reservations?type=lite HTTP/1.1\r\nhost: pool\r\n{}\r\n{headers}\r\n",
        bearer(CI)
    )
    .into_bytes()
}

#[test]
fn a_long_body_is_refused_before_it_is_sent() {
    let app = App::new();
    for length in ["4097", "18446744073709551615"] {
        let mut wire = app.connect();
        wire.send(&head("POST", &format!("content-length: {length}\r\n")));
        let answer = wire.last_answer();
        assert_eq!(answer.status, 413);
        assert_eq!(answer.code(), "body_too_large");
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[test]
fn a_body_that_never_comes_does_not_hold_the_connection() {
    let app = App::new();
    for (method, status) in [("POST", 400), ("PUT", 405)] {
        for body in ["content-length: 100\r\n", "transfer-encoding: chunked\r\n"] {
            let mut wire = app.connect();
            wire.send(&head(method, body));
            let answer = wire.last_answer();
            assert_eq!(answer.status, status, "{method} {body}");
            assert_eq!(answer.header("connection"), Some("close"));
        }
    }
}

#[test]
fn a_chunked_body_that_never_ends_does_not_hold_the_connection() {
    let app = App::new();
    let mut wire = app.connect();
    wire.send(b"GET / HTTP/1.1\r\nhost: pool\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    assert_eq!(wire.last_answer().status, 200);
}

#[test]
fn a_long_uri_is_refused() {
    let app = App::new();
    let longest = format!("/?{}", "x".repeat(2046));
    assert_eq!(app.send("GET", &longest, &[]).status, 200);
    let answer = app.send("GET", &format!("{longest}x"), &[]);
    assert_eq!(answer.status, 414);
    assert_eq!(answer.code(), "uri_too_long");
}

#[test]
fn large_and_many_headers_are_refused() {
    let app = App::new();
    let large = format!("x-large: {}", "x".repeat(17 * 1024));
    let answer = app.send("GET", "/", &[&large]);
    assert_eq!(answer.status, 431);
    assert_eq!(answer.code(), "headers_too_large");

    let many: Vec<String> = (0..65).map(|n| format!("x-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(app.send("GET", "/", &many).status, 431);
    assert_eq!(app.send("GET", "/", &many[..50]).status, 200);
}

#[test]
fn heads_that_the_framework_refuses_do_not_hold_the_connection() {
    let app = App::new();
    let mut endless = String::from("GET / HTTP/1.1\r\n");
    while endless.len() < 200_000 {
        let _ = write!(endless, "x-{}: {}\r\n", endless.len(), "x".repeat(1000));
    }
    for (bytes, status) in [
        (endless.as_bytes(), 431),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            400,
        ),
    ] {
        let mut wire = app.connect();
        wire.send(bytes);
        assert_eq!(wire.last_answer().status, status);
    }
}

#[test]
fn a_slow_head_is_given_up() {
    let app = impatient();
    let mut wire = app.connect();
    wire.send(b"GET / HTTP/1.1\r\nhost: po");
    assert_eq!(wire.last_answer().status, 408);
}

#[test]
fn a_slow_head_is_given_up_on_a_used_connection_too() {
    let app = impatient();
    let mut wire = app.connect();
    wire.send(b"GET / HTTP/1.1\r\nhost: pool\r\n\r\n");
    assert_eq!(wire.answer().status, 200);
    wire.send(b"GET / HTTP/1.1\r\nhost: po");
    wire.read_to_end();
}

#[test]
fn a_connection_is_used_again() {
    let app = App::new();
    let mut wire = app.connect();
    for _ in 0..3 {
        wire.send(b"GET / HTTP/1.1\r\nhost: pool\r\n\r\n");
        assert_eq!(wire.answer().status, 200);
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let app = impatient();
    let mut wire = app.connect();
    wire.send(b"GET / HTTP/1.1\r\nhost: pool\r\n\r\n");
    assert_eq!(wire.answer().status, 200);
    assert!(wire.read_to_end().is_empty());
}
