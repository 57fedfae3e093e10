//! The one secret at rest, and every key that is derived from it (`design.md` 7).
//!
//! Depends on the pool's ids and on cryptographic crates only. Promises that the same master key
//! yields the same values for ever (a change of the derivation would lose every account), that two
//! different purposes, accounts or counters never share a value, and that no secret can be printed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use acctpool_actors::pool::{AccountId, Epoch, Fence};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Length of the master key, and of every derived value before it is written in base64url.
const LENGTH: usize = 32;

/// Names this derivation, so that a later one can never collide with it.
const SALT: &[u8] = b"acctpool/keyring/1";

/// Derives the values of management keys and lease keys.
pub struct Keyring {
    master: MasterKey,
    store_id: Uuid,
}

impl Keyring {
    /// Makes a keyring over `master`.
    ///
    /// `store_id` is the random id of the store that counts the fences: should a store be lost and
    /// its fences begin anew, no lease key is ever derived twice.
    #[must_use]
    pub fn new(master: MasterKey, store_id: Uuid) -> Self {
        Self { master, store_id }
    }

    /// Makes a keyring over the same master key, for another store.
    #[must_use]
    pub fn beside(self, store_id: Uuid) -> Self {
        Self { store_id, ..self }
    }

    /// Returns the value of the lease key of `account` at `fence`: 43 characters of base64url.
    #[must_use]
    pub fn lease(&self, account: &AccountId, fence: Fence) -> SecretString {
        self.derive(&[
            b"lease",
            self.store_id.as_bytes(),
            account.as_str().as_bytes(),
            &fence.0.to_be_bytes(),
        ])
    }

    /// Returns the value of the management key of `account` at `epoch`: 43 characters of base64url.
    ///
    /// It does not depend on the store's id, so that a lost store loses no account. Epoch 0 is the
    /// configured key, which is not derived: there is no value for it.
    #[must_use]
    pub fn management(&self, account: &AccountId, epoch: Epoch) -> Option<SecretString> {
        (epoch > Epoch(0)).then(|| {
            self.derive(&[
                b"management",
                account.as_str().as_bytes(),
                &epoch.0.to_be_bytes(),
            ])
        })
    }

    /// Returns what tells this master key from every other one beside the same store: 43 characters
    /// from which nothing else can be derived.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let fingerprint = self.derive(&[b"fingerprint", self.store_id.as_bytes()]);
        fingerprint.expose_secret().to_owned()
    }

    fn derive(&self, parts: &[&[u8]]) -> SecretString {
        let mut value = Zeroizing::new([0_u8; LENGTH]);
        Hkdf::<Sha256>::new(Some(SALT), self.master.0.as_slice())
            .expand(&info(parts), value.as_mut_slice())
            .expect("HKDF-SHA256 yields up to 8160 bytes");
        URL_SAFE_NO_PAD.encode(value.as_slice()).into()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("store_id", &self.store_id)
            .finish_non_exhaustive()
    }
}

/// Joins `parts`, each after its length, so that no two lists of parts yield the same bytes.
fn info(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::new();
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

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

    use secrecy::ExposeSecret;

    use super::*;

    fn keyring(store: u128) -> Keyring {
        let bytes = std::array::from_fn(|n| u8::try_from(n).unwrap());
        Keyring::new(MasterKey(Zeroizing::new(bytes)), Uuid::from_u128(store))
    }

    fn account(letter: &str) -> AccountId {
        letter.repeat(32).into()
    }

    #[test]
    fn derived_values_never_change() {
        // Computed once by another implementation of RFC 5869, over the bytes 0 to 31.
        let lease = keyring(7).lease(&account("a"), Fence(3));
        let management = keyring(7).management(&account("a"), Epoch(3)).unwrap();
        assert_eq!(
            lease.expose_secret(),
            "kjjSa--lPvpKG3KCSmIzCehz-57ToI5eAqnZniP4M7Q"
        );
        assert_eq!(
            management.expose_secret(),
            "sh_W7lWdIpLVbhrx8hh4a7c_NUcjY6sy3tUvl8FT2h4"
        );
    }

    #[test]
    fn each_purpose_account_counter_and_store_has_its_own_value() {
        let ring = keyring(7);
        let values = [
            ring.lease(&account("a"), Fence(1)),
            ring.lease(&account("a"), Fence(2)),
            ring.lease(&account("b"), Fence(1)),
            keyring(8).lease(&account("a"), Fence(1)),
            ring.management(&account("a"), Epoch(1)).unwrap(),
            ring.management(&account("a"), Epoch(2)).unwrap(),
            ring.management(&account("b"), Epoch(1)).unwrap(),
        ];
        for (n, value) in values.iter().enumerate() {
            assert!(value.expose_secret().len() >= 32, "IBM wants 32 characters");
            for other in &values[n + 1..] {
                assert_ne!(value.expose_secret(), other.expose_secret());
            }
        }
    }

    #[test]
    fn management_keys_are_found_again_without_the_store() {
        let first = keyring(7).management(&account("a"), Epoch(4)).unwrap();
        let again = keyring(8).management(&account("a"), Epoch(4)).unwrap();
        assert_eq!(first.expose_secret(), again.expose_secret());
    }

    #[test]
    fn epoch_zero_is_not_derived() {
        assert!(keyring(7).management(&account("a"), Epoch(0)).is_none());
    }

    #[test]
    fn parts_that_join_alike_are_told_apart() {
        assert_ne!(info(&[b"ab", b"c"]), info(&[b"a", b"bc"]));
        assert_ne!(info(&[b"", b"a"]), info(&[b"a", b""]));
    }

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

    #[test]
    fn debug_shows_no_secret() {
        let ring = keyring(7);
        let shown = format!("{ring:?} {:?}", ring.master);
        assert!(shown.contains("redacted"));
        assert!(!shown.contains("0, 1, 2"), "{shown}");
    }
}
