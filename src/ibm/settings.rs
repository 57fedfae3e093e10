//! What the adapter is told about one account: where IBM Cloud's APIs are, what is kept, what a
//! lease may do, and how patient calls are.
//!
//! Plain values, filled in from the configuration. Promises that a [`BaseUrl`] is safe to send
//! secrets to: https, or plain http to this very machine.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use acctpool_actors::pool::{AccountId, Timestamp};
use awc::http::Uri;
use secrecy::{ExposeSecret, SecretString};

use super::api::Endpoints;
use super::baseline::Baselines;
use crate::outgoing::is_this_machine;

/// One account as the operator configured it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account that may be touched. The token of the management key must name it.
    pub account: AccountId,
    /// The configured management key: epoch 0 (`design.md` 7). An account that is not in the
    /// configuration any more has none.
    pub api_key: Option<SecretString>,
    /// The IAM id that must own the management key, such as `IBMid-…`, where the operator says so.
    pub owner: Option<String>,
    /// What a lease of this account may do.
    pub rights: Rights,
    /// What is never deleted.
    pub keep: Keep,
    /// Accounts that are never touched, whatever else is configured.
    pub protected: BTreeSet<AccountId>,
    /// Where the APIs are: the same for thousands of accounts.
    pub endpoints: Arc<Endpoints>,
    /// How patient calls are.
    pub limits: Limits,
    /// How much of the cleaning plan applies.
    pub profile: Profile,
    /// What the account was when it joined the pool.
    pub baselines: Arc<dyn Baselines>,
}

impl Settings {
    /// Tells whether what was done in the account by these settings was done as by the others: however
    /// patient calls are.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        fn value(key: Option<&SecretString>) -> Option<&str> {
            key.map(SecretString::expose_secret)
        }
        self.account == other.account
            && value(self.api_key.as_ref()) == value(other.api_key.as_ref())
            && self.owner == other.owner
            && self.rights == other.rights
            && self.keep == other.keep
            && self.protected == other.protected
            && self.endpoints == other.endpoints
            && self.profile == other.profile
    }
}

/// How much of the cleaning plan an account needs.
///
/// What is outside of a profile is not deleted, but still found by the proof, as far as Global
/// Search knows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Without infrastructure in regions, clusters and networks: for accounts that cannot hold any
    /// (`ibm-cloud.md` 10). Done in a fraction of the requests.
    Lite,
    /// Everything.
    #[default]
    Full,
}

/// What a lease credential may do in its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// Editor and Manager on all IAM-enabled services, Editor on resource groups; no account
    /// management.
    #[default]
    Standard,
    /// Administrator on everything, account management included.
    Administrator,
}

/// What the operator keeps in an account.
///
/// A CRN keeps whatever it names. Places keep resource instances and resource groups only, never a
/// way into the account: no resource key, service ID, profile or policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The CRNs of things that stay.
    pub crns: BTreeSet<String>,
    /// Users that stay besides the owner: IAM id, user id or e-mail address; case does not matter.
    pub users: BTreeSet<String>,
    /// Whole collections that stay, by their names.
    pub collections: BTreeSet<String>,
    /// Rules that keep instances by where they are or how they are tagged.
    pub places: Option<Places>,
}

/// Rules that keep resource instances without naming each.
///
/// A borrower can tag what they make and choose its resource group. So these rules hold only for
/// instances created before `created_before`, a moment that IBM Cloud attests and nobody can forge:
/// set it to when the account joined the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The names of resource groups that stay, together with the instances in them.
    pub resource_groups: BTreeSet<String>,
    /// The user tag of instances that stay, such as `acctpool:keep`.
    pub tag: Option<String>,
    /// Instances created at or after this moment are not kept by these rules.
    pub created_before: Timestamp,
}

/// How patient the adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long one attempt of a request may take, answer included.
    pub request_timeout: Duration,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How many requests may be under way at once per host.
    pub requests_per_host: usize,
    /// How often a request that may be repeated is tried before the verb gives up.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each further one.
    pub backoff_min: Duration,
    /// The longest pause between two attempts. A `Retry-After` beyond it ends the verb as
    /// throttled, so that the pool decides when to come again.
    pub backoff_max: Duration,
    /// The largest answer that is read, in bytes.
    pub answer_size: usize,
    /// How many derived epochs are searched for a management key that works when none that is known
    /// does (`design.md` 7). The default is a rotation a day for two months.
    pub searched_epochs: u32,
}

impl Default for Limits {
    /// The advice of `ibm-cloud.md` 1.5, with short waits: long ones are the pool's.
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            requests_per_host: 4,
            attempts: 4,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(8),
            answer_size: 8 * 1024 * 1024,
            searched_epochs: 64,
        }
    }
}

/// The address that an API's paths are appended to, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Takes an address that was found to be safe but for the region in it, which cannot change that.
    pub(super) fn trusted(url: String) -> Self {
        Self(url)
    }

    /// Returns the address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether calls to this address are not encrypted. They never leave this machine.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.starts_with("http://")
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: Uri = text.parse().map_err(|_| BaseUrlError::NotAbsolute)?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(BaseUrlError::NotAbsolute);
        };
        if authority.as_str().contains('@') || url.query().is_some() {
            return Err(BaseUrlError::TooMuch);
        }
        match scheme {
            "https" => {}
            "http" if is_this_machine(authority.host()) => {}
            _ => return Err(BaseUrlError::NotEncrypted),
        }
        let path = url.path().trim_end_matches('/');
        Ok(Self(format!("{scheme}://{authority}{path}")))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not an address that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Scheme or host is missing, or it is no URL at all.
    #[error("an address like https://iam.cloud.ibm.com is needed")]
    NotAbsolute,
    /// It carries more than an address.
    #[error("an address may hold neither a user name nor a query")]
    TooMuch,
    /// Secrets would cross a network in the clear.
    #[error("the address must begin with https://, or with http:// and name this machine")]
    NotEncrypted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_https_or_stay_on_this_machine() {
        let refused = |text: &str| text.parse::<BaseUrl>().unwrap_err();
        for plain in [
            "http://127.0.0.1:9090",
            "http://localhost:1",
            "http://[::1]:9",
        ] {
            assert!(plain.parse::<BaseUrl>().unwrap().is_plain(), "{plain}");
        }
        for open in [
            "http://iam.cloud.ibm.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "ftp://localhost",
        ] {
            assert_eq!(refused(open), BaseUrlError::NotEncrypted, "{open}");
        }
        assert_eq!(refused("/v1"), BaseUrlError::NotAbsolute);
        assert_eq!(refused("https://me@host"), BaseUrlError::TooMuch);
        assert_eq!(refused("https://host/?a=b"), BaseUrlError::TooMuch);
    }

    #[test]
    fn trailing_slash_does_not_matter() {
        let bare: BaseUrl = "https://host/base".parse().unwrap();
        assert_eq!("https://host/base/".parse(), Ok(bare));
    }
}
