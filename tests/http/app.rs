//! The program under test, on a thread of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use acctpool::http::{Authenticate, Context, LeaseKeys, Settings, serve};
use acctpool_actors::clock::Clock;
use acctpool_actors::cloud::{Cloud, CloudError, Leftover, Pass, Probe, Verified};
use acctpool_actors::pool::{
    AccountId, AccountType, Change, Command, Credential, Epoch, Fence, GetStatistics,
    ManagementKeys, Policy, Pool, Snapshot, Tick, Timestamp, TokenId, TypePolicy,
};
use acctpool_actors::store::{Store, StoreError};
use acctpool_actors::{CleanerActor, Employ, PoolActor, PoolHandle, StoreActor};
use actix::{Actor, Arbiter, System};
use actix_web::dev::ServerHandle;
use secrecy::SecretString;
use time::macros::datetime;

use crate::wire::{Answer, Wire};

/// The token of the consumer `ci`. It has characters that a query must escape.
pub(crate) const CI: &str = "acctpool_ci+secret/=&";
/// The token of the consumer `nightly`.
pub(crate) const NIGHTLY: &str = "acctpool_nightly-secret";
/// What every lease key begins with.
pub(crate) const LEASE_KEY: &str = "lease-key-secret";

/// When the pool is ready and a test begins.
pub(crate) const START: Timestamp = datetime!(2026-05-01 10:00:00 UTC);

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);
/// Longer than any test lets time pass.
const NEVER: Duration = Duration::from_hours(400 * 24);

/// What a test wants to be different.
pub(crate) struct Setup {
    /// The accounts: id and type. Those whose id begins with `bad` refuse to be cleaned.
    pub(crate) accounts: Vec<(&'static str, &'static str)>,
    pub(crate) settings: Settings,
    pub(crate) max_pending_per_token: usize,
    pub(crate) max_pending: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            accounts: vec![("acct-1", "lite")],
            settings: Settings {
                shutdown_timeout: SECOND,
                ..Settings::default()
            },
            max_pending_per_token: 100,
            max_pending: 100,
        }
    }
}

/// A running server and its pool.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) disk: Arc<Disk>,
    pool: PoolHandle,
    server: ServerHandle,
    thread: Option<thread::JoinHandle<()>>,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    /// Starts a server and waits until every account is ready or quarantined.
    pub(crate) fn with(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock(Mutex::new(START - Duration::from_hours(24))));
        let disk = Arc::new(Disk::default());
        let (started, running) = channel();
        let accounts = setup.accounts.len();
        let parts = (Arc::clone(&clock), Arc::clone(&disk));
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let (clock, disk) = parts;
                let pool = start_pool(&setup, clock.clone(), disk);
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let address = listener.local_addr().unwrap();
                let context = Context {
                    pool: pool.clone(),
                    clock,
                    authenticate: Arc::new(Tokens),
                    keys: Arc::new(Keys),
                    iam_url: "https://iam.cloud.ibm.com".into(),
                    started_at: datetime!(2026-05-01 09:00:00.5 UTC),
                    version: "0.1.0",
                    settings: Arc::new(setup.settings),
                };
                let server = serve(listener, context).unwrap();
                started.send((address, pool, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, pool, server) = running.recv().unwrap();
        let app = Self {
            address,
            clock,
            disk,
            pool,
            server,
            thread: Some(thread),
        };
        app.clean_all(accounts);
        app.clock.set(START);
        app
    }

    fn clean_all(&self, accounts: usize) {
        for _ in 0..10_000 {
            let statistics = self.ask(GetStatistics);
            let is_settled =
                |counts: &acctpool_actors::pool::TypeStatistics| counts.ready + counts.quarantined;
            if statistics.types.values().map(is_settled).sum::<usize>() == accounts {
                return;
            }
            self.clock.advance(SECOND);
            self.ask(Tick);
        }
        panic!("the accounts do not get ready");
    }

    /// Asks the pool behind the server.
    pub(crate) fn ask<C: Command>(&self, command: C) -> C::Reply {
        block_on(self.pool.ask(command)).unwrap()
    }

    /// Sends a request without a body; `headers` are whole lines.
    pub(crate) fn send(&self, method: &str, target: &str, headers: &[&str]) -> Answer {
        let mut wire = self.connect();
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: pool\r\nconnection: close\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        wire.send(head.as_bytes());
        wire.last_answer()
    }

    /// Sends a request with the bearer token of `ci`.
    pub(crate) fn as_ci(&self, method: &str, target: &str) -> Answer {
        self.send(method, target, &[&bearer(CI)])
    }

    /// Makes a reservation of `ci` and returns its path.
    pub(crate) fn reserve(&self, query: &str) -> String {
        let answer = self.as_ci("POST", &format!("/reservations?{query}"));
        assert_eq!(answer.status, 302, "{}", answer.body);
        answer.header("location").unwrap().to_owned()
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(self.address)
    }

    /// Stops the server gracefully.
    pub(crate) fn stop(&self) {
        block_on(self.server.stop(true));
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.disk.release();
        block_on(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(thread::panicking() || ended.is_ok(), "the server panicked");
        }
    }
}

/// Returns the header line of a bearer token.
pub(crate) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

/// Returns the query parameter of a token.
pub(crate) fn token_query(token: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token)
        .finish()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

fn start_pool(setup: &Setup, clock: Arc<ManualClock>, disk: Arc<Disk>) -> PoolHandle {
    let configured: Vec<(AccountId, AccountType)> = setup
        .accounts
        .iter()
        .map(|(id, account_type)| ((*id).into(), (*account_type).into()))
        .collect();
    let pool = Pool::open(
        policy(setup),
        configured.iter().cloned(),
        Snapshot::default(),
        clock.now(),
    );
    let store = StoreActor::new(MemoryStore(disk), Box::new(|_| ()));
    let store = StoreActor::start_in_arbiter(&Arbiter::new().handle(), move |_| store);
    let actor = PoolActor::new(pool, clock, store.recipient()).start();
    let cleaners: BTreeMap<_, _> = configured
        .into_iter()
        .map(|(id, _)| {
            let cloud = EasyCloud(id.clone());
            let cleaner = CleanerActor::new(id.clone(), cloud, actor.clone().recipient()).start();
            (id, cleaner.recipient())
        })
        .collect();
    actor.do_send(Employ(cleaners));
    PoolHandle::new(actor)
}

fn policy(setup: &Setup) -> Policy {
    let of_type = TypePolicy {
        default_duration: 60 * MINUTE,
        max_duration: 480 * MINUTE,
    };
    Policy {
        pending_timeout: NEVER,
        claim_timeout: NEVER,
        settle: SECOND,
        proof_gap: SECOND,
        pass_interval: SECOND,
        pass_timeout: NEVER,
        cleaning_timeout: NEVER,
        cleaning_attempts: 3,
        stuck_passes: 1,
        backoff_min: SECOND,
        backoff_max: SECOND,
        verify_every: NEVER,
        remint_every: NEVER,
        rotate_every: None,
        credential_grace: MINUTE,
        retain_ended: NEVER,
        max_pending_per_token: setup.max_pending_per_token,
        max_pending: setup.max_pending,
        types: setup
            .accounts
            .iter()
            .map(|(_, account_type)| (AccountType::from(*account_type), of_type))
            .collect(),
    }
}

/// A clock that a test sets.
pub(crate) struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }

    fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A disk that a test can hold up.
#[derive(Default)]
pub(crate) struct Disk {
    state: Mutex<DiskState>,
    changed: Condvar,
}

#[derive(Default)]
struct DiskState {
    is_held: bool,
    is_waited_for: bool,
    is_broken: bool,
}

impl Disk {
    /// Lets no further write end.
    pub(crate) fn hold(&self) {
        self.state.lock().unwrap().is_held = true;
    }

    /// Waits until a write has begun.
    pub(crate) fn wait_for_write(&self) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |state| !state.is_waited_for)
                .unwrap(),
        );
    }

    /// Lets writes end again.
    pub(crate) fn release(&self) {
        self.state.lock().unwrap().is_held = false;
        self.changed.notify_all();
    }

    /// Breaks for good.
    pub(crate) fn fail(&self) {
        self.state.lock().unwrap().is_broken = true;
    }

    fn write(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        state.is_waited_for = state.is_held;
        self.changed.notify_all();
        let state = self
            .changed
            .wait_while(state, |state| state.is_held)
            .unwrap();
        if state.is_broken {
            return Err(StoreError {
                action: "write".to_owned(),
                cause: "the disk is broken".into(),
            });
        }
        Ok(())
    }
}

struct MemoryStore(Arc<Disk>);

impl Store for MemoryStore {
    fn commit(&mut self, _: Vec<Change>) -> Result<(), StoreError> {
        self.0.write()
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot::default())
    }
}

struct Tokens;

impl Authenticate for Tokens {
    fn identify(&self, presented: &str) -> Option<TokenId> {
        match presented {
            CI => Some("ci".into()),
            NIGHTLY => Some("nightly".into()),
            _ => None,
        }
    }
}

struct Keys;

impl LeaseKeys for Keys {
    fn reveal(&self, account: &AccountId, fence: Fence) -> SecretString {
        format!("{LEASE_KEY}-{account}-{fence}").into()
    }
}

/// An account in which every verb succeeds at once, unless its id begins with `bad`.
struct EasyCloud(AccountId);

impl Cloud for EasyCloud {
    async fn verify(&self, keys: ManagementKeys) -> Result<Verified, CloudError> {
        if self.0.as_str().starts_with("bad") {
            return Err(CloudError::WrongAccount("not this one".to_owned()));
        }
        Ok(Verified {
            current: keys.current,
            newest: keys.newest,
        })
    }

    async fn revoke(&self, _: ManagementKeys, _: Option<&Credential>) -> Result<(), CloudError> {
        Ok(())
    }

    async fn sweep(&self, _: ManagementKeys) -> Result<Pass, CloudError> {
        Ok(Pass::default())
    }

    async fn prove(&self, _: ManagementKeys) -> Result<Vec<Leftover>, CloudError> {
        Ok(Vec::new())
    }

    async fn mint(
        &self,
        _: ManagementKeys,
        fence: Fence,
        expires_at: Timestamp,
    ) -> Result<Credential, CloudError> {
        Ok(Credential {
            fence,
            service_id: format!("ServiceId-{}", self.0),
            key_id: "ApiKey-1".to_owned(),
            policy_ids: Vec::new(),
            expires_at,
        })
    }

    async fn probe(&self, _: ManagementKeys, _: &Credential) -> Result<Probe, CloudError> {
        Ok(Probe::Works)
    }

    async fn rotate(&self, _: ManagementKeys, _: Epoch) -> Result<(), CloudError> {
        Ok(())
    }

    async fn retire(&self, _: ManagementKeys) -> Result<(), CloudError> {
        Ok(())
    }
}
