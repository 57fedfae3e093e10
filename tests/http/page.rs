//! The status page, as a browser loads it.

use crate::app::{App, Setup};

const BROWSER: &str = "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[test]
fn a_browser_gets_a_page_and_curl_gets_json() {
    let app = App::new();
    let page = app.send("GET", "/", &[BROWSER]);
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("vary"), Some("Accept"));
    assert!(page.body.starts_with("<!DOCTYPE html>"), "{}", page.body);
    assert!(
        page.body.contains("OK: 1 of 1 account ready to be lent"),
        "{}",
        page.body
    );

    let json = app.send("GET", "/", &["accept: */*"]);
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.header("vary"), Some("Accept"));
}

#[test]
fn the_page_runs_nothing_and_loads_only_what_is_served_here() {
    let app = App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("bad-1", "free")],
        ..Setup::default()
    });
    let page = app.send("GET", "/", &[BROWSER]);
    let policy = page.header("content-security-policy").unwrap();
    for directive in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    for forbidden in ["<script", " style=", " onclick", "http://", "https://"] {
        assert!(!page.body.contains(forbidden), "{forbidden}: {}", page.body);
    }
    let links = page
        .body
        .split('"')
        .filter(|part| part.starts_with("/assets/"));
    for link in links {
        let asset = app.send("GET", link, &[]);
        assert_eq!(asset.status, 200, "{link}");
        assert_eq!(asset.header("cache-control"), Some("public, max-age=3600"));
        assert_eq!(asset.header("x-content-type-options"), Some("nosniff"));
    }
}
