//! IBM Cloud behind the Cloud port: real HTTP calls, one pass per verb.
//!
//! Depends on the port, the keyring and `awc`; knows nothing of the pool's rules, and decides
//! neither when to come again nor when to give up. One [`Ibm`] serves one account and lives on a
//! cleaners' arbiter. Facts about IBM's APIs are cited as sections of `ibm-cloud.md`.
//!
//! From the wire up: `wire` is one exchange; `request` and `fault` are one call and what can go wrong
//! with it; `transport` sends; `token` and `session` add the management key and the safety interlock; `paging` reads
//! lists. `identity`, `policies`, `tags` and `search` are IBM's services. The verbs are `verify`,
//! `survey`, which reads a whole account, `sweep`, `lease` and `management`, and `observe` for who
//! wants to know how IBM Cloud behaves; what is surveyed and swept is the table in `collections`.

mod account_settings;
mod api;
mod baseline;
mod collections;
mod course;
mod fault;
mod identity;
mod janitor;
mod lease;
mod management;
mod observe;
mod paging;
mod plan;
mod policies;
mod request;
mod restrictions;
mod scope;
mod search;
mod session;
mod settings;
mod survey;
mod sweep;
mod tags;
#[cfg(test)]
mod tests;
mod token;
mod transport;
mod verify;
mod wire;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use acctpool_actors::clock::Clock;
use acctpool_actors::cloud::{Cloud, CloudError, Leftover, Pass, Probe, Proof, Traffic, Verified};
use acctpool_actors::pool::{
    Credential, Fence, Generation, ManagementKey, ManagementKeys, Timestamp,
};
use tokio::sync::Mutex;

pub use api::{Api, Endpoint, Endpoints, Region};
pub use baseline::{AccountSettings, Baseline, BaselineItem, Baselines, FleetingBaselines};
pub use observe::Observation;
pub use plan::{Plan, PlannedStep};
pub use settings::{BaseUrl, BaseUrlError, Keep, Limits, Places, Profile, Rights, Settings};
pub use wire::{Incoming, Outgoing, Wire, client};

use crate::keyring::Keyring;
use course::Course;
use janitor::Janitor;
use session::{Access, Session};
use transport::Transport;

/// Returns the names of the collections of the cleaning plan, in its order.
pub fn collections() -> impl Iterator<Item = &'static str> {
    collections::TABLE.iter().map(|row| row.name)
}

/// What a pass would have told.
#[derive(Default)]
struct Untold {
    deleted: Vec<Leftover>,
    traffic: Traffic,
}

/// One account at IBM Cloud.
pub struct Ibm {
    settings: Settings,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    transport: Transport,
    /// The token in use. The lock is held while a new one is fetched.
    access: Mutex<Option<Rc<Access>>>,
    /// Every derived key was tried, and none works.
    search_exhausted: Cell<bool>,
    /// What a sweep remembers between its passes.
    course: RefCell<Course>,
    /// What was deleted and is not told yet: by a pass that ended with a fault, or between passes. The
    /// next pass that ends well tells it.
    untold: RefCell<Untold>,
    /// Who deletes clusters, while there are any.
    janitor: Mutex<Option<Janitor>>,
    /// Until when a context-based restriction that is gone may still refuse what it refused.
    restricted_until: Cell<Option<Timestamp>>,
}

impl Ibm {
    /// Makes the adapter of one account. In production `wire` is the arbiter's [`client`].
    #[must_use]
    pub fn new(
        settings: Settings,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        wire: impl Wire,
    ) -> Self {
        Self::over(settings, keyring, clock, Rc::new(wire))
    }

    /// Returns the adapter of the same account with other settings. It knows nothing of what this one
    /// has seen.
    #[must_use]
    pub fn succeeded_by(&self, settings: Settings) -> Self {
        let keyring = Arc::clone(&self.keyring);
        let clock = Arc::clone(&self.clock);
        Self::over(settings, keyring, clock, self.transport.wire())
    }

    fn over(
        settings: Settings,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        wire: Rc<dyn Wire>,
    ) -> Self {
        let endpoints = Arc::clone(&settings.endpoints);
        let transport = Transport::new(wire, endpoints, settings.limits, clock.clone());
        Self {
            settings,
            keyring,
            clock,
            transport,
            access: Mutex::new(None),
            search_exhausted: Cell::new(false),
            course: RefCell::default(),
            untold: RefCell::default(),
            janitor: Mutex::new(None),
            restricted_until: Cell::new(None),
        }
    }

    /// Returns what a cleaning would do. Writes nothing.
    pub async fn plan(&self, keys: ManagementKeys) -> Result<Plan, CloudError> {
        let session = self.fresh_session(keys).await?;
        plan::plan(&session).await
    }

    /// Returns the account as it is as a baseline, which is not kept yet. Writes nothing.
    pub async fn baseline(&self, keys: ManagementKeys) -> Result<Baseline, CloudError> {
        let session = self.fresh_session(keys).await?;
        plan::baseline(&session).await
    }

    /// Returns what section 15 of `ibm-cloud.md` could not confirm, as far as reading shows it here.
    /// Writes nothing; nothing of it is secret.
    pub async fn observe(&self, keys: ManagementKeys) -> Result<Vec<Observation>, CloudError> {
        let session = self.fresh_session(keys).await?;
        Ok(observe::observe(&session).await?)
    }

    /// Returns how many requests were sent so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.transport.traffic()
    }

    /// Sends nothing from now on: a verb that is under way ends with a fault that passes, once the
    /// requests that are under way are answered.
    pub fn end(&self) {
        self.transport.end();
    }

    /// Opens a session for a verb, once the account is known not to be protected: not even its key
    /// is used then.
    async fn session(&self, keys: ManagementKeys) -> Result<Session<'_>, CloudError> {
        self.not_protected()?;
        Ok(Session::open(self, keys).await?)
    }

    async fn fresh_session(&self, keys: ManagementKeys) -> Result<Session<'_>, CloudError> {
        self.not_protected()?;
        Ok(Session::open_fresh(self, keys).await?)
    }
}

impl fmt::Debug for Ibm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ibm")
            .field("account", &self.settings.account)
            .finish_non_exhaustive()
    }
}

impl Cloud for Ibm {
    async fn verify(&self, keys: ManagementKeys) -> Result<Verified, CloudError> {
        // A cleaning begins: what was seen in the last one says nothing any more.
        self.course.take();
        self.janitor.lock().await.take();
        let session = self.fresh_session(keys).await?;
        let verified = verify::verify(&session).await;
        self.judge(verified.map_err(CloudError::from))
    }

    async fn revoke(
        &self,
        keys: ManagementKeys,
        credential: Option<&Credential>,
    ) -> Result<(), CloudError> {
        let session = self.session(keys).await?;
        let revoked = lease::revoke(&session, credential).await;
        let lifted = restrictions::lift(&session).await;
        self.judge(revoked.and(lifted).map_err(CloudError::from))
    }

    async fn sweep(&self, keys: ManagementKeys) -> Result<Pass, CloudError> {
        let session = self.session(keys).await?;
        self.judge(sweep::sweep(&session).await)
    }

    async fn prove(&self, keys: ManagementKeys) -> Result<Proof, CloudError> {
        let session = self.fresh_session(keys).await?;
        let survey = survey::survey(&session).await;
        self.judge(survey.map(Proof::from))
    }

    async fn mint(
        &self,
        keys: ManagementKeys,
        generation: Generation,
        fence: Fence,
        expires_at: Timestamp,
    ) -> Result<Credential, CloudError> {
        let session = self.session(keys).await?;
        let minted = lease::mint(&session, generation, fence, expires_at).await;
        self.judge(minted.map_err(CloudError::from))
    }

    async fn probe(
        &self,
        keys: ManagementKeys,
        credential: &Credential,
    ) -> Result<Probe, CloudError> {
        let session = self.session(keys).await?;
        let probed = lease::probe(&session, credential).await;
        self.judge(probed.map_err(CloudError::from))
    }

    async fn rotate(&self, keys: ManagementKeys, to: ManagementKey) -> Result<(), CloudError> {
        let session = self.session(keys).await?;
        Ok(management::rotate(&session, to).await?)
    }

    async fn retire(&self, keys: ManagementKeys) -> Result<(), CloudError> {
        self.not_protected()?;
        let session = Session::open_strict(self, keys).await?;
        Ok(management::retire(&session).await?)
    }
}
