//! What operators are notified of: a few facts of the audit, in words of their own that never change.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::store::Fact;

/// How many leftovers are named; a person who comes for them sees all.
const LEFTOVERS: usize = 100;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotificationKind {
    /// An account needs a person.
    AccountQuarantined,
    /// Somebody has waited for too long for a type.
    PoolExhausted,
    /// Nobody waits for it any more.
    PoolRecovered,
    /// An account's management key was replaced by a new one.
    KeyRotated,
    /// A verification found that an account cannot be used as it is.
    VerificationFailed,
}

impl NotificationKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::AccountQuarantined,
        Self::PoolExhausted,
        Self::PoolRecovered,
        Self::KeyRotated,
        Self::VerificationFailed,
    ];

    /// Returns the word that is used on the wire and in the operator's file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountQuarantined => "account_quarantined",
            Self::PoolExhausted => "pool_exhausted",
            Self::PoolRecovered => "pool_recovered",
            Self::KeyRotated => "key_rotated",
            Self::VerificationFailed => "verification_failed",
        }
    }
}

impl FromStr for NotificationKind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == word).ok_or(UnknownKind)
    }
}

/// Nobody is notified of such a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of notification")]
pub struct UnknownKind;

/// Whom or what it is about: of each, one is told in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// An account, by its id.
    Account(String),
    /// A type, by its label.
    Type(String),
}

/// Something to be told of.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// The number of its entry in the audit.
    pub number: u64,
    /// What tells it from all others, also in a copy of these records: the same however often it is
    /// sent.
    pub id: String,
    /// What happened.
    pub kind: NotificationKind,
    /// Whom or what it is about.
    pub about: About,
    /// When it happened, in RFC 3339.
    pub at: String,
    /// What there is to know, without any secret.
    pub data: Map<String, Value>,
}

impl Notification {
    /// The events of the audit that may be worth a notification.
    pub const EVENTS: &[&str] = &[
        "account_quarantined",
        "pool_exhausted",
        "pool_recovered",
        "key_changed",
        "verification_failed",
    ];

    /// Returns what an entry of the audit is worth. Entries of before there were notifications may lack
    /// the account's type.
    #[must_use]
    pub fn of(fact: Fact) -> Option<Self> {
        let Fact {
            number,
            at,
            event,
            account,
            details: mut data,
            hash,
        } = fact;
        let kind = match event.as_str() {
            "key_changed" if data.get("cause")? == "rotation" => NotificationKind::KeyRotated,
            word => word.parse().ok()?,
        };
        let about = match &account {
            Some(account) => About::Account(account.clone()),
            None => About::Type(data.get("type")?.as_str()?.to_owned()),
        };
        data.extend(account.map(|account| ("account".to_owned(), account.into())));
        match kind {
            NotificationKind::KeyRotated => data.retain(|name, _| !is_for_auditors(name)),
            NotificationKind::AccountQuarantined => shorten(&mut data),
            _ => {}
        }
        let fingerprint = hash.get(..16).unwrap_or(&hash);
        Some(Self {
            number,
            id: format!("audit_{number}_{fingerprint}"),
            kind,
            about,
            at,
            data,
        })
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (About::Account(name) | About::Type(name)) = &self.about;
        write!(f, "{} of {name}", self.kind.as_str())
    }
}

fn is_for_auditors(name: &str) -> bool {
    matches!(name, "cause" | "master_key")
}

/// Names some leftovers, and says how many there are.
fn shorten(data: &mut Map<String, Value>) {
    if let Some(Value::Array(leftovers)) = data.get_mut("leftovers") {
        let total = leftovers.len();
        leftovers.truncate(LEFTOVERS);
        data.insert("leftovers_total".to_owned(), total.into());
    }
}
