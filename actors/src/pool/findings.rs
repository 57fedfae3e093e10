//! What a cleaner finds at the cloud, and why it may not get an answer.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::credentials::ManagementKey;
use super::ids::Epoch;

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The management key that works.
    pub current: ManagementKey,
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
