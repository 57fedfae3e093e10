//! Several accounts in one reservation.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{App, Setup};
use crate::ports::LEASE_KEY;

fn three() -> App {
    App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("acct-2", "lite"), ("messy-3", "lite")],
        ..Setup::default()
    })
}

fn accounts(shown: &Value) -> BTreeSet<&str> {
    let leases = shown["leases"].as_array().unwrap().iter();
    leases
        .map(|lease| lease["account"]["id"].as_str().unwrap())
        .collect()
}

#[test]
fn several_accounts_are_shown_as_a_list_each_with_its_credentials() {
    let app = three();
    let posted = app.as_ci("POST", "/reservations?type=lite&count=2");
    assert_eq!(posted.status, 302);
    assert!(!posted.body.contains("credentials"), "{}", posted.body);
    let posted_accounts = posted.json();
    assert_eq!(accounts(&posted_accounts).len(), 2);
    let path = posted.header("location").unwrap();
    // The first look claims them, the second is answered from what was published.
    for _ in 0..2 {
        let shown = app.as_ci("GET", path).json();
        assert_eq!(
            (&shown["state"], &shown["count"]),
            (&json!("active"), &json!(2))
        );
        assert!(shown.get("account").is_none() && shown.get("credentials").is_none());
        assert_eq!(accounts(&shown), accounts(&posted_accounts));
        for lease in shown["leases"].as_array().unwrap() {
            let account = lease["account"]["id"].as_str().unwrap();
            let credentials = &lease["credentials"];
            let key = credentials["api_key"].as_str().unwrap();
            assert!(key.starts_with(&format!("{LEASE_KEY}-{account}")), "{key}");
            assert_eq!(credentials["service_id"], format!("ServiceId-{account}"));
        }
    }
    app.as_ci("DELETE", path);
    let ended = app.as_ci("GET", path);
    assert!(!ended.body.contains(LEASE_KEY), "{}", ended.body);
    assert_eq!(ended.json()["count"], 2);
    assert!(ended.json().get("leases").is_none(), "{}", ended.body);
}

#[test]
fn several_accounts_wait_in_line_as_one() {
    let app = three();
    app.reserve("type=lite");
    let path = app.reserve("type=lite&count=3");
    let behind = app.reserve("type=lite");
    let pending = app.as_ci("GET", &path).json();
    assert_eq!(
        (
            &pending["state"],
            &pending["count"],
            &pending["queue_position"]
        ),
        (&json!("pending"), &json!(3), &json!(1))
    );
    assert_eq!(app.as_ci("GET", &behind).json()["queue_position"], 2);
}

#[test]
fn a_count_of_one_is_as_none() {
    let app = three();
    let path = app.reserve("type=lite&count=1");
    let shown = app.as_ci("GET", &path).json();
    assert!(shown["account"]["id"].is_string(), "{shown}");
    assert!(shown.get("count").is_none() && shown.get("leases").is_none());
}

#[test]
fn a_count_out_of_range_names_the_limit() {
    let app = three();
    for count in ["0", "4", "101", "18446744073709551615"] {
        let answer = app.as_ci("POST", &format!("/reservations?type=lite&count={count}"));
        assert_eq!(answer.status, 400, "{count}");
        assert_eq!(answer.json()["parameter"], "count");
        assert!(answer.body.contains("1 to 3"), "{}", answer.body);
    }
    for count in ["", "-1", "+2", "2.0", "two", "99999999999999999999999"] {
        let answer = app.as_ci("POST", &format!("/reservations?type=lite&count={count}"));
        assert_eq!(answer.status, 400, "{count:?}");
        assert_eq!(answer.json()["parameter"], "count");
    }
}

#[test]
fn every_account_of_a_lease_has_a_receipt() {
    let app = three();
    let path = app.reserve("type=lite&count=3");
    app.as_ci("GET", &path);
    app.as_ci("DELETE", &path);
    app.clean_all(3);
    let receipts = app.as_ci("GET", &format!("{path}/receipt")).json();
    let receipts = receipts["receipts"].as_array().unwrap();
    let told: Vec<_> = receipts
        .iter()
        .map(|receipt| (receipt["account"].as_str().unwrap(), &receipt["state"]))
        .collect();
    let ready = json!("ready");
    assert_eq!(
        told,
        [("acct-1", &ready), ("acct-2", &ready), ("messy-3", &ready)]
    );
    assert!(receipts[2]["collections"].to_string().contains("crn:mess"));
    assert!(!receipts[0]["collections"].to_string().contains("crn:mess"));
}

#[test]
fn a_line_whose_next_waits_for_more_than_can_come_back_is_degraded() {
    let app = three();
    let status = || app.send("GET", "/", &[]).json()["status"].clone();
    app.reserve("type=lite");
    let many = app.reserve("type=lite&count=3");
    app.reserve("type=lite");
    assert_eq!(status(), "ok", "all three come back in time");
    let drained = app.as_ops("POST", "/accounts/acct-2/drain?reason=maintenance");
    assert_eq!(drained.status, 200);
    assert_eq!(status(), "degraded", "only two come back");
    // Whoever is behind waits for one.
    app.as_ci("DELETE", &many);
    assert_eq!(status(), "ok");
}
