//! `GET /audit`: who did what, page by page.

use serde_json::{Value, json};

use crate::app::{App, bearer};
use crate::ports::BOARD;

#[test]
fn the_audit_is_read_newest_first_with_filters_and_pages() {
    let app = App::new();
    let path = app.reserve("type=lite");
    app.as_ci("GET", &path);
    app.as_ci("DELETE", &path);
    let id = path.strip_prefix("/reservations/").unwrap();
    let get = |target: &str| {
        let answer = app.send("GET", target, &[&bearer(BOARD)]);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        answer
    };
    let about = get(&format!("/audit?reservation={id}")).json();
    let events = about["entries"].as_array().unwrap().iter();
    let events: Vec<_> = events.map(|entry| entry["event"].clone()).collect();
    assert_eq!(
        events,
        [
            "reservation_ended",
            "credential_shown",
            "reservation_granted",
            "reservation_requested"
        ]
    );
    let entry = &about["entries"][1];
    assert_eq!(
        (&entry["consumer"], &entry["account"], &entry["at"]),
        (
            &json!("ci"),
            &json!("acct-1"),
            &json!("2026-05-01T10:00:00Z")
        )
    );

    let mut target = "/audit?consumer=ci&limit=3".to_owned();
    let mut numbers: Vec<Value> = Vec::new();
    loop {
        let page = get(&target);
        let entries = page.json()["entries"].as_array().unwrap().clone();
        assert!(entries.iter().all(|entry| entry["consumer"] == "ci"));
        numbers.extend(entries.iter().map(|entry| entry["number"].clone()));
        let Some(link) = page.header("link") else {
            break;
        };
        let next = link.strip_prefix('<').unwrap().split_once('>').unwrap().0;
        next.clone_into(&mut target);
    }
    assert_eq!(numbers.len(), 4);
    let newer: Vec<_> = numbers
        .iter()
        .map(|number| number.as_u64().unwrap())
        .collect();
    assert!(newer.is_sorted_by(|a, b| a > b), "{newer:?}");

    let since = get("/audit?since=2026-05-01T10:00:00Z&event=account_ready").json();
    assert_eq!(since["entries"], json!([]));
    let until = get("/audit?until=2026-05-01T10:00:00Z&event=account_ready").json();
    assert_eq!(until["entries"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let app = App::new();
    for (query, parameter) in [
        ("since=yesterday", "since"),
        ("until=2026-05-01", "until"),
        ("limit=many", "limit"),
        ("cursor=x", "cursor"),
    ] {
        let refused = app.as_ops("GET", &format!("/audit?{query}"));
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "invalid_parameter")
        );
        assert_eq!(refused.json()["parameter"], parameter);
    }
    assert_eq!(
        app.as_ops("GET", "/audit?token_=x").code(),
        "unknown_parameter"
    );
    assert_eq!(app.as_ci("GET", "/audit").code(), "role_not_allowed");
    assert_eq!(
        app.as_ops("POST", "/audit").header("allow"),
        Some("GET, HEAD")
    );
}
