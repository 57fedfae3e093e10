//! What the pool knows of credentials: counters and ids, never a secret. Their values are derived
//! from the master key outside of this crate (`design.md` 7).

use serde::{Deserialize, Serialize};

use super::ids::{Epoch, Fence, Timestamp};

/// A lease credential that exists at IBM Cloud: a service ID, its policies, its API key.
///
/// The key's value is derived from the account and `fence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The fence under which it was minted.
    pub fence: Fence,
    /// `ServiceId-…`.
    pub service_id: String,
    /// `ApiKey-…`.
    pub key_id: String,
    /// The ids of the service ID's policies.
    pub policy_ids: Vec<String>,
    /// When IBM Cloud itself stops accepting the key.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: Timestamp,
}

/// Which management keys of an account may work.
///
/// At every instant at least one of them does (P6). After a crash `pending`, `current` and
/// `previous` are tried in this order, and the exchange is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagementKeys {
    /// The key in use.
    pub current: Epoch,
    /// The key being made: intended before it is created.
    pub pending: Option<Epoch>,
    /// The key being retired.
    pub previous: Option<Epoch>,
    /// The highest epoch ever seen or intended: an epoch is never used twice.
    pub newest: Epoch,
}
