//! A consumer's claim, and where it stands.

use std::fmt;
use std::time::Duration;

use serde::de::{SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::ids::{AccountId, AccountType, IdempotencyKey, ReservationId, Timestamp, TokenId};

/// A consumer's claim to an account, or to several at once.
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
    /// How many accounts it asks for, all or none.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: usize,
    /// How long its lease may last. A renewal raises it.
    pub duration: Duration,
    /// How long its lease lasts without a renewal; `None` if it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// What its owner needs it for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Box<str>>,
    /// Where there is more about that: the URL of a CI run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Box<str>>,
    /// What its request is told from others by, if it may be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeatable: Option<Repeatable>,
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

/// What a request that may be repeated is told from others by, beside what its reservation keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeatable {
    /// The client's key.
    pub key: IdempotencyKey,
    /// The duration that was asked for; `None` for the type's default.
    pub duration: Option<Duration>,
}

/// Where a reservation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReservationState {
    /// It waits.
    Pending,
    /// It holds what it asked for.
    Active {
        /// Which accounts. Records from before there could be several name one.
        #[serde(alias = "account", deserialize_with = "one_or_several")]
        accounts: Vec<AccountId>,
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        granted_at: Timestamp,
        /// Until when: the end by its duration, or an earlier one unless it is renewed.
        #[serde(with = "time::serde::rfc3339")]
        expiration: Timestamp,
        /// Whether its owner has been shown the credentials.
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

fn one() -> usize {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to the field, whatever its type"
)]
fn is_one(count: &usize) -> bool {
    *count == 1
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AccountId>, D::Error> {
    struct OneOrSeveral;

    impl<'de> Visitor<'de> for OneOrSeveral {
        type Value = Vec<AccountId>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the id of an account, or a list of them")
        }

        fn visit_str<E>(self, one: &str) -> Result<Self::Value, E> {
            Ok(vec![one.into()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, several: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(several))
        }
    }

    deserializer.deserialize_any(OneOrSeveral)
}

impl Reservation {
    /// Returns when a lease ends that was granted then, if it is last renewed now.
    pub(super) fn expiration(&self, granted_at: Timestamp, now: Timestamp) -> Timestamp {
        let end = deadline(granted_at, self.duration);
        match self.ttl {
            None => end,
            // A longer one ends no sooner than the lease.
            Some(ttl) => end.min(deadline(now, ttl.min(self.duration))),
        }
    }

    /// Returns why a lease is over that was granted then, and has reached its expiration.
    pub(super) fn lapse(&self, granted_at: Timestamp, expiration: Timestamp) -> EndReason {
        if expiration < deadline(granted_at, self.duration) {
            EndReason::Abandoned
        } else {
            EndReason::Expired
        }
    }
}

/// Returns when something ends that begins now: on a whole second, as it is told, so that nothing is
/// shown after the moment that its owner knows.
fn deadline(now: Timestamp, duration: Duration) -> Timestamp {
    let end = now + duration;
    let whole = end.truncate_to_second();
    if whole > now { whole } else { end }
}

/// Why a reservation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its owner gave it back.
    Cancelled,
    /// Its time was up.
    Expired,
    /// Its owner stopped asking about it, or did not renew it in time.
    Abandoned,
    /// The operator took it away.
    Revoked,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::Cancelled,
        Self::Expired,
        Self::Abandoned,
        Self::Revoked,
    ];

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
