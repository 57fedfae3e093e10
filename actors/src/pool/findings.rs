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

/// What one pass of a sweep did. Each item that it met is in one of the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// What was asked to go in this pass, and the cloud accepted. It may take its time.
    pub deleted: Vec<Leftover>,
    /// What was left alone because the operator keeps it; its reason says why.
    pub kept: Vec<Leftover>,
    /// What was on its way out already.
    pub leaving: Vec<Leftover>,
    /// What cannot go before something else has.
    pub waiting: Vec<Leftover>,
    /// What refuses to go.
    pub stuck: Vec<Leftover>,
    /// The first stage of the plan that still has something to do, by its name.
    pub stage: Option<&'static str>,
    /// What the pass took.
    pub traffic: Traffic,
}

impl Pass {
    /// Tells whether the pass found nothing that should not be there.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let lists = [&self.deleted, &self.leaving, &self.waiting, &self.stuck];
        lists.iter().all(|list| list.is_empty())
    }

    /// Tells whether nothing moved, and something refuses to go.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.deleted.is_empty() && self.leaving.is_empty() && !self.stuck.is_empty()
    }
}

/// What a proof read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Everything that should not be there.
    pub leftovers: Vec<Leftover>,
    /// What may stay because the operator keeps it; its reason says why.
    pub kept: Vec<Leftover>,
    /// What the proof took.
    pub traffic: Traffic,
}

impl Proof {
    /// Tells whether nothing was found that should not be there.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.leftovers.is_empty()
    }
}

/// What an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// How many requests were sent, retries included.
    pub requests: u32,
    /// How many of them repeated one that was not answered, or not well.
    pub retries: u32,
}

/// Something in an account: that should not be there, unless the operator keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// The collection, such as `resource instances`.
    pub collection: String,
    /// The id within it.
    pub id: String,
    /// The name that a person gave it, where it has one.
    pub name: Option<String>,
    /// The region that it is in; `None` for what is in no region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Why it is still there: its state, the cloud's words of refusal, or why it is kept.
    pub reason: String,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.collection, self.id)?;
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
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
