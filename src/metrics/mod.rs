//! Counts for operators' graphs, in the `OpenMetrics` text format.
//!
//! Knows the pool's events and statistics, and the port of `http`; nothing else of the program.
//! Promises that no label is the name of an account, a reservation or a token, and that every series
//! of every type and every webhook is there from the start, at zero.
//!
//! What is so now is read from the pool's statistics when somebody asks; what has happened is counted
//! by [`Meter`], which hears of it once it is durable.

mod meter;
mod webhooks;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acctpool_actors::Deliveries;
use acctpool_actors::pool::{AccountType, Pool, StateKind, Statistics, Timestamp};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use self::meter::Meter;
use crate::http::{Exchange, Measure};

/// Label names and values.
type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, Buckets>;

/// Since when somebody has waited for each type. Shared by who counts and who asks; neither does
/// anything else while it holds the lock.
type OldestWaits = Arc<Mutex<BTreeMap<AccountType, Timestamp>>>;

/// The upper bounds of a histogram's buckets, in seconds.
#[derive(Clone, Copy)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;

/// Of a wait: at once, or as long as cleanings and leases take.
const WAITS: Buckets = Buckets(&[
    1.0,
    5.0,
    15.0,
    MINUTE,
    5.0 * MINUTE,
    15.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    6.0 * HOUR,
]);
/// Of a lease.
const LEASES: Buckets = Buckets(&[
    MINUTE,
    5.0 * MINUTE,
    15.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    4.0 * HOUR,
    8.0 * HOUR,
    12.0 * HOUR,
    24.0 * HOUR,
]);
/// Of a cleaning, of which the settling alone takes ten minutes at IBM Cloud.
const CLEANINGS: Buckets = Buckets(&[
    MINUTE,
    5.0 * MINUTE,
    10.0 * MINUTE,
    13.0 * MINUTE,
    15.0 * MINUTE,
    20.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    4.0 * HOUR,
]);
/// Of an answer, up to the longest that may be held back.
const ANSWERS: Buckets = Buckets(&[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 65.0,
]);

/// Everything that can be asked for.
pub struct Metrics {
    registry: Registry,
    accounts: Gauges<2>,
    waiting: Gauges<1>,
    oldest_wait: Gauges<1>,
    oldest_waits: OldestWaits,
    requests: Counters<3>,
    answers: Histograms<1>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Returns metrics of a pool that has just been opened, and who is to hear of what happens in it.
    #[must_use]
    pub fn of(pool: &Pool, version: &'static str) -> (Self, Meter) {
        let mut registry = Registry::with_prefix("acctpool");
        let build = Info::new([("version", version)]);
        registry.register("build", "The program's version", build);
        let oldest_waits = OldestWaits::default();
        let meter = Meter::new(pool, Arc::clone(&oldest_waits), &mut registry);
        let mut metrics = Self {
            accounts: Gauges::default(),
            waiting: Gauges::default(),
            oldest_wait: Gauges::default(),
            oldest_waits,
            requests: Counters::default(),
            answers: Histograms::new_with_constructor(ANSWERS),
            registry,
        };
        metrics.register();
        (metrics, meter)
    }

    /// Has them tell of webhooks, too.
    #[must_use]
    pub fn telling_of(mut self, deliveries: Deliveries) -> Self {
        let webhooks = webhooks::Webhooks(deliveries);
        self.registry.register_collector(Box::new(webhooks));
        self
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("accounts", "Accounts per state", self.accounts.clone());
        registry.register(
            "reservations_waiting",
            "Reservations that wait",
            self.waiting.clone(),
        );
        registry.register_with_unit(
            "oldest_wait",
            "How long the first in the line has waited",
            Unit::Seconds,
            self.oldest_wait.clone(),
        );
        registry.register("http_requests", "Answers given", self.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "How long answers took",
            Unit::Seconds,
            self.answers.clone(),
        );
    }

    /// Takes in what is so now.
    fn take_in(&self, statistics: &Statistics, now: Timestamp) {
        let oldest_waits = self
            .oldest_waits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (account_type, counts) in &statistics.types {
            for state in StateKind::ALL {
                let labels = [of_type(account_type), ("state", state.as_str().into())];
                let accounts = self.accounts.get_or_create(&labels);
                accounts.set(gauged(counts.accounts(state)));
            }
            let labels = [of_type(account_type)];
            self.waiting
                .get_or_create(&labels)
                .set(gauged(counts.pending));
            let oldest = oldest_waits.get(account_type);
            let wait = oldest.map_or(0, |since| (now - *since).whole_seconds().max(0));
            self.oldest_wait.get_or_create(&labels).set(wait);
        }
    }
}

impl Measure for Metrics {
    fn answered(&self, exchange: &Exchange) {
        let Exchange {
            route,
            method,
            status,
            took,
        } = *exchange;
        let labels = [
            ("route", route.into()),
            ("method", method.into()),
            ("status", status.to_string().into()),
        ];
        self.requests.get_or_create(&labels).inc();
        let labels = [("route", route.into())];
        self.answers
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    fn expose(&self, statistics: &Statistics, now: Timestamp) -> String {
        self.take_in(statistics, now);
        let mut exposition = String::new();
        text::encode(&mut exposition, &self.registry).expect("a text takes all that is written");
        exposition
    }
}

fn of_type(account_type: &AccountType) -> (&'static str, Cow<'static, str>) {
    ("type", account_type.to_string().into())
}

fn gauged(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Returns how many seconds lie between two moments, of which the first is not after the second.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    Duration::try_from(to - from)
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
}
