//! `/accounts`: what operators see of accounts and do with them; and the end that they can put to a
//! lease.

use serde::Deserialize;
use serde_json::json;

use super::call::{Call, segment};
use super::error::ClientError;
use super::exchange::{Client, Told};
use super::pages::PAGE;
use super::reservations::{self, Reservation};

/// An account, as far as this client reads it.
#[derive(Deserialize)]
pub(crate) struct Account {
    /// Its id.
    pub(crate) id: String,
    /// Its type.
    #[serde(rename = "type", default)]
    pub(crate) label: String,
    /// Its state, such as `ready`.
    pub(crate) state: String,
    /// Since when it is in that state.
    #[serde(default)]
    pub(crate) since: Option<String>,
    /// Whether the operator's file names it.
    #[serde(default)]
    pub(crate) configured: Option<bool>,
    /// Whether it will not be lent again.
    #[serde(default)]
    pub(crate) draining: bool,
    /// Who has it.
    #[serde(default)]
    pub(crate) holder: Option<Holder>,
    /// Where its cleaning is.
    #[serde(default)]
    pub(crate) progress: Option<Progress>,
    /// Why nobody gets it.
    #[serde(default)]
    pub(crate) quarantine: Option<Quarantine>,
    /// When it was last verified.
    #[serde(default)]
    pub(crate) last_verification: Option<String>,
    /// When its management key was last changed.
    #[serde(default)]
    pub(crate) last_key_rotation: Option<String>,
    /// The epoch of its management key.
    #[serde(default)]
    pub(crate) key_epoch: Option<u64>,
    /// Its last cleanings, the newest first.
    #[serde(default)]
    pub(crate) cleanings: Vec<Cleaning>,
}

/// Who holds an account.
#[derive(Deserialize)]
pub(crate) struct Holder {
    /// The reservation.
    #[serde(default)]
    pub(crate) reservation: Option<String>,
    /// The consumer's name.
    #[serde(default)]
    pub(crate) consumer: Option<String>,
    /// What for.
    #[serde(default)]
    pub(crate) purpose: Option<String>,
    /// Where there is more about that.
    #[serde(default)]
    pub(crate) link: Option<String>,
    /// Until when.
    #[serde(default)]
    pub(crate) expiration: Option<String>,
}

/// Where a cleaning is.
#[derive(Deserialize)]
pub(crate) struct Progress {
    /// What is done now.
    pub(crate) phase: String,
    /// The stage of the plan, while it is swept.
    #[serde(default)]
    pub(crate) stage: Option<String>,
    /// The collection of which most is left.
    #[serde(default)]
    pub(crate) collection: Option<String>,
    /// How many items are left.
    #[serde(default)]
    pub(crate) remaining: u64,
    /// Since when it is there.
    #[serde(default)]
    pub(crate) since: Option<String>,
}

/// Why an account is not lent.
#[derive(Deserialize)]
pub(crate) struct Quarantine {
    /// In words.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// How many items could not be deleted.
    #[serde(default)]
    pub(crate) leftovers: u64,
    /// The first of them.
    #[serde(default)]
    pub(crate) items: Vec<Leftover>,
    /// Whether a lease credential may still work.
    #[serde(default)]
    pub(crate) revoking: bool,
}

/// Something that could not be deleted.
#[derive(Deserialize)]
pub(crate) struct Leftover {
    #[serde(default)]
    pub(crate) collection: String,
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// What a cleaning did, so far or in all.
#[derive(Deserialize)]
pub(crate) struct Cleaning {
    /// Its number; later ones have higher ones.
    #[serde(rename = "cleaning", default)]
    pub(crate) number: u64,
    /// How it ended; `cleaning` until then.
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) started_at: Option<String>,
    /// In seconds, once it has ended.
    #[serde(default)]
    pub(crate) duration: Option<u64>,
    #[serde(default)]
    pub(crate) requests: u64,
    #[serde(default)]
    pub(crate) collections: Vec<Collection>,
}

/// How many items of a collection were met, and what became of them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Collection {
    pub(crate) found: u64,
    pub(crate) deleted: u64,
    pub(crate) kept: u64,
    pub(crate) waiting: u64,
    pub(crate) stuck: u64,
}

/// Which accounts to list.
#[derive(Debug, Default)]
pub(crate) struct AccountFilter {
    /// Only those of this type.
    pub(crate) account_type: Option<String>,
    /// Only those in this state.
    pub(crate) state: Option<String>,
}

/// What an operator can do with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountAction {
    /// Clean it now.
    Clean,
    /// Lend it no more once it is back.
    Drain,
    /// Lend it again.
    Enable,
    /// Lend it no more, and leave it as it is.
    Quarantine,
}

impl AccountAction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Drain => "drain",
            Self::Enable => "enable",
            Self::Quarantine => "quarantine",
        }
    }
}

impl Client {
    /// Lists accounts.
    pub(crate) async fn accounts(
        &self,
        filter: &AccountFilter,
    ) -> Result<Vec<Told<Account>>, ClientError> {
        let call = |cursor: Option<&str>| {
            Call::get("/accounts")
                .query("limit", Some(PAGE))
                .query("type", filter.account_type.as_deref())
                .query("state", filter.state.as_deref())
                .query("cursor", cursor)
        };
        self.all_pages("accounts", call).await
    }

    /// Looks at an account: everything that there is to say about it.
    pub(crate) async fn account(&self, id: &str) -> Result<Told<Account>, ClientError> {
        let answer = self.send(Call::get(path(id))).await?;
        self.read(&answer)
    }

    /// Does something with an account, for a reason that goes into the audit; returns the account.
    pub(crate) async fn act(
        &self,
        id: &str,
        action: AccountAction,
        reason: &str,
    ) -> Result<Told<Account>, ClientError> {
        let target = format!("{}/{}", path(id), action.as_str());
        let call = Call::post(target).json(json!({ "reason": reason }));
        let answer = self.send(call).await?;
        self.read(&answer)
    }

    /// Takes a reservation away from whoever has it, for a reason that goes into the audit; returns it.
    pub(crate) async fn revoke(
        &self,
        id: &str,
        reason: &str,
    ) -> Result<Told<Reservation>, ClientError> {
        let target = format!("{}/revoke", reservations::path(id));
        let call = Call::post(target).json(json!({ "reason": reason }));
        let answer = self.send(call).await?;
        self.read(&answer)
    }
}

fn path(id: &str) -> String {
    format!("/accounts/{}", segment(id))
}
