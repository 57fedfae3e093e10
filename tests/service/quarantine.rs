//! What cannot be deleted.

use acctpool::simulator::catalog::REFUSING;

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
