//! One account, the pool that owns it and the adapter that cleans it, on virtual time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use acctpool::ibm::{
    BaseUrl, Endpoints, FleetingBaselines, Ibm, Incoming, Keep, Limits, Outgoing, Profile, Rights,
    Settings, Wire,
};
use acctpool::keyring::{Keyring, MasterKey};
use acctpool::simulator::{AccountSpec, Direct, FaultAction, Lags, RetryAfter, Time};
use acctpool_actors::clock::Clock;
use acctpool_actors::cloud::perform;
use acctpool_actors::messages::Clean;
use acctpool_actors::pool::{
    Account, AccountState, Event, Generation, Policy, Pool, Quarantine, ReportCleaning, Snapshot,
    Tick, Timestamp, TypePolicy, UseMasterKey,
};
use awc::http::StatusCode;
use awc::http::header::{HeaderMap, HeaderName, HeaderValue};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use secrecy::ExposeSecret;
use serde_json::Value;
use time::macros::datetime;
use tokio::time::Instant;
use uuid::Uuid;

/// When every test begins.
pub(crate) const START: Timestamp = datetime!(2026-05-01 10:00 UTC);

/// Longer than all attempts at a cleaning take together.
const LONGEST: time::Duration = time::Duration::days(2);

/// See the module.
pub(crate) struct Arena {
    pub(crate) cloud: Rc<Direct>,
    pub(crate) spec: AccountSpec,
    pub(crate) requests: Rc<Requests>,
    pub(crate) policy: Policy,
    keyring: Arc<Keyring>,
    settings: Settings,
    untouched: BTreeSet<String>,
    clock: VirtualClock,
}

/// How a cleaning ended, and the account's record then.
#[derive(Debug)]
pub(crate) struct Cleaned {
    pub(crate) account: Account,
    /// Why it was quarantined; `None` if it is ready.
    pub(crate) quarantine: Option<Quarantine>,
    /// Whether it took until the time for a cleaning was over.
    pub(crate) timed_out: bool,
}

/// What was sent, and what goes wrong with it.
#[derive(Default)]
pub(crate) struct Requests {
    /// Method and path of each.
    pub(crate) sent: RefCell<Vec<(String, String)>>,
    /// How many requests in a thousand go wrong, and until when.
    pub(crate) faults: Cell<(u32, Duration)>,
    chance: Cell<u64>,
    /// How many requests there were when a token was last refused.
    refused_at: Cell<usize>,
}

/// Runs a test on virtual time.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(test)
}

impl Arena {
    /// Makes an account that nobody has used. Must be called on virtual time.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Lags::realistic())
    }

    pub(crate) fn with(seed: u64, lags: Lags) -> Self {
        let spec = AccountSpec::generate("test", 1, seed);
        let cloud = Direct::new(&acctpool::simulator::Settings {
            accounts: vec![spec.clone()],
            lags,
            time: Time::Frozen(START),
            seed,
        });
        let url: BaseUrl = cloud.url().parse().unwrap();
        let settings = Settings {
            account: spec.id.as_str().into(),
            api_key: Some(spec.api_key.clone()),
            owner: Some(spec.owner_iam_id.clone()),
            rights: Rights::Standard,
            keep: Keep::default(),
            protected: BTreeSet::new(),
            endpoints: Endpoints::all_at(&url).into(),
            limits: Limits::default(),
            profile: Profile::Full,
            baselines: Arc::new(FleetingBaselines::default()),
        };
        let of_type = TypePolicy {
            default_duration: Duration::from_hours(1),
            max_duration: Duration::from_hours(12),
        };
        let untouched = cloud.inventory(&spec.id).lines.into_iter().collect();
        let requests = Requests::default();
        requests.chance.set(seed);
        Self {
            cloud: Rc::new(cloud),
            spec,
            requests: Rc::new(requests),
            policy: Policy {
                rotate_every: None,
                types: [("test".into(), of_type)].into(),
                ..Policy::default()
            },
            keyring: Arc::new(Keyring::new(
                MasterKey::random().unwrap(),
                Uuid::from_u128(1),
            )),
            settings,
            untouched,
            clock: VirtualClock::start(),
        }
    }

    /// Lets a service start with the account, and waits until the account is ready or needs a person.
    pub(crate) async fn clean(&self) -> Cleaned {
        let ibm = self.ibm();
        let now = self.clock.now();
        let id = &self.settings.account;
        let accounts = [(id.clone(), "test".into())];
        let mut pool = Pool::open(self.policy.clone(), accounts, Snapshot::default(), now);
        let (generation, fingerprint) = self.keyring.fingerprints().pop_first().unwrap();
        assert_eq!(generation, Generation(0));
        let mut events = pool
            .apply(
                UseMasterKey {
                    generation,
                    fingerprint,
                },
                now,
            )
            .events;
        let mut taken = 0;
        loop {
            let lasting = self.clock.now() - now;
            assert!(lasting < LONGEST, "it has not ended after {lasting}");
            events.extend(pool.apply(Tick, self.clock.now()).events);
            let job = events[taken..].iter().find_map(|event| match event {
                Event::JobIssued {
                    fence, keys, job, ..
                } => Some(Clean {
                    fence: *fence,
                    keys: *keys,
                    job: job.clone(),
                }),
                _ => None,
            });
            taken = events.len();
            if let Some(job) = job {
                let fence = job.fence;
                let done = perform(&ibm, job);
                let done = tokio::time::timeout(self.policy.pass_timeout, done).await;
                let Ok(result) = done else {
                    continue;
                };
                let account = id.clone();
                let report = ReportCleaning {
                    account,
                    fence,
                    result,
                };
                events.extend(pool.apply(report, self.clock.now()).events);
                continue;
            }
            let account = pool.accounts().next().unwrap();
            let quarantine = match &account.state {
                AccountState::Ready { .. } => None,
                AccountState::Quarantined(quarantine) if quarantine.revoke.is_none() => {
                    Some(quarantine.clone())
                }
                _ => {
                    let next = pool.next_deadline().expect("a cleaning is going on");
                    let wait = Duration::try_from(next - self.clock.now()).unwrap_or_default();
                    tokio::time::sleep(wait).await;
                    continue;
                }
            };
            let timed_out = |event: &Event| matches!(event, Event::CleaningTimedOut { .. });
            return Cleaned {
                account: account.clone(),
                quarantine,
                timed_out: events.iter().any(timed_out),
            };
        }
    }

    /// Returns the adapter of the account.
    pub(crate) fn ibm(&self) -> Ibm {
        let wire = DirectWire {
            cloud: Rc::clone(&self.cloud),
            requests: Rc::clone(&self.requests),
            clock: self.clock,
        };
        let clock = Arc::new(self.clock);
        Ibm::new(
            self.settings.clone(),
            Arc::clone(&self.keyring),
            clock,
            wire,
        )
    }

    /// Returns what is in the account and should not be, by the simulator's own state.
    pub(crate) fn excess(&self, cleaned: &Cleaned) -> Vec<String> {
        self.cloud.move_to(self.clock.now());
        let credential = cleaned.account.credential.as_ref();
        let in_use: Vec<&str> = credential
            .iter()
            .flat_map(|credential| {
                let policies = credential.policy_ids.iter().map(String::as_str);
                policies.chain([credential.service_id.as_str(), credential.key_id.as_str()])
            })
            .collect();
        let lines = self.cloud.inventory(&self.spec.id).lines;
        lines
            .into_iter()
            .filter(|line| !self.untouched.contains(line))
            .filter(|line| !in_use.iter().any(|id| line.contains(id)))
            .collect()
    }

    /// Makes something, as the account's owner does.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is written where it is sent"
    )]
    pub(crate) fn make(&self, target: &str, body: Value) -> Value {
        let (status, made) = self.ask("POST", target, &[], &body);
        assert!((200..300).contains(&status), "{target}: {status} {made}");
        made
    }

    /// Asks the cloud something, as the account's owner does.
    pub(crate) fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        let form = format!(
            "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={}",
            self.spec.api_key.expose_secret()
        );
        let media = "application/x-www-form-urlencoded".to_owned();
        let media = [("content-type".to_owned(), media)].into();
        let token = self
            .cloud
            .answer("POST", "/identity/token", media, form.as_bytes(), None);
        let token = token.unwrap().body.unwrap()["access_token"].clone();
        let headers = headers.iter().copied();
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        let headers = headers.chain([
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ]);
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self
            .cloud
            .answer(method, target, headers.collect(), body.as_bytes(), None);
        let answer = answer.unwrap();
        (answer.status, answer.body.unwrap_or(Value::Null))
    }

    /// Returns the id of the default resource group.
    pub(crate) fn default_group(&self) -> Value {
        let target = format!("/v2/resource_groups?account_id={}", self.spec.id);
        let (_, groups) = self.ask("GET", &target, &[], &Value::Null);
        groups["resources"][0]["id"].clone()
    }

    /// Returns after how long the search index knows everything.
    pub(crate) fn index_lag() -> Duration {
        Lags::realistic().search_index * 2
    }

    /// Lets so much time pass.
    pub(crate) async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.cloud.move_to(self.clock.now());
    }
}

impl Requests {
    /// Returns what was sent that may have changed something: all but reading, tokens and searching.
    pub(crate) fn writes(&self) -> Vec<String> {
        let sent = self.sent.borrow();
        let is_read = |(method, target): &(String, String)| {
            let asks = ["/identity/token", "/v3/resources/search"];
            method == "GET" || asks.iter().any(|path| target.starts_with(path))
        };
        let writes = sent.iter().filter(|request| !is_read(request));
        writes
            .map(|(method, target)| format!("{method} {target}"))
            .collect()
    }

    fn random(&self) -> u64 {
        // SplitMix64.
        let state = self.chance.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.chance.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// What goes wrong with the next request: everything that passes.
    ///
    /// A token is not refused twice in a row: that would mean that the key has no rights any more.
    fn strike(&self, age: Duration) -> Option<FaultAction> {
        let (per_mille, until) = self.faults.get();
        if age > until || self.random() % 1000 >= u64::from(per_mille) {
            return None;
        }
        let sent = self.sent.borrow().len();
        Some(match self.random() % 6 {
            3 if sent < self.refused_at.get() + 50 => FaultAction::Reset,
            0 => FaultAction::status(500),
            1 => FaultAction::status(503),
            2 => FaultAction::throttled(RetryAfter::Seconds(20)),
            3 => {
                self.refused_at.set(sent);
                FaultAction::Unauthorized
            }
            4 => FaultAction::Reset,
            _ => FaultAction::LostReply,
        })
    }
}

/// Virtual time as it stands on tokio's clock.
#[derive(Clone, Copy, Debug)]
struct VirtualClock(Instant);

impl VirtualClock {
    fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        START + self.0.elapsed()
    }
}

/// The simulator's services without a socket.
struct DirectWire {
    cloud: Rc<Direct>,
    requests: Rc<Requests>,
    clock: VirtualClock,
}

impl Wire for DirectWire {
    fn exchange(&self, outgoing: Outgoing) -> LocalBoxFuture<'_, Result<Incoming, String>> {
        self.cloud.move_to(self.clock.now());
        let mut headers = HashMap::new();
        for (name, value) in &outgoing.headers {
            headers.insert(name.to_string(), value.to_str().unwrap().to_owned());
        }
        let body = outgoing.body.map_or(String::new(), |(media, body)| {
            headers.insert("content-type".to_owned(), media.to_owned());
            body
        });
        let target = outgoing.url.strip_prefix(self.cloud.url()).unwrap();
        let method = outgoing.method.as_str();
        let sent = (method.to_owned(), target.to_owned());
        self.requests.sent.borrow_mut().push(sent);
        let strike = self.requests.strike(self.clock.0.elapsed());
        let answer = self
            .cloud
            .answer(method, target, headers, body.as_bytes(), strike);
        let incoming = answer.map(|answer| {
            let mut headers = HeaderMap::new();
            for (name, value) in answer.headers {
                let value = HeaderValue::from_str(&value).unwrap();
                headers.insert(HeaderName::from_static(name), value);
            }
            Incoming {
                status: StatusCode::from_u16(answer.status).unwrap(),
                headers,
                body: answer
                    .body
                    .map_or(Vec::new(), |body| body.to_string().into()),
            }
        });
        async { incoming.ok_or_else(|| "the connection was reset".to_owned()) }.boxed_local()
    }

    fn random(&self) -> u32 {
        u32::try_from(self.requests.random() >> 32).unwrap()
    }
}
