//! `acctpool baseline`: what belongs to an account.

use std::collections::BTreeMap;
use std::io::Write;

use acctpool_actors::cloud::Leftover;
use acctpool_actors::pool::AccountState;
use clap::Args;

use super::Failure;
use super::account::{KnownAccount, Named};
use super::plan::{read, take_credential};
use crate::baselines::{FileBaselines, UnchangedBaselines};
use crate::ibm;
use crate::ibm::{Baselines, Plan};

const WHEN: &str = "\
Record an account before it joins the pool, or while nobody holds it and it is clean: what is in it then
is there for ever. A baseline is kept in the state directory and read by every cleaning; the file can be
edited. Secrets are not in it.";

/// See the verb.
#[derive(Args, Debug)]
#[command(after_long_help = WHEN)]
pub(super) struct Baseline {
    #[command(flatten)]
    named: Named,
    /// Prints the baseline that there is, and asks nobody.
    #[arg(long, conflicts_with = "force")]
    show: bool,
    /// Replaces a baseline that keeps something, and records an account that is waiting for its
    /// cleaning.
    #[arg(long)]
    force: bool,
}

impl Baseline {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.named.load_config()?;
        let files =
            || -> Result<_, Failure> { Ok(FileBaselines::within(&self.named.state.path()?)) };
        let files_to_read = UnchangedBaselines::from(files()?);
        let account = self.named.find(&config, files_to_read)?;
        let files = files()?;
        let unusable = "cannot read the baseline";
        let present = files.recall(account.id()).map_err(Failure::of(unusable))?;
        if self.show {
            return show(&account, present.as_ref());
        }
        refuse(&account, present.as_ref(), self.force)?;
        let (recorded, plan) = actix_rt::System::new().block_on(record(&account, &files))?;
        print(&format!(
            "account {}: recorded in {}",
            account.id(),
            files.path(account.id()).display()
        ))?;
        print_counts(&recorded)?;
        print_rest(&plan)
    }
}

/// Refuses to record what is nobody's wish.
fn refuse(
    account: &KnownAccount,
    present: Option<&ibm::Baseline>,
    is_forced: bool,
) -> Result<(), Failure> {
    let id = account.id();
    let state = account.record.as_ref().map(|record| &record.state);
    let why = match (state, present) {
        (Some(AccountState::Leased { .. }), _) => {
            let words = "it is leased, so what is in it is its holder's";
            return Err(Failure::Found(format!(
                "account {id} is not recorded: {words}"
            )));
        }
        _ if is_forced => return Ok(()),
        (Some(AccountState::Dirty { .. } | AccountState::Cleaning(_)), _) => {
            "it is not clean yet, so it may hold what a lease has left".to_owned()
        }
        (_, Some(present)) if !present.items.is_empty() => {
            format!("its baseline has {} items already", present.items.len())
        }
        _ => return Ok(()),
    };
    Err(Failure::Found(format!(
        "account {id} is not recorded: {why}; --force records it all the same"
    )))
}

/// Records the account, and returns what a cleaning would do with it from now on.
async fn record(
    account: &KnownAccount,
    files: &FileBaselines,
) -> Result<(ibm::Baseline, Plan), Failure> {
    let id = account.id();
    let cannot = format!("cannot record account {id}");
    let client = account.client();
    let cloud = account.cloud(&client);
    let recorded = read(&cloud, cloud.baseline(account.keys())).await;
    let recorded = recorded.map_err(Failure::of(&cannot))?;
    files.keep(id, &recorded).map_err(Failure::of(&cannot))?;
    // Another one, which reads the new baseline.
    let cloud = account.cloud(&client);
    let plan = read(&cloud, cloud.plan(account.keys())).await;
    let mut plan = plan.map_err(Failure::of(format!(
        "account {id} is recorded, and cannot be compared with its baseline"
    )))?;
    take_credential(&mut plan, account);
    Ok((recorded, plan))
}

fn print_counts(baseline: &ibm::Baseline) -> Result<(), Failure> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &baseline.items {
        *counts.entry(&item.collection).or_default() += 1;
    }
    let settings = baseline.settings.identity.len() + 1;
    let lines: Vec<_> = counts
        .into_iter()
        .chain([("account settings", settings)])
        .collect();
    let width = lines.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    for (name, count) in lines {
        print(&format!("  {name:width$}  {count:>5}"))?;
    }
    Ok(())
}

/// Says what of the account the baseline does not keep.
fn print_rest(plan: &Plan) -> Result<(), Failure> {
    let rest: Vec<&Leftover> = plan.items().collect();
    if rest.is_empty() {
        return Ok(());
    }
    print("not recorded:")?;
    rest.into_iter()
        .try_for_each(|item| print(&format!("  {item}")))
}

fn show(account: &KnownAccount, present: Option<&ibm::Baseline>) -> Result<(), Failure> {
    let id = account.id();
    let Some(present) = present else {
        return Err(Failure::Found(format!("account {id} has no baseline yet")));
    };
    print(&format!("account {id}:"))?;
    for item in &present.items {
        let region = item.region.as_ref().map(|region| format!(" in {region}"));
        print(&format!(
            "  {} {}{}",
            item.collection,
            item.id,
            region.unwrap_or_default()
        ))?;
    }
    for (name, value) in &present.settings.identity {
        print(&format!("  account settings {name}: {value}"))?;
    }
    let public_access = present.settings.public_access;
    print(&format!(
        "  account settings public_access_enabled: {public_access}"
    ))
}

fn print(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(Failure::of("cannot print"))
}
