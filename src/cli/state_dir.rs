//! Where the program keeps what outlives it.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::keyring::files::KeyFiles;
use crate::keyring::{KeyringError, MasterKey, MasterKeys};
use crate::store::{DirectoryError, SqliteStore, StateDirectory};

/// Where the records and the master key are.
#[derive(Args, Debug)]
pub(super) struct StateDir {
    /// Directory for what outlives the process [default: `$STATE_DIRECTORY`, else
    /// `$XDG_STATE_HOME/acctpool`, else `~/.local/state/acctpool`].
    #[arg(long = "state-dir", value_name = "DIR", env = "ACCTPOOL_STATE_DIR")]
    directory: Option<PathBuf>,
    /// The master key, from which every credential is derived: the one file to back up; see
    /// `acctpool key new` [default: `master.key` in the state directory, made at the first start].
    #[arg(long, value_name = "FILE", env = "ACCTPOOL_MASTER_KEY_FILE")]
    master_key_file: Option<PathBuf>,
    /// The master key before that one, while accounts move from it; see `acctpool key rotate`
    /// [default: `master.key.previous` in the state directory].
    #[arg(
        long,
        value_name = "FILE",
        env = "ACCTPOOL_PREVIOUS_MASTER_KEY_FILE",
        requires = "master_key_file"
    )]
    previous_master_key_file: Option<PathBuf>,
}

/// Where the master keys are.
pub(super) enum KeySource<'a> {
    /// In files of the state directory, which `acctpool key rotate` may change.
    Own(KeyFiles),
    /// In files that somebody else looks after.
    Named {
        current: &'a Path,
        previous: Option<&'a Path>,
    },
}

impl StateDir {
    /// Takes the directory for this process alone, and makes it if need be.
    pub(super) fn take(&self) -> Result<StateDirectory, Failure> {
        StateDirectory::open(&self.path()?).map_err(Failure::of("cannot keep state"))
    }

    /// Opens what was written down, also while a server writes to it.
    pub(super) fn records(&self) -> Result<SqliteStore, Failure> {
        let path = StateDirectory::database_in(&self.path()?);
        SqliteStore::inspect(&path).map_err(Failure::of("no records"))
    }

    /// Tells whether anything was ever written down.
    pub(super) fn has_records(&self) -> Result<bool, Failure> {
        Ok(StateDirectory::database_in(&self.path()?).exists())
    }

    /// Tells whether a server has the directory.
    pub(super) fn is_in_use(&self) -> Result<bool, Failure> {
        let path = self.path()?;
        Ok(matches!(
            StateDirectory::open(&path),
            Err(DirectoryError::InUse(_))
        ))
    }

    /// Says where the master keys are.
    pub(super) fn key_source(&self) -> Result<KeySource<'_>, Failure> {
        Ok(match &self.master_key_file {
            Some(current) => KeySource::Named {
                current,
                previous: self.previous_master_key_file.as_deref(),
            },
            None => KeySource::Own(KeyFiles::of(&self.path()?)),
        })
    }

    /// Reads the master keys. One in the state directory is made if it is not there; one that was
    /// named must be there: under a new one, rotated accounts would be out of reach.
    pub(super) fn master_keys(&self) -> Result<MasterKeys, Failure> {
        match self.key_source()? {
            KeySource::Own(files) => files.load_or_create(),
            KeySource::Named { current, previous } => load_named(current, previous),
        }
        .map_err(Failure::of(UNUSABLE))
    }

    /// Reads the master keys if there are any.
    pub(super) fn existing_master_keys(&self) -> Result<Option<MasterKeys>, Failure> {
        let found = match self.key_source()? {
            KeySource::Own(files) if files.current().exists() => files.load().map(Some),
            KeySource::Named { current, previous } if current.exists() => {
                load_named(current, previous).map(Some)
            }
            _ => Ok(None),
        };
        found.map_err(Failure::of(UNUSABLE))
    }

    /// Returns the directory, which need not be there.
    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        if let Some(directory) = &self.directory {
            return Ok(directory.clone());
        }
        if let Some(directory) = named("STATE_DIRECTORY") {
            return Ok(directory.into());
        }
        if let Some(base) = named("XDG_STATE_HOME") {
            return Ok(PathBuf::from(base).join("acctpool"));
        }
        match named("HOME") {
            Some(home) => Ok(PathBuf::from(home).join(".local/state/acctpool")),
            None => Err(Failure::Found(
                "there is no home directory: say where with --state-dir".to_owned(),
            )),
        }
    }
}

const UNUSABLE: &str = "cannot use the master key";

fn load_named(current: &Path, previous: Option<&Path>) -> Result<MasterKeys, KeyringError> {
    Ok(MasterKeys {
        current: load(current)?,
        previous: previous.map(load).transpose()?,
    })
}

/// Reads a master key. Where only this service can look, its file may seem more open than it is.
fn load(path: &Path) -> Result<MasterKey, KeyringError> {
    let directory = env::var_os("CREDENTIALS_DIRECTORY").filter(|value| !value.is_empty());
    let given_by_systemd =
        directory.is_some_and(|directory| path.parent() == Some(Path::new(&directory)));
    if given_by_systemd {
        MasterKey::load_credential(path)
    } else {
        MasterKey::load(path)
    }
}
