//! What outlives the service, and what it finds when it comes back.

use std::time::Duration;

use acctpool::simulator::catalog::PLAIN;

use crate::app::{Setup, TestApp};
use crate::mess::Borrower;

#[actix_rt::test]
async fn a_lease_outlives_the_service_with_its_key_and_its_deadline() {
    let app = TestApp::start(Setup::default()).await;
    app.until_ready("free", 1).await;
    let id = app.consumer().reserve("free", 60).await;
    let before = app.consumer().show(&id).await;

    let app = app.restart(Duration::from_mins(20)).await;
    assert_eq!(app.consumer().show(&id).await, before);
    let key = app.consumer().key(&id).await;
    let account = &app.accounts[0].id;
    let borrower = Borrower::enter(app.simulator.url(), account, &key).await;
    borrower
        .expect("the key works as before")
        .make_instance("after the restart", &PLAIN)
        .await;

    app.advance(Duration::from_mins(40)).await;
    assert_eq!(app.consumer().show(&id).await["end_reason"], "expired");
    app.until_ready("free", 1).await;
    assert_eq!(app.simulator.working_key(&key), None);
    app.finish().await;
}

#[actix_rt::test]
async fn a_lease_that_ended_while_the_service_was_down_is_revoked_before_anything_else() {
    let app = TestApp::start(Setup::default()).await;
    app.until_ready("free", 1).await;
    let id = app.consumer().reserve("free", 60).await;
    let key = app.consumer().key(&id).await;

    app.simulator.clear_requests();
    let app = app.restart(Duration::from_hours(2)).await;
    assert_eq!(app.consumer().show(&id).await["end_reason"], "expired");
    // Without any time passing.
    while app.simulator.working_key(&key).is_some() {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let requests = app.simulator.requests();
    let first = requests.iter().find(|request| request.is_write).unwrap();
    assert!(first.path.ends_with("/disable"), "{first:?}");
    app.until_ready("free", 1).await;
    app.finish().await;
}

#[actix_rt::test]
async fn who_waits_keeps_the_place() {
    let app = TestApp::start(Setup::default()).await;
    let first = app.consumer().reserve("free", 60).await;
    let second = app.consumer().reserve("free", 60).await;
    let app = app.restart(Duration::from_hours(1)).await;
    assert_eq!(app.consumer().show(&second).await["queue_position"], 2);
    app.until("free", |counts| counts.active == 1).await;
    assert_eq!(app.consumer().show(&first).await["state"], "active");
    app.finish().await;
}

#[actix_rt::test]
async fn an_interrupted_cleaning_begins_anew() {
    let app = TestApp::start(Setup::default()).await;
    app.until_ready("free", 1).await;
    let account = app.accounts[0].id.clone();
    let before = app.inventory(&account);
    let id = app.consumer().reserve("free", 60).await;
    let key = app.consumer().key(&id).await;
    let borrower = Borrower::enter(app.simulator.url(), &account, &key).await;
    borrower.ok().unwrap().make_a_mess().await;
    app.consumer().cancel(&id).await;

    let mut app = app;
    for _ in 0..5 {
        app.advance(Duration::from_millis(400)).await;
        app = app.restart(Duration::ZERO).await;
    }
    app.until_ready("free", 1).await;
    assert_eq!(app.inventory(&account), before);
    assert_eq!(app.simulator.inventory(&account).of("service_ids").len(), 1);
    app.finish().await;
}
