//! What the pool knows of credentials: counters and ids, never a secret. Their values are derived
//! from the master keys outside of this crate (`design.md` 7).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{Epoch, Fence, Generation, Timestamp};

/// A lease credential that exists at IBM Cloud: a service ID, its policies, its API key.
///
/// The key's value is derived from the master key of `generation`, the account and `fence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The master key that the value is derived from.
    #[serde(default)]
    pub generation: Generation,
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

/// What the value of a management key is derived from, beside its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManagementKey {
    /// The account's counter. No epoch of an account is used twice, under whichever master key.
    pub epoch: Epoch,
    /// The master key. That of the configured key, which is not derived, is 0.
    pub generation: Generation,
}

impl ManagementKey {
    /// The key that the operator configured.
    pub const CONFIGURED: Self = Self {
        epoch: Epoch(0),
        generation: Generation(0),
    };

    /// Tells whether its value follows from a master key.
    #[must_use]
    pub fn is_derived(self) -> bool {
        self.epoch > Epoch(0)
    }

    /// Tells whether it is derived from a master key before that of `generation`.
    #[must_use]
    pub fn is_older_than(self, generation: Generation) -> bool {
        self.is_derived() && self.generation < generation
    }
}

impl fmt::Display for ManagementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "management key of epoch {}", self.epoch)
    }
}

/// Why another management key is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// It was made to replace the one before it.
    Rotation,
    /// The operator configured it.
    Adoption,
    /// It was made once, and found to be the one that works: the records are younger than it is.
    Discovery,
}

impl KeyChange {
    /// Returns the word for it in the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::Adoption => "adoption",
            Self::Discovery => "discovery",
        }
    }
}

/// Which management keys of an account may work.
///
/// At every instant at least one of them does (P6). After a crash `pending`, `current` and
/// `previous` are tried in this order, and the exchange is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct ManagementKeys {
    /// The key in use.
    pub current: ManagementKey,
    /// The key being made: intended before it is created.
    pub pending: Option<ManagementKey>,
    /// The key being retired.
    pub previous: Option<ManagementKey>,
    /// The highest epoch ever seen or intended: an epoch is never used twice.
    pub newest: Epoch,
    /// Whether a verification ever told which key works. Until then any may, derived from any master
    /// key: the records may be new and the account old.
    pub verified: bool,
}

impl ManagementKeys {
    /// Returns the keys that may work, in the order in which they are tried.
    pub fn known(self) -> impl Iterator<Item = ManagementKey> {
        let in_order = [self.pending, Some(self.current), self.previous];
        in_order.into_iter().flatten()
    }
}

/// [`ManagementKeys`] as they are written down. Records from before there were generations name
/// none: their keys are of the first.
#[derive(Serialize, Deserialize)]
struct Written {
    current: Epoch,
    #[serde(default)]
    current_generation: Generation,
    pending: Option<Epoch>,
    #[serde(default)]
    pending_generation: Generation,
    previous: Option<Epoch>,
    #[serde(default)]
    previous_generation: Generation,
    newest: Epoch,
    #[serde(default)]
    verified: bool,
}

impl From<Written> for ManagementKeys {
    fn from(written: Written) -> Self {
        let key = |epoch, generation| ManagementKey { epoch, generation };
        Self {
            current: key(written.current, written.current_generation),
            pending: written
                .pending
                .map(|epoch| key(epoch, written.pending_generation)),
            previous: written
                .previous
                .map(|epoch| key(epoch, written.previous_generation)),
            newest: written.newest,
            verified: written.verified,
        }
    }
}

impl From<ManagementKeys> for Written {
    fn from(keys: ManagementKeys) -> Self {
        let (pending, previous) = (
            keys.pending.unwrap_or_default(),
            keys.previous.unwrap_or_default(),
        );
        Self {
            current: keys.current.epoch,
            current_generation: keys.current.generation,
            pending: keys.pending.map(|key| key.epoch),
            pending_generation: pending.generation,
            previous: keys.previous.map(|key| key.epoch),
            previous_generation: previous.generation,
            newest: keys.newest,
            verified: keys.verified,
        }
    }
}
