//! Many consumers and few accounts; accounts that are cleaned beside one that hangs.

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool::simulator::{Fault, FaultAction};
use serde_json::Value;

use crate::app::{Setup, TestApp};
use crate::consumer::Consumer;

#[actix_rt::test]
async fn fifty_consumers_of_three_accounts_are_served_in_order() {
    let app = TestApp::start(Setup {
        accounts: vec![("free", 3)],
        ..Setup::default()
    })
    .await;
    let consumer = app.consumer();
    let mut asked = Vec::new();
    for _ in 0..50 {
        asked.push(consumer.reserve("free", 60).await);
    }
    let mut waiting = asked.clone();
    let mut keys = BTreeSet::new();
    while !waiting.is_empty() {
        app.until("free", |counts| counts.active > 0).await;
        let holders = look_around(&consumer, &waiting).await;
        assert!((1..=3).contains(&holders.len()));
        let accounts: BTreeSet<_> = holders.iter().map(account).collect();
        assert_eq!(accounts.len(), holders.len(), "an account is held twice");
        for shown in &holders {
            let key = shown["credentials"]["api_key"].to_string();
            assert!(keys.insert(key), "a credential was given out twice");
            let id = shown["id"].as_str().unwrap();
            waiting.retain(|waiting| waiting != id);
            consumer.cancel(id).await;
        }
    }
    assert_eq!(keys.len(), 50);
    app.finish().await;
}

/// Shows every reservation, the last one first, and returns those that hold an account. Whoever is
/// served was asked about before all who came earlier: so these are served by then, too.
async fn look_around(consumer: &Consumer, waiting: &[String]) -> Vec<Value> {
    let mut holders = Vec::new();
    for (ahead, id) in waiting.iter().enumerate().rev() {
        let shown = consumer.show(id).await;
        if shown["state"] == "active" {
            holders.push(shown);
        } else {
            assert_eq!(shown["state"], "pending", "{shown}");
            assert!(holders.is_empty(), "{id} was overtaken: {shown}");
            assert!(shown["queue_position"].as_u64().unwrap() <= ahead as u64 + 1);
        }
    }
    holders
}

fn account(shown: &Value) -> &str {
    shown["account"]["id"].as_str().unwrap()
}

/// Longer than any test.
const FOREVER: Duration = Duration::from_hours(1);

/// By the long plan, whose lists in a region one account never gets: what it does takes the other no
/// more passes and no more requests, and ends first.
#[actix_rt::test]
async fn an_account_of_which_a_region_hangs_for_ever_slows_no_other_down() {
    let app = TestApp::start(Setup {
        accounts: vec![("free", 2)],
        profile: "full",
        // The one that hangs waits that long for each answer, and the other is done before.
        ibm: "request_timeout = \"60s\"",
        ..Setup::default()
    })
    .await;
    app.until_ready("free", 2).await;
    let alone = cleaned_beside(&app, |_| {}).await;
    app.until_ready("free", 2).await;
    let beside = cleaned_beside(&app, |hanging| {
        let hang = Fault::new("/vpc/eu-de/", FaultAction::Slow(FOREVER));
        app.simulator.inject(hang.account(hanging));
    })
    .await;
    for figure in ["passes", "requests", "retries"] {
        assert_eq!(beside[figure], alone[figure], "{alone:#}\n{beside:#}");
    }
    let counts = app.count("free").await;
    assert_eq!((counts.ready, counts.cleaning), (1, 1), "the other hangs");
    app.finish().await;
}

/// Borrows both accounts, disturbs what the first one's cleaning asks, and gives both back. Returns the
/// receipt of the second one, once it is ready.
async fn cleaned_beside(app: &TestApp, disturb: impl FnOnce(&str)) -> Value {
    let consumer = app.consumer();
    let mut leases = Vec::new();
    for _ in 0..2 {
        let id = consumer.reserve("free", 60).await;
        consumer.key(&id).await;
        leases.push(id);
    }
    let first = consumer.show(&leases[0]).await;
    disturb(account(&first));
    for id in &leases {
        consumer.cancel(id).await;
    }
    let receipt = format!("{}/receipt", leases[1]);
    for _ in 0..6000 {
        let shown = consumer.show(&receipt).await;
        if shown["state"] != "cleaning" {
            assert_eq!(shown["state"], "ready", "{shown:#}");
            return shown;
        }
        app.advance(Duration::from_millis(200)).await;
    }
    panic!("never ready: {:?}", app.statistics().await);
}
