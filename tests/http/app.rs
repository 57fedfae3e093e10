//! The program under test, on a thread of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use acctpool::http::{Context, Settings, serve};
use acctpool::metrics::Metrics;
use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{
    AccountId, AccountType, Command, GetStatistics, Policy, Pool, Snapshot, Tick, Timestamp,
    TokenLimits, TypePolicy, TypeStatistics,
};
use acctpool_actors::{
    Audit, AuditActor, CleanerActor, Deliveries, Employ, PoolActor, PoolHandle, Published,
    Publisher, Receipts, StoreActor,
};
use actix::{Actor, Arbiter, System};
use actix_web::dev::ServerHandle;
use arc_swap::ArcSwap;
use time::macros::datetime;

use crate::ports::{CI, Disk, EasyCloud, Keys, ManualClock, MemoryStore, OPS, Tokens};
use crate::wire::{Answer, Wire};

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
    pub(crate) pending_timeout: Duration,
    /// What single tokens may not do, by their names.
    pub(crate) tokens: Vec<(&'static str, TokenLimits)>,
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
            pending_timeout: NEVER,
            tokens: Vec::new(),
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
        let clock = Arc::new(ManualClock::new(START - Duration::from_hours(24)));
        let disk = Arc::new(Disk::default());
        let (started, running) = channel();
        let accounts = setup.accounts.len();
        let parts = (Arc::clone(&clock), Arc::clone(&disk));
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let (clock, disk) = parts;
                let Started {
                    pool,
                    published,
                    receipts,
                    audit,
                    metrics,
                } = start_pool(&setup, clock.clone(), disk);
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let address = listener.local_addr().unwrap();
                let context = Context {
                    pool: pool.clone(),
                    published,
                    receipts,
                    audit,
                    deliveries: Deliveries::default(),
                    metrics: Arc::new(metrics),
                    clock,
                    authenticate: Arc::new(Tokens),
                    keys: Arc::new(Keys),
                    started_at: datetime!(2026-05-01 09:00:00.5 UTC),
                    version: "0.1.0",
                    settings: Arc::new(ArcSwap::from_pointee(setup.settings)),
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

    /// Lets time pass until so many accounts are ready or quarantined.
    pub(crate) fn clean_all(&self, accounts: usize) {
        for _ in 0..10_000 {
            let statistics = self.ask(GetStatistics);
            let is_settled = |counts: &TypeStatistics| counts.ready + counts.quarantined;
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

    /// Sends a request with the bearer token of the operator `ops`.
    pub(crate) fn as_ops(&self, method: &str, target: &str) -> Answer {
        self.send(method, target, &[&bearer(OPS)])
    }

    /// Posts a JSON body with the bearer token of `ci`.
    pub(crate) fn post_json(&self, target: &str, body: &str) -> Answer {
        let mut wire = self.connect();
        wire.send(
            format!(
                "POST {target} HTTP/1.1\r\nhost: pool\r\nconnection: close\r\n{}\r\n\
                content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                bearer(CI),
                body.len()
            )
            .as_bytes(),
        );
        wire.last_answer()
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

/// What runs behind the server.
struct Started {
    pool: PoolHandle,
    published: Published,
    receipts: Receipts,
    audit: Audit,
    metrics: Metrics,
}

fn start_pool(setup: &Setup, clock: Arc<ManualClock>, disk: Arc<Disk>) -> Started {
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
    let publisher = Publisher::new(pool.first_publication());
    let view = publisher.published();
    let kept = acctpool::store::MemoryStore::default();
    let reader = AuditActor::new(Box::new(kept.audit()));
    let (metrics, meter) = Metrics::of(&pool, "0.1.0");
    let store = StoreActor::new(MemoryStore { disk, kept }, publisher, Box::new(|_| ()))
        .heard_by(Box::new(meter));
    let store = StoreActor::start_in_arbiter(&Arbiter::new().handle(), move |_| store);
    let receipts = Receipts::new(store.clone().recipient());
    let actor = PoolActor::new(pool, clock, store.recipient()).start();
    let cleaners: BTreeMap<_, _> = configured
        .into_iter()
        .map(|(id, _)| {
            let cloud = EasyCloud::new(id.clone());
            let cleaner = CleanerActor::new(id.clone(), cloud, actor.clone().recipient()).start();
            (id, cleaner.recipient())
        })
        .collect();
    actor.do_send(Employ(cleaners));
    Started {
        pool: PoolHandle::new(actor),
        published: view,
        receipts,
        audit: Audit::new(reader.start().recipient()),
        metrics,
    }
}

fn policy(setup: &Setup) -> Policy {
    let of_type = TypePolicy {
        default_duration: 60 * MINUTE,
        max_duration: 480 * MINUTE,
    };
    Policy {
        pending_timeout: setup.pending_timeout,
        claim_timeout: NEVER,
        exhausted_after: NEVER,
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
        max_ended: 1000,
        types: setup
            .accounts
            .iter()
            .map(|(_, account_type)| (AccountType::from(*account_type), of_type))
            .collect(),
        tokens: setup
            .tokens
            .iter()
            .map(|(token, limits)| ((*token).into(), limits.clone()))
            .collect(),
    }
}
