//! A simulated account, the adapter that cleans it, and a borrower who uses it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use acctpool::ibm::{
    self, BaseUrl, Endpoints, FleetingBaselines, Ibm, Keep, Limits, Profile, Rights, Settings,
};
use acctpool::keyring::{Keyring, MasterKey};
use acctpool::simulator::{AccountSpec, Lags, Simulator, Time};
use acctpool_actors::clock::Clock;
use acctpool_actors::cloud::Cloud;
use acctpool_actors::pool::{
    AccountId, Epoch, Fence, Generation, ManagementKey, ManagementKeys, Timestamp,
};
use awc::http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::macros::datetime;
use uuid::Uuid;

/// The moment at which every test begins.
pub(crate) const START: Timestamp = datetime!(2026-05-01 10:00 UTC);

/// The epoch-0 key in use, and no other.
pub(crate) const CONFIGURED: ManagementKeys = ManagementKeys {
    current: ManagementKey::CONFIGURED,
    pending: None,
    previous: None,
    newest: Epoch(0),
    verified: false,
};

/// The first master key.
pub(crate) const FIRST: Generation = Generation(0);

/// The management key of an epoch, derived from the first master key.
pub(crate) fn key(epoch: u32) -> ManagementKey {
    ManagementKey {
        epoch: Epoch(epoch),
        generation: FIRST,
    }
}

/// The keys of the given epochs, all of them verified.
pub(crate) fn keys(current: u32, pending: Option<u32>, previous: Option<u32>) -> ManagementKeys {
    let newest = pending.into_iter().chain(previous).fold(current, u32::max);
    ManagementKeys {
        current: key(current),
        pending: pending.map(key),
        previous: previous.map(key),
        newest: Epoch(newest),
        verified: true,
    }
}

/// An end of a lease.
pub(crate) fn in_a_day() -> Timestamp {
    START + time::Duration::DAY
}

struct SimulatedTime(Simulator);

impl Clock for SimulatedTime {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// One simulated account.
pub(crate) struct World {
    pub(crate) cloud: Simulator,
    pub(crate) spec: AccountSpec,
    pub(crate) keyring: Arc<Keyring>,
    http: awc::Client,
}

impl World {
    pub(crate) fn new(lags: Lags) -> Self {
        let specs = [1, 2].map(|n| AccountSpec::generate("test", n, 7));
        let spec = specs[0].clone();
        let settings = acctpool::simulator::Settings {
            accounts: specs.to_vec(),
            lags,
            time: Time::Frozen(START),
            seed: 7,
        };
        let bind = SocketAddr::from(([127, 0, 0, 1], 0));
        let cloud = Simulator::start(bind, &settings).unwrap();
        let master = MasterKey::random().unwrap();
        Self {
            cloud,
            spec,
            keyring: Arc::new(Keyring::new(master, Uuid::from_u128(1))),
            http: ibm::client(&limits()),
        }
    }

    /// Another account of the same cloud.
    pub(crate) fn other_account() -> AccountSpec {
        AccountSpec::generate("test", 2, 7)
    }

    pub(crate) fn settings(&self) -> Settings {
        let url: BaseUrl = self.cloud.url().parse().unwrap();
        Settings {
            account: self.account(),
            api_key: Some(self.spec.api_key.clone()),
            owner: Some(self.spec.owner_iam_id.clone()),
            rights: Rights::Standard,
            keep: Keep::default(),
            protected: [].into(),
            endpoints: Endpoints::all_at(&url).into(),
            limits: limits(),
            profile: Profile::Lite,
            baselines: Arc::new(FleetingBaselines::default()),
        }
    }

    pub(crate) fn account(&self) -> AccountId {
        self.spec.id.as_str().into()
    }

    pub(crate) fn ibm(&self) -> Ibm {
        self.ibm_with(|_| {})
    }

    pub(crate) fn ibm_with(&self, change: impl FnOnce(&mut Settings)) -> Ibm {
        let mut settings = self.settings();
        change(&mut settings);
        let clock = Arc::new(SimulatedTime(self.cloud.clone()));
        Ibm::new(settings, self.keyring.clone(), clock, self.http.clone())
    }

    /// The value of the lease key of a fence.
    pub(crate) fn lease(&self, fence: u64) -> SecretString {
        let value = self.keyring.lease(&self.account(), FIRST, Fence(fence));
        value.unwrap()
    }

    /// The value of the management key of an epoch, derived from the first master key.
    pub(crate) fn management(&self, epoch: u32) -> SecretString {
        self.keyring
            .management(&self.account(), key(epoch))
            .unwrap()
    }

    /// What the account holds, in truth.
    pub(crate) fn inventory(&self) -> Vec<String> {
        self.cloud.inventory(&self.spec.id).lines
    }

    /// The writes since the log was last cleared: `METHOD path`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let requests = self.cloud.requests().into_iter();
        requests
            .filter(|request| request.is_write)
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    /// The id of the key with this value, if it works.
    pub(crate) fn key(&self, value: &SecretString) -> Option<String> {
        self.cloud.working_key(value.expose_secret())
    }

    /// Signs in with a key.
    pub(crate) async fn borrower(&self, key: &SecretString) -> Borrower<'_> {
        let form = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", key.expose_secret()),
        ];
        let url = format!("{}/identity/token", self.cloud.url());
        let mut answer = self.http.post(url).send_form(&form).await.unwrap();
        let body: Value = answer.json().await.unwrap();
        Borrower {
            world: self,
            token: body["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Signs in as the account's owner.
    pub(crate) async fn owner(&self) -> Borrower<'_> {
        self.borrower(&self.spec.api_key).await
    }
}

/// Short waits and few attempts.
fn limits() -> Limits {
    Limits {
        request_timeout: Duration::from_secs(1),
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(10),
        ..Limits::default()
    }
}

/// Somebody who is signed in.
pub(crate) struct Borrower<'a> {
    world: &'a World,
    token: String,
}

impl Borrower<'_> {
    /// Makes a call that must succeed.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, body) = self.try_call(method.clone(), path, body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {body}"
        );
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn try_call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.world.cloud.url());
        let request = self
            .world
            .http
            .request(method, url)
            .bearer_auth(&self.token);
        let mut answer = if body.is_null() {
            request.send().await.unwrap()
        } else {
            request.send_json(&body).await.unwrap()
        };
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// Gives an API key or a service ID another name.
    pub(crate) async fn rename(&self, path: &str, name: &str) {
        let before = self.call(Method::GET, path, Value::Null).await;
        let request = self
            .world
            .http
            .put(format!("{}{path}", self.world.cloud.url()))
            .insert_header(("If-Match", before["entity_tag"].as_str().unwrap()))
            .bearer_auth(&self.token);
        let answer = request.send_json(&json!({"name": name})).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    /// Returns the default resource group.
    pub(crate) async fn default_group(&self) -> String {
        let path = format!("/v2/resource_groups?account_id={}", self.world.spec.id);
        let groups = self.call(Method::GET, &path, Value::Null).await;
        groups["resources"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Makes an instance of a plan; returns it.
    pub(crate) async fn instance(&self, name: &str, plan: &str) -> Value {
        let group = self.default_group().await;
        self.instance_in(name, plan, &group).await
    }

    pub(crate) async fn instance_in(&self, name: &str, plan: &str, group: &str) -> Value {
        self.post(
            "/v2/resource_instances",
            json!({"name": name, "target": "global", "resource_group": group, "resource_plan_id": plan}),
        )
        .await
    }
}

/// Sweeps until nothing is left to do, letting time pass as the pool would.
pub(crate) async fn sweep_clean(world: &World, ibm: &Ibm) -> usize {
    let mut deleted = 0;
    for _ in 0..20 {
        let pass = ibm.sweep(CONFIGURED).await.unwrap();
        assert_eq!(pass.stuck, [], "nothing here refuses to go");
        if pass.is_clean() {
            return deleted;
        }
        deleted += pass.deleted.len();
        world.cloud.advance(Duration::from_secs(30));
    }
    panic!(
        "not clean after 20 passes: {:#?}",
        ibm.sweep(CONFIGURED).await
    );
}
