//! What operators see of accounts, and what they do to them.

use serde_json::{Value, json};

use crate::app::{App, Setup, bearer};
use crate::ports::{BOARD, CI, NIGHTLY, OPS};

fn app(accounts: &[&'static str]) -> App {
    App::with(Setup {
        accounts: accounts.iter().map(|id| (*id, "lite")).collect(),
        ..Setup::default()
    })
}

/// Carries out an intervention of `ops` that succeeds.
fn order(app: &App, target: &str) -> Value {
    let answer = app.as_ops("POST", &format!("{target}?reason=looks+odd"));
    assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    answer.json()
}

/// What the audit knows of an event, newest first.
fn audited(app: &App, event: &str) -> Vec<Value> {
    let answer = app.as_ops("GET", &format!("/audit?event={event}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["entries"].as_array().unwrap().clone()
}

#[test]
fn an_account_tells_where_it_stands_and_who_holds_it() {
    let app = app(&["messy-1"]);
    let path = app.reserve("type=lite&duration=60&purpose=nightly&link=https://ci.example/7");
    assert_eq!(app.as_ci("GET", &path).status, 200);
    let held = app.as_ops("GET", "/accounts/messy-1");
    assert_eq!(held.status, 200, "{}", held.body);
    let told = held.json();
    assert_eq!(
        (&told["id"], &told["type"], &told["state"], &told["since"]),
        (
            &json!("messy-1"),
            &json!("lite"),
            &json!("leased"),
            &json!("2026-05-01T10:00:00Z")
        )
    );
    let id = path.strip_prefix("/reservations/").unwrap();
    assert_eq!(
        told["holder"],
        json!({
            "reservation": id,
            "consumer": "ci",
            "purpose": "nightly",
            "link": "https://ci.example/7",
            "expiration": "2026-05-01T11:00:00Z",
        })
    );
    assert_eq!(
        (&told["configured"], &told["draining"]),
        (&json!(true), &json!(false))
    );
    assert!(told["last_verification"].is_string(), "{told}");
    assert!(!held.body.contains("api_key"), "{}", held.body);

    app.as_ci("DELETE", &path);
    let cleaning = app.as_ops("GET", "/accounts/messy-1").json();
    assert_eq!(cleaning["state"], "cleaning");
    assert!(cleaning["progress"]["phase"].is_string(), "{cleaning}");
    assert!(cleaning.get("holder").is_none());
    app.clean_all(1);
    let after = app.as_ops("GET", "/accounts/messy-1").json();
    let cleanings = after["cleanings"].as_array().unwrap();
    assert_eq!(
        (&cleanings[0]["reservation"], &cleanings[0]["state"]),
        (&json!(id), &json!("ready"))
    );
    assert!(cleanings.len() >= 2, "the start's is there as well");
}

#[test]
fn accounts_are_listed_page_by_page() {
    let app = app(&["a-1", "a-2", "bad-1", "c-1", "c-2"]);
    let mut target = "/accounts?limit=2".to_owned();
    let mut ids = Vec::new();
    loop {
        let page = app.send("GET", &target, &[&bearer(BOARD)]);
        assert_eq!(page.status, 200, "{}", page.body);
        let told = page.json();
        let accounts = told["accounts"].as_array().unwrap();
        ids.extend(accounts.iter().map(|account| account["id"].clone()));
        assert!(
            accounts
                .iter()
                .all(|account| account.get("cleanings").is_none())
        );
        let Some(link) = page.header("link") else {
            assert!(told.get("next_cursor").is_none());
            break;
        };
        let cursor = told["next_cursor"].as_str().unwrap();
        assert!(link.contains(cursor), "{link}");
        let next = link
            .strip_prefix('<')
            .unwrap()
            .split_once(">; rel=\"next\"");
        next.unwrap().0.clone_into(&mut target);
        assert!(target.contains("limit=2"), "{target}");
    }
    assert_eq!(ids, ["a-1", "a-2", "bad-1", "c-1", "c-2"]);

    let of = |query: &str| app.as_ops("GET", &format!("/accounts?{query}")).json();
    let quarantined = of("state=quarantined");
    assert_eq!(quarantined["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(
        quarantined["accounts"][0]["quarantine"],
        json!({"reason": "verify: not this one", "leftovers": 0, "revoking": false})
    );
    assert_eq!(of("type=lite")["accounts"].as_array().unwrap().len(), 5);
    for (query, parameter) in [
        ("type=gold", "type"),
        ("state=free", "state"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("cursor=!", "cursor"),
    ] {
        let refused = of(query);
        assert_eq!(
            (&refused["code"], &refused["parameter"]),
            (&json!("invalid_parameter"), &json!(parameter)),
            "{query}"
        );
    }
}

#[test]
fn an_operator_cleans_drains_and_enables() {
    let app = app(&["acct-1"]);
    assert_eq!(order(&app, "/accounts/acct-1/clean")["state"], "cleaning");
    app.clean_all(1);
    assert_eq!(order(&app, "/accounts/acct-1/drain")["draining"], true);
    for _ in 0..100 {
        if app.as_ops("GET", "/accounts/acct-1").json()["state"] == "drained" {
            break;
        }
        app.clock.advance(std::time::Duration::from_secs(1));
        app.ask(acctpool_actors::pool::Tick);
    }
    assert_eq!(
        app.as_ops("GET", "/accounts/acct-1").json()["state"],
        "drained"
    );
    assert_eq!(order(&app, "/accounts/acct-1/enable")["state"], "cleaning");
    app.clean_all(1);
    for event in ["cleaning_requested", "drain_requested", "account_enabled"] {
        let entries = audited(&app, event);
        assert_eq!(entries.len(), 1, "{event}");
        let (entry, details) = (&entries[0], &entries[0]["details"]);
        assert_eq!(
            (&entry["consumer"], &entry["account"]),
            (&json!("ops"), &json!("acct-1"))
        );
        assert_eq!(
            *details,
            json!({"reason": "looks odd", "from": "127.0.0.1"})
        );
    }
}

#[test]
fn a_leased_account_is_not_cleaned_but_can_be_quarantined() {
    let app = app(&["acct-1"]);
    let path = app.reserve("type=lite");
    app.as_ci("GET", &path);
    let refused = app.as_ops("POST", "/accounts/acct-1/clean?reason=now");
    assert_eq!(refused.status, 409);
    assert_eq!(refused.code(), "account_leased");
    assert!(audited(&app, "cleaning_requested").is_empty());

    let set_aside = order(&app, "/accounts/acct-1/quarantine");
    assert_eq!(set_aside["state"], "quarantined");
    assert_eq!(set_aside["quarantine"]["reason"], "operator ops: looks odd");
    let lease = app.as_ci("GET", &path).json();
    assert_eq!(
        (&lease["state"], &lease["end_reason"]),
        (&json!("ended"), &json!("revoked"))
    );
    assert!(lease.get("credentials").is_none());
    assert_eq!(audited(&app, "credential_revoked")[0]["account"], "acct-1");
}

#[test]
fn an_operator_takes_a_reservation_away_and_sees_everybodys() {
    let app = app(&["acct-1"]);
    let path = app.reserve("type=lite");
    let theirs = app.send("POST", "/reservations?type=lite", &[&bearer(NIGHTLY)]);
    assert_eq!(theirs.status, 302);
    let revoked = order(&app, &format!("{path}/revoke"));
    assert_eq!(
        (
            &revoked["state"],
            &revoked["end_reason"],
            &revoked["consumer"]
        ),
        (&json!("ended"), &json!("revoked"), &json!("ci"))
    );
    assert!(revoked.get("credentials").is_none());
    // Once more changes nothing.
    assert_eq!(order(&app, &format!("{path}/revoke")), revoked);

    let all = app.send("GET", "/reservations?all=true", &[&bearer(BOARD)]);
    assert_eq!(all.status, 200, "{}", all.body);
    let told = all.json();
    let consumers = told["reservations"].as_array().unwrap().iter();
    let consumers: Vec<_> = consumers.map(|r| r["consumer"].clone()).collect();
    assert_eq!(consumers, ["ci", "nightly"]);
    assert!(!all.body.contains("api_key"));
    let own = app.as_ci("GET", "/reservations").json();
    assert_eq!(own["reservations"].as_array().unwrap().len(), 1);
    assert!(own["reservations"][0].get("consumer").is_none());
    assert_eq!(
        app.as_ci("GET", "/reservations?all=true").code(),
        "role_not_allowed"
    );
    let no = app.as_ops("GET", "/reservations?all=false");
    assert_eq!(no.code(), "invalid_parameter");
}

#[test]
fn an_intervention_needs_a_reason_and_takes_it_from_a_body_too() {
    let app = app(&["acct-1"]);
    let long = "x".repeat(201);
    for query in [
        "",
        "?reason=",
        "?reason=%20",
        "?reason=a%0Ab",
        &format!("?reason={long}"),
    ] {
        let refused = app.as_ops("POST", &format!("/accounts/acct-1/drain{query}"));
        assert_eq!(refused.status, 400, "{query:?}");
        assert_eq!(refused.json()["parameter"], "reason", "{query:?}");
    }
    let unknown = app.as_ops("POST", "/accounts/acct-1/drain?reason=a&force=1");
    assert_eq!(unknown.code(), "unknown_parameter");
    assert!(audited(&app, "drain_requested").is_empty());

    let body = json!({"reason": "näh"}).to_string();
    let mut wire = app.connect();
    wire.send(
        format!(
            "POST /accounts/acct-1/drain HTTP/1.1\r\nhost: pool\r\nconnection: close\r\n{}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            bearer(OPS),
            body.len()
        )
        .as_bytes(),
    );
    assert_eq!(wire.last_answer().status, 200);
    assert_eq!(
        audited(&app, "drain_requested")[0]["details"]["reason"],
        "näh"
    );
}

#[test]
fn the_audit_keeps_which_operator_tried_in_vain_but_nobody_whose_role_is_another() {
    let app = app(&["acct-1"]);
    app.reserve("type=lite");
    let tries = [
        ("/accounts/acct-1/clean", 409),
        ("/accounts/acctpool_a-secret-in-the-wrong-place/drain", 404),
        (
            "/reservations/0b6c0000-0000-4000-8000-000000000000/revoke",
            404,
        ),
    ];
    for (target, status) in tries {
        let target = format!("{target}?reason=looks+odd");
        assert_eq!(app.as_ops("POST", &target).status, status, "{target}");
        for token in [CI, BOARD] {
            assert_eq!(app.send("POST", &target, &[&bearer(token)]).status, 403);
        }
    }
    let kept = audited(&app, "intervention_refused");
    let kept: Vec<_> = kept
        .iter()
        .map(|entry| {
            assert_eq!(entry["consumer"], "ops");
            assert_eq!(entry["details"]["reason"], "looks odd");
            assert_eq!(entry["details"]["from"], "127.0.0.1");
            let details = &entry["details"];
            (
                entry["account"].as_str(),
                details["intervention"].as_str().unwrap(),
                details["refusal"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kept,
        [
            (None, "revoke", "unknown reservation"),
            (None, "drain", "unknown account"),
            (Some("acct-1"), "clean", "the account is leased"),
        ]
    );
    // What was typed in the place of an id may be anything.
    assert!(!app.as_ops("GET", "/audit").body.contains("wrong-place"));
}

#[test]
fn what_does_not_exist_is_unknown_to_operators() {
    let app = app(&["acct-1"]);
    for action in ["clean", "drain", "enable", "quarantine"] {
        let target = format!("/accounts/nobody/{action}?reason=a");
        let answer = app.as_ops("POST", &target);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "unknown_account")
        );
        assert_eq!(app.as_ops("GET", &target).header("allow"), Some("POST"));
    }
    assert_eq!(
        app.as_ops("GET", "/accounts/nobody").code(),
        "unknown_account"
    );
    for target in [
        "/reservations/0b6c0000-0000-4000-8000-000000000000/revoke?reason=a",
        "/reservations/nothing/revoke?reason=a",
    ] {
        let answer = app.as_ops("POST", target);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "unknown_reservation")
        );
    }
    for target in ["/accounts/", "/accounts/acct-1/", "/accounts/acct-1/burn"] {
        assert_eq!(app.as_ops("GET", target).code(), "unknown_path", "{target}");
    }
    assert_eq!(app.send("GET", "/accounts", &[]).status, 401);
    assert_eq!(app.send("GET", "/accounts", &[&bearer(CI)]).status, 403);
}
