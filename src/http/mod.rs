//! The HTTP contract: what consumers and operators speak to.
//!
//! Knows the pool through its handle, and three small ports: the clock, who a token belongs to, and
//! the value of a lease credential. Everything that it promises on the wire stands in
//! `design.md` 9 and 11; each folder keeps a part of that promise:
//!
//! - `server`: listens; what holds for every connection and every exchange, whatever is asked.
//! - `routes`: which handler answers where.
//! - `request`: who asks, decided before anything else is looked at, and what they said.
//! - `reservations`: what consumers ask for; `operators`: those who look after the pool;
//!   `monitoring`: for people and machines that watch.
//! - `answer`: how what there is to say is said: in which form, at once or when it is news, or not again.
//! - `problem`: everything that can go wrong, in one table.
//! - `openapi`: the document of all this, made from the handlers; `page` shows it to people.

mod answer;
mod monitoring;
mod openapi;
mod operators;
mod page;
mod problem;
mod request;
mod reservations;
mod routes;
mod server;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{AccountId, Credential, Timestamp};
use acctpool_actors::{Audit, Deliveries, PoolHandle, Published, Receipts};
use arc_swap::ArcSwap;
use secrecy::SecretString;

use crate::certificate::Certificate;

pub use monitoring::measure::{Exchange, Measure};
pub use request::identity::{Identity, Role};
pub use server::serve;

/// Tells whose a presented token is.
pub trait Authenticate: Send + Sync + 'static {
    /// Returns whom the token belongs to, or `None` when nobody knows it.
    ///
    /// Takes the same path for tokens that never were and tokens that are no more, and compares in
    /// constant time.
    fn identify(&self, presented: &str) -> Option<Identity>;
}

/// Knows the value of lease credentials, which the pool does not.
pub trait LeaseKeys: Send + Sync + 'static {
    /// Returns the API key of a lease credential of `account`; `None` where its master key is not at
    /// hand, which it is for as long as there is a lease.
    fn reveal(&self, account: &AccountId, credential: &Credential) -> Option<SecretString>;
}

/// What every answer is made from. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The pool: for what changes something.
    pub pool: PoolHandle,
    /// What the pool has said: for what only reads.
    pub published: Published,
    /// What is kept of cleanings.
    pub receipts: Receipts,
    /// What is kept for the auditor.
    pub audit: Audit,
    /// What webhooks are told.
    pub deliveries: Deliveries,
    /// What is counted.
    pub metrics: Arc<dyn Measure>,
    /// The wall clock, read when an answer is rendered.
    pub clock: Arc<dyn Clock>,
    /// Those who may ask.
    pub authenticate: Arc<dyn Authenticate>,
    /// The lease credentials.
    pub keys: Arc<dyn LeaseKeys>,
    /// When the program started.
    pub started_at: Timestamp,
    /// The program's version.
    pub version: &'static str,
    /// What the operator chose. What may be stored here while the server runs is said of each.
    pub settings: Arc<ArcSwap<Settings>>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("started_at", &self.started_at)
            .field("version", &self.version)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What the operator can choose about the HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether `?token=` is accepted beside `Authorization: Bearer`. Read for each request.
    pub allow_query_tokens: bool,
    /// The peers whose `X-Forwarded-For` is believed, in the access log. Read for each request.
    pub trusted_proxies: Vec<IpAddr>,
    /// What TLS is spoken with; `None` for clear text, which takes a new server to change. Read for each
    /// handshake.
    pub certificate: Option<Certificate>,
    /// Where a consumer exchanges its lease credential for a token: IBM Cloud's IAM. Read for each
    /// answer.
    pub iam_url: Box<str>,
    /// How many connections may be open at once. Further ones wait in the system's queue.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request; then its connection is closed,
    /// and answered 408 if it was the first. A body may take as long again.
    pub client_timeout: Duration,
    /// How long a connection may rest between two requests.
    pub keep_alive: Duration,
    /// How long requests that run may take to finish when the server stops.
    pub shutdown_timeout: Duration,
    /// How long a part of the service may take to answer before it counts as failed.
    pub check_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_query_tokens: true,
            trusted_proxies: Vec::new(),
            certificate: None,
            iam_url: "https://iam.cloud.ibm.com".into(),
            max_connections: 10_000,
            client_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            shutdown_timeout: Duration::from_secs(10),
            check_timeout: Duration::from_secs(2),
        }
    }
}
