//! `acctpool key`: the keys that follow from the master key.

use std::io::Write;
use std::path::PathBuf;

use acctpool_actors::pool::AccountId;
use acctpool_actors::store::Store;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::Failure;
use super::state_dir::StateDir;
use crate::keyring::{Keyring, MasterKey};

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Key {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    directory: StateDir,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a master key in a new file that only its owner can read.
    New {
        /// The file to make.
        file: PathBuf,
    },
    /// Prints the API key by which acctpool manages an account, without asking anybody. Whoever has
    /// it owns the account.
    Show {
        /// The account's id.
        account: String,
    },
}

impl Key {
    pub(super) fn run(self) -> Result<(), Failure> {
        match &self.verb {
            Verb::New { file } => MasterKey::create(file)
                .map(|_| ())
                .map_err(Failure::of("cannot make a master key")),
            Verb::Show { account } => self.show(account),
        }
    }

    fn show(&self, account: &str) -> Result<(), Failure> {
        let mut store = self.directory.records()?;
        let written = store.load().map_err(Failure::of("no records"))?;
        let id = AccountId::from(account);
        let Some(record) = written.accounts.get(&id) else {
            return Err(Failure::Found(format!(
                "account {account} is not in the records"
            )));
        };
        let Some(master_key) = self.directory.existing_master_key()? else {
            return Err(Failure::Found("there is no master key".to_owned()));
        };
        let keyring = Keyring::new(master_key, store.id());
        store
            .belongs_to(&keyring.fingerprint())
            .map_err(Failure::of("no key"))?;
        match keyring.management(&id, record.keys.current) {
            Some(key) => writeln!(std::io::stdout(), "{}", key.expose_secret())
                .map_err(Failure::of("cannot print")),
            None => Err(Failure::Found(format!(
                "account {account} was never rotated: its key is the one in the configuration"
            ))),
        }
    }
}
