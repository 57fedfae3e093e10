//! Deadlines over HTTP: expiry, abandonment, upkeep.

use std::time::Duration;

use acctpool::simulator::catalog::PLAIN;
use secrecy::ExposeSecret;

use crate::app::{Setup, TestApp};
use crate::mess::Borrower;

#[actix_rt::test]
async fn an_expired_lease_is_revoked_cleaned_and_lent_again() {
    let app = TestApp::start(Setup::default()).await;
    let consumer = app.consumer();
    app.until_ready("free", 1).await;
    let account = app.accounts[0].id.clone();
    let before = app.inventory(&account);

    let id = consumer.reserve("free", 30).await;
    let key = consumer.key(&id).await;
    let borrower = Borrower::enter(app.simulator.url(), &account, &key)
        .await
        .ok()
        .unwrap();
    borrower.make_a_mess().await;
    assert_ne!(app.inventory(&account), before);

    app.advance(Duration::from_mins(30)).await;
    let shown = consumer.show(&id).await;
    assert_eq!(
        (&shown["state"], &shown["end_reason"]),
        (&"ended".into(), &"expired".into())
    );
    assert_eq!(shown.get("credentials"), None);

    app.until_ready("free", 1).await;
    assert_eq!(app.inventory(&account), before);
    assert_eq!(app.simulator.working_key(&key), None);
    let next = consumer.reserve("free", 30).await;
    assert_ne!(consumer.key(&next).await, key);
    app.finish().await;
}

#[actix_rt::test]
async fn a_credential_that_nobody_fetched_goes_to_the_next() {
    let app = TestApp::start(Setup::default()).await;
    let consumer = app.consumer();
    app.until_ready("free", 1).await;
    let forgotten = consumer.reserve("free", 60).await;
    app.simulator.clear_requests();
    app.advance(Duration::from_mins(15)).await;
    assert_eq!(consumer.show(&forgotten).await["end_reason"], "abandoned");
    let next = consumer.reserve("free", 60).await;
    assert_eq!(consumer.show(&next).await["state"], "active");
    let writes = app
        .simulator
        .requests()
        .into_iter()
        .filter(|r| r.is_write)
        .count();
    assert_eq!(writes, 0, "an unused account needs no cleaning");
    app.finish().await;
}

#[actix_rt::test]
async fn keys_are_rotated_and_the_next_lease_works() {
    let app = TestApp::start(Setup { ..Setup::default() }).await;
    let consumer = app.consumer();
    app.until_ready("free", 1).await;
    let account = &app.accounts[0];
    app.advance(Duration::from_hours(30 * 24)).await;
    app.until("free", |counts| counts.ready == 0).await;
    app.until_ready("free", 1).await;
    let first = account.api_key.expose_secret();
    assert_eq!(
        app.simulator.working_key(first),
        None,
        "the configured key was retired"
    );

    let id = consumer.reserve("free", 60).await;
    let key = consumer.key(&id).await;
    let borrower = Borrower::enter(app.simulator.url(), &account.id, &key)
        .await
        .ok()
        .unwrap();
    borrower.make_instance("after rotation", &PLAIN).await;
    consumer.cancel(&id).await;
    app.until_ready("free", 1).await;
    assert_eq!(
        app.simulator
            .inventory(&account.id)
            .of("resource_instances"),
        [""; 0]
    );
    app.finish().await;
}
