//! `GET /reservations`: one's own, page by page.

use std::time::Duration;

use serde_json::Value;

use crate::app::{App, Setup, bearer, token_query};
use crate::ports::{CI, LEASE_KEY, NIGHTLY};
use crate::wire::Answer;

fn paths(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    let reservations = list["reservations"].as_array().expect("a list").iter();
    reservations
        .map(|reservation| format!("/reservations/{}", reservation["id"].as_str().unwrap()))
        .collect()
}

fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link");
    let target = link.map(|link| {
        let target = link.strip_prefix('<').unwrap();
        target.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
    });
    assert_eq!(target.is_some(), answer.json().get("next_cursor").is_some());
    target
}

#[test]
fn one_sees_ones_own_reservations_oldest_first_and_without_credentials() {
    let app = App::new();
    let mine: Vec<String> = (0..3).map(|_| app.reserve("type=lite")).collect();
    app.send("POST", "/reservations?type=lite", &[&bearer(NIGHTLY)]);
    // So that the credential is in what is published.
    assert!(app.as_ci("GET", &mine[0]).body.contains(LEASE_KEY));
    let list = app.as_ci("GET", "/reservations");
    assert_eq!(list.status, 200, "{}", list.body);
    assert_eq!(paths(&list), mine);
    assert_eq!(next(&list), None);
    assert!(!list.body.contains(LEASE_KEY), "{}", list.body);
    let shown = &list.json()["reservations"][2];
    assert_eq!(*shown, app.as_ci("GET", &mine[2]).json());
    assert_eq!(list.json()["reservations"][0]["state"], "active");
    let others = app.send("GET", "/reservations", &[&bearer(NIGHTLY)]);
    assert_eq!(paths(&others).len(), 1);
    assert!(!mine.contains(&paths(&others)[0]));
}

#[test]
fn a_list_is_read_page_by_page() {
    let app = App::new();
    let mine: Vec<String> = (0..7).map(|_| app.reserve("type=lite")).collect();
    let mut seen = Vec::new();
    let mut target = Some("/reservations?limit=3".to_owned());
    let mut sizes = Vec::new();
    while let Some(here) = target {
        let page = app.as_ci("GET", &here);
        assert_eq!(page.status, 200, "{}", page.body);
        sizes.push(paths(&page).len());
        seen.extend(paths(&page));
        target = next(&page);
        assert!(target.iter().all(|target| target.contains("limit=3")));
    }
    assert_eq!(seen, mine);
    assert_eq!(sizes, [3, 3, 1]);
    // A page that is just full is the last.
    let full = app.as_ci("GET", "/reservations?limit=7");
    assert_eq!((paths(&full).len(), next(&full)), (7, None));
}

#[test]
fn what_comes_and_goes_between_two_pages_breaks_no_page() {
    let app = App::new();
    let mine: Vec<String> = (0..4).map(|_| app.reserve("type=lite")).collect();
    let first = app.as_ci("GET", "/reservations?limit=2&state=pending");
    assert_eq!(paths(&first), mine[1..3]);
    app.as_ci("DELETE", &mine[2]);
    let newest = app.reserve("type=lite");
    let second = app.as_ci("GET", &next(&first).unwrap());
    assert_eq!(paths(&second), [mine[3].clone(), newest]);
    assert_eq!(next(&second), None);
}

#[test]
fn states_are_told_apart_as_they_are_shown() {
    let app = App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("acct-2", "lite")],
        ..Setup::default()
    });
    let over = app.reserve("type=lite&duration=1");
    let held = app.reserve("type=lite&duration=60");
    let gone = app.reserve("type=lite");
    let waits = app.reserve("type=lite");
    app.as_ci("DELETE", &gone);
    // Nobody has told the pool that this lease is over: it is over all the same.
    app.clock.advance(Duration::from_mins(1));
    let in_state = |state: &str| {
        let list = app.as_ci("GET", &format!("/reservations?state={state}"));
        for reservation in list.json()["reservations"].as_array().unwrap() {
            assert_eq!(reservation["state"], Value::from(state));
        }
        paths(&list)
    };
    assert_eq!(in_state("pending"), [waits]);
    assert_eq!(in_state("active"), [held]);
    assert_eq!(in_state("ended"), [over, gone]);
}

#[test]
fn what_a_list_cannot_be_asked_is_refused_by_name() {
    let app = App::new();
    for (parameter, value) in [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "+5"),
        ("limit", "many"),
        ("limit", ""),
        ("cursor", "nonsense"),
        ("cursor", ""),
        ("cursor", "AAAAAAAAAAA="),
        ("state", "leased"),
        ("state", ""),
    ] {
        let answer = app.as_ci("GET", &format!("/reservations?{parameter}={value}"));
        assert_eq!(answer.status, 400, "{parameter}={value}");
        assert_eq!(answer.code(), "invalid_parameter");
        assert_eq!(answer.json()["parameter"], parameter);
    }
    assert_eq!(app.as_ci("GET", "/reservations?limit=100").status, 200);
    let unknown = app.as_ci("GET", "/reservations?colour=red");
    assert_eq!(unknown.code(), "unknown_parameter");
}

#[test]
fn a_link_has_the_token_of_whoever_sent_it_in_the_query() {
    let app = App::new();
    for _ in 0..2 {
        app.reserve("type=lite");
    }
    let target = format!("/reservations?limit=1&{}", token_query(CI));
    let first = app.send("GET", &target, &[]);
    let second = app.send("GET", &next(&first).unwrap(), &[]);
    assert_eq!((second.status, paths(&second).len()), (200, 1));
    let bearers = next(&app.as_ci("GET", "/reservations?limit=1")).unwrap();
    assert!(!bearers.contains("token"), "{bearers}");
}

#[test]
fn a_list_takes_a_token_that_somebody_has() {
    let app = App::new();
    let wrong = app.send("GET", "/reservations", &["authorization: Bearer wrong"]);
    assert_eq!(wrong.status, 401);
    let wrong = app.send("GET", "/reservations?token=wrong", &[]);
    assert_eq!(wrong.status, 401);
    let method = app.as_ci("DELETE", "/reservations");
    assert_eq!(method.status, 405);
    assert_eq!(method.header("allow"), Some("GET, HEAD, POST"));
    let head = app.as_ci("HEAD", "/reservations");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}
