//! What an account was when it joined the pool: its settings, and what in it cannot be made again.
//!
//! Plain values, and the port to where they are kept. Depends on nothing. Promises that a baseline is
//! written once by itself, at the first verification, and after that only by the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::{fmt, io};

use acctpool_actors::cloud::{CloudError, Leftover};
use acctpool_actors::pool::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::account_settings;
use super::api::Region;
use super::fault::Fault;
use super::session::Session;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The settings that every cleaning restores.
    pub settings: AccountSettings,
    /// What stays, and has to be there: the account is clean when it holds this and nothing else.
    pub items: BTreeSet<BaselineItem>,
}

/// Settings of an account. None is a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSettings {
    /// Those of IAM Identity (`ibm-cloud.md` 3.4), by name.
    pub identity: Map<String, Value>,
    /// Whether access groups may hold everybody (5.2).
    pub public_access: bool,
}

/// Something that belongs to an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BaselineItem {
    /// The collection, such as `resource instances`.
    pub collection: String,
    /// The region that it is in, unless it is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The id within the collection.
    pub id: String,
}

impl From<&Leftover> for BaselineItem {
    fn from(leftover: &Leftover) -> Self {
        Self {
            collection: leftover.collection.clone(),
            region: leftover.region.clone(),
            id: leftover.id.clone(),
        }
    }
}

/// Where baselines are kept. What it does is quick: it happens between two calls.
pub trait Baselines: fmt::Debug + Send + Sync {
    /// Returns the baseline of an account, unless it has none yet.
    fn recall(&self, account: &AccountId) -> io::Result<Option<Baseline>>;

    /// Keeps the baseline of an account. When it returns, it is durable.
    fn keep(&self, account: &AccountId, baseline: &Baseline) -> io::Result<()>;
}

/// Baselines that are forgotten at the end, for a service that keeps nothing.
#[derive(Debug, Default)]
pub struct FleetingBaselines(Mutex<BTreeMap<AccountId, Baseline>>);

impl Baselines for FleetingBaselines {
    fn recall(&self, account: &AccountId) -> io::Result<Option<Baseline>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.get(account).cloned())
    }

    fn keep(&self, account: &AccountId, baseline: &Baseline) -> io::Result<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(account.clone(), baseline.clone());
        Ok(())
    }
}

impl Baseline {
    /// Tells whether an item belongs to the account.
    pub(super) fn has(&self, collection: &str, region: Option<&Region>, id: &str) -> bool {
        self.items.contains(&BaselineItem {
            collection: collection.to_owned(),
            region: region.map(ToString::to_string),
            id: id.to_owned(),
        })
    }
}

/// Returns the account's baseline, unless it has none yet.
pub(super) fn of(session: &Session<'_>) -> Result<Option<Baseline>, Fault> {
    let settings = &session.ibm.settings;
    settings
        .baselines
        .recall(&settings.account)
        .map_err(|error| unkept(&error))
}

/// Returns the account's baseline; at the first time, its settings become one.
pub(super) async fn join(session: &Session<'_>) -> Result<Baseline, Fault> {
    if let Some(known) = of(session)? {
        return Ok(known);
    }
    let account = &session.ibm.settings.account;
    let baselines = &session.ibm.settings.baselines;
    let baseline = Baseline {
        settings: account_settings::read(session).await?,
        items: BTreeSet::new(),
    };
    baselines
        .keep(account, &baseline)
        .map_err(|error| unkept(&error))?;
    Ok(baseline)
}

fn unkept(error: &io::Error) -> Fault {
    CloudError::Transient(format!("the account's baseline cannot be kept: {error}")).into()
}
