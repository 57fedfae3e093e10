//! `acctpool state`: what `serve` has written down.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use acctpool_actors::pool::{
    Account, AccountId, AccountState, Generation, Progress, Reservation, ReservationState, rfc3339,
};
use acctpool_actors::store::Store;
use clap::{Args, Subcommand};

use super::Failure;
use super::state_dir::StateDir;
use crate::store::SqliteStore;

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct State {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    directory: StateDir,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Prints every account and every reservation, a line each.
    Show,
    /// Copies the records to a new file, also while the server runs. The file holds no secret; the
    /// master key is to be backed up beside it.
    Backup {
        /// The file to make.
        file: PathBuf,
    },
    /// Looks for damage in the records.
    Check,
}

impl State {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut store = self.directory.records()?;
        match self.verb {
            Verb::Show => show(&mut store),
            Verb::Backup { file } => store.backup(&file).map_err(Failure::of("no copy")),
            Verb::Check => check(&mut store),
        }
    }
}

fn show(store: &mut SqliteStore) -> Result<(), Failure> {
    let written = store.load().map_err(Failure::of("nothing to show"))?;
    let mut reservations: Vec<_> = written.reservations.values().collect();
    reservations.sort_by_key(|reservation| reservation.sequence);
    let in_use = written.master_keys.last_key_value();
    let in_use = in_use.map_or_else(Generation::default, |(newest, _)| *newest);
    let master_keys = written.master_keys.keys();
    let master_keys = master_keys.map(|key| line_of_master_key(*key, in_use, &written.accounts));
    let accounts = written.accounts.values();
    let accounts = accounts.map(|account| line_of_account(account, in_use));
    let lines = master_keys
        .chain(accounts)
        .chain(reservations.into_iter().map(line_of_reservation));
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}").map_err(Failure::of("cannot print"))?;
    }
    Ok(())
}

fn line_of_master_key(
    key: Generation,
    in_use: Generation,
    accounts: &BTreeMap<AccountId, Account>,
) -> String {
    if key == in_use {
        return format!("master key {key}: in use");
    }
    let oldest = accounts.values().filter_map(Account::oldest_generation);
    let needing = oldest.filter(|oldest| *oldest <= key).count();
    format!("master key {key}: former, still needed by {needing} accounts")
}

fn line_of_account(account: &Account, master_key: Generation) -> String {
    let state = match &account.state {
        AccountState::Dirty { .. } => "dirty".to_owned(),
        AccountState::Cleaning(_) => account
            .progress()
            .map_or_else(|| "cleaning".to_owned(), |progress| of_cleaning(&progress)),
        AccountState::Ready { .. } => "ready".to_owned(),
        AccountState::Leased { reservation } => format!("leased by {reservation}"),
        AccountState::Quarantined(quarantine) => format!("quarantined: {quarantine}"),
        AccountState::Drained => "drained".to_owned(),
    };
    let former = match account.oldest_generation() {
        Some(oldest) if oldest < master_key => format!("; needs master key {oldest}"),
        _ => String::new(),
    };
    format!(
        "account {} {} since {}: {state}{former}",
        account.id,
        account.account_type,
        rfc3339(account.since.truncate_to_second())
    )
}

/// Says where a cleaning is.
fn of_cleaning(progress: &Progress) -> String {
    let since = rfc3339(progress.since.truncate_to_second());
    format!("cleaning ({progress}, since {since})")
}

fn line_of_reservation(reservation: &Reservation) -> String {
    let state = match &reservation.state {
        ReservationState::Pending => "pending".to_owned(),
        ReservationState::Active {
            accounts,
            expiration,
            ..
        } => format!(
            "active on {} until {}",
            names(accounts),
            rfc3339(expiration.truncate_to_second())
        ),
        ReservationState::Ended { reason, ended_at } => {
            format!(
                "{} at {}",
                reason.as_str(),
                rfc3339(ended_at.truncate_to_second())
            )
        }
    };
    format!(
        "reservation {} {} of {} at {}: {state}",
        reservation.id,
        reservation.account_type,
        reservation.token,
        rfc3339(reservation.created_at.truncate_to_second())
    )
}

fn check(store: &mut SqliteStore) -> Result<(), Failure> {
    let damage = store.check().map_err(Failure::of("cannot check"))?;
    if !damage.is_empty() {
        return Err(Failure::Found(format!(
            "the records are damaged; a file of `acctpool state backup` can take their place:\n{}",
            damage.join("\n")
        )));
    }
    let written = store
        .load()
        .map_err(Failure::of("the records are damaged"))?;
    writeln!(
        std::io::stdout(),
        "good: {} accounts, {} reservations",
        written.accounts.len(),
        written.reservations.len()
    )
    .map_err(Failure::of("cannot print"))
}

fn names(accounts: &[AccountId]) -> String {
    let names: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
    names.join(", ")
}
