//! The service and the simulator, on one clock that the test moves.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use acctpool::app::{App, Parts};
use acctpool::baselines::FileBaselines;
use acctpool::config::Config;
use acctpool::keyring::Keyring;
use acctpool::keyring::files::KeyFiles;
use acctpool::simulator::{AccountSpec, Inventory, Lags, Settings, Simulator, Time};
use acctpool::store::SqliteStore;
use acctpool::token::NewToken;
use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{
    EnableAccount, GetStatistics, RotateKey, Statistics, Tick, Timestamp, TypeStatistics,
};
use acctpool_actors::store::Store;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use time::macros::datetime;

use crate::consumer::Consumer;
use crate::log_capture;

/// Follows from the test's name, since all tests write to one log: no two have an account or a secret
/// in common.
pub(crate) fn seed() -> u64 {
    let test = std::thread::current();
    let name = test.name().unwrap_or_default().bytes();
    name.fold(7, |mixed, byte| {
        (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

const START: Timestamp = datetime!(2026-05-01 10:00 UTC);

/// A clock that stands still until it is moved.
pub(crate) struct ManualClock {
    start: Timestamp,
    moved_millis: AtomicU64,
}

impl ManualClock {
    fn advance(&self, by: Duration) {
        let by_millis = u64::try_from(by.as_millis()).unwrap();
        self.moved_millis.fetch_add(by_millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.start + Duration::from_millis(self.moved_millis.load(Ordering::SeqCst))
    }
}

/// What a test may want otherwise.
pub(crate) struct Setup {
    pub(crate) accounts: Vec<(&'static str, usize)>,
    pub(crate) lags: Lags,
    /// Where everybody's clock begins: the machine's now, for clients that look at that one.
    pub(crate) start: Timestamp,
    /// Lines of the section `[ibm]`.
    pub(crate) ibm: &'static str,
    /// Lines of the section `[policy]`.
    pub(crate) policy: &'static str,
    /// What a lease of any type may do.
    pub(crate) rights: &'static str,
    /// How much of the cleaning plan accounts of any type need. The short one, but where a test is
    /// about the long one: that takes many times the requests.
    pub(crate) profile: &'static str,
    /// Sections that come before the accounts.
    pub(crate) settings: String,
    /// Changes the accounts' TOML: what is configured, not what is simulated.
    pub(crate) configured: fn(&mut Vec<AccountSpec>),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            accounts: vec![("free", 1)],
            lags: Lags::short(),
            start: START,
            ibm: "",
            policy: "",
            rights: "standard",
            profile: "lite",
            settings: String::new(),
            configured: |_| {},
        }
    }
}

pub(crate) struct TestApp {
    pub(crate) simulator: Simulator,
    pub(crate) accounts: Vec<AccountSpec>,
    pub(crate) token: String,
    app: App,
    clock: Arc<ManualClock>,
    /// What the operator wrote.
    config: String,
    /// What outlives the service.
    state: TempDir,
}

impl TestApp {
    pub(crate) async fn start(setup: Setup) -> Self {
        log_capture::start();
        let crowd = setup.accounts.iter().flat_map(|(label, count)| {
            (1..=*count).map(move |number| (*label, AccountSpec::generate(label, number, seed())))
        });
        let (labels, accounts): (Vec<_>, Vec<_>) = crowd.unzip();
        let simulator = Simulator::start(
            anywhere(),
            &Settings {
                accounts: accounts.clone(),
                lags: setup.lags,
                time: Time::Frozen(setup.start),
                seed: seed(),
            },
        )
        .unwrap();

        let token = NewToken::generate("ci".parse().unwrap()).unwrap();
        let other = NewToken::generate("other".parse().unwrap()).unwrap();
        let mut configured = accounts.clone();
        (setup.configured)(&mut configured);
        let mut text = format!(
            "[ibm]\nendpoint = \"{}\"\nallow_plain_http = true\n{}\n{POLICY}{}\n{}\n{}\n{}\n",
            simulator.url(),
            setup.ibm,
            setup.policy,
            setup.settings,
            token.toml(),
            other.toml(),
        );
        for (label, _) in &setup.accounts {
            let (rights, profile) = (setup.rights, setup.profile);
            writeln!(
                text,
                "[types.{label}]\nrights = \"{rights}\"\nprofile = \"{profile}\""
            )
            .unwrap();
        }
        for (label, account) in labels.iter().zip(&configured) {
            let (id, key) = (&account.id, account.api_key.expose_secret());
            writeln!(
                text,
                "[[accounts]]\nid = \"{id}\"\ntype = \"{label}\"\napi_key = \"{key}\""
            )
            .unwrap();
        }
        let clock = Arc::new(ManualClock {
            start: setup.start,
            moved_millis: AtomicU64::new(0),
        });
        let state = tempfile::tempdir().unwrap();
        Self {
            app: serve(&text, &state, &clock).await,
            simulator,
            accounts,
            token: token.reveal().to_owned(),
            clock,
            config: text,
            state,
        }
    }

    /// Ends the service, lets time pass without it, and starts it again on what it left.
    pub(crate) async fn restart(self, down: Duration) -> Self {
        self.restart_after(down, |_, _| {}).await
    }

    /// The same, once the operator has changed the file, or something has happened to the state
    /// directory.
    pub(crate) async fn restart_after(
        mut self,
        down: Duration,
        change: impl FnOnce(&mut String, &Path),
    ) -> Self {
        self.app.stop().await;
        self.clock.advance(down);
        self.simulator.advance(down);
        change(&mut self.config, self.state.path());
        self.app = serve(&self.config, &self.state, &self.clock).await;
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.app.address())
    }

    pub(crate) fn consumer(&self) -> Consumer {
        Consumer::new(self.url(), self.token.clone())
    }

    /// Moves everybody's clock, and lets the pool see it.
    pub(crate) async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.simulator.advance(by);
        self.app.pool().ask(Tick).await.unwrap();
    }

    pub(crate) async fn statistics(&self) -> Statistics {
        self.app.pool().ask(GetStatistics).await.unwrap()
    }

    pub(crate) async fn count(&self, account_type: &str) -> TypeStatistics {
        self.statistics().await.types[&account_type.into()]
    }

    /// Lets time pass, in small steps, until the counts of a type are as wanted.
    ///
    /// Between two steps real requests are under way; the pause is for them, not for a deadline.
    pub(crate) async fn until(&self, account_type: &str, wanted: impl Fn(&TypeStatistics) -> bool) {
        for _ in 0..6000 {
            let counts = self.count(account_type).await;
            if wanted(&counts) {
                return;
            }
            self.advance(Duration::from_millis(200)).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!(
            "never as wanted: {:?}\n{}",
            self.statistics().await,
            log_capture::everything()
        );
    }

    pub(crate) async fn until_ready(&self, account_type: &str, count: usize) {
        self.until(account_type, |counts| counts.ready == count)
            .await;
    }

    /// Brings every quarantined account back, as an operator would.
    pub(crate) async fn enable_all(&self) {
        for account in &self.accounts {
            let account = account.id.as_str().into();
            self.app
                .pool()
                .ask(EnableAccount { account })
                .await
                .unwrap()
                .unwrap();
        }
    }

    /// Rotates an account's management key, and waits until the value that worked does no more.
    pub(crate) async fn rotate_away(&self, account: &AccountSpec, former: &str) {
        let id = account.id.as_str().into();
        let asked = RotateKey { account: id };
        self.app.pool().ask(asked).await.unwrap().unwrap();
        self.until("free", |counts| {
            counts.ready == 1 && self.simulator.working_key(former).is_none()
        })
        .await;
    }

    /// What an account holds in truth, but for the lease credential that waits in it.
    pub(crate) fn inventory(&self, account: &str) -> Vec<String> {
        let Inventory { lines } = self.simulator.inventory(account);
        let of_lease = |line: &String| line.contains("acctpool-lease-") || is_policy_of_lease(line);
        lines.into_iter().filter(|line| !of_lease(line)).collect()
    }

    /// Ends everything, and searches what was logged for every secret that there was.
    pub(crate) async fn finish(self) {
        let mut secrets = self.simulator.secrets();
        secrets.push(self.token.clone());
        self.app.stop().await;
        self.simulator.stop();
        let log = log_capture::everything();
        assert!(log.contains("ready"), "the log was captured");
        for secret in secrets {
            assert!(!log.contains(&secret), "a secret was logged");
        }
    }
}

/// Lags are around a second, so pauses are too. The real values are tested in the pure pool.
const POLICY: &str = r#"
[policy]
settle = "2s"
proof_gap = "1500ms"
pass_interval = "500ms"
backoff_min = "5ms"
backoff_max = "1s"
"#;

fn is_policy_of_lease(line: &str) -> bool {
    line.starts_with("policies ") && line.contains("acctpool")
}

async fn serve(config: &str, state: &TempDir, clock: &Arc<ManualClock>) -> App {
    let (config, _) = Config::parse(config, Path::new("test.toml"), &|_| None)
        .unwrap_or_else(|error| panic!("{error}\n{config}"));
    let master_keys = KeyFiles::of(state.path()).load_or_create().unwrap();
    let store = SqliteStore::open(&state.path().join("state.db"), clock.now()).unwrap();
    let audit = SqliteStore::inspect(&state.path().join("state.db")).unwrap();
    let known = store.master_keys().unwrap();
    App::start(Parts {
        config,
        keyring: Keyring::of_store(master_keys, store.id(), &known).unwrap(),
        store,
        audit: Box::new(audit),
        on_store_failure: Box::new(|error| panic!("{error}")),
        baselines: Arc::new(FileBaselines::within(state.path())),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        listener: TcpListener::bind(anywhere()).unwrap(),
    })
    .await
    .unwrap()
}

pub(crate) fn anywhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
