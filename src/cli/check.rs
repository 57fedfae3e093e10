//! `acctpool check`: what `serve` would say.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use acctpool_actors::cloud::Cloud;
use acctpool_actors::pool::ManagementKeys;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream;
use uuid::Uuid;

use super::state_dir::StateDir;
use super::{Failure, load_config};
use crate::app::ibm_settings;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::ibm::{self, Baselines, FleetingBaselines, Ibm};
use crate::keyring::{Keyring, MasterKey, MasterKeys};

/// How many accounts are verified at once.
const AT_ONCE: usize = 8;

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(value_name = "FILE", env = "ACCTPOOL_CONFIG")]
    config: PathBuf,
    /// Verifies each account's key at IBM Cloud too. Reads only.
    #[arg(long)]
    online: bool,
    #[command(flatten)]
    state: StateDir,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (config, report) = load_config(&self.config)?;
        if !report.is_empty() {
            // Nowhere to complain if stderr is closed.
            let _ = writeln!(std::io::stderr(), "{report}");
        }
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        print(&format!(
            "{}: good, {}, {}",
            self.config.display(),
            count(config.accounts.len(), "account"),
            count(config.tokens.names().count(), "token")
        ))?;
        let master_keys = self.state.existing_master_keys()?;
        if !self.online {
            return Ok(());
        }
        actix_rt::System::new().block_on(verify(&config, master_keys))
    }
}

async fn verify(config: &Config, master_keys: Option<MasterKeys>) -> Result<(), Failure> {
    // Nothing is kept of what is only looked at.
    let baselines: Arc<dyn Baselines> = Arc::new(FleetingBaselines::default());
    let mut accounts = ibm_settings(config, &baselines).map_err(Failure::of("cannot verify"))?;
    if master_keys.is_none() {
        // Nothing was ever derived, so nothing derived can be found.
        for settings in &mut accounts {
            settings.limits.searched_epochs = 0;
        }
    }
    let keyring = if let Some(keys) = master_keys {
        Keyring::of_store(keys, Uuid::nil(), &BTreeMap::new())
            .map_err(Failure::of("cannot verify"))?
    } else {
        let any = MasterKey::random().map_err(Failure::of("cannot make a key"))?;
        Keyring::new(any, Uuid::nil())
    };
    let Some(limits) = accounts.first().map(|settings| settings.limits) else {
        return Ok(());
    };
    let client = ibm::client(&limits);
    let keyring = Arc::new(keyring);
    let verified = accounts.into_iter().map(|settings| {
        let account = settings.account.clone();
        let keyring = Arc::clone(&keyring);
        let cloud = Ibm::new(settings, keyring, Arc::new(SystemClock), client.clone());
        async move {
            let result = cloud.verify(ManagementKeys::default()).await;
            (account, result)
        }
    });
    let mut verified = stream::iter(verified).buffered(AT_ONCE);
    let mut refused = 0;
    while let Some((account, result)) = verified.next().await {
        match result {
            Ok(found) if !found.current.is_derived() => {
                print(&format!("account {account}: good"))?;
            }
            Ok(found) => {
                print(&format!(
                    "account {account}: good, with the rotated key of epoch {}",
                    found.current.epoch
                ))?;
            }
            Err(error) => {
                refused += 1;
                print(&format!("account {account}: {error}"))?;
            }
        }
    }
    match refused {
        0 => Ok(()),
        1 => Err(Failure::Found("1 account cannot be used".to_owned())),
        n => Err(Failure::Found(format!("{n} accounts cannot be used"))),
    }
}

fn print(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(Failure::of("cannot print"))
}
