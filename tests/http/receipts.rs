//! The receipt of a cleaning, for whoever's lease it followed.

use serde_json::json;

use crate::app::{App, Setup, bearer};
use crate::ports::{LEASE_KEY, NIGHTLY};

fn messy() -> App {
    App::with(Setup {
        accounts: vec![("messy-1", "lite")],
        ..Setup::default()
    })
}

#[test]
fn a_consumer_sees_the_cleaning_from_its_beginning_to_its_end() {
    let app = messy();
    let path = app.reserve("type=lite");
    let receipt = format!("{path}/receipt");
    let api_key = app.as_ci("GET", &path).json()["credentials"]["api_key"].clone();
    assert!(api_key.as_str().unwrap().starts_with(LEASE_KEY));
    assert_eq!(app.as_ci("GET", &receipt).json()["code"], "no_receipt");

    assert_eq!(app.as_ci("DELETE", &path).status, 204);
    let during = app.as_ci("GET", &receipt);
    assert_eq!(during.status, 200, "{}", during.body);
    assert_eq!(during.header("retry-after"), Some("10"));
    assert_eq!(during.header("cache-control"), Some("no-store"));
    let told = during.json();
    assert_eq!(told["state"], "cleaning");
    assert!(told["progress"]["phase"].is_string(), "{told}");
    assert!(told.get("ended_at").is_none(), "{told}");

    app.clean_all(1);
    let after = app.as_ci("GET", &receipt);
    assert_eq!(after.header("retry-after"), None);
    let told = after.json();
    let id = path.strip_prefix("/reservations/").unwrap();
    assert_eq!(
        (&told["state"], &told["account"], &told["reservation"]),
        (&json!("ready"), &json!("messy-1"), &json!(id))
    );
    assert_eq!(told["started_at"], "2026-05-01T10:00:00Z");
    assert_eq!((&told["passes"], &told["requests"]), (&json!(2), &json!(6)));
    let rounds: Vec<_> = told["proofs"].as_array().unwrap().iter().collect();
    assert_eq!(
        (rounds.len(), &rounds[0]["round"], &rounds[1]["round"]),
        (2, &json!(1), &json!(2))
    );
    let collections = told["collections"].as_array().unwrap();
    let found = |name: &str| {
        let mut named = collections.iter();
        named.find(|found| found["collection"] == name).unwrap()
    };
    let instances = found("resource instances");
    assert_eq!(
        (&instances["found"], &instances["deleted"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        instances["items"],
        json!({"deleted": [{"id": "crn:mess", "region": "eu-de"}]})
    );
    assert!(!after.body.contains("keepers"), "{}", after.body);
    assert!(!after.body.contains(LEASE_KEY), "{}", after.body);
}

#[test]
fn who_waits_holds_or_never_looked_has_no_receipt() {
    let app = messy();
    let held = app.reserve("type=lite");
    let waiting = app.reserve("type=lite");
    for path in [&held, &waiting] {
        let answer = app.as_ci("GET", &format!("{path}/receipt"));
        assert_eq!(answer.status, 404, "{}", answer.body);
        assert_eq!(answer.json()["code"], "no_receipt");
    }
    // Nobody fetched its credential: nothing had to be cleaned.
    assert_eq!(app.as_ci("DELETE", &held).status, 204);
    let answer = app.as_ci("GET", &format!("{held}/receipt"));
    assert_eq!(answer.json()["code"], "no_receipt");
}

#[test]
fn anothers_receipt_is_as_one_that_does_not_exist() {
    let app = messy();
    let path = app.reserve("type=lite");
    app.as_ci("GET", &path);
    app.as_ci("DELETE", &path);
    app.clean_all(1);
    let id = "x-request-id: same".to_owned();
    let headers = [bearer(NIGHTLY), id];
    let headers = headers.each_ref().map(String::as_str);
    let foreign = app.send("GET", &format!("{path}/receipt"), &headers);
    assert_eq!(foreign.status, 404);
    for unknown in [
        "/reservations/0b6c0000-0000-4000-8000-000000000000/receipt",
        "/reservations/nothing/receipt",
    ] {
        assert_eq!(app.send("GET", unknown, &headers).body, foreign.body);
    }
    assert_eq!(app.send("GET", &format!("{path}/receipt"), &[]).status, 401);
    assert_eq!(
        app.as_ci("GET", "/reservations//receipt").json()["code"],
        "unknown_path"
    );
    let deeper = format!("{path}/receipt/receipt");
    assert_eq!(app.as_ci("GET", &deeper).json()["code"], "unknown_path");
    let parameter = app.as_ci("GET", &format!("{path}/receipt?type=lite"));
    assert_eq!(parameter.json()["code"], "unknown_parameter");
    let posted = app.as_ci("POST", &format!("{path}/receipt"));
    assert_eq!(
        (posted.status, posted.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(app.as_ci("HEAD", &format!("{path}/receipt")).status, 200);
}
