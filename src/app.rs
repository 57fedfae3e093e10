//! The composition root: the only file that knows every other.
//!
//! Threads (`design.md` 10): the pool, the store and the cleaners each have an arbiter of their own;
//! HTTP has a worker per core; the scheduler sits beside the pool. No lock is shared between them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use acctpool_actors::clock::Clock;
use acctpool_actors::messages::Clean;
use acctpool_actors::pool::{self, AccountId, AccountType, Pool, TokenId};
use acctpool_actors::store::{Store, StoreError};
use acctpool_actors::{
    CleanerActor, Employ, OnFailure, PoolActor, PoolHandle, Publisher, SchedulerActor, StoreActor,
};
use actix::{Actor, Addr, Recipient};
use actix_rt::Arbiter;
use actix_web::dev::ServerHandle;
use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::config::{self, Config};
use crate::http;
use crate::ibm::{self, Ibm};
use crate::keyring::Keyring;
use crate::token::Tokens;

/// What the service is made of.
pub struct Parts<S> {
    /// What the operator decided.
    pub config: Config,
    /// Every key, from the only secret that outlives the process.
    pub keyring: Keyring,
    /// What survives a crash.
    pub store: S,
    /// What is called when a commit has failed. The process is of no use after that.
    pub on_store_failure: OnFailure,
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
    /// A thread ended before it had begun.
    #[error("the cleaners' thread ended at once")]
    Cleaners,
}

/// The running service.
pub struct App {
    pool: PoolHandle,
    address: SocketAddr,
    server: ServerHandle,
    arbiters: Vec<Arbiter>,
}

impl App {
    /// Starts everything. It serves HTTP once this returns; accounts are verified and cleaned from
    /// then on.
    pub async fn start<S: Store>(parts: Parts<S>) -> Result<Self, StartError> {
        let Parts {
            config,
            keyring,
            mut store,
            on_store_failure,
            clock,
            listener,
        } = parts;
        let address = listener.local_addr()?;
        let now = clock.now();
        let keyring = Arc::new(keyring);
        let written = store.load()?;
        let pool = Pool::open(pool_policy(&config), pool_accounts(&config), written, now);
        let mut accounts = ibm_settings(&config)?;
        accounts.extend(leaving_settings(&config, &pool, &keyring)?);

        let arbiters = vec![Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let [pool_arbiter, store_arbiter, cleaners_arbiter] = &arbiters[..] else {
            unreachable!("three were made");
        };
        let publisher = Publisher::new(pool.first_publication());
        let view = publisher.published();
        let store = StoreActor::new(store, publisher, on_store_failure);
        let store = StoreActor::start_in_arbiter(&store_arbiter.handle(), move |_| store);
        let pool = PoolActor::new(pool, Arc::clone(&clock), store.recipient());
        let pool = PoolActor::start_in_arbiter(&pool_arbiter.handle(), move |_| pool);

        let cleaners = Cleaners {
            accounts,
            keyring: Arc::clone(&keyring),
            clock: Arc::clone(&clock),
            pool: pool.clone(),
        };
        let cleaners = cleaners.start(cleaners_arbiter).await?;
        pool.send(Employ(cleaners))
            .await
            .map_err(|_| StartError::Cleaners)?;
        let handle = PoolHandle::new(pool);
        let scheduler = SchedulerActor::new(handle.clone(), Arc::clone(&clock));
        SchedulerActor::start_in_arbiter(&pool_arbiter.handle(), move |_| scheduler);

        let context = http::Context {
            pool: handle.clone(),
            published: view,
            clock,
            authenticate: Arc::new(Consumers(config.tokens)),
            keys: keyring,
            iam_url: config.ibm.endpoints.iam.as_str().into(),
            started_at: now,
            version: env!("CARGO_PKG_VERSION"),
            settings: Arc::new(http_settings(&config.server)),
        };
        let server = http::serve(listener, context)?;
        let server_handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self {
            pool: handle,
            address,
            server: server_handle,
            arbiters,
        })
    }

    /// Returns where HTTP is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle on the pool.
    #[must_use]
    pub fn pool(&self) -> &PoolHandle {
        &self.pool
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

/// Everything that the cleaners' thread needs to make its actors. HTTP clients cannot change
/// threads, so they are made there.
struct Cleaners {
    accounts: Vec<ibm::Settings>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    pool: Addr<PoolActor>,
}

impl Cleaners {
    async fn start(
        self,
        arbiter: &Arbiter,
    ) -> Result<BTreeMap<AccountId, Recipient<Clean>>, StartError> {
        let (started, cleaners) = oneshot::channel();
        arbiter.spawn_fn(move || {
            // The receiver waits for this and nothing else.
            let _ = started.send(self.employ());
        });
        cleaners.await.map_err(|_| StartError::Cleaners)
    }

    fn employ(self) -> BTreeMap<AccountId, Recipient<Clean>> {
        let Some(limits) = self.accounts.first().map(|settings| settings.limits) else {
            return BTreeMap::new();
        };
        let client = ibm::client(&limits);
        self.accounts
            .into_iter()
            .map(|settings| {
                let account = settings.account.clone();
                let keyring = Arc::clone(&self.keyring);
                let clock = Arc::clone(&self.clock);
                let cloud = Ibm::new(settings, keyring, clock, client.clone());
                let pool = self.pool.clone().recipient();
                let cleaner = CleanerActor::new(account.clone(), cloud, pool);
                (account, cleaner.start().recipient())
            })
            .collect()
    }
}

struct Consumers(Tokens);

impl http::Authenticate for Consumers {
    fn identify(&self, presented: &str) -> Option<TokenId> {
        let name = self.0.identify(presented)?;
        Some(name.as_str().into())
    }
}

impl http::LeaseKeys for Keyring {
    fn reveal(&self, account: &AccountId, fence: pool::Fence) -> SecretString {
        self.lease(account, fence)
    }
}

fn pool_accounts(config: &Config) -> Vec<(AccountId, AccountType)> {
    let accounts = config.accounts.iter();
    accounts
        .map(|account| {
            (
                account.id.as_str().into(),
                account.account_type.as_str().into(),
            )
        })
        .collect()
}

fn pool_policy(config: &Config) -> pool::Policy {
    let of_type = |settings: &config::TypeSettings| pool::TypePolicy {
        default_duration: settings.default_duration,
        max_duration: settings.max_duration,
    };
    pool::Policy {
        types: config
            .types
            .iter()
            .map(|(label, settings)| (label.as_str().into(), of_type(settings)))
            .collect(),
        ..config.policy.clone()
    }
}

/// Returns what the IBM adapter needs to know of each configured account.
pub fn ibm_settings(config: &Config) -> Result<Vec<ibm::Settings>, StartError> {
    let settings = settings_in(config)?;
    let accounts = config.accounts.iter();
    Ok(accounts
        .map(|account| ibm::Settings {
            owner: account.owner.clone(),
            rights: match config.types[&account.account_type].rights {
                config::Rights::Standard => ibm::Rights::Standard,
                config::Rights::Administrator => ibm::Rights::Administrator,
            },
            ..settings(account.id.as_str().into(), account.api_key.clone())
        })
        .collect())
}

/// Returns the same of each account that left the file while it was lent, so that its lease is revoked
/// at its end. The configured key left with it: it takes one that acctpool made.
fn leaving_settings(
    config: &Config,
    pool: &Pool,
    keyring: &Keyring,
) -> Result<Vec<ibm::Settings>, StartError> {
    let settings = settings_in(config)?;
    let leaving = pool.accounts().filter(|account| !account.configured);
    let reachable = leaving.filter_map(|account| {
        let id = &account.id;
        let key = keyring.management(id, account.keys.current);
        if key.is_none() {
            log::warn!(
                "account {id}: it left the configuration while it was lent, and its key was never \
                 rotated: nobody can revoke its lease until it is configured again"
            );
        }
        Some(settings(id.clone(), key?))
    });
    Ok(reachable.collect())
}

/// Returns what makes an account's settings of its id and its key.
fn settings_in(
    config: &Config,
) -> Result<impl Fn(AccountId, SecretString) -> ibm::Settings, StartError> {
    let endpoints = ibm_endpoints(&config.ibm.endpoints)?;
    let keep = ibm_keep(&config.keep);
    let protected: BTreeSet<AccountId> = config
        .keep
        .protected_accounts
        .iter()
        .map(|id| id.as_str().into())
        .collect();
    let limits = ibm::Limits {
        request_timeout: config.ibm.request_timeout,
        requests_per_host: config.ibm.requests_at_once as usize,
        backoff_min: config.policy.backoff_min,
        // Longer pauses are the pool's.
        backoff_max: config
            .policy
            .backoff_max
            .min(ibm::Limits::default().backoff_max),
        ..ibm::Limits::default()
    };
    Ok(move |account, api_key| ibm::Settings {
        account,
        api_key,
        owner: None,
        rights: ibm::Rights::default(),
        keep: keep.clone(),
        protected: protected.clone(),
        endpoints: endpoints.clone(),
        limits,
    })
}

fn ibm_endpoints(endpoints: &config::Endpoints) -> Result<ibm::Endpoints, StartError> {
    let base = |url: &String| {
        url.parse().map_err(|source| StartError::Endpoint {
            url: url.clone(),
            source,
        })
    };
    Ok(ibm::Endpoints {
        iam: base(&endpoints.iam)?,
        resource_controller: base(&endpoints.resource_controller)?,
        global_search: base(&endpoints.global_search)?,
        global_tagging: base(&endpoints.global_tagging)?,
        user_management: base(&endpoints.user_management)?,
        accounts: base(&endpoints.account_management)?,
    })
}

fn ibm_keep(keep: &config::Keep) -> ibm::Keep {
    ibm::Keep {
        crns: keep.crns.clone(),
        users: keep.users.clone(),
        places: keep.created_before.map(|created_before| ibm::Places {
            resource_groups: keep.resource_groups.clone(),
            tag: Some(keep.tag.clone()),
            created_before,
        }),
    }
}

fn http_settings(server: &config::Server) -> http::Settings {
    http::Settings {
        allow_query_tokens: server.allow_query_tokens,
        trusted_proxies: server.trusted_proxies.clone(),
        max_connections: server.max_connections as usize,
        client_timeout: server.client_timeout,
        shutdown_timeout: server.shutdown_timeout,
        ..http::Settings::default()
    }
}
