//! The files in which the state directory keeps its master keys.
//!
//! `master.key` is the one in use; `master.key.previous` the one before it, for as long as some
//! account may need that: that file's existence says that a rotation is not over. Promises that
//! between any two steps of a rotation, and after a power loss at any of them, both files together
//! hold every key that was ever used and is still needed, and that a rotation which broke off can be
//! repeated.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Keyring, KeyringError, MasterKey, MasterKeys};

/// See the module.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    directory: PathBuf,
}

/// Why there is no new master key.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// Some account may still need the key before the present one.
    #[error("the last rotation is not over: some account may still need {}", .0.display())]
    Unfinished(PathBuf),
    /// A key could not be read or made.
    #[error(transparent)]
    Key(#[from] KeyringError),
    /// The files could not be put in their places. Nothing is lost, and it can be tried again.
    #[error("cannot put a new master key into {}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What tells a file from the one that had its name before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    modified: (i64, i64),
}

impl KeyFiles {
    /// Returns the files of a directory, which need not be there.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Returns where the key in use is.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.directory.join("master.key")
    }

    /// Returns where the key before it is, while some account may need that.
    #[must_use]
    pub fn previous(&self) -> PathBuf {
        self.directory.join("master.key.previous")
    }

    /// Where a new key waits until it is whole. Nobody uses it before it is in its place.
    fn next(&self) -> PathBuf {
        self.directory.join("master.key.next")
    }

    /// Reads the keys; makes the first one.
    pub fn load_or_create(&self) -> Result<MasterKeys, KeyringError> {
        let current = MasterKey::load_or_create(&self.current())?;
        self.with_previous(current)
    }

    /// Reads the keys, which have to be there.
    pub fn load(&self) -> Result<MasterKeys, KeyringError> {
        let current = MasterKey::load(&self.current())?;
        self.with_previous(current)
    }

    fn with_previous(&self, current: MasterKey) -> Result<MasterKeys, KeyringError> {
        let previous = match MasterKey::load(&self.previous()) {
            Err(KeyringError::Read { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                None
            }
            loaded => Some(loaded?),
        };
        Ok(MasterKeys { current, previous })
    }

    /// Reads the keys for immediate use: they stay where they are whatever happens next, and nobody
    /// is in the middle of a rotation.
    pub fn load_to_use(&self) -> Result<MasterKeys, RotateError> {
        let directory = self.lock()?;
        directory.sync_all().map_err(|source| self.failed(source))?;
        Ok(self.load()?)
    }

    /// Returns what tells the file of the key in use from another one.
    pub fn stamp(&self) -> io::Result<Stamp> {
        let metadata = fs::metadata(self.current())?;
        Ok(Stamp {
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    /// Puts a new key in the place of the one in use, which becomes the previous one.
    pub fn rotate(&self) -> Result<(), RotateError> {
        let directory = self.lock()?;
        let MasterKeys { current, previous } = self.load()?;
        // Both are the same where a rotation broke off between the two steps below.
        if previous.is_some_and(|previous| !previous.is(&current)) {
            return Err(RotateError::Unfinished(self.previous()));
        }
        remove(&self.next())
            .and_then(|()| remove(&self.previous()))
            .map_err(|source| self.failed(source))?;
        MasterKey::create(&self.next())?;
        // The former key has its second name for good before it loses its first.
        fs::hard_link(self.current(), self.previous())
            .and_then(|()| directory.sync_all())
            .and_then(|()| fs::rename(self.next(), self.current()))
            .and_then(|()| directory.sync_all())
            .map_err(|source| self.failed(source))
    }

    /// Removes the previous key, of which the caller knows that no account needs it: `keyring` is what
    /// all of them are derived from by now. Tells whether there was one.
    ///
    /// Leaves everything as it is while the key in use is another one than the keyring's.
    pub fn forget_previous(&self, keyring: &Keyring) -> Result<bool, RotateError> {
        let directory = self.lock()?;
        let MasterKeys { current, previous } = self.load()?;
        let Some(previous) = previous else {
            return Ok(false);
        };
        if !keyring.is_newest(&current) || previous.is(&current) {
            return Ok(false);
        }
        remove(&self.previous())
            .and_then(|()| directory.sync_all())
            .map_err(|source| self.failed(source))?;
        Ok(true)
    }

    /// Keeps others from changing the files, until what is returned is dropped.
    fn lock(&self) -> Result<File, RotateError> {
        let lock = || {
            let directory = File::open(&self.directory)?;
            directory.lock()?;
            Ok(directory)
        };
        lock().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> RotateError {
        RotateError::Directory {
            directory: self.directory.clone(),
            source,
        }
    }
}

/// Removes a file; one that is not there is fine.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;

    fn new() -> (TempDir, KeyFiles, MasterKey) {
        let directory = tempfile::tempdir().unwrap();
        let files = KeyFiles::of(directory.path());
        let first = files.load_or_create().unwrap().current;
        (directory, files, first)
    }

    fn names(directory: &TempDir) -> Vec<String> {
        let names = fs::read_dir(directory.path()).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_former_key_is_kept_until_it_is_forgotten() {
        let (directory, files, first) = new();
        let before = files.stamp().unwrap();
        files.rotate().unwrap();
        assert_ne!(files.stamp().unwrap(), before);
        assert_eq!(names(&directory), ["master.key", "master.key.previous"]);
        for path in [files.current(), files.previous()] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let MasterKeys { current, previous } = files.load_to_use().unwrap();
        assert!(previous.unwrap().is(&first) && !current.is(&first));

        let again = files.rotate().unwrap_err();
        assert!(matches!(again, RotateError::Unfinished(_)), "{again}");
        assert!(files.load().unwrap().current.is(&current));

        // A keyring that does not have the new key yet cannot know that the former is not needed.
        let stale = Keyring::new(first, Uuid::nil());
        assert!(!files.forget_previous(&stale).unwrap());
        let keyring = Keyring::new(current, Uuid::nil());
        assert!(files.forget_previous(&keyring).unwrap());
        assert!(!files.forget_previous(&keyring).unwrap());
        assert_eq!(names(&directory), ["master.key"]);
        files.rotate().unwrap();
    }

    #[test]
    fn a_rotation_that_broke_off_anywhere_can_be_repeated() {
        let (directory, files, first) = new();
        let keyring = Keyring::new(files.load().unwrap().current, Uuid::nil());
        let steps: [&dyn Fn(); 2] = [
            &|| {
                MasterKey::create(&files.next()).unwrap();
            },
            &|| fs::hard_link(files.current(), files.previous()).unwrap(),
        ];
        for step in steps {
            step();
            // Nothing has changed for who uses the keys.
            assert!(files.load_to_use().unwrap().current.is(&first));
            assert!(!files.forget_previous(&keyring).unwrap());
        }
        assert_eq!(names(&directory).len(), 3);
        files.rotate().unwrap();
        assert_eq!(names(&directory), ["master.key", "master.key.previous"]);
        let MasterKeys { current, previous } = files.load().unwrap();
        assert!(previous.unwrap().is(&first) && !current.is(&first));
    }

    #[test]
    fn who_comes_in_the_middle_of_a_rotation_waits_for_its_end() {
        let (_directory, files, first) = new();
        let lock = files.lock().unwrap();
        let other = files.clone();
        let rotation = std::thread::spawn(move || other.rotate());
        assert!(files.load().unwrap().current.is(&first));
        drop(lock);
        rotation.join().unwrap().unwrap();
        assert!(!files.load_to_use().unwrap().current.is(&first));
    }

    #[test]
    fn there_is_nothing_to_rotate_before_the_first_start() {
        let directory = tempfile::tempdir().unwrap();
        let files = KeyFiles::of(directory.path());
        assert!(matches!(files.rotate(), Err(RotateError::Key(_))));
        assert_eq!(names(&directory), [""; 0]);
    }
}
