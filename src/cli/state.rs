//! Where the program keeps what outlives it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::keyring::MasterKey;

/// Where the master key is.
#[derive(Args, Debug)]
pub(super) struct State {
    /// Directory for what outlives the process [default: `$STATE_DIRECTORY`, else
    /// `$XDG_STATE_HOME/acctpool`, else `~/.local/state/acctpool`].
    #[arg(long, value_name = "DIR", env = "ACCTPOOL_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// The master key, from which every credential is derived: the one file to back up. Made at
    /// the first start, readable by its owner only [default: master.key in the state directory].
    #[arg(long, value_name = "FILE", env = "ACCTPOOL_MASTER_KEY_FILE")]
    master_key_file: Option<PathBuf>,
}

/// Tells whether a file is among the credentials that systemd hands to this service: those are never
/// made here.
fn is_credential(path: &Path) -> bool {
    let directory = env::var_os("CREDENTIALS_DIRECTORY");
    let directory = directory.filter(|directory| !directory.is_empty());
    directory.is_some_and(|directory| path.parent() == Some(Path::new(&directory)))
}

impl State {
    /// Reads the master key, or makes it.
    pub(super) fn master_key(&self) -> Result<MasterKey, Failure> {
        let path = self.key_file()?;
        if let (None, Some(directory)) = (&self.master_key_file, path.parent()) {
            let action = format!("cannot make the directory {}", directory.display());
            fs::create_dir_all(directory).map_err(Failure::of(action))?;
        }
        let action = format!("cannot use the master key {}", path.display());
        let key = if is_credential(&path) {
            MasterKey::load_credential(&path)
        } else {
            MasterKey::load_or_create(&path)
        };
        key.map_err(Failure::of(action))
    }

    /// Reads the master key if there is one.
    pub(super) fn existing_master_key(&self) -> Result<Option<MasterKey>, Failure> {
        let path = self.key_file()?;
        if !path.exists() {
            return Ok(None);
        }
        let action = format!("cannot use the master key {}", path.display());
        let key = if is_credential(&path) {
            MasterKey::load_credential(&path)
        } else {
            MasterKey::load(&path)
        };
        key.map(Some).map_err(Failure::of(action))
    }

    fn key_file(&self) -> Result<PathBuf, Failure> {
        match &self.master_key_file {
            Some(path) => Ok(path.clone()),
            None => Ok(self.directory()?.join("master.key")),
        }
    }

    fn directory(&self) -> Result<PathBuf, Failure> {
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
