//! Reserve, look, give back: what a consumer sees.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use acctpool::http::Settings;
use serde_json::json;

use crate::app::{App, Setup, bearer, token_query};
use crate::ports::{CI, LEASE_KEY, NIGHTLY};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_client_that_only_follows_redirects_gets_its_account_and_gives_it_back() {
    let app = App::new();
    let query = token_query(CI);
    let posted = app.send("POST", &format!("/reservations?{query}&type=lite"), &[]);
    assert_eq!(posted.status, 302);
    assert!(!posted.body.contains("credentials"), "{}", posted.body);
    assert_eq!(posted.json()["state"], "active");

    let location = posted.header("location").unwrap();
    let id = posted.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/reservations/{id}?{query}"));

    let shown = app.send("GET", location, &[]);
    assert_eq!(shown.status, 200);
    assert!(shown.json()["credentials"]["api_key"].is_string());

    assert_eq!(app.send("DELETE", location, &[]).status, 204);
    assert_eq!(app.send("DELETE", location, &[]).status, 204);
    let ended = app.send("GET", location, &[]).json();
    assert_eq!(ended["state"], "ended");
    assert_eq!(ended["end_reason"], "cancelled");
    assert_eq!(ended["ended_at"], "2026-05-01T10:00:00Z");
    assert!(ended.get("credentials").is_none());
}

#[test]
fn an_active_reservation_looks_as_the_contract_shows_it() {
    let app = App::new();
    let path = app.reserve("type=lite&duration=60");
    let shown = app.as_ci("GET", &path);
    let id = path.strip_prefix("/reservations/").unwrap();
    let api_key = shown.json()["credentials"]["api_key"].clone();
    assert!(api_key.as_str().unwrap().starts_with(LEASE_KEY));
    let expected = format!(
        "{{\"id\":\"{id}\",\"state\":\"active\",\"type\":\"lite\",\"duration\":60,\
        \"created_at\":\"2026-05-01T10:00:00Z\",\"expiration\":\"2026-05-01T11:00:00Z\",\
        \"account\":{{\"id\":\"acct-1\"}},\"credentials\":{{\"api_key\":{api_key},\
        \"iam_url\":\"https://iam.cloud.ibm.com\",\"service_id\":\"ServiceId-acct-1\"}}}}"
    );
    assert_eq!(shown.body, expected);
    assert_eq!(shown.header("content-type"), Some("application/json"));
    assert_eq!(shown.header("retry-after"), None);
}

#[test]
fn a_bearer_token_stays_out_of_the_location() {
    let app = App::new();
    let both = format!("/reservations?type=lite&{}", token_query(CI));
    assert!(!app.reserve("type=lite").contains('?'));
    // Sent both ways, it was sent in the query too.
    let posted = app.send("POST", &both, &[&bearer(CI)]);
    assert!(posted.header("location").unwrap().contains("?token="));
}

#[test]
fn a_pending_reservation_has_a_place_in_the_queue_and_no_lease() {
    let app = App::new();
    app.reserve("type=lite");
    app.reserve("type=lite");
    let path = app.reserve("type=lite&duration=90m");
    let pending = app.as_ci("GET", &path);
    assert_eq!(pending.status, 200);
    assert_eq!(pending.header("retry-after"), Some("2"));
    let id = path.strip_prefix("/reservations/").unwrap();
    assert_eq!(
        pending.json(),
        json!({"id": id, "state": "pending", "type": "lite", "duration": 90,
               "created_at": "2026-05-01T10:00:00Z", "queue_position": 2})
    );
}

#[test]
fn expired_lease_hides_credentials() {
    let app = App::new();
    let path = app.reserve("type=lite&duration=60");
    app.clock.advance(Duration::from_mins(59));
    // The first look claims the lease; the answer to the second one is kept.
    for _ in 0..2 {
        assert_eq!(app.as_ci("GET", &path).json()["state"], "active");
    }
    app.clock.advance(Duration::from_mins(1));
    let ended = app.as_ci("GET", &path);
    assert!(!ended.body.contains(LEASE_KEY), "{}", ended.body);
    assert_eq!(ended.json()["end_reason"], "expired");
    assert_eq!(ended.json()["ended_at"], "2026-05-01T11:00:00Z");
}

#[test]
fn a_lease_that_ends_while_the_answer_waits_for_the_disk_hides_credentials() {
    let app = App::new();
    let path = app.reserve("type=lite&duration=60");
    app.disk.hold();
    let answer = thread::scope(|scope| {
        // The first look claims the account, which is written down before it is answered.
        let look = scope.spawn(|| app.as_ci("GET", &path));
        app.disk.wait_for_write();
        app.clock.advance(HOUR);
        app.disk.release();
        look.join().unwrap()
    });
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains(LEASE_KEY), "{}", answer.body);
    assert_eq!(answer.json()["state"], "ended");
    assert_eq!(answer.json()["end_reason"], "expired");
    assert_eq!(answer.json()["ended_at"], "2026-05-01T11:00:00Z");
}

#[test]
fn nobody_who_reads_waits_for_the_disk() {
    let app = App::new();
    let held = app.reserve("type=lite&duration=60");
    assert!(app.as_ci("GET", &held).body.contains(LEASE_KEY));
    let waiting = app.reserve("type=lite");
    app.disk.hold();
    thread::scope(|scope| {
        let change = scope.spawn(|| app.as_ci("POST", "/reservations?type=lite"));
        app.disk.wait_for_write();
        assert!(app.as_ci("GET", &held).body.contains(LEASE_KEY));
        assert_eq!(app.as_ci("GET", &waiting).json()["queue_position"], 1);
        let statistics = app.send("GET", "/", &[]).json();
        assert_eq!(statistics["reservations"]["lite"]["pending"], 1);
        // Nobody could write down that this lease is over: it is over all the same.
        app.clock.advance(HOUR);
        let over = app.as_ci("GET", &held);
        assert!(!over.body.contains(LEASE_KEY), "{}", over.body);
        assert_eq!(over.json()["end_reason"], "expired");
        app.disk.release();
        assert_eq!(change.join().unwrap().status, 302);
    });
}

#[test]
fn the_type_is_free_unless_said_otherwise() {
    let app = App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("acct-2", "free")],
        ..Setup::default()
    });
    let path = app.reserve("");
    assert_eq!(app.as_ci("GET", &path).json()["account"]["id"], "acct-2");
}

#[test]
fn a_reservation_of_somebody_else_cannot_be_told_from_none_at_all() {
    let app = App::new();
    let foreign = app.reserve("type=lite");
    let nobodys = "/reservations/00000000-0000-4000-8000-000000000000";
    let no_uuid = "/reservations/nothing-of-ours";
    for method in ["GET", "HEAD", "DELETE"] {
        let answers = [foreign.as_str(), nobodys, no_uuid].map(|path| {
            let headers = [bearer(NIGHTLY), "x-request-id: same".to_owned()];
            let answer = app.send(method, path, &headers.each_ref().map(String::as_str));
            assert_eq!(answer.status, 404);
            in_order(&answer.bytes)
        });
        assert_eq!(answers[0], answers[1], "{method}");
        assert_eq!(answers[0], answers[2], "{method}");
    }
    assert_eq!(app.as_ci("GET", &foreign).json()["state"], "active");
}

/// Returns an answer's bytes with its headers in one order, as theirs is random, and without the
/// date.
fn in_order(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    lines.retain(|line| !line.starts_with("date:"));
    lines.sort_unstable();
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

#[test]
fn an_id_in_another_notation_is_no_id() {
    let app = App::new();
    let path = app.reserve("type=lite");
    let id = path.strip_prefix("/reservations/").unwrap();
    for other in [
        id.replace('-', ""),
        format!("%7B{id}%7D"),
        format!("urn:uuid:{id}"),
    ] {
        assert_eq!(
            app.as_ci("GET", &format!("/reservations/{other}")).status,
            404,
            "{other}"
        );
    }
}

#[test]
fn statistics_count_accounts_and_reservations_per_type() {
    let app = App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("acct-2", "lite")],
        ..Setup::default()
    });
    app.reserve("type=lite");
    let statistics = app.send("GET", "/", &[]);
    assert_eq!(statistics.status, 200);
    let expected = "{\"status\":\"ok\",\"version\":\"0.1.0\",\"started_at\":\"2026-05-01T09:00:00Z\",\
        \"accounts\":{\"lite\":{\"total\":2,\"ready\":1,\"leased\":1,\"dirty\":0,\"cleaning\":0,\
        \"quarantined\":0,\"drained\":0}},\"reservations\":{\"lite\":{\"pending\":0,\"active\":1}}}";
    assert_eq!(statistics.body, expected);
}

#[test]
fn a_quarantined_account_degrades_the_status() {
    let app = App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("bad-1", "lite")],
        ..Setup::default()
    });
    let statistics = app.send("GET", "/", &[]).json();
    assert_eq!(statistics["status"], "degraded");
    assert_eq!(statistics["accounts"]["lite"]["quarantined"], 1);
}

#[test]
fn a_request_that_runs_is_answered_while_the_server_stops() {
    let app = App::new();
    app.disk.hold();
    let answer = thread::scope(|scope| {
        let request = scope.spawn(|| app.as_ci("POST", "/reservations?type=lite"));
        app.disk.wait_for_write();
        let stop = scope.spawn(|| app.stop());
        app.disk.release();
        stop.join().unwrap();
        request.join().unwrap()
    });
    assert_eq!(answer.status, 302);
}

#[test]
fn a_connection_that_rests_does_not_hold_up_a_stop() {
    let app = App::with(Setup {
        settings: Settings {
            keep_alive: Duration::from_mins(5),
            shutdown_timeout: Duration::from_mins(5),
            ..Settings::default()
        },
        ..Setup::default()
    });
    let mut wire = app.connect();
    wire.send(b"GET / HTTP/1.1\r\nhost: pool\r\n\r\n");
    assert_eq!(wire.answer().status, 200);
    let (stopped, is_stopped) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            app.stop();
            let _ = stopped.send(());
        });
        let outcome = is_stopped.recv_timeout(Duration::from_secs(10));
        // Lets the stop end in any case.
        drop(wire);
        outcome.unwrap();
    });
}
