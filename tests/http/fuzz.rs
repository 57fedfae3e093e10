//! Whatever a client sends, the service answers for itself: no 5xx, no panic.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::app::{App, bearer};
use crate::ports::CI;

static APP: LazyLock<App> = LazyLock::new(App::new);

// Weights: most requests should get past the framework and the routes, or they would all test the
// same few lines.

fn method() -> impl Strategy<Value = String> {
    let ours = prop::sample::select(vec!["GET", "POST", "DELETE", "HEAD"]);
    let known = prop::sample::select(vec!["PUT", "OPTIONS", "CONNECT"]);
    prop_oneof![
        8 => ours.prop_map(str::to_owned),
        1 => known.prop_map(str::to_owned),
        1 => "[A-Z]{1,8}",
    ]
}

fn target() -> impl Strategy<Value = String> {
    let asking = value().prop_map(|value| format!("/reservations?type=lite&duration={value}"));
    let path = prop_oneof![
        1 => Just("/".to_owned()),
        4 => Just("/reservations".to_owned()),
        4 => "/reservations/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}",
        2 => "/reservations/[!-~]{1,40}",
        1 => "/[!-~]{0,60}",
        1 => "(/|%[0-9A-Fa-f]{2}|[a-z.]){1,20}".prop_map(|rest| format!("/{rest}")),
    ];
    let name = prop_oneof![
        1 => Just("token".to_owned()),
        3 => Just("type".to_owned()),
        3 => Just("duration".to_owned()),
        2 => "[!-~]{0,8}",
    ];
    let pair = (name, value()).prop_map(|(name, value)| format!("{name}={value}"));
    let query = prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"));
    let anything = (path, query).prop_map(|(path, query)| format!("{path}?{query}"));
    prop_oneof![1 => asking, 4 => anything]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("lite".to_owned()),
        "[0-9]{1,24}",
        "[0-9]{1,3}[a-z]{1,3}",
        "([!-~]|%[0-9A-Fa-f]{2}){0,24}",
    ]
}

fn header() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec![
        "accept",
        "authorization",
        "content-type",
        "x-forwarded-for",
        "x-request-id",
    ]);
    let framing = prop::sample::select(vec![
        "content-length",
        "expect",
        "host",
        "transfer-encoding",
        "upgrade",
    ]);
    let value = prop_oneof![
        Just(CI.to_owned()),
        Just("chunked".to_owned()),
        Just("100-continue".to_owned()),
        "[0-9]{1,20}",
        "[ -~]{0,40}",
        "\\PC{0,20}",
    ];
    let name = prop_oneof![4 => plain, 1 => framing];
    (name, value).prop_map(|(name, value)| format!("{name}: {value}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_makes_the_service_fail(
        method in method(),
        target in target(),
        headers in prop::collection::vec(header(), 0..3),
        is_consumer in prop::bool::weighted(0.8),
    ) {
        let mut lines: Vec<&str> = headers.iter().map(String::as_str).collect();
        let token = bearer(CI);
        if is_consumer {
            lines.push(&token);
        }
        let mut wire = APP.connect();
        let head = format!("{method} {target} HTTP/1.1\r\nhost: pool\r\nconnection: close\r\n{}\r\n\r\n", lines.join("\r\n"));
        wire.send(head.as_bytes());
        // A server that left a body unread listens to the rest of it for a while.
        wire.end_sending();
        let bytes = wire.read_to_end();
        // Only a tunnel or an upgrade may be met with silence; a panic would be, too.
        let answer = String::from_utf8_lossy(&bytes);
        let status: u16 = answer
            .trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n")
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no answer to {head:?}: {answer:?}"));
        // The queue of the pool under test may fill up; that is not a fault.
        prop_assert!(status < 500 || answer.contains("queue_full"), "{head:?}: {answer}");
    }
}
