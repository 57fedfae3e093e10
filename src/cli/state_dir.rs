//! Where the program keeps what outlives it.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::keyring::{KeyringError, MasterKey};
use crate::store::{SqliteStore, StateDirectory};

/// Where the records and the master key are.
#[derive(Args, Debug)]
pub(super) struct StateDir {
    /// Directory for what outlives the process [default: `$STATE_DIRECTORY`, else
    /// `$XDG_STATE_HOME/acctpool`, else `~/.local/state/acctpool`].
    #[arg(long, value_name = "DIR", env = "ACCTPOOL_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// The master key, from which every credential is derived: the one file to back up; see
    /// `acctpool key new` [default: `master.key` in the state directory, made at the first start].
    #[arg(long, value_name = "FILE", env = "ACCTPOOL_MASTER_KEY_FILE")]
    master_key_file: Option<PathBuf>,
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

    /// Reads the master key. One in the state directory is made if it is not there; one that was
    /// named must be there: under a new one, rotated accounts would be out of reach.
    pub(super) fn master_key(&self) -> Result<MasterKey, Failure> {
        let path = self.key_file()?;
        match &self.master_key_file {
            None => MasterKey::load_or_create(&path),
            Some(_) => load(&path),
        }
        .map_err(Failure::of("cannot use the master key"))
    }

    /// Reads the master key if there is one.
    pub(super) fn existing_master_key(&self) -> Result<Option<MasterKey>, Failure> {
        let path = self.key_file()?;
        if !path.exists() {
            return Ok(None);
        }
        load(&path)
            .map(Some)
            .map_err(Failure::of("cannot use the master key"))
    }

    fn key_file(&self) -> Result<PathBuf, Failure> {
        match &self.master_key_file {
            Some(path) => Ok(path.clone()),
            None => Ok(self.path()?.join("master.key")),
        }
    }

    /// Returns the directory, which need not be there.
    fn path(&self) -> Result<PathBuf, Failure> {
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        if let Some(directory) = &self.state_dir {
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
