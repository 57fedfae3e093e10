//! `acctpool key`: the keys that follow from the master key.

use std::io::Write;
use std::path::{Path, PathBuf};

use acctpool_actors::pool::AccountId;
use acctpool_actors::store::Store;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::Failure;
use super::state_dir::{KeySource, StateDir};
use super::upkeep::Requests;
use crate::keyring::files::RotateError;
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
    /// Introduces a new master key, also while the server runs: every key that was made from the former
    /// one is replaced as its account becomes idle, and the former one is removed when none is left.
    Rotate {
        /// Leaves the master key as it is, and replaces the API key by which acctpool manages this
        /// account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
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
            Verb::Rotate { account: None } => self.rotate(),
            Verb::Rotate {
                account: Some(account),
            } => self.rotate_account(account),
            Verb::Show { account } => self.show(account),
        }
    }

    fn rotate(&self) -> Result<(), Failure> {
        let files = match self.directory.key_source()? {
            KeySource::Own(files) => files,
            KeySource::Named { current, .. } => {
                return Err(Failure::Found(format!(
                    "the master key {0} is looked after elsewhere, so it is rotated there: make a \
                     new one with `acctpool key new`, name it with ACCTPOOL_MASTER_KEY_FILE and {0} \
                     with ACCTPOOL_PREVIOUS_MASTER_KEY_FILE, and restart; the log says when no \
                     account needs the previous one any more",
                    current.display()
                )));
            }
        };
        let rotated = files.rotate();
        if let Err(RotateError::Unfinished(previous)) = rotated {
            return Err(self.unfinished(&previous));
        }
        rotated.map_err(Failure::of("no new master key"))?;
        let next = if self.directory.is_in_use()? {
            "the server moves the accounts to it from now on, each as soon as it is idle"
        } else {
            "no server runs; the next one moves the accounts to it"
        };
        print(&format!(
            "a new master key is in {}: back it up now\n\
             {next}\n\
             the former one is kept as {} until no account needs it; `acctpool state show` says \
             which still do",
            files.current().display(),
            files.previous().display()
        ))
    }

    /// Says what the last rotation waits for.
    fn unfinished(&self, previous: &Path) -> Failure {
        let mut words = format!(
            "the last rotation is not over, so there is no new master key: {} may still be needed",
            previous.display()
        );
        if let Ok(mut store) = self.directory.records()
            && let Ok(written) = store.load()
            && let Some((newest, _)) = written.master_keys.last_key_value()
        {
            let waiting = written.accounts.values();
            let waiting: Vec<_> = waiting
                .filter(|account| account.oldest_generation().is_some_and(|old| old < *newest))
                .map(|account| account.id.as_str())
                .collect();
            if !waiting.is_empty() {
                words.push_str(" by ");
                words.push_str(&waiting.join(", "));
            }
        }
        words.push_str(
            "; a server moves the accounts as they become idle, and those that are quarantined or \
             drained once they are brought back or taken out of the configuration",
        );
        Failure::Found(words)
    }

    fn rotate_account(&self, account: &str) -> Result<(), Failure> {
        let id = AccountId::from(account);
        let written = self
            .directory
            .records()?
            .load()
            .map_err(Failure::of("no records"))?;
        if !written.accounts.contains_key(&id) {
            return Err(unknown(account));
        }
        Requests::of(&self.directory.path()?)
            .add(&id)
            .map_err(Failure::of("cannot ask for a rotation"))?;
        let who = if self.directory.is_in_use()? {
            "the server"
        } else {
            "no server runs; the next one"
        };
        print(&format!(
            "{who} replaces the management key of account {account} as soon as it is idle"
        ))
    }

    fn show(&self, account: &str) -> Result<(), Failure> {
        let mut store = self.directory.records()?;
        let written = store.load().map_err(Failure::of("no records"))?;
        let id = AccountId::from(account);
        let Some(record) = written.accounts.get(&id) else {
            return Err(unknown(account));
        };
        let Some(master_keys) = self.directory.existing_master_keys()? else {
            return Err(Failure::Found("there is no master key".to_owned()));
        };
        let keyring = Keyring::of_store(master_keys, store.id(), &written.master_keys)
            .map_err(Failure::of("no key"))?;
        match keyring.management(&id, record.keys.current) {
            Some(key) => print(key.expose_secret()),
            None if record.keys.current.is_derived() => Err(Failure::Found(format!(
                "the key of account {account} was derived from a former master key, which is not \
                 there: the account left the configuration before it moved"
            ))),
            None => Err(Failure::Found(format!(
                "account {account} was never rotated: its key is the one in the configuration"
            ))),
        }
    }
}

fn unknown(account: &str) -> Failure {
    Failure::Found(format!("account {account} is not in the records"))
}

fn print(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{text}").map_err(Failure::of("cannot print"))
}
