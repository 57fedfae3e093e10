//! Many consumers, few accounts.

use std::collections::BTreeSet;

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
