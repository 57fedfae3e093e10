//! Accounts as the verbs see them that go to IBM Cloud without a server: out of the configuration, and
//! out of what a server has written down, where one has.
//!
//! Promises that nothing here takes the state directory or makes anything in it.

use std::path::PathBuf;
use std::sync::Arc;

use acctpool_actors::pool::{
    Account, AccountId, AccountState, Credential, ManagementKeys, Snapshot,
};
use acctpool_actors::store::Store;
use clap::Args;
use log::warn;
use uuid::Uuid;

use super::state_dir::StateDir;
use super::{Failure, load_config};
use crate::app::ibm_settings;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::ibm::{self, Baselines, Ibm};
use crate::keyring::{Keyring, MasterKey};

/// One account, as it is named on the command line.
#[derive(Args, Debug)]
pub(super) struct Named {
    /// The account's id.
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "ACCTPOOL_CONFIG")]
    config: PathBuf,
    #[command(flatten)]
    pub(super) state: StateDir,
}

impl Named {
    /// Reads the configuration, and says what is odd about it.
    pub(super) fn load_config(&self) -> Result<Config, Failure> {
        let (config, report) = load_config(&self.config)?;
        for problem in report.to_string().lines() {
            warn!("{problem}");
        }
        Ok(config)
    }

    /// Finds the account. What is kept of it is kept in `baselines`.
    pub(super) fn find(
        &self,
        config: &Config,
        baselines: impl Baselines + 'static,
    ) -> Result<KnownAccount, Failure> {
        let baselines: Arc<dyn Baselines> = Arc::new(baselines);
        let mut accounts = known_accounts(config, &self.state, &baselines)?;
        let found = accounts
            .iter()
            .position(|account| account.id().as_str() == self.account);
        match found {
            Some(place) => Ok(accounts.swap_remove(place)),
            None => Err(Failure::Found(format!(
                "account {} is not in {}",
                self.account,
                self.config.display()
            ))),
        }
    }
}

/// An account of the configuration, and what is known of it.
pub(super) struct KnownAccount {
    settings: ibm::Settings,
    keyring: Arc<Keyring>,
    /// What a server has written down.
    pub(super) record: Option<Account>,
}

impl KnownAccount {
    pub(super) fn id(&self) -> &AccountId {
        &self.settings.account
    }

    /// Returns which management keys may work.
    pub(super) fn keys(&self) -> ManagementKeys {
        let record = self.record.as_ref();
        record.map(|account| account.keys).unwrap_or_default()
    }

    /// Returns the lease credential that is in it.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.record.as_ref()?.credential.as_ref()
    }

    /// Tells whether somebody holds it, as far as a server has written that down.
    pub(super) fn is_leased(&self) -> bool {
        let state = self.record.as_ref().map(|account| &account.state);
        matches!(state, Some(AccountState::Leased { .. }))
    }

    /// Returns the way to it at IBM Cloud, over `client`.
    pub(super) fn cloud(&self, client: &awc::Client) -> Ibm {
        let keyring = Arc::clone(&self.keyring);
        Ibm::new(
            self.settings.clone(),
            keyring,
            Arc::new(SystemClock),
            client.clone(),
        )
    }

    /// Makes a client that is patient as this account's settings say. It belongs to this thread.
    pub(super) fn client(&self) -> awc::Client {
        ibm::client(&self.settings.limits)
    }
}

/// Returns every account of the configuration.
pub(super) fn known_accounts(
    config: &Config,
    state: &StateDir,
    baselines: &Arc<dyn Baselines>,
) -> Result<Vec<KnownAccount>, Failure> {
    let mut settings = ibm_settings(config, baselines).map_err(Failure::of(UNUSABLE))?;
    let (store_id, mut written) = written_down(state)?;
    let keyring = if let Some(keys) = state.existing_master_keys()? {
        Keyring::of_store(keys, store_id, &written.master_keys).map_err(Failure::of(UNUSABLE))?
    } else {
        // Nothing was ever derived, so nothing derived can be found.
        for settings in &mut settings {
            settings.limits.searched_epochs = 0;
        }
        let any = MasterKey::random().map_err(Failure::of("cannot make a key"))?;
        Keyring::new(any, store_id)
    };
    let keyring = Arc::new(keyring);
    let accounts = settings.into_iter().map(|settings| KnownAccount {
        record: written.accounts.remove(&settings.account),
        keyring: Arc::clone(&keyring),
        settings,
    });
    Ok(accounts.collect())
}

const UNUSABLE: &str = "cannot go to IBM Cloud";

/// Reads the records, if there are any, and their id.
fn written_down(state: &StateDir) -> Result<(Uuid, Snapshot), Failure> {
    if !state.has_records()? {
        return Ok((Uuid::nil(), Snapshot::default()));
    }
    let mut store = state.records()?;
    let written = store.load().map_err(Failure::of("no records"))?;
    Ok((store.id(), written))
}
