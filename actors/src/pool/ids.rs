//! The names of things: typed, cheap to clone, ordered.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// A moment, always in UTC.
pub type Timestamp = time::OffsetDateTime;

/// Writes a moment as RFC 3339. Years beyond 9999 have no such form, and nothing lasts that long.
#[must_use]
pub fn rfc3339(moment: Timestamp) -> String {
    moment
        .format(&Rfc3339)
        .unwrap_or_else(|_| moment.to_string())
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the label as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(label: $name) -> Self {
                label.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

label! {
    /// The id of an IBM Cloud account: 32 hexadecimal digits.
    AccountId
}

label! {
    /// The operator's label for a kind of account, such as `free` or `lite`.
    AccountType
}

label! {
    /// The name of a consumer's token. Never the token itself.
    TokenId
}

label! {
    /// The operator's name for a webhook.
    WebhookName
}

label! {
    /// What tells one master key from every other. Nothing can be derived from it.
    Fingerprint
}

label! {
    /// What is known of the key with which a client makes a request repeatable: its SHA-256, as it is
    /// somebody's text.
    IdempotencyKey
}

/// The id of a reservation, minted at the edge: a random UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReservationId(Uuid);

impl From<Uuid> for ReservationId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What something is about. Reservations come before accounts, and types last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A reservation.
    Reservation(ReservationId),
    /// An account.
    Account(AccountId),
    /// A type.
    Type(AccountType),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reservation(reservation) => write!(f, "reservation {reservation}"),
            Self::Account(account) => write!(f, "account {account}"),
            Self::Type(label) => write!(f, "type {label}"),
        }
    }
}

/// An account's counter, raised at each lease, at each cleaning, and whenever an answer that is
/// still on its way must no longer count.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl Fence {
    /// Returns the fence after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The counter of an account's management keys. Epoch 0 is the key that the operator configured;
/// every later one is derived.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// Returns the epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a master key, raised whenever a new one is introduced. Keys are derived from a
/// master key; the pool knows its number and its fingerprint.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl Generation {
    /// Returns the generation after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
