//! What cannot be deleted.

use acctpool::simulator::catalog::REFUSING;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::app::{Setup, TestApp};
use crate::log_capture;
use crate::mess::Borrower;

#[actix_rt::test]
async fn what_cannot_be_deleted_quarantines_its_account_and_no_other() {
    let app = TestApp::start(Setup {
        accounts: vec![("lite", 2)],
        ..Setup::default()
    })
    .await;
    let consumer = app.consumer();
    app.until_ready("lite", 2).await;
    let id = consumer.reserve("lite", 60).await;
    let account = consumer.show(&id).await["account"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = consumer.key(&id).await;
    let borrower = Borrower::enter(app.simulator.url(), &account, &key)
        .await
        .ok()
        .unwrap();
    let crn = borrower.make_instance("immortal", &REFUSING).await;
    consumer.cancel(&id).await;

    app.until("lite", |counts| counts.quarantined == 1).await;
    let log = log_capture::everything();
    let line = log
        .lines()
        .find(|line| line.contains(&account) && line.contains("quarantined"))
        .expect("a quarantine is logged");
    assert!(line.contains(&crn) && line.contains("immortal"), "{line}");

    let status = consumer.status().await;
    assert_eq!(status["status"], "degraded");
    assert_eq!(status["accounts"]["lite"]["quarantined"], 1);

    // The rest of the pool goes on, with the other account.
    for _ in 0..3 {
        let id = consumer.reserve("lite", 60).await;
        app.until("lite", |counts| counts.active == 1).await;
        assert_ne!(consumer.show(&id).await["account"]["id"], *account);
        consumer.cancel(&id).await;
    }
    app.finish().await;
}

#[actix_rt::test]
async fn what_is_outside_of_the_profile_is_found_by_the_proof() {
    let app = TestApp::start(Setup {
        accounts: vec![("lite", 1)],
        profile: "lite",
        ..Setup::default()
    })
    .await;
    app.until_ready("lite", 1).await;
    let account = &app.accounts[0];
    let key = account.api_key.expose_secret();
    let owner = Borrower::enter(app.simulator.url(), &account.id, key).await;
    let consumer = app.consumer();
    let id = consumer.reserve("lite", 60).await;
    consumer.key(&id).await;
    let network = json!({ "name": "left" });
    let path = "/vpc/eu-de/v1/vpcs?version=2026-05-01&generation=2";
    let (status, made) = owner.unwrap().post(path, &network).await;
    assert_eq!(status, 201, "{made}");
    let crn = made["crn"].as_str().unwrap();
    // Search knows it by the time of the proof, but nothing else of this profile does.
    consumer.cancel(&id).await;

    app.until("lite", |counts| counts.ready + counts.quarantined == 1)
        .await;
    assert_eq!(app.count("lite").await.quarantined, 1);
    let receipt = consumer.show(&format!("{id}/receipt")).await;
    assert_eq!(receipt["state"], "quarantined");
    let text = receipt["collections"].to_string();
    assert!(text.contains(crn), "{receipt:#}");
    let log = log_capture::everything();
    let quarantined = |line: &str| line.contains(&account.id) && line.contains("quarantined");
    let line = log.lines().find(|line| quarantined(line)).unwrap();
    assert!(line.contains(crn), "{line}");
    let asked = app.simulator.requests();
    let in_region = asked
        .iter()
        .filter(|request| request.path.contains("/vpc/"));
    assert_eq!(in_region.count(), 1, "only the owner has asked for VPCs");
    let held = app.inventory(&account.id);
    let kept = held.iter().filter(|line| line.starts_with("vpcs "));
    assert_eq!(kept.count(), 1, "{held:?}");
    app.finish().await;
}
