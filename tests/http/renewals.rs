//! Renewal, and leases that end unless they are renewed.

use std::time::Duration;

use acctpool_actors::pool::Tick;
use serde_json::json;

use crate::app::{App, bearer};
use crate::ports::{LEASE_KEY, NIGHTLY};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_renewal_answers_the_new_expiration_and_no_credential() {
    let app = App::new();
    let path = app.reserve("type=lite&duration=60");
    assert!(app.as_ci("GET", &path).body.contains(LEASE_KEY));
    app.clock.advance(30 * MINUTE);
    let renewed = app.as_ci("POST", &format!("{path}/renew?duration=1h"));
    let id = path.strip_prefix("/reservations/").unwrap();
    assert_eq!(renewed.status, 200);
    assert_eq!(
        renewed.json(),
        json!({"id": id, "state": "active", "type": "lite", "duration": 90,
               "created_at": "2026-05-01T10:00:00Z", "expiration": "2026-05-01T11:30:00Z",
               "account": {"id": "acct-1"}})
    );
    let shown = app.as_ci("GET", &path).json();
    assert_eq!(shown["expiration"], "2026-05-01T11:30:00Z");
    assert!(shown["credentials"]["api_key"].is_string());
    // The longest of its type.
    let renewed = app.as_ci("POST", &format!("{path}/renew?duration=9999h"));
    assert_eq!(renewed.json()["expiration"], "2026-05-01T18:00:00Z");
    // Nothing asked for, nothing shortened.
    let renewed = app.as_ci("POST", &format!("{path}/renew"));
    assert_eq!(renewed.json()["expiration"], "2026-05-01T18:00:00Z");
}

#[test]
fn a_lease_that_is_not_renewed_in_time_hides_its_credential_and_is_abandoned() {
    let app = App::new();
    let path = app.reserve("type=lite&duration=60&ttl=90s");
    let shown = app.as_ci("GET", &path).json();
    assert_eq!(shown["ttl"], "1m 30s");
    assert_eq!(shown["expiration"], "2026-05-01T10:01:30Z");
    app.clock.advance(MINUTE);
    let renewed = app.as_ci("POST", &format!("{path}/renew"));
    assert_eq!(renewed.json()["expiration"], "2026-05-01T10:02:30Z");
    app.clock.advance(MINUTE * 3 / 2);
    // Before the pool has noticed, and after.
    for _ in 0..2 {
        let ended = app.as_ci("GET", &path);
        assert!(!ended.body.contains(LEASE_KEY), "{}", ended.body);
        assert_eq!(ended.json()["end_reason"], "abandoned");
        assert_eq!(ended.json()["ended_at"], "2026-05-01T10:02:30Z");
        app.ask(Tick);
    }
}

#[test]
fn what_a_ttl_answers_can_be_sent_back() {
    let app = App::new();
    for ttl in ["10s", "90s", "1m%2030s", "5m", "2h", "36h"] {
        let path = app.reserve(&format!("type=lite&ttl={ttl}"));
        let answered = app.as_ci("GET", &path).json()["ttl"].clone();
        let answered = answered.as_str().unwrap().replace(' ', "+");
        let again = app.reserve(&format!("type=lite&ttl={answered}"));
        let repeated = &app.as_ci("GET", &again).json()["ttl"];
        assert_eq!(repeated, &answered.replace('+', " "), "{ttl}");
    }
}

#[test]
fn a_ttl_without_a_unit_or_too_short_is_refused() {
    let app = App::new();
    for ttl in [
        "90", "", "0", "9s", "10500ms", "-5m", "soon", "5", "%D9%A3m",
    ] {
        let answer = app.as_ci("POST", &format!("/reservations?type=lite&ttl={ttl}"));
        assert_eq!(answer.status, 400, "{ttl:?}");
        assert_eq!(answer.json()["parameter"], "ttl");
        assert!(answer.body.contains("with its unit"), "{}", answer.body);
    }
}

#[test]
fn only_a_live_lease_of_ones_own_is_renewed() {
    let app = App::new();
    let lease = app.reserve("type=lite");
    let waiting = app.reserve("type=lite");
    let renew = |path: &str| app.as_ci("POST", &format!("{path}/renew"));
    let pending = renew(&waiting);
    assert_eq!(
        (pending.status, pending.code()),
        (409, "reservation_pending".to_owned())
    );
    app.as_ci("DELETE", &waiting);
    app.clock.advance(60 * MINUTE);
    let ended = renew(&lease);
    assert_eq!(
        (ended.status, ended.code()),
        (409, "reservation_ended".to_owned())
    );
    for path in [
        "/reservations/00000000-0000-4000-8000-000000000000",
        "/reservations/nothing",
    ] {
        assert_eq!(renew(path).code(), "unknown_reservation");
    }
    let foreign = app.send("POST", &format!("{lease}/renew"), &[&bearer(NIGHTLY)]);
    assert_eq!(
        (foreign.status, foreign.code()),
        (404, "unknown_reservation".to_owned())
    );
}

#[test]
fn a_renewal_takes_a_duration_only_and_the_method_post() {
    let app = App::new();
    let path = app.reserve("type=lite");
    for query in ["duration=soon", "duration=0", "duration=30s"] {
        let answer = app.as_ci("POST", &format!("{path}/renew?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["parameter"], "duration");
    }
    let answer = app.as_ci("POST", &format!("{path}/renew?ttl=5m"));
    assert_eq!(answer.code(), "unknown_parameter");
    for method in ["GET", "DELETE"] {
        let answer = app.as_ci(method, &format!("{path}/renew"));
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    assert_eq!(app.send("POST", &format!("{path}/renew"), &[]).status, 401);
    let deeper = app.as_ci("POST", &format!("{path}/renew/again"));
    assert_eq!(deeper.code(), "unknown_path");
}
