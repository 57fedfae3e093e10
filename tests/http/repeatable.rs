//! Labels, and requests that may be repeated.

use serde_json::json;

use crate::app::{App, bearer};
use crate::ports::{CI, NIGHTLY};

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn ask(app: &App, token: &str, query: &str, key: &str) -> crate::wire::Answer {
    let key = format!("idempotency-key: {key}");
    app.send(
        "POST",
        &format!("/reservations?{query}"),
        &[&bearer(token), &key],
    )
}

#[test]
fn labels_are_shown_as_they_were_given() {
    let app = App::new();
    let purpose = "nightly <b>\u{fc}ber</b> & all";
    let link = "https://ci.example:8443/run/7?attempt=2#step:3";
    let query = format!(
        "type=lite&purpose={}&link={}",
        encoded(purpose),
        encoded(link)
    );
    for _ in 0..2 {
        let path = app.reserve(&query);
        let shown = app.as_ci("GET", &path).json();
        assert_eq!(
            (&shown["purpose"], &shown["link"]),
            (&json!(purpose), &json!(link))
        );
    }
}

#[test]
fn a_purpose_that_is_too_long_or_not_plain_is_refused() {
    let app = App::new();
    app.reserve(&format!(
        "type=lite&purpose={}",
        encoded(&"\u{fc}".repeat(200))
    ));
    for purpose in ["", "a\nb", "a\u{0}", "\u{7f}", "\u{85}", &"x".repeat(201)] {
        let answer = app.as_ci(
            "POST",
            &format!("/reservations?type=lite&purpose={}", encoded(purpose)),
        );
        assert_eq!(answer.status, 400, "{purpose:?}");
        assert_eq!(answer.json()["parameter"], "purpose");
    }
}

#[test]
fn a_link_is_a_short_web_address_that_logs_nobody_in() {
    let app = App::new();
    let longest = format!("https://ci.example/{}", "x".repeat(481));
    for link in [
        "http://ci.example",
        "HTTPS://CI.EXAMPLE/a@b",
        "https://[2001:db8::1]/7",
        &longest,
    ] {
        app.reserve(&format!("type=lite&link={}", encoded(link)));
    }
    for link in [
        "",
        "ci.example/7",
        "/run/7",
        "//ci.example/7",
        "ftp://ci.example/7",
        "javascript:alert(1)",
        "https://",
        "https:///7",
        "https://user@ci.example/7",
        "https://user:secret@ci.example/7",
        "https://ci.example/a b",
        "https://ci.example/#a\nb",
        &format!("{longest}x"),
    ] {
        let query = format!("/reservations?type=lite&link={}", encoded(link));
        let answer = app.as_ci("POST", &query);
        assert_eq!(answer.status, 400, "{link:?}");
        assert_eq!(answer.json()["parameter"], "link");
        assert!(!answer.body.contains("secret"), "{}", answer.body);
    }
}

#[test]
fn a_repeated_request_leads_to_the_same_reservation() {
    let app = App::new();
    let query = "type=lite&duration=60&ttl=5m&purpose=nightly";
    let first = ask(&app, CI, query, "run-7");
    let again = ask(&app, CI, query, "run-7");
    assert_eq!((first.status, again.status), (302, 302));
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(first.body, again.body);
    // Said otherwise, but the same.
    let reordered = ask(
        &app,
        CI,
        "ttl=300s&purpose=nightly&duration=1h&type=lite",
        "run-7",
    );
    assert_eq!(reordered.header("location"), first.header("location"));
    assert_eq!(
        app.send("GET", "/", &[]).json()["reservations"]["lite"]["active"],
        1
    );

    let path = first.header("location").unwrap();
    app.as_ci("GET", path);
    assert!(!ask(&app, CI, query, "run-7").body.contains("credentials"));
    app.as_ci("DELETE", path);
    let ended = ask(&app, CI, query, "run-7");
    assert_eq!(
        (ended.status, &ended.json()["state"]),
        (302, &json!("ended"))
    );

    let foreign = ask(&app, NIGHTLY, query, "run-7");
    assert_ne!(foreign.header("location"), first.header("location"));
}

#[test]
fn a_key_that_is_sent_with_another_request_is_refused() {
    let app = App::new();
    ask(&app, CI, "type=lite&duration=60", "run-7");
    for query in [
        "type=lite",
        "type=lite&duration=61",
        "type=lite&duration=60&ttl=5m",
    ] {
        let answer = ask(&app, CI, query, "run-7");
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(answer.code(), "idempotency_key_reused");
    }
}

#[test]
fn a_key_is_short_and_visible_and_comes_once() {
    let app = App::new();
    let longest = "k".repeat(255);
    assert_eq!(ask(&app, CI, "type=lite", &longest).status, 302);
    for key in ["", "a b", "\u{fc}", &format!("{longest}k")] {
        let answer = ask(&app, CI, "type=lite", key);
        assert_eq!(answer.status, 400, "{key:?}");
        assert_eq!(answer.json()["parameter"], "Idempotency-Key");
    }
    let headers = [&*bearer(CI), "idempotency-key: a", "idempotency-key: a"];
    let answer = app.send("POST", "/reservations?type=lite", &headers);
    assert_eq!(answer.status, 400);
}
