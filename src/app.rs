//! The composition root: the only file that knows every other.
//!
//! Threads (`design.md` 10): the pool, the store, the cleaners, the reader of the audit and the notifiers
//! each have an arbiter of their own; HTTP has a worker per core; the scheduler sits beside the pool. No
//! lock is shared between them.

mod reload;
mod settings;
mod webhooks;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::Arc;

use acctpool_actors::clock::Clock;
use acctpool_actors::messages::Clean;
use acctpool_actors::pool::{
    self, AccountId, Fingerprint, Generation, NotNewer, Pool, UseMasterKey,
};
use acctpool_actors::store::{AuditReader, Store, StoreError};
use acctpool_actors::{
    Audit, AuditActor, CleanerActor, Deliveries, Employ, OnFailure, PoolActor, PoolHandle,
    PoolUnavailable, Publisher, Receipts, SchedulerActor, StoreActor,
};
use actix::{Actor, Addr, Recipient};
use actix_rt::{Arbiter, ArbiterHandle};
use actix_web::dev::ServerHandle;
use arc_swap::ArcSwap;
use log::{error, warn};
use secrecy::SecretString;
use tokio::sync::{Mutex, oneshot};

use crate::config::{self, Config};
use crate::http;
use crate::ibm::{self, Baselines, Ibm};
use crate::keyring::{Keyring, MasterKey};
use crate::metrics::Metrics;
use crate::token::{TokenName, Tokens};
use reload::Running;
pub use reload::{ReloadError, Reloaded};
pub use settings::ibm_settings;
use settings::{general_settings, http_settings, pool_accounts, pool_policy};
use webhooks::Webhooks;

/// What the service is made of.
pub struct Parts<S> {
    /// What the operator decided.
    pub config: Config,
    /// Every key, from the only secret that outlives the process.
    pub keyring: Keyring,
    /// What survives a crash.
    pub store: S,
    /// What reads the audit beside it.
    pub audit: Box<dyn AuditReader>,
    /// What is called when a commit has failed. The process is of no use after that.
    pub on_store_failure: OnFailure,
    /// What each account was when it joined the pool.
    pub baselines: Arc<dyn Baselines>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where HTTP is served.
    pub listener: TcpListener,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The records could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP server could not be started.
    #[error("cannot start the HTTP server")]
    Http(#[from] io::Error),
    /// An endpoint is not an address.
    #[error("cannot call {url}")]
    Endpoint {
        /// The endpoint.
        url: String,
        /// What is wrong with it.
        source: ibm::BaseUrlError,
    },
    /// A collection that is to be kept does not exist.
    #[error(
        "[keep] collections: there is no collection called {name:?}; there are {}",
        ibm::collections().collect::<Vec<_>>().join(", ")
    )]
    UnknownCollection {
        /// What it is called in the configuration.
        name: String,
    },
    /// A thread ended before it had begun.
    #[error("the cleaners' thread ended at once")]
    Cleaners,
    /// A thread ended before it had begun.
    #[error("the webhooks' thread ended at once")]
    Webhooks,
    /// The pool did not take a master key.
    #[error("cannot use the master key")]
    MasterKey(#[from] MasterKeyError),
}

/// Why a master key is not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// The pool has stopped.
    #[error(transparent)]
    Pool(#[from] PoolUnavailable),
    /// Another one was introduced at the same time.
    #[error(transparent)]
    NotNewer(#[from] NotNewer),
}

/// The running service.
pub struct App {
    pool: PoolHandle,
    keyring: Arc<Keyring>,
    address: SocketAddr,
    speaks_tls: bool,
    server: ServerHandle,
    arbiters: Vec<Arbiter>,
    cleaners: Cleaners,
    webhooks: Webhooks,
    settings: Arc<ArcSwap<http::Settings>>,
    callers: Arc<ArcSwap<Callers>>,
    running: Mutex<Running>,
}

impl App {
    /// Starts everything. It serves HTTP once this returns; accounts are verified and cleaned from
    /// then on.
    pub async fn start<S: Store>(parts: Parts<S>) -> Result<Self, StartError> {
        let Parts {
            config,
            keyring,
            mut store,
            mut audit,
            on_store_failure,
            baselines,
            clock,
            listener,
        } = parts;
        let address = listener.local_addr()?;
        let now = clock.now();
        let keyring = Arc::new(keyring);
        let written = store.load()?;
        let known = written.master_keys.clone();
        let delivered = written.delivered.clone();
        let end = audit.end()?;
        let pool = Pool::open(pool_policy(&config), pool_accounts(&config), written, now);
        let settings = Arc::new(ArcSwap::from_pointee(http_settings(&config)?));
        let accounts = settings_at_start(&config, &baselines, &pool)?;

        let arbiters: [Arbiter; 5] = std::array::from_fn(|_| Arbiter::new());
        let [
            pool_arbiter,
            store_arbiter,
            cleaners_arbiter,
            audit_arbiter,
            webhooks_arbiter,
        ] = &arbiters;
        let publisher = Publisher::new(pool.first_publication());
        let view = publisher.published();
        let (metrics, meter) = Metrics::of(&pool, env!("CARGO_PKG_VERSION"));
        let deliveries = Deliveries::default();
        let metrics = Arc::new(metrics.telling_of(deliveries.clone()));
        let store = StoreActor::new(store, publisher, on_store_failure).heard_by(Box::new(meter));
        let store = StoreActor::start_in_arbiter(&store_arbiter.handle(), move |_| store);
        let receipts = Receipts::new(store.clone().recipient());
        let audit =
            AuditActor::start_in_arbiter(&audit_arbiter.handle(), move |_| AuditActor::new(audit));
        let webhooks = Webhooks::new(
            webhooks_arbiter.handle(),
            &audit,
            store.clone().recipient(),
            &clock,
            &deliveries,
        );
        let notifiers = webhooks.begin(&config.webhooks, delivered, end).await?;
        let pool = PoolActor::new(pool, Arc::clone(&clock), store.recipient());
        let pool = PoolActor::start_in_arbiter(&pool_arbiter.handle(), move |_| pool);

        let cleaners = Cleaners {
            keyring: Arc::clone(&keyring),
            clock: Arc::clone(&clock),
            pool: pool.clone(),
            arbiter: cleaners_arbiter.handle(),
        };
        let employed = cleaners.employ(accounts.clone()).await?;
        pool.send(Employ(recipients(&employed)))
            .await
            .map_err(|_| StartError::Cleaners)?;
        let handle = PoolHandle::new(pool);
        introduce_all(&handle, &keyring, &known).await?;
        let scheduler = SchedulerActor::new(handle.clone(), Arc::clone(&clock));
        SchedulerActor::start_in_arbiter(&pool_arbiter.handle(), move |_| scheduler);

        let callers = Arc::new(ArcSwap::from_pointee(Callers::of(&config)));
        let context = http::Context {
            pool: handle.clone(),
            published: view,
            receipts,
            audit: Audit::new(audit.recipient()),
            deliveries,
            metrics,
            clock,
            authenticate: Arc::new(Present(Arc::clone(&callers))),
            keys: Arc::clone(&keyring) as Arc<dyn http::LeaseKeys>,
            started_at: now,
            version: env!("CARGO_PKG_VERSION"),
            settings: Arc::clone(&settings),
        };
        let speaks_tls = config.server.certificate.is_some();
        let server = http::serve(listener, context)?;
        let server_handle = server.handle();
        actix_rt::spawn(server);
        let running = Running::new(config, baselines, accounts, employed, notifiers);
        Ok(Self {
            pool: handle,
            keyring,
            address,
            speaks_tls,
            server: server_handle,
            arbiters: arbiters.into(),
            cleaners,
            webhooks,
            settings,
            callers,
            running: Mutex::new(running),
        })
    }

    /// Returns where HTTP is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where HTTP is served, as clients write it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.speaks_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Returns a handle on the pool.
    #[must_use]
    pub fn pool(&self) -> &PoolHandle {
        &self.pool
    }

    /// Returns what every key is derived from.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Derives keys from a new master key from now on, and moves the accounts to it.
    ///
    /// The one before it has to stay at hand until [`GetMasterKeys`](pool::GetMasterKeys) names it no
    /// more.
    pub async fn use_master_key(&self, master: MasterKey) -> Result<(), MasterKeyError> {
        // Before the pool hears of it: what it decides at once has to be derived.
        let generation = self.keyring.add(master);
        match self.keyring.fingerprints().remove(&generation) {
            Some(fingerprint) => introduce(&self.pool, generation, fingerprint).await,
            None => unreachable!("it was added a line above"),
        }
    }

    /// Stops taking requests, lets those that run finish, and ends. Leases stay alive.
    pub async fn stop(self) {
        self.server.stop(true).await;
        for arbiter in self.arbiters {
            arbiter.stop();
            // A thread that panicked has said so.
            let _ = arbiter.join();
        }
    }
}

/// Tells the pool of the master keys that it does not know.
async fn introduce_all(
    pool: &PoolHandle,
    keyring: &Keyring,
    known: &BTreeMap<Generation, Fingerprint>,
) -> Result<(), MasterKeyError> {
    for (generation, fingerprint) in keyring.fingerprints() {
        if known.get(&generation) != Some(&fingerprint) {
            introduce(pool, generation, fingerprint).await?;
        }
    }
    Ok(())
}

async fn introduce(
    pool: &PoolHandle,
    generation: Generation,
    fingerprint: Fingerprint,
) -> Result<(), MasterKeyError> {
    let introduced = pool.ask(UseMasterKey {
        generation,
        fingerprint,
    });
    Ok(introduced.await??)
}

/// Returns what the IBM adapter needs to know of each account of a pool that has just been opened.
fn settings_at_start(
    config: &Config,
    baselines: &Arc<dyn Baselines>,
    pool: &Pool,
) -> Result<Vec<ibm::Settings>, StartError> {
    let mut accounts = ibm_settings(config, baselines)?;
    let settings_of = general_settings(config, baselines)?;
    for account in pool.accounts().filter(|account| !account.configured) {
        tell_of(account);
        accounts.push(settings_of(account.id.clone()));
    }
    Ok(accounts)
}

/// Says what becomes of an account that is not in the file any more.
fn tell_of(account: &pool::Account) {
    let id = &account.id;
    if account.keys.known().any(pool::ManagementKey::is_derived) {
        warn!("account {id} is not in the configuration any more: it is drained");
    } else {
        warn!(
            "account {id} is not in the configuration any more, and acctpool has no key of its own \
             that opens it: put it back to have it cleaned and its lease credential revoked"
        );
    }
}

/// Everything that the cleaners' thread needs to make its actors. HTTP clients cannot change
/// threads, so they are made there.
#[derive(Clone)]
struct Cleaners {
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    pool: Addr<PoolActor>,
    arbiter: ArbiterHandle,
}

impl Cleaners {
    /// Starts a cleaner for each of these accounts.
    async fn employ(
        &self,
        accounts: Vec<ibm::Settings>,
    ) -> Result<BTreeMap<AccountId, Addr<CleanerActor<Ibm>>>, StartError> {
        let (started, cleaners) = oneshot::channel();
        let there = self.clone();
        self.arbiter.spawn_fn(move || {
            // The receiver waits for this and nothing else.
            let _ = started.send(there.start(accounts));
        });
        cleaners.await.map_err(|_| StartError::Cleaners)
    }

    fn start(&self, accounts: Vec<ibm::Settings>) -> BTreeMap<AccountId, Addr<CleanerActor<Ibm>>> {
        let Some(limits) = accounts.first().map(|settings| settings.limits) else {
            return BTreeMap::new();
        };
        let client = ibm::client(&limits);
        accounts
            .into_iter()
            .map(|settings| {
                let account = settings.account.clone();
                let keyring = Arc::clone(&self.keyring);
                let clock = Arc::clone(&self.clock);
                let cloud = Ibm::new(settings, keyring, clock, client.clone());
                let pool = self.pool.clone().recipient();
                let cleaner = CleanerActor::new(account.clone(), cloud, pool);
                (account, cleaner.start())
            })
            .collect()
    }
}

fn recipients(
    cleaners: &BTreeMap<AccountId, Addr<CleanerActor<Ibm>>>,
) -> BTreeMap<AccountId, Recipient<Clean>> {
    let cleaners = cleaners.iter();
    cleaners
        .map(|(account, cleaner)| (account.clone(), cleaner.clone().recipient()))
        .collect()
}

/// Those who may ask.
struct Callers {
    tokens: Tokens,
    settings: BTreeMap<TokenName, config::TokenSettings>,
}

impl Callers {
    fn of(config: &Config) -> Self {
        Self {
            tokens: config.tokens.clone(),
            settings: config.token_settings.clone(),
        }
    }
}

/// Those who may ask at present.
struct Present(Arc<ArcSwap<Callers>>);

impl http::Authenticate for Present {
    fn identify(&self, presented: &str) -> Option<http::Identity> {
        self.0.load().identify(presented)
    }
}

impl Callers {
    fn identify(&self, presented: &str) -> Option<http::Identity> {
        let name = self.tokens.identify(presented)?;
        let settings = self.settings.get(name)?;
        Some(http::Identity {
            token: name.as_str().into(),
            role: match settings.role {
                config::Role::Consumer => http::Role::Consumer,
                config::Role::Operator => http::Role::Operator,
                config::Role::Viewer => http::Role::Viewer,
            },
            requests_per_minute: settings.requests_per_minute.and_then(NonZeroU32::new),
        })
    }
}

impl http::LeaseKeys for Keyring {
    fn reveal(&self, account: &AccountId, credential: &pool::Credential) -> Option<SecretString> {
        let value = self.lease(account, credential.generation, credential.fence);
        if value.is_none() {
            error!("account {account}: the master key of its lease is not at hand");
        }
        value
    }
}
