//! The port to the cloud: what a cleaner asks of it, and what it can answer.
//!
//! Each verb is one pass: it does what can be done now, and returns. When the next pass runs, how
//! backoff grows and when a person is needed is decided by the pool.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pool::{Credential, Epoch, Fence, ManagementKeys, Timestamp};

/// One account at the cloud.
///
/// Every verb first makes sure that the management key belongs to the configured account and that
/// the account is not protected, and answers [`CloudError::WrongAccount`] before a single write
/// otherwise. Every verb may be repeated: what is already done counts as done.
///
/// `keys` says which management keys may work. Where the current one does not, an implementation
/// looks for one that does (`design.md` 7), and [`Cloud::verify`] reports which.
pub trait Cloud: 'static {
    /// Makes sure that the account is usable and that its management key sees what is known to
    /// exist, so that an empty list means something.
    fn verify(&self, keys: ManagementKeys) -> impl Future<Output = Result<Verified, CloudError>>;

    /// Takes away every lease credential of the account: `credential` first and at once, then all
    /// that can be found by name.
    fn revoke(
        &self,
        keys: ManagementKeys,
        credential: Option<&Credential>,
    ) -> impl Future<Output = Result<(), CloudError>>;

    /// Deletes what can be deleted now, in one pass over the account.
    fn sweep(&self, keys: ManagementKeys) -> impl Future<Output = Result<Pass, CloudError>>;

    /// Reads the whole account with a fresh token and reports everything that should not be there.
    /// Writes nothing.
    fn prove(
        &self,
        keys: ManagementKeys,
    ) -> impl Future<Output = Result<Vec<Leftover>, CloudError>>;

    /// Makes the lease credential of `fence`, after taking away any other one. The value of its key
    /// is derived from the fence.
    fn mint(
        &self,
        keys: ManagementKeys,
        fence: Fence,
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<Credential, CloudError>>;

    /// Tells whether a lease credential already works, policies included.
    fn probe(
        &self,
        keys: ManagementKeys,
        credential: &Credential,
    ) -> impl Future<Output = Result<Probe, CloudError>>;

    /// Makes the management key of epoch `to`, unless it exists, and proves that it works.
    fn rotate(
        &self,
        keys: ManagementKeys,
        to: Epoch,
    ) -> impl Future<Output = Result<(), CloudError>>;

    /// Takes away every management key but the current one.
    fn retire(&self, keys: ManagementKeys) -> impl Future<Output = Result<(), CloudError>>;
}

/// What [`Cloud::verify`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The epoch of the management key that works.
    pub current: Epoch,
    /// The highest epoch that the account has a trace of.
    pub newest: Epoch,
}

/// What one pass of a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// How many deletions were asked for and accepted in this pass.
    pub deleted: u32,
    /// How many items were left alone because the operator keeps them.
    pub kept: u32,
    /// What is on its way out, or cannot go before something else has.
    pub waiting: Vec<Leftover>,
    /// What refuses to go.
    pub stuck: Vec<Leftover>,
}

impl Pass {
    /// Tells whether the pass found nothing that should not be there.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.deleted == 0 && self.waiting.is_empty() && self.stuck.is_empty()
    }
}

/// Something in an account that should not be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// The collection, such as `resource instances`.
    pub collection: String,
    /// The id within it.
    pub id: String,
    /// The name that a person gave it, where it has one.
    pub name: Option<String>,
    /// Why it is still there: its state, or the cloud's words of refusal.
    pub reason: String,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.collection, self.id)?;
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Whether a fresh credential works yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The key is accepted and its policies are in effect.
    Works,
    /// It was made, but the cloud has not caught up.
    NotYet,
}

/// Why a verb did not end well. No variant carries a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The cloud was unwell, or did not answer: what was asked may have been done or not.
    #[error("{0}")]
    Transient(String),
    /// The cloud asks for patience.
    #[error("{detail}")]
    Throttled {
        /// How long to wait before the next call.
        retry_after: Duration,
        /// Which call, and what was said.
        detail: String,
    },
    /// The management key is not accepted, or may not do what is needed: a person must look.
    #[error("{0}")]
    Unauthorised(String),
    /// The cloud refuses for good: a person must look.
    #[error("{0}")]
    Refused(String),
    /// The management key belongs to another account than the configured one, or the account is
    /// protected. Nothing was written.
    #[error("{0}")]
    WrongAccount(String),
}
