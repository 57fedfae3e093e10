//! The world around the pool, as far as a test needs it.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use acctpool::http::{Authenticate, Identity, LeaseKeys, Role};
use acctpool_actors::clock::Clock;
use acctpool_actors::cloud::{Cloud, CloudError, Leftover, Pass, Probe, Proof, Traffic, Verified};
use acctpool_actors::pool::{
    AccountId, AuditEntry, Change, Credential, Fence, Generation, ManagementKey, ManagementKeys,
    ReceiptLine, Snapshot, Timestamp,
};
use acctpool_actors::store::{ReceiptsOf, Store, StoreError};
use secrecy::SecretString;
use uuid::Uuid;

/// The token of the consumer `ci`. It has characters that a query must escape.
pub(crate) const CI: &str = "acctpool_ci+secret/=&";
/// The token of the consumer `nightly`.
pub(crate) const NIGHTLY: &str = "acctpool_nightly-secret";
/// The token of the operator `ops`.
pub(crate) const OPS: &str = "acctpool_ops-secret";
/// The token of the viewer `board`.
pub(crate) const BOARD: &str = "acctpool_board-secret";
/// The token of the consumer `slow`, which may ask twice in a minute.
pub(crate) const SLOW: &str = "acctpool_slow-secret";
/// What every lease key begins with.
pub(crate) const LEASE_KEY: &str = "lease-key-secret";

/// A clock that a test sets.
pub(crate) struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }

    pub(crate) fn set(&self, now: Timestamp) {
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

/// Writes to a [`Disk`], which forgets everything but receipts and the audit.
pub(crate) struct MemoryStore {
    pub(crate) disk: Arc<Disk>,
    pub(crate) kept: acctpool::store::MemoryStore,
}

impl Store for MemoryStore {
    fn id(&self) -> Uuid {
        Uuid::nil()
    }

    fn commit(
        &mut self,
        _: Vec<Change>,
        entries: Vec<AuditEntry>,
        lines: Vec<ReceiptLine>,
    ) -> Result<(), StoreError> {
        self.disk.write()?;
        self.kept.commit(Vec::new(), entries, lines)
    }

    fn receipt_lines(&mut self, of: &ReceiptsOf) -> Result<Vec<ReceiptLine>, StoreError> {
        self.kept.receipt_lines(of)
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot::default())
    }
}

/// Those who may ask.
pub(crate) struct Tokens;

impl Authenticate for Tokens {
    fn identify(&self, presented: &str) -> Option<Identity> {
        let (name, role, limit) = match presented {
            CI => ("ci", Role::Consumer, None),
            NIGHTLY => ("nightly", Role::Consumer, None),
            OPS => ("ops", Role::Operator, None),
            BOARD => ("board", Role::Viewer, None),
            SLOW => ("slow", Role::Consumer, NonZeroU32::new(2)),
            _ => return None,
        };
        Some(Identity {
            token: name.into(),
            role,
            requests_per_minute: limit,
        })
    }
}

/// Keys that say what they are derived from.
pub(crate) struct Keys;

impl LeaseKeys for Keys {
    fn reveal(&self, account: &AccountId, credential: &Credential) -> Option<SecretString> {
        Some(format!("{LEASE_KEY}-{account}-{}", credential.fence).into())
    }
}

/// An account in which every verb succeeds at once, unless its id begins with `bad`. Where it begins
/// with `messy`, every lease leaves an instance.
pub(crate) struct EasyCloud {
    id: AccountId,
    is_dirty: Cell<bool>,
}

impl EasyCloud {
    pub(crate) fn new(id: AccountId) -> Self {
        let is_dirty = Cell::new(false);
        Self { id, is_dirty }
    }
}

fn leftover(collection: &str, id: &str, reason: &str) -> Leftover {
    Leftover {
        collection: collection.to_owned(),
        id: id.to_owned(),
        name: None,
        region: Some("eu-de".to_owned()),
        reason: reason.to_owned(),
    }
}

impl Cloud for EasyCloud {
    async fn verify(&self, keys: ManagementKeys) -> Result<Verified, CloudError> {
        if self.id.as_str().starts_with("bad") {
            return Err(CloudError::WrongAccount("not this one".to_owned()));
        }
        Ok(Verified {
            current: keys.current,
            newest: keys.newest,
        })
    }

    async fn revoke(&self, _: ManagementKeys, _: Option<&Credential>) -> Result<(), CloudError> {
        self.is_dirty.set(self.id.as_str().starts_with("messy"));
        Ok(())
    }

    async fn sweep(&self, _: ManagementKeys) -> Result<Pass, CloudError> {
        let mess = leftover(
            "resource instances",
            "crn:mess",
            "its deletion was accepted",
        );
        let kept = leftover("resource groups", "keepers", "the operator keeps it");
        Ok(Pass {
            deleted: self.is_dirty.take().then_some(mess).into_iter().collect(),
            kept: vec![kept],
            stage: Some("instances"),
            traffic: Traffic {
                requests: 3,
                retries: 1,
            },
            ..Pass::default()
        })
    }

    async fn prove(&self, _: ManagementKeys) -> Result<Proof, CloudError> {
        Ok(Proof::default())
    }

    async fn mint(
        &self,
        _: ManagementKeys,
        generation: Generation,
        fence: Fence,
        expires_at: Timestamp,
    ) -> Result<Credential, CloudError> {
        Ok(Credential {
            generation,
            fence,
            service_id: format!("ServiceId-{}", self.id),
            key_id: "ApiKey-1".to_owned(),
            policy_ids: Vec::new(),
            expires_at,
        })
    }

    async fn probe(&self, _: ManagementKeys, _: &Credential) -> Result<Probe, CloudError> {
        Ok(Probe::Works)
    }

    async fn rotate(&self, _: ManagementKeys, _: ManagementKey) -> Result<(), CloudError> {
        Ok(())
    }

    async fn retire(&self, _: ManagementKeys) -> Result<(), CloudError> {
        Ok(())
    }
}
