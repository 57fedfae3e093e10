//! `/accounts`: what operators see of accounts and do with them; and the end that they can put to a
//! lease.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, segment};
use super::error::ClientError;
use super::exchange::{Client, Told};
use super::pages::PAGE;

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
    /// Who has it.
    #[serde(default)]
    pub(crate) holder: Option<Holder>,
    /// Why nobody gets it.
    #[serde(default)]
    pub(crate) quarantine: Option<Quarantine>,
}

/// Who holds an account.
#[derive(Deserialize)]
pub(crate) struct Holder {
    /// The consumer's name.
    #[serde(default)]
    pub(crate) consumer: Option<String>,
    /// What for.
    #[serde(default)]
    pub(crate) purpose: Option<String>,
    /// Until when.
    #[serde(default)]
    pub(crate) expiration: Option<String>,
}

/// Why an account is not lent.
#[derive(Deserialize)]
pub(crate) struct Quarantine {
    /// In words.
    #[serde(default)]
    pub(crate) reason: Option<String>,
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
    pub(crate) async fn account(&self, id: &str) -> Result<Value, ClientError> {
        let answer = self.send(Call::get(path(id))).await?;
        Ok(self.read::<Value>(&answer)?.document)
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
}

fn path(id: &str) -> String {
    format!("/accounts/{}", segment(id))
}
