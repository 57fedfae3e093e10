//! Every way in which a management key can change: each ends with a working account.

use std::fs;
use std::path::Path;
use std::time::Duration;

use acctpool::simulator::AccountSpec;
use acctpool::simulator::catalog::PLAIN;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::app::{Setup, TestApp};
use crate::log_capture;
use crate::mess::Borrower;

const NOW: Duration = Duration::ZERO;

/// An account of which the configured key is dead, since acctpool has rotated it; and its owner.
async fn rotated() -> (TestApp, AccountSpec, Borrower) {
    let app = TestApp::start(Setup { ..Setup::default() }).await;
    app.until_ready("free", 1).await;
    let account = app.accounts[0].clone();
    let configured = account.api_key.expose_secret();
    let owner = Borrower::enter(app.simulator.url(), &account.id, configured).await;
    app.rotate_away(&account, configured).await;
    (app, account, owner.unwrap())
}

/// Makes another API key of the owner's, and configures it.
async fn another_key(account: &AccountSpec, owner: &Borrower) -> String {
    let value = format!("another-key-of-{}", account.id);
    let body = json!({"name": "mine", "iam_id": account.owner_iam_id,
                      "account_id": account.id, "apikey": value});
    let (status, made) = owner.post("/v1/apikeys", &body).await;
    assert_eq!(status, 201, "{made}");
    value
}

fn lose_records(state: &Path) {
    for file in fs::read_dir(state).unwrap().map(Result::unwrap) {
        if file.file_name().to_string_lossy().starts_with("state.db") {
            fs::remove_file(file.path()).unwrap();
        }
    }
}

/// The account is lent, and holds a management key and a lease's, no more.
async fn assert_works(app: &TestApp, account: &AccountSpec) {
    app.until_ready("free", 1).await;
    let keys = app.simulator.inventory(&account.id).of("api_keys").len();
    assert_eq!(keys, 2);
    let id = app.consumer().reserve("free", 60).await;
    let key = app.consumer().key(&id).await;
    let borrower = Borrower::enter(app.simulator.url(), &account.id, &key).await;
    borrower.unwrap().make_instance("lent", &PLAIN).await;
    app.consumer().cancel(&id).await;
    app.until_ready("free", 1).await;
}

#[actix_rt::test]
async fn a_configured_key_that_is_dead_by_design_or_was_changed_leads_to_a_working_account() {
    let (app, account, owner) = rotated().await;
    let app = app.restart(NOW).await;
    assert_works(&app, &account).await;

    let another = another_key(&account, &owner).await;
    let configured = account.api_key.expose_secret();
    let change = |config: &mut String, _: &Path| *config = config.replace(configured, &another);
    let app = app.restart_after(NOW, change).await;
    assert_works(&app, &account).await;
    assert!(
        app.simulator.working_key(&another).is_some(),
        "it is the new start"
    );
    app.rotate_away(&account, &another).await;
    assert_works(&app, &account).await;
    app.finish().await;
}

#[actix_rt::test]
async fn lost_records_and_a_changed_key_lead_to_a_working_account() {
    let (app, account, owner) = rotated().await;
    let app = app.restart_after(NOW, |_, state| lose_records(state)).await;
    assert_works(&app, &account).await;

    let another = another_key(&account, &owner).await;
    let configured = account.api_key.expose_secret();
    let change = |config: &mut String, state: &Path| {
        *config = config.replace(configured, &another);
        lose_records(state);
    };
    let app = app.restart_after(NOW, change).await;
    assert_works(&app, &account).await;
    app.rotate_away(&account, &another).await;
    assert_works(&app, &account).await;
    app.finish().await;
}

/// Takes an account's entry out of the file.
fn leave_out(config: &mut String, account: &AccountSpec) {
    let entry = format!("[[accounts]]\nid = \"{}\"", account.id);
    let (before, rest) = config.split_once(&entry).unwrap();
    let after = rest.split_once("\n[[accounts]]");
    *config = match after {
        Some((_, after)) => format!("{before}[[accounts]]{after}"),
        None => before.to_owned(),
    };
}

fn two_types() -> Setup {
    Setup {
        accounts: vec![("free", 1), ("lite", 1)],
        ..Setup::default()
    }
}

#[actix_rt::test]
async fn an_account_that_is_taken_out_of_the_file_while_leased_is_cleaned_and_drained() {
    let app = TestApp::start(two_types()).await;
    app.until_ready("free", 1).await;
    let account = app.accounts[0].clone();
    app.rotate_away(&account, account.api_key.expose_secret())
        .await;
    let before = app.inventory(&account.id);
    let id = app.consumer().reserve("free", 60).await;
    let key = app.consumer().key(&id).await;
    let borrower = Borrower::enter(app.simulator.url(), &account.id, &key).await;
    borrower.unwrap().make_a_mess().await;

    let change = |config: &mut String, _: &Path| leave_out(config, &account);
    let app = app.restart_after(NOW, change).await;
    assert_eq!(app.consumer().key(&id).await, key, "the lease goes on");
    app.consumer().cancel(&id).await;
    app.until("free", |counts| counts.drained == 1).await;
    assert_eq!(app.simulator.working_key(&key), None);
    assert_eq!(app.inventory(&account.id), before);
    assert_eq!(
        app.simulator.inventory(&account.id).of("service_ids").len(),
        0
    );
    app.until_ready("lite", 1).await;
    app.finish().await;
}

#[actix_rt::test]
async fn an_account_that_only_the_file_could_open_is_said_to_be_out_of_reach_until_it_is_back() {
    let app = TestApp::start(two_types()).await;
    app.until_ready("free", 1).await;
    let account = app.accounts[0].clone();
    let id = app.consumer().reserve("free", 60).await;
    let key = app.consumer().key(&id).await;
    let mut entries = String::new();
    let change = |config: &mut String, _: &Path| {
        entries.clone_from(config);
        leave_out(config, &account);
    };
    let app = app.restart_after(NOW, change).await;
    app.consumer().cancel(&id).await;
    app.until("free", |counts| counts.quarantined == 1).await;
    let log = log_capture::lines_with(&account.id);
    assert!(log.contains("put it back to have it cleaned"), "{log}");
    assert!(log.contains("quarantined: revoke: account"), "{log}");

    let put_back = |config: &mut String, _: &Path| *config = entries;
    let app = app.restart_after(NOW, put_back).await;
    app.until_ready("free", 1).await;
    assert_eq!(app.simulator.working_key(&key), None);
    app.finish().await;
}
