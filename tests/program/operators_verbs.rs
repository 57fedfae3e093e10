//! The verbs of operators that talk to a server: `account` and `revoke`.

use serde_json::{Value, json};

use crate::scripted_pool::{Said, ScriptedPool};
use crate::verbs::{ID, asking, ok};

#[test]
fn an_operator_sees_accounts_and_acts_on_them() {
    let account = json!({
        "id": "A", "type": "lite", "state": "leased", "since": "2026-05-01T10:00:00Z",
        "holder": {"reservation": ID, "consumer": "ci", "purpose": "e2e\u{7}",
                   "expiration": "2026-05-01T11:00:00Z"},
    });
    let pool = ScriptedPool::start(move |heard, _| match heard.target.as_str() {
        "/accounts?limit=100&type=lite" => ok(json!({"accounts": [&account], "next_cursor": "2"})),
        "/accounts?limit=100&type=lite&cursor=2" => ok(json!({"accounts": [
            {"id": "B", "type": "lite", "state": "quarantined", "quarantine": {"reason": "stuck"}},
        ]})),
        _ => ok(account.clone()),
    });
    let listed = asking(&pool, &["account", "list", "--type", "lite"]).stdout;
    let lines: Vec<_> = listed.lines().collect();
    assert!(
        lines[1].contains("ci until 2026-05-01T11:00:00Z: e2e\u{fffd}"),
        "{listed}"
    );
    assert!(
        lines[2].starts_with('B') && lines[2].contains("stuck"),
        "{listed}"
    );
    let shown = asking(&pool, &["account", "show", "A"]).stdout;
    let lent = format!("  lent to   ci until 2026-05-01T11:00:00Z, reservation {ID}\n");
    assert!(shown.starts_with("account A, lite: leased\n"), "{shown}");
    assert!(shown.contains(&lent), "{shown}");
    for action in ["clean", "drain", "enable", "quarantine"] {
        let ended = asking(
            &pool,
            &["account", action, "A/../B", "--reason", "it is time"],
        );
        assert_eq!(ended.stdout, "account A: leased\n", "{}", ended.stderr);
        let heard = pool.heard().pop().unwrap();
        let target = format!("/accounts/A%2F%2E%2E%2FB/{action}");
        assert_eq!((heard.method.as_str(), heard.target), ("POST", target));
        assert_eq!(heard.body, r#"{"reason":"it is time"}"#);
    }
    let without = asking(&pool, &["account", "clean", "A"]);
    assert_eq!(without.code, Some(2), "there must be a reason");
}

#[test]
fn an_operator_takes_a_reservation_away() {
    let pool = ScriptedPool::start(|heard, _| match heard.target.as_str() {
        "/reservations/unknown/revoke" => Said::Answer(
            "404 Not Found",
            String::new(),
            json!({"status": 404, "code": "unknown_reservation", "detail": "there is none"}),
        ),
        _ => ok(json!({"id": ID, "state": "ended", "type": "lite", "end_reason": "revoked"})),
    });
    let ended = asking(&pool, &["revoke", ID, "--reason", "it hangs"]);
    assert_eq!(
        (ended.code, ended.stdout),
        (Some(0), format!("reservation {ID}: revoked\n"))
    );
    let heard = pool.heard().pop().unwrap();
    let target = format!("/reservations/{ID}/revoke");
    assert_eq!((heard.method.as_str(), heard.target), ("POST", target));
    assert_eq!(heard.body, r#"{"reason":"it hangs"}"#);
    let json = asking(&pool, &["revoke", ID, "--reason", "it hangs", "-o", "json"]).stdout;
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap()["end_reason"],
        "revoked"
    );
    let unknown = asking(&pool, &["revoke", "unknown", "--reason", "it hangs"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(3), ""));
    assert_eq!(asking(&pool, &["revoke", ID]).code, Some(2), "no reason");
}
