//! Whoever may not see a thing cannot tell whether it exists: answers are compared byte by byte, but
//! for the request id and the date.

use crate::app::{App, Setup, bearer};
use crate::ports::{BOARD, CI, NIGHTLY, OPS};
use crate::wire::Answer;

/// A reservation that exists, one that does not, and what could never be one.
fn reservations(existing: &str) -> [String; 5] {
    [
        existing.to_owned(),
        "/reservations/0b6c0000-0000-4000-8000-000000000000".to_owned(),
        "/reservations/nothing".to_owned(),
        "/reservations/%00".to_owned(),
        existing
            .to_uppercase()
            .replace("/RESERVATIONS", "/reservations"),
    ]
}

const ACCOUNTS: [&str; 4] = [
    "/accounts/acct-1",
    "/accounts/acct-9",
    "/accounts/%00",
    "/accounts/0123456789abcdef0123456789abcdef",
];

/// Everything of an answer but what is never the same twice: the date, and the order of the headers.
fn seen(answer: &Answer) -> String {
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut headers: Vec<&str> = head.split("\r\n").collect();
    headers.retain(|line| !line.to_ascii_lowercase().starts_with("date:"));
    headers[1..].sort_unstable();
    format!("{}\n\n{body}", headers.join("\n"))
}

struct Looks {
    app: App,
}

impl Looks {
    fn as_whom(&self, token: Option<&str>, method: &str, target: &str) -> Answer {
        let token = token.map(bearer);
        let mut headers = vec!["x-request-id: same"];
        headers.extend(token.as_deref());
        self.app.send(method, target, &headers)
    }

    /// Makes sure that nobody can tell these targets apart, and returns the status.
    #[track_caller]
    fn assert_same<T: AsRef<str>>(&self, token: Option<&str>, method: &str, targets: &[T]) -> u16 {
        let first = self.as_whom(token, method, targets[0].as_ref());
        for target in targets {
            let other = self.as_whom(token, method, target.as_ref());
            assert_eq!(
                seen(&first),
                seen(&other),
                "{method} {} and {}",
                targets[0].as_ref(),
                target.as_ref()
            );
        }
        first.status
    }
}

#[test]
fn who_may_not_see_a_thing_cannot_tell_whether_it_exists() {
    let app = App::with(Setup::default());
    let existing = app.reserve("type=lite");
    app.as_ci("GET", &existing);
    let waiting = app.reserve("type=lite");
    let looks = Looks { app };
    for existing in [&existing, &waiting] {
        let ids = reservations(existing);
        let with = |suffix: &str| ids.each_ref().map(|id| format!("{id}{suffix}"));
        // Somebody else's, whatever the role: nobody reads another's credential.
        for token in [NIGHTLY, OPS, BOARD] {
            assert_eq!(looks.assert_same(Some(token), "GET", &ids), 404);
            assert_eq!(
                looks.assert_same(Some(token), "GET", &with("/receipt")),
                404
            );
        }
        for (token, status) in [(NIGHTLY, 404), (OPS, 404), (BOARD, 403)] {
            assert_eq!(looks.assert_same(Some(token), "DELETE", &ids), status);
        }
        for (token, status) in [(NIGHTLY, 404), (OPS, 404), (BOARD, 403)] {
            for suffix in ["/renew", "/renew?duration=1h"] {
                let targets = with(suffix);
                assert_eq!(looks.assert_same(Some(token), "POST", &targets), status);
            }
        }
        for suffix in ["/revoke", "/revoke?reason=a", "/revoke?colour=red"] {
            for token in [CI, NIGHTLY, BOARD] {
                assert_eq!(looks.assert_same(Some(token), "POST", &with(suffix)), 403);
            }
        }
        // Without a token, or with a wrong one.
        for token in [None, Some("acctpool_wrong")] {
            for (method, suffix) in [
                ("GET", ""),
                ("DELETE", ""),
                ("GET", "/receipt"),
                ("POST", "/renew"),
                ("POST", "/revoke?reason=a"),
            ] {
                assert_eq!(looks.assert_same(token, method, &with(suffix)), 401);
            }
        }
    }
    for suffix in ["", "?colour=red"] {
        let targets = ACCOUNTS.map(|id| format!("{id}{suffix}"));
        for token in [CI, NIGHTLY] {
            assert_eq!(looks.assert_same(Some(token), "GET", &targets), 403);
        }
        assert_eq!(looks.assert_same(None, "GET", &targets), 401);
    }
    for action in ["clean", "drain", "enable", "quarantine"] {
        let targets = ACCOUNTS.map(|id| format!("{id}/{action}?reason=a"));
        for token in [CI, NIGHTLY, BOARD] {
            assert_eq!(looks.assert_same(Some(token), "POST", &targets), 403);
        }
        assert_eq!(looks.assert_same(None, "POST", &targets), 401);
        // Who may see accounts learns of those alone that are there.
        assert_eq!(looks.assert_same(Some(OPS), "POST", &targets[1..]), 404);
    }
    let lists = [
        "/accounts",
        "/accounts?type=lite",
        "/accounts?type=none&cursor=x",
    ];
    assert_eq!(looks.assert_same(Some(CI), "GET", &lists), 403);
    let audits = [
        "/audit",
        "/audit?account=acct-1",
        "/audit?account=acct-9&since=x",
    ];
    assert_eq!(looks.assert_same(Some(CI), "GET", &audits), 403);
    let everybodys = [
        "/reservations?all=true",
        "/reservations?all=true&state=active",
    ];
    assert_eq!(looks.assert_same(Some(NIGHTLY), "GET", &everybodys), 403);
}

#[test]
fn a_list_of_ones_own_shows_nothing_of_others() {
    let app = App::new();
    let before = app.send(
        "GET",
        "/reservations",
        &[&bearer(NIGHTLY), "x-request-id: same"],
    );
    app.reserve("type=lite");
    app.reserve("type=lite");
    let after = app.send(
        "GET",
        "/reservations",
        &[&bearer(NIGHTLY), "x-request-id: same"],
    );
    assert_eq!(seen(&before), seen(&after));
}
