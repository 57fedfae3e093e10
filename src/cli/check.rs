//! `acctpool check`: what `serve` would say.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use acctpool_actors::cloud::Cloud;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream;

use super::account::{KnownAccount, known_accounts};
use super::state_dir::StateDir;
use super::{Failure, load_config};
use crate::baselines::{FileBaselines, UnchangedBaselines};
use crate::ibm::{Baselines, Observation};

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
    /// Says besides how IBM Cloud answers for each account: which APIs of the cleaning plan are open to
    /// it, what their lists grant, what its search shows. Nothing of it is secret or names what is in
    /// the account, so it can be pasted into a report.
    #[arg(long, short = 'v', requires = "online")]
    verbose: bool,
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
        let files = FileBaselines::within(&self.state.path()?);
        let baselines: Arc<dyn Baselines> = Arc::new(UnchangedBaselines::from(files));
        let accounts = known_accounts(&config, &self.state, &baselines)?;
        if !self.online {
            return Ok(());
        }
        actix_rt::System::new().block_on(verify(&accounts, self.verbose))
    }
}

async fn verify(accounts: &[KnownAccount], is_verbose: bool) -> Result<(), Failure> {
    let Some(client) = accounts.first().map(KnownAccount::client) else {
        return Ok(());
    };
    let verified = accounts.iter().map(|account| {
        let cloud = account.cloud(&client);
        async move {
            let result = cloud.verify(account.keys()).await;
            let observed = match (&result, is_verbose) {
                (Ok(_), true) => Some(cloud.observe(account.keys()).await),
                _ => None,
            };
            (account.id(), result, observed)
        }
    });
    let mut verified = stream::iter(verified).buffered(AT_ONCE);
    let mut refused = 0;
    while let Some((account, result, observed)) = verified.next().await {
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
        match observed {
            Some(Ok(seen)) => print_seen(&seen)?,
            Some(Err(error)) => print(&format!("  nothing more was seen: {error}"))?,
            None => {}
        }
    }
    match refused {
        0 => Ok(()),
        1 => Err(Failure::Found("1 account cannot be used".to_owned())),
        n => Err(Failure::Found(format!("{n} accounts cannot be used"))),
    }
}

fn print_seen(seen: &[Observation]) -> Result<(), Failure> {
    let width = seen.iter().map(|seen| seen.subject.len()).max();
    let width = width.unwrap_or_default();
    for Observation { subject, finding } in seen {
        print(&format!("  {subject:width$}  {finding}"))?;
    }
    Ok(())
}

fn print(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(Failure::of("cannot print"))
}
