//! All that IBM's SDKs can make, left behind in an account that gets the whole cleaning plan.

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::app::{Setup, TestApp};
use crate::python::{Python, about, as_owner, reserve};

#[actix_rt::test]
async fn everything_that_ibms_sdks_can_make_goes_and_the_receipt_names_it() {
    let app = TestApp::start(Setup {
        accounts: vec![("lent", 1)],
        rights: "administrator",
        profile: "full",
        start: OffsetDateTime::now_utc(),
        ..Setup::default()
    })
    .await;
    app.until_ready("lent", 1).await;
    let mut python = Python::start();
    let account = app.accounts[0].clone();
    let listing = as_owner("listing_of_everything", &app, &account);
    let listed = python.step(&listing);
    let held = app.inventory(&account.id);

    let lease = reserve(&mut python, &app).await;
    let made = python.step(&json!({
        "step": "make_everything",
        "iam_url": app.simulator.url(),
        "account": account.id,
        "key": lease["credentials"]["api_key"],
    }));
    assert!(app.inventory(&account.id).len() > held.len() + 100);
    python.step(&about(&app, "cancel", &lease));
    app.until("lent", |counts| counts.ready + counts.quarantined == 1)
        .await;

    let id = lease["id"].as_str().unwrap();
    let receipt = app.consumer().show(&format!("{id}/receipt")).await;
    assert_eq!(receipt["state"], "ready", "{receipt:#}\n{made}");
    assert_eq!(app.inventory(&account.id), held, "{made}");
    assert_eq!(python.step(&listing), listed, "{made}");
    assert_names_all(&receipt, &made);
    let text = receipt.to_string();
    for secret in app.simulator.secrets() {
        assert!(!text.contains(&secret), "the receipt holds a secret");
    }
    app.finish().await;
}

/// Every collection in which something was made is in the receipt with as many things, all of them
/// gone.
fn assert_names_all(receipt: &Value, made: &Value) {
    let collections = receipt["collections"].as_array().unwrap();
    let found = |makes: &Value, what: &str| -> u64 {
        let mut named = collections.iter();
        let of = named.find(|collection| collection["collection"] == *makes);
        of.map_or(0, |collection| collection[what].as_u64().unwrap())
    };
    let mut missing = Vec::new();
    for made in made.as_array().unwrap() {
        let makes = &made["makes"];
        if !makes.is_null() && found(makes, "found") < made["count"].as_u64().unwrap() {
            missing.push(made);
        }
    }
    assert!(missing.is_empty(), "{missing:#?}\n{receipt:#}");
    for collection in collections {
        for unfinished in ["waiting", "stuck"] {
            assert_eq!(collection[unfinished], 0, "{collection}");
        }
        let items = collection["items"]["deleted"]
            .as_array()
            .map_or(0, Vec::len);
        assert_eq!(collection["deleted"], items, "{collection}");
    }
}
