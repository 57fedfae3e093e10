//! Faults of IBM Cloud and of the network, in every phase of a cleaning.
//!
//! The cleaning that is disturbed is a whole one: revocation, verification, sweeps of a mess with
//! back doors, both proofs, rotation of the management key, minting, probing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool::simulator::{Fault, FaultAction, FaultPlan, RetryAfter};
use acctpool_actors::pool::TypeStatistics;

use crate::app::{Setup, TestApp};
use crate::consumer::Consumer;
use crate::log_capture;
use crate::mess::Borrower;

/// Longer than the service waits for an answer.
const SLOW: Duration = Duration::from_millis(450);

fn faults() -> Vec<FaultAction> {
    vec![
        FaultAction::Unauthorized,
        FaultAction::status(403),
        FaultAction::throttled(RetryAfter::Seconds(20)),
        FaultAction::throttled(RetryAfter::HttpDate(20)),
        FaultAction::status(500),
        FaultAction::status(503),
        FaultAction::Reset,
        FaultAction::Slow(SLOW),
        FaultAction::LostReply,
    ]
}

fn setup(accounts: usize) -> Setup {
    Setup {
        accounts: vec![("free", accounts)],
        ibm: "request_timeout = \"300ms\"",
        // Due in every cleaning: each lease lasts longer.
        policy: "rotate_every = \"30m\"",
        rights: "administrator",
        ..Setup::default()
    }
}

/// The service, with every account as it was before anybody used it.
struct Arena {
    app: TestApp,
    consumer: Consumer,
    before: BTreeMap<String, Vec<String>>,
    used_keys: Vec<String>,
}

impl Arena {
    async fn open(accounts: usize) -> Self {
        let app = TestApp::start(setup(accounts)).await;
        app.until_ready("free", accounts).await;
        let ids = app.accounts.iter().map(|account| account.id.clone());
        let before = ids.map(|id| (id.clone(), holdings(&app, &id))).collect();
        Self {
            consumer: app.consumer(),
            app,
            before,
            used_keys: Vec::new(),
        }
    }

    /// Borrows every account, leaves a mess and back doors in each, and gives all back.
    async fn use_all(&mut self, disturb: impl FnOnce(&TestApp)) {
        let mut reservations = Vec::new();
        for _ in &self.app.accounts {
            let id = self.consumer.reserve("free", 60).await;
            let shown = self.consumer.show(&id).await;
            let account = shown["account"]["id"]
                .as_str()
                .expect("an account is ready");
            let key = shown["credentials"]["api_key"].as_str().unwrap();
            let borrower = Borrower::enter(self.app.simulator.url(), account, key).await;
            let borrower = borrower.expect("a lease credential works when it is lent");
            borrower.make_a_mess().await;
            borrower.make_back_doors().await;
            self.used_keys.push(key.to_owned());
            reservations.push(id);
        }
        self.app.advance(Duration::from_mins(40)).await;
        disturb(&self.app);
        for id in reservations {
            self.consumer.cancel(&id).await;
        }
    }

    /// Waits until every account is ready or quarantined.
    async fn until_idle(&self) {
        let accounts = self.app.accounts.len();
        let idle = |counts: &TypeStatistics| counts.ready + counts.quarantined == accounts;
        self.app.until("free", idle).await;
    }

    /// Everything is as before, and nothing of any lease works any more.
    fn assert_clean(&self, context: &str) {
        for (account, before) in &self.before {
            assert_eq!(&holdings(&self.app, account), before, "{context}");
            let inventory = self.app.simulator.inventory(account);
            let leases = inventory.of("service_ids").len();
            assert_eq!(leases, 1, "no_orphan_credential: {context}: {inventory:?}");
        }
        for key in &self.used_keys {
            let works = self.app.simulator.working_key(key);
            assert_eq!(works, None, "a former lease's key works: {context}");
        }
    }
}

/// What an account holds, without what every cleaning makes anew: the lease credential, and the id
/// and the name of the management key.
fn holdings(app: &TestApp, account: &str) -> Vec<String> {
    let lines = app.inventory(account).into_iter();
    lines
        .map(|line| match line.split_once(' ') {
            Some(("api_keys", rest)) if rest.contains(" active of IBMid-") => {
                "api_keys (one of the owner)".to_owned()
            }
            _ => line,
        })
        .collect()
}

/// Which requests of a whole cleaning to strike, counted from its first: of each kind the first one
/// and the last one, so that every phase has some. `ACCTPOOL_TEST_ALL_REQUESTS` takes all of them.
async fn telling_requests() -> Vec<u32> {
    let mut arena = Arena::open(1).await;
    arena.use_all(|app| app.simulator.clear_requests()).await;
    arena.app.until_ready("free", 0).await;
    arena.app.until_ready("free", 1).await;
    arena.assert_clean("undisturbed");
    let mut first = BTreeMap::new();
    let mut last = BTreeMap::new();
    for (place, request) in (0..).zip(arena.app.simulator.requests()) {
        let kind = format!("{} {}", request.method, without_ids(&request.path));
        first.entry(kind.clone()).or_insert(place);
        last.insert(kind, place);
    }
    for part in [
        "POST /v1/apikeys/*/disable",
        "POST /v1/reclamations/*/actions/reclaim",
    ] {
        assert!(first.contains_key(part), "{part} is part of {first:?}");
    }
    let whole = last.values().max().map_or(0, |last| last + 1);
    if std::env::var_os("ACCTPOOL_TEST_ALL_REQUESTS").is_some() {
        return (0..whole).collect();
    }
    let telling: BTreeSet<u32> = first.into_values().chain(last.into_values()).collect();
    telling.into_iter().collect()
}

/// Ids are the segments with capitals, percent signs or many digits.
fn without_ids(path: &str) -> String {
    let is_id = |segment: &str| {
        segment.contains('%') || segment.contains(char::is_uppercase) || segment.len() > 30
    };
    let segments = path.split('/');
    segments
        .map(|segment| if is_id(segment) { "*" } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}

#[actix_rt::test]
async fn every_fault_at_every_kind_of_request_ends_clean_or_quarantined() {
    let requests = telling_requests().await;
    let faults = faults();
    let accounts = faults.len();
    let mut arena = Arena::open(accounts).await;
    for struck in requests {
        let strike = |app: &TestApp| {
            for (account, action) in app.accounts.iter().zip(&faults) {
                let fault = Fault::new("", action.clone()).account(&account.id);
                app.simulator.inject(fault.skip(struck).times(1));
            }
        };
        arena.use_all(strike).await;
        arena.until_idle().await;
        let quarantined = arena.app.count("free").await.quarantined;
        assert!(
            quarantined <= 1,
            "request {struck}: only the 403 needs a person\n{}",
            log_capture::lines_with("quarantined")
        );
        arena.app.simulator.clear_faults();
        arena.app.enable_all().await;
        arena.app.until_ready("free", accounts).await;
        arena.assert_clean(&format!("request {struck} was struck"));
    }
    arena.app.finish().await;
}

#[actix_rt::test]
async fn random_faults_never_let_a_dirty_account_be_lent() {
    let mut arena = Arena::open(3).await;
    for seed in 0..12 {
        let disturb = |app: &TestApp| {
            app.simulator.inject_at_random(FaultPlan {
                seed,
                server_errors: 30_000,
                throttled: 10_000,
                resets: 20_000,
                lost_replies: 30_000,
            });
        };
        arena.use_all(disturb).await;
        arena
            .app
            .until("free", |counts| counts.ready + counts.quarantined == 3)
            .await;
        arena.app.simulator.clear_faults();
        let quarantined = arena.app.count("free").await.quarantined;
        assert_eq!(
            quarantined, 0,
            "none of these faults needs a person; seed {seed}"
        );
        arena.assert_clean(&format!("seed {seed}"));
    }
    arena.app.finish().await;
}
