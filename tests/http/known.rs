//! `ETag` and `If-None-Match`: what a client has already is not sent again.

use std::time::Duration;

use crate::app::{App, bearer};
use crate::ports::{CI, LEASE_KEY};
use crate::wire::Answer;

fn get(app: &App, method: &str, target: &str, known: &str) -> Answer {
    let headers = [bearer(CI), format!("if-none-match: {known}")];
    app.send(method, target, &headers.each_ref().map(String::as_str))
}

fn tag(answer: &Answer) -> String {
    answer.header("etag").expect("a tag").to_owned()
}

#[test]
fn what_is_known_is_not_sent_again() {
    let app = App::new();
    let active = app.reserve("type=lite");
    let pending = app.reserve("type=lite");
    for path in [active.as_str(), pending.as_str(), "/"] {
        let first = app.as_ci("GET", path);
        let tag = tag(&first);
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"other\", {tag}"),
            "*".to_owned(),
        ] {
            for method in ["GET", "HEAD"] {
                let again = get(&app, method, path, &known);
                assert_eq!((again.status, again.body.as_str()), (304, ""), "{known}");
                assert_eq!(again.header("etag"), Some(tag.as_str()));
                assert_eq!(again.header("cache-control"), Some("no-store"));
                assert_eq!(again.header("vary"), first.header("vary"));
                assert_eq!(again.header("content-type"), None);
            }
        }
        for unknown in ["\"other\"", "nonsense", "", "\""] {
            let again = get(&app, "GET", path, unknown);
            assert_eq!(
                (again.status, &again.body),
                (200, &first.body),
                "{unknown:?}"
            );
        }
    }
}

#[test]
fn the_place_in_the_line_is_part_of_what_is_known() {
    let app = App::new();
    app.reserve("type=lite");
    let second = app.reserve("type=lite");
    let third = app.reserve("type=lite");
    let known = tag(&app.as_ci("GET", &third));
    app.as_ci("DELETE", &second);
    let moved = get(&app, "GET", &third, &known);
    assert_eq!(moved.status, 200);
    assert_eq!(moved.json()["queue_position"], 1);
}

#[test]
fn a_lease_that_is_over_is_never_what_it_was() {
    let app = App::new();
    let path = app.reserve("type=lite&duration=60");
    let active = app.as_ci("GET", &path);
    assert!(active.body.contains(LEASE_KEY));
    app.clock.advance(Duration::from_hours(1));
    let over = get(&app, "GET", &path, &tag(&active));
    assert_eq!(over.status, 200);
    assert_eq!(over.json()["end_reason"], "expired");
    assert_ne!(tag(&over), tag(&active));
}

#[test]
fn a_tag_says_nothing_of_what_is_not_ones_own() {
    let app = App::new();
    let nobodys = "/reservations/00000000-0000-4000-8000-000000000000";
    assert_eq!(get(&app, "GET", nobodys, "*").status, 404);
}
