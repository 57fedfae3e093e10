//! `Prefer: wait=N`: who waits is answered as soon as there is something new to say.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use acctpool::http::Settings;
use acctpool_actors::pool::Tick;

use crate::app::{App, Setup, bearer};
use crate::ports::{CI, LEASE_KEY, NIGHTLY};
use crate::wire::Answer;

/// How long an answer that is held back is watched for.
const GLANCE: Duration = Duration::from_millis(300);
const SECOND: Duration = Duration::from_secs(1);

/// An answer that may be held back.
struct Held(Receiver<Answer>);

impl Held {
    /// Sends a request with the bearer token of `ci`.
    fn send(app: &App, method: &str, target: &str, headers: &[&str]) -> Self {
        let mut wire = app.connect();
        let headers: String = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
        wire.send(
            format!(
                "{method} {target} HTTP/1.1\r\nhost: pool\r\nconnection: close\r\n{}\r\n{headers}\r\n",
                bearer(CI)
            )
            .as_bytes(),
        );
        let (sender, answer) = channel();
        thread::spawn(move || sender.send(wire.last_answer()));
        Self(answer)
    }

    fn assert_is_held(&self) {
        let early = self.0.recv_timeout(GLANCE);
        assert!(
            matches!(early, Err(RecvTimeoutError::Timeout)),
            "{}",
            early.map(|answer| answer.body).unwrap_or_default()
        );
    }

    fn answer(self) -> Answer {
        self.0.recv_timeout(10 * SECOND).expect("an answer")
    }

    /// Lets time pass until the answer comes. Returns it, and how much it took.
    fn answer_in_time(self, app: &App) -> (Answer, Duration) {
        let mut passed = Duration::ZERO;
        loop {
            app.clock.advance(SECOND);
            app.ask(Tick);
            passed += SECOND;
            match self.0.recv_timeout(Duration::from_millis(20)) {
                Ok(answer) => return (answer, passed),
                Err(_) => assert!(passed < 1000 * SECOND, "it never comes"),
            }
        }
    }
}

/// Returns a reservation that holds the only account, and one that waits for it.
fn one_behind_another(app: &App) -> (String, String) {
    (app.reserve("type=lite"), app.reserve("type=lite"))
}

#[test]
fn who_waits_is_answered_when_the_account_is_theirs() {
    let app = App::new();
    let (first, second) = one_behind_another(&app);
    let held = Held::send(&app, "GET", &second, &["prefer: wait=60"]);
    held.assert_is_held();
    app.as_ci("DELETE", &first);
    let answer = held.answer();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["state"], "active");
    assert!(answer.body.contains(LEASE_KEY), "{}", answer.body);
    assert_eq!(answer.header("preference-applied"), Some("wait=60"));
    assert_eq!(answer.header("vary"), Some("Prefer"));
    assert_eq!(answer.header("retry-after"), None);
}

#[test]
fn who_waits_is_answered_when_there_is_nothing_to_wait_for_any_more() {
    let app = App::new();
    let (_, second) = one_behind_another(&app);
    let held = Held::send(&app, "GET", &second, &["prefer: wait=60"]);
    held.assert_is_held();
    app.as_ci("DELETE", &second);
    assert_eq!(held.answer().json()["end_reason"], "cancelled");
}

#[test]
fn nobody_is_held_for_longer_than_they_asked() {
    let app = App::new();
    let (_, second) = one_behind_another(&app);
    for (asked, applied) in [("30", 30), ("3600", 60)] {
        let held = Held::send(&app, "GET", &second, &[&format!("prefer: wait={asked}")]);
        held.assert_is_held();
        let (answer, passed) = held.answer_in_time(&app);
        assert_eq!(answer.json()["state"], "pending");
        assert_eq!(answer.header("retry-after"), Some("2"));
        let stated = format!("wait={applied}");
        assert_eq!(answer.header("preference-applied"), Some(stated.as_str()));
        assert!(passed >= Duration::from_secs(applied - 1), "{passed:?}");
    }
}

#[test]
fn a_post_that_waits_redirects_when_the_account_is_there() {
    let app = App::new();
    let first = app.reserve("type=lite");
    let held = Held::send(&app, "POST", "/reservations?type=lite", &["prefer: wait=9"]);
    held.assert_is_held();
    app.as_ci("DELETE", &first);
    let answer = held.answer();
    assert_eq!(answer.status, 302);
    assert_eq!(answer.json()["state"], "active");
    assert!(!answer.body.contains(LEASE_KEY), "{}", answer.body);
    assert_eq!(answer.header("preference-applied"), Some("wait=9"));
    let path = answer.header("location").unwrap();
    assert!(app.as_ci("GET", path).body.contains(LEASE_KEY));
}

#[test]
fn a_post_that_waits_in_vain_redirects_to_a_pending_reservation() {
    let app = App::new();
    app.reserve("type=lite");
    let held = Held::send(&app, "POST", "/reservations?type=lite", &["prefer: wait=9"]);
    held.assert_is_held();
    let (answer, _) = held.answer_in_time(&app);
    assert_eq!(answer.status, 302);
    assert_eq!(answer.json()["queue_position"], 1);
}

#[test]
fn what_is_not_pending_is_shown_at_once() {
    let app = App::new();
    let wait = ["prefer: wait=60"];
    let posted = Held::send(&app, "POST", "/reservations?type=lite", &wait).answer();
    assert_eq!(posted.status, 302);
    let path = posted.header("location").unwrap();
    let shown = Held::send(&app, "GET", path, &wait).answer();
    assert_eq!(shown.json()["state"], "active");
    assert_eq!(shown.header("preference-applied"), Some("wait=60"));
}

#[test]
fn a_preference_that_cannot_be_read_is_none() {
    let app = App::new();
    let (_, second) = one_behind_another(&app);
    for preference in ["wait=soon", "wait", "respond-async", "wait=0"] {
        let header = format!("prefer: {preference}");
        let answer = Held::send(&app, "GET", &second, &[&header]).answer();
        assert_eq!(answer.json()["state"], "pending", "{preference}");
        let applied = (preference == "wait=0").then_some(preference);
        assert_eq!(answer.header("preference-applied"), applied);
        assert_eq!(answer.header("vary"), Some("Prefer"));
    }
}

#[test]
fn nobody_waits_for_what_is_not_theirs() {
    let app = App::new();
    let (_, second) = one_behind_another(&app);
    let headers = [bearer(NIGHTLY), "prefer: wait=60".to_owned()];
    let answer = app.send("GET", &second, &headers.each_ref().map(String::as_str));
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("preference-applied"), None);
}

#[test]
fn what_is_known_is_held_back_until_it_changes() {
    let app = App::new();
    let (_, second) = one_behind_another(&app);
    let third = app.reserve("type=lite");
    let tag = |answer: &Answer| format!("if-none-match: {}", answer.header("etag").unwrap());
    let known = app.as_ci("GET", &third);
    assert_eq!(known.json()["queue_position"], 2);
    let waiting = [tag(&known), "prefer: wait=60".to_owned()];
    let waiting = waiting.each_ref().map(String::as_str);
    let held = Held::send(&app, "GET", &third, &waiting);
    held.assert_is_held();
    // It moves up; the clock stands still, but what changes by itself is looked at with it.
    app.as_ci("DELETE", &second);
    let (moved, _) = held.answer_in_time(&app);
    assert_eq!(moved.status, 200);
    assert_eq!(moved.json()["queue_position"], 1);
    // What is known no more is answered at once.
    let stale = Held::send(&app, "GET", &third, &waiting).answer();
    assert_eq!(stale.bytes.len(), moved.bytes.len());
    assert_eq!(stale.body, moved.body);
}

#[test]
fn what_stays_as_it_is_known_is_not_modified_when_the_wait_is_over() {
    let app = App::new();
    let path = app.reserve("type=lite&duration=60");
    let known = app.as_ci("GET", &path);
    assert!(known.body.contains(LEASE_KEY));
    let tag = format!("if-none-match: {}", known.header("etag").unwrap());
    let held = Held::send(&app, "GET", &path, &[&tag, "prefer: wait=30"]);
    held.assert_is_held();
    let (answer, _) = held.answer_in_time(&app);
    assert_eq!((answer.status, answer.body.as_str()), (304, ""));
    assert_eq!(answer.header("preference-applied"), Some("wait=30"));
}

#[test]
fn the_end_of_a_lease_is_a_change_though_nobody_can_write_it_down() {
    let app = App::new();
    let path = app.reserve("type=lite&duration=1");
    let known = app.as_ci("GET", &path);
    assert!(known.body.contains(LEASE_KEY));
    let tag = format!("if-none-match: {}", known.header("etag").unwrap());
    app.clock.advance(Duration::from_secs(55));
    let held = Held::send(&app, "GET", &path, &[&tag, "prefer: wait=60"]);
    held.assert_is_held();
    app.disk.hold();
    app.clock.advance(Duration::from_secs(5));
    let answer = held.answer();
    app.disk.release();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["end_reason"], "expired");
    assert!(!answer.body.contains(LEASE_KEY), "{}", answer.body);
}

#[test]
fn who_waits_does_not_count_as_silent() {
    let app = App::with(Setup {
        pending_timeout: 40 * SECOND,
        ..Setup::default()
    });
    let (_, second) = one_behind_another(&app);
    let held = Held::send(&app, "GET", &second, &["prefer: wait=60"]);
    held.assert_is_held();
    app.clock.advance(50 * SECOND);
    app.ask(Tick);
    held.assert_is_held();
    // The wait is over, and nobody asks for as long as one may be silent.
    app.clock.advance(10 * SECOND);
    assert_eq!(held.answer().json()["state"], "pending");
    app.clock.advance(41 * SECOND);
    app.ask(Tick);
    assert_eq!(app.as_ci("GET", &second).json()["end_reason"], "abandoned");
}

#[test]
fn who_waits_is_answered_at_once_when_the_server_stops() {
    let app = App::with(Setup {
        settings: Settings {
            shutdown_timeout: Duration::from_mins(5),
            ..Settings::default()
        },
        ..Setup::default()
    });
    let (_, second) = one_behind_another(&app);
    let held = Held::send(&app, "GET", &second, &["prefer: wait=60"]);
    held.assert_is_held();
    let (stopped, is_stopped) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            app.stop();
            let _ = stopped.send(());
        });
        assert_eq!(held.answer().json()["state"], "pending");
        is_stopped.recv_timeout(10 * SECOND).unwrap();
    });
}

#[test]
fn a_client_that_hangs_up_is_not_waited_for() {
    let app = App::new();
    let (_, second) = one_behind_another(&app);
    let mut wire = app.connect();
    wire.send(
        format!(
            "GET {second} HTTP/1.1\r\nhost: pool\r\n{}\r\nprefer: wait=60\r\n\r\n",
            bearer(CI)
        )
        .as_bytes(),
    );
    // It may still listen, so it is answered with what there is.
    wire.end_sending();
    assert_eq!(wire.last_answer().json()["state"], "pending");
}

#[test]
fn a_connection_is_used_again_after_a_wait() {
    let app = App::new();
    let (first, second) = one_behind_another(&app);
    let mut wire = app.connect();
    let request = format!(
        "GET {second} HTTP/1.1\r\nhost: pool\r\n{}\r\nprefer: wait=60\r\n\r\n",
        bearer(CI)
    );
    wire.send(request.as_bytes());
    app.as_ci("DELETE", &first);
    assert_eq!(wire.answer().json()["state"], "active");
    wire.send(request.as_bytes());
    assert_eq!(wire.answer().json()["state"], "active");
}
