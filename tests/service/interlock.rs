//! The safety interlock: the wrong account is never touched.

use acctpool::simulator::{AccountSpec, Simulator};

use crate::app::{Setup, TestApp, seed};
use crate::log_capture;

fn writes(simulator: &Simulator) -> Vec<String> {
    let requests = simulator.requests().into_iter();
    requests
        .filter(|request| request.is_write)
        .map(|request| format!("{} {}", request.method, request.path))
        .collect()
}

#[actix_rt::test]
async fn a_key_of_another_account_is_refused_before_a_single_write() {
    let app = TestApp::start(Setup {
        accounts: vec![("free", 2)],
        configured: |accounts| {
            // The operator pasted the second account's key in both places… and only the first is
            // lent: the second id is one that nobody simulates.
            accounts[0].api_key = accounts[1].api_key.clone();
            accounts[1].id = "f".repeat(32);
            accounts[1].api_key = "a-key-that-ibm-does-not-know-at-all-0000".into();
        },
        ..Setup::default()
    })
    .await;
    let before: Vec<_> = app
        .accounts
        .iter()
        .map(|account| app.simulator.inventory(&account.id))
        .collect();
    app.until("free", |counts| counts.quarantined == 2).await;
    assert_eq!(writes(&app.simulator), [""; 0]);
    for (account, before) in app.accounts.iter().zip(before) {
        assert_eq!(app.simulator.inventory(&account.id), before);
    }
    let log = log_capture::everything();
    let line = log
        .lines()
        .find(|line| line.contains("quarantined") && line.contains(&app.accounts[0].id))
        .expect("a quarantine is logged");
    assert!(
        line.contains(&app.accounts[1].id),
        "says whose key it is: {line}"
    );
    app.simulator.stop();
}

#[actix_rt::test]
async fn a_protected_account_is_not_even_asked() {
    // The configuration refuses to lend a protected account at all. Its key under another
    // account's id meets the interlock.
    let protected = AccountSpec::generate("free", 2, seed()).id;
    let app = TestApp::start(Setup {
        accounts: vec![("free", 2)],
        settings: format!("[keep]\nprotected_accounts = [\"{protected}\"]"),
        configured: |accounts| {
            accounts[0].api_key = accounts[1].api_key.clone();
            accounts[1].id = "e".repeat(32);
            accounts[1].api_key = "another-key-that-ibm-does-not-know-000000".into();
        },
        ..Setup::default()
    })
    .await;
    app.until("free", |counts| counts.quarantined == 2).await;
    assert_eq!(writes(&app.simulator), [""; 0]);
    app.simulator.stop();
}
