//! Baselines in files: one for each account, which a person can read.
//!
//! Depends on the port of `ibm`. Promises that a file is whole or not there: it is written beside its
//! place, synced and renamed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use acctpool_actors::pool::AccountId;

use crate::ibm::{Baseline, Baselines, FleetingBaselines};

/// See the module.
#[derive(Debug)]
pub struct FileBaselines(PathBuf);

impl FileBaselines {
    /// Keeps them in the directory `baselines` of a state directory, which is made when it is needed.
    #[must_use]
    pub fn within(state_directory: &Path) -> Self {
        Self(state_directory.join("baselines"))
    }

    /// Returns where the baseline of an account is, or would be.
    #[must_use]
    pub fn path(&self, account: &AccountId) -> PathBuf {
        self.0.join(format!("{account}.json"))
    }
}

impl Baselines for FileBaselines {
    fn recall(&self, account: &AccountId) -> io::Result<Option<Baseline>> {
        match fs::read(self.path(account)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(&self, account: &AccountId, baseline: &Baseline) -> io::Result<()> {
        // It may be the first thing in the state directory, which is its owner's alone.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)?;
        let path = self.path(account);
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        serde_json::to_writer_pretty(&mut file, baseline)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&self.0)?.sync_all()?;
        log::info!("account {account}: its baseline is in {}", path.display());
        Ok(())
    }
}

/// The baselines of a state directory, for who only looks: what would be kept is forgotten at the end,
/// and comes after what is in a file.
#[derive(Debug)]
pub struct UnchangedBaselines {
    files: FileBaselines,
    forgotten: FleetingBaselines,
}

impl From<FileBaselines> for UnchangedBaselines {
    fn from(files: FileBaselines) -> Self {
        Self {
            files,
            forgotten: FleetingBaselines::default(),
        }
    }
}

impl Baselines for UnchangedBaselines {
    fn recall(&self, account: &AccountId) -> io::Result<Option<Baseline>> {
        match self.files.recall(account)? {
            Some(baseline) => Ok(Some(baseline)),
            None => self.forgotten.recall(account),
        }
    }

    fn keep(&self, account: &AccountId, baseline: &Baseline) -> io::Result<()> {
        self.forgotten.keep(account, baseline)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ibm::{AccountSettings, BaselineItem};

    #[test]
    fn what_is_kept_is_recalled_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let baselines = FileBaselines::within(directory.path());
        let (mine, other) = (AccountId::from("a"), AccountId::from("b"));
        assert_eq!(baselines.recall(&mine).unwrap(), None);
        let item = BaselineItem {
            collection: "subnets".into(),
            region: Some("eu-de".into()),
            id: "s".into(),
        };
        let identity = [("mfa".to_owned(), json!("NONE"))].into_iter().collect();
        let baseline = Baseline {
            settings: AccountSettings {
                identity,
                public_access: true,
            },
            items: [item].into(),
        };
        baselines.keep(&mine, &baseline).unwrap();
        assert_eq!(baselines.recall(&mine).unwrap(), Some(baseline));
        assert_eq!(baselines.recall(&other).unwrap(), None);
    }

    #[test]
    fn who_only_looks_changes_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let files = || FileBaselines::within(directory.path());
        let (mine, other) = (AccountId::from("a"), AccountId::from("b"));
        let baseline = Baseline {
            settings: AccountSettings {
                public_access: true,
                ..AccountSettings::default()
            },
            ..Baseline::default()
        };
        files().keep(&mine, &baseline).unwrap();
        let unchanged = UnchangedBaselines::from(files());
        for account in [&mine, &other] {
            unchanged.keep(account, &Baseline::default()).unwrap();
        }
        assert_eq!(unchanged.recall(&mine).unwrap(), Some(baseline.clone()));
        let recalled = unchanged.recall(&other).unwrap();
        assert_eq!(recalled, Some(Baseline::default()));
        assert_eq!(files().recall(&mine).unwrap(), Some(baseline));
        assert_eq!(files().recall(&other).unwrap(), None);
    }

    #[test]
    fn file_that_cannot_be_read_is_no_baseline_that_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let baselines = FileBaselines::within(directory.path());
        let account = AccountId::from("a");
        baselines.keep(&account, &Baseline::default()).unwrap();
        fs::write(baselines.path(&account), "{").unwrap();
        assert!(baselines.recall(&account).is_err());
    }
}
