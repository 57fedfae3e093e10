//! What graphs are made of: every line is read as strictly as a scraper does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool_actors::pool::Tick;

use crate::app::{App, Setup};

/// What is exposed: the value of each series, by name and labels as they are written.
struct Exposition {
    series: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads the `OpenMetrics` text format, and makes sure that it is that.
    fn read(text: &str) -> Self {
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.pop(), Some("# EOF"), "{text}");
        assert!(text.ends_with('\n'));
        let mut exposition = Self {
            series: BTreeMap::new(),
            types: BTreeMap::new(),
        };
        for line in lines {
            if let Some(comment) = line.strip_prefix("# ") {
                exposition.describe(comment);
            } else {
                exposition.take(line);
            }
        }
        exposition
    }

    fn describe(&mut self, comment: &str) {
        let mut words = comment.splitn(3, ' ');
        let (kind, name, rest) = (words.next(), words.next().unwrap(), words.next().unwrap());
        match kind {
            Some("TYPE") => {
                let before = self.types.insert(name.to_owned(), rest.to_owned());
                assert_eq!(before, None, "{name} has one type");
            }
            Some("HELP") => assert!(rest.ends_with('.'), "{comment}"),
            Some("UNIT") => assert!(name.ends_with(&format!("_{rest}")), "{comment}"),
            _ => panic!("{comment}"),
        }
    }

    fn take(&mut self, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(
            name.starts_with("acctpool_") && name.chars().all(is_name),
            "{line}"
        );
        let family = ["_total", "_bucket", "_sum", "_count", "_info"]
            .into_iter()
            .find_map(|suffix| {
                name.strip_suffix(suffix)
                    .filter(|f| self.types.contains_key(*f))
            })
            .unwrap_or(name);
        assert!(self.types.contains_key(family), "{line} has no type");
        let labels = series[name.len()..].trim_matches(['{', '}']);
        for label in labels.split("\",").filter(|label| !label.is_empty()) {
            let (key, value) = label.split_once("=\"").unwrap();
            assert!(key.chars().all(is_name), "{line}");
            assert!(
                !value.contains("acct-1") && !value.contains("ci"),
                "{line} names somebody"
            );
        }
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let before = self.series.insert(series.to_owned(), value.to_owned());
        assert_eq!(before, None, "{series} comes once");
    }

    /// Returns a value, all of which are whole numbers on a clock that goes by seconds.
    fn get(&self, series: &str) -> u64 {
        let value = self.series.get(series);
        let value = value.unwrap_or_else(|| panic!("no {series} in {:#?}", self.series));
        value.strip_suffix(".0").unwrap_or(value).parse().unwrap()
    }
}

fn scrape(app: &App) -> Exposition {
    let answer = app.send("GET", "/metrics", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    Exposition::read(&answer.body)
}

#[test]
fn every_series_is_there_from_the_start_with_its_zeros() {
    let app = App::with(Setup {
        accounts: vec![("acct-1", "lite"), ("bad-1", "gold")],
        ..Setup::default()
    });
    let told = scrape(&app);
    assert_eq!(told.get("acctpool_build_info{version=\"0.1.0\"}"), 1);
    let states = [
        "ready",
        "leased",
        "dirty",
        "cleaning",
        "quarantined",
        "drained",
    ];
    let counts = |label: &str| {
        states.map(|state| {
            told.get(&format!(
                "acctpool_accounts{{type=\"{label}\",state=\"{state}\"}}"
            ))
        })
    };
    assert_eq!(counts("lite"), [1, 0, 0, 0, 0, 0]);
    assert_eq!(counts("gold"), [0, 0, 0, 0, 1, 0]);
    for outcome in ["cancelled", "expired", "abandoned", "revoked"] {
        let series = format!("acctpool_reservations_total{{type=\"gold\",outcome=\"{outcome}\"}}");
        assert_eq!(told.get(&series), 0);
    }
    for (label, result, count) in [
        ("lite", "ready", 1),
        ("lite", "quarantined", 0),
        ("gold", "quarantined", 1),
        ("gold", "drained", 0),
        ("gold", "timed_out", 0),
    ] {
        let series = format!("acctpool_cleans_total{{type=\"{label}\",result=\"{result}\"}}");
        assert_eq!(told.get(&series), count, "{series}");
    }
    for name in ["reservation_wait", "reservation_held", "clean_duration"] {
        let count = format!("acctpool_{name}_seconds_count{{type=\"lite\"}}");
        assert!(told.get(&count) <= 1);
    }
    assert_eq!(told.get("acctpool_reservations_waiting{type=\"lite\"}"), 0);
    assert_eq!(told.get("acctpool_oldest_wait_seconds{type=\"lite\"}"), 0);
    let kinds: BTreeSet<&str> = told.types.values().map(String::as_str).collect();
    assert_eq!(kinds, ["counter", "gauge", "histogram", "info"].into());
}

#[test]
fn a_lease_and_a_wait_are_measured() {
    let app = App::new();
    let held = app.reserve("type=lite");
    app.as_ci("GET", &held);
    let waits = app.reserve("type=lite");
    app.clock.advance(Duration::from_secs(90));
    app.ask(Tick);
    let told = scrape(&app);
    assert_eq!(told.get("acctpool_reservations_waiting{type=\"lite\"}"), 1);
    assert_eq!(told.get("acctpool_oldest_wait_seconds{type=\"lite\"}"), 90);
    assert_eq!(
        told.get("acctpool_accounts{type=\"lite\",state=\"leased\"}"),
        1
    );

    app.as_ci("DELETE", &held);
    for _ in 0..100 {
        if app.as_ci("GET", &waits).json()["state"] == "active" {
            break;
        }
        app.clock.advance(Duration::from_secs(1));
        app.ask(Tick);
    }
    let told = scrape(&app);
    let of = |series: &str| told.get(&format!("acctpool_{series}{{type=\"lite\"}}"));
    assert_eq!(of("reservation_held_seconds_sum"), 90);
    assert_eq!(of("reservation_held_seconds_count"), 1);
    assert_eq!(of("reservation_wait_seconds_count"), 2);
    let waited = of("reservation_wait_seconds_sum");
    assert!((92..=190).contains(&waited), "{waited}");
    assert_eq!(of("clean_duration_seconds_count"), 2);
    assert_eq!(of("oldest_wait_seconds"), 0);
    let cancelled = "acctpool_reservations_total{type=\"lite\",outcome=\"cancelled\"}";
    assert_eq!(told.get(cancelled), 1);
    let requests =
        "acctpool_http_requests_total{route=\"/reservations\",method=\"POST\",status=\"302\"}";
    assert_eq!(told.get(requests), 2);
    let of_id = "acctpool_http_requests_total{route=\"/reservations/{id}\",method=\"DELETE\",status=\"204\"}";
    assert_eq!(told.get(of_id), 1);
    assert!(told.get("acctpool_http_request_duration_seconds_count{route=\"/metrics\"}") >= 1);
}

#[test]
fn what_a_client_makes_up_is_no_label() {
    let app = App::new();
    app.send("SECRET", "/secret-path", &[]);
    app.as_ci("GET", "/reservations/secret-id");
    let told = scrape(&app);
    let other = "acctpool_http_requests_total{route=\"other\",method=\"other\",status=\"404\"}";
    assert_eq!(told.get(other), 1);
    assert!(
        told.series
            .keys()
            .all(|series| !series.to_lowercase().contains("secret"))
    );
}
