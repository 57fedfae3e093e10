//! A master key, and the file that it is kept in.
//!
//! Promises that a new key is on the disk before it is used, that one which others could read is
//! refused, and that none is ever printed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Length of the master key, and of every derived value before it is written in base64url.
pub(super) const LENGTH: usize = 32;

/// The master key: 32 random bytes, wiped from memory when dropped.
pub struct MasterKey(Zeroizing<[u8; LENGTH]>);

impl MasterKey {
    /// Makes a key that lives in memory only.
    pub fn random() -> Result<Self, KeyringError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        getrandom::fill(bytes.as_mut_slice()).map_err(KeyringError::Random)?;
        Ok(Self(bytes))
    }

    /// Reads the key from the file at `path`, or makes one there that only its owner can read.
    ///
    /// A new key is on the disk, directory entry included, before it is returned: no key is used
    /// that a power loss could take away.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyringError> {
        match Self::load(path) {
            Err(KeyringError::Read { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                Self::create(path)
            }
            loaded => loaded,
        }
    }

    /// Reads the key from the file at `path`.
    ///
    /// Refuses a file that group or others can read, and one that does not hold exactly 32 bytes.
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        Self::load_unless(path, 0o077)
    }

    /// Reads the key from a file that the service manager put where only this service can look.
    ///
    /// For a service with a user of its own, systemd grants access by an access control list, whose
    /// mask stands where the group's permissions otherwise are: mode 440 exposes nothing there.
    pub fn load_credential(path: &Path) -> Result<Self, KeyringError> {
        Self::load_unless(path, 0o037)
    }

    /// Tells whether another key is the same one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_slice()).into()
    }

    /// Makes a key of known bytes.
    #[cfg(test)]
    pub(super) fn of(bytes: [u8; LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes that everything is derived from.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Reads the key unless its file has one of the bits of `exposed`.
    fn load_unless(path: &Path, exposed: u32) -> Result<Self, KeyringError> {
        let failed = |cause| KeyringError::Read {
            path: path.to_owned(),
            cause,
        };
        let mut file = File::open(path).map_err(failed)?;
        // Asked of the open file: the name may point elsewhere a moment later.
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & exposed != 0 {
            return Err(KeyringError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        if metadata.size() != LENGTH as u64 {
            return Err(KeyringError::Size {
                path: path.to_owned(),
                size: metadata.size(),
            });
        }
        let mut bytes = Zeroizing::new([0; LENGTH]);
        file.read_exact(bytes.as_mut_slice()).map_err(failed)?;
        Ok(Self(bytes))
    }

    /// Makes a key in a new file at `path` that only its owner can read.
    ///
    /// It is on the disk, directory entry included, before it is returned.
    pub fn create(path: &Path) -> Result<Self, KeyringError> {
        let key = Self::random()?;
        let failed = |cause| KeyringError::Create {
            path: path.to_owned(),
            cause,
        };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Written under another name and linked into place: a crash leaves a whole key or none, and
        // of two processes that start at once, one wins and the other is told.
        let draft = directory.join(format!(".acctpool-key-{}", Uuid::new_v4()));
        let written = write_new(&draft, key.0.as_slice())
            .and_then(|()| fs::hard_link(&draft, path))
            .and_then(|()| File::open(directory)?.sync_all());
        // What matters is whether the key is in place; a draft that stays is harmless and private.
        let removed = fs::remove_file(&draft);
        written.and(removed).map_err(failed)?;
        Ok(key)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([redacted])")
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file could not be read.
    #[error("cannot read the master key file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file could not be made.
    #[error("cannot create the master key file {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Others than its owner can read the file.
    #[error(
        "the master key file {} has mode {mode:o}: others could read it; make it 600 and consider the key known",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a master key.
    #[error("the master key file {} holds {size} bytes instead of {LENGTH}", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// The system has no randomness to give.
    #[error("the system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn master_key_is_created_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let made = MasterKey::load_or_create(&path).unwrap();
        let bits = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(bits, 0o600);
        let again = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(made.0, again.0);
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no draft stays"
        );
    }

    #[test]
    fn exposed_master_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refusal = MasterKey::load_or_create(&path).unwrap_err();
            assert!(matches!(refusal, KeyringError::Exposed { .. }), "{mode:o}");
        }
    }

    #[test]
    fn credential_of_the_service_manager_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let made = MasterKey::load_or_create(&path).unwrap();
        for mode in [0o400, 0o440] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(MasterKey::load_credential(&path).unwrap().0, made.0);
        }
        for mode in [0o444, 0o460] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refusal = MasterKey::load_credential(&path).unwrap_err();
            assert!(matches!(refusal, KeyringError::Exposed { .. }), "{mode:o}");
        }
    }

    #[test]
    fn master_key_of_another_size_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for size in [0, 31, 33] {
            write_new(&path, &vec![1; size]).unwrap();
            let refusal = MasterKey::load_or_create(&path).unwrap_err();
            assert!(matches!(refusal, KeyringError::Size { .. }), "{size}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn existing_name_is_never_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        symlink(dir.path().join("elsewhere"), &path).unwrap();
        let refusal = MasterKey::load_or_create(&path).unwrap_err();
        assert!(matches!(refusal, KeyringError::Create { .. }));
        assert!(!dir.path().join("elsewhere").exists());
    }
}
