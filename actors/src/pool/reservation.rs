//! A consumer's claim, and where it stands.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, AccountType, ReservationId, Timestamp, TokenId};

/// A consumer's claim to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// Its place in the order of asking, over all types.
    pub sequence: u64,
    /// Whose it is.
    pub token: TokenId,
    /// The type of account that it asks for.
    pub account_type: AccountType,
    /// How long its lease may last.
    pub duration: Duration,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: ReservationState,
    /// Since when its owner has had something to ask for without asking: the place in the line, then
    /// the credential. Not worth a write: a restart counts as a question, since nobody could ask
    /// while the service was down.
    #[serde(skip, default = "never")]
    pub silent_since: Timestamp,
}

/// Where a reservation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReservationState {
    /// It waits.
    Pending,
    /// It holds an account.
    Active {
        /// Which.
        account: AccountId,
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        granted_at: Timestamp,
        /// Until when, at the latest.
        #[serde(with = "time::serde::rfc3339")]
        expiration: Timestamp,
        /// Whether its owner has been shown the credential.
        claimed: bool,
    },
    /// It is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        ended_at: Timestamp,
    },
}

fn never() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// Why a reservation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its owner gave it back.
    Cancelled,
    /// Its time was up.
    Expired,
    /// Its owner stopped asking about it.
    Abandoned,
    /// The operator took it away.
    Revoked,
}

impl EndReason {
    /// Returns the word that is used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Revoked => "revoked",
        }
    }
}
