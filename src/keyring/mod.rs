//! The one secret at rest, and every key that is derived from it (`design.md` 7).
//!
//! Depends on the pool's ids and on cryptographic crates only. Promises that the same master key
//! yields the same values for ever (a change of the derivation would lose every account), that two
//! different purposes, accounts or counters never share a value, and that no secret can be printed.
//!
//! A [`MasterKey`] is 32 bytes in a file. There is one, but for the time in which the accounts move
//! from a former one to it: [`files`] keeps both then. A [`Keyring`] derives from either, by the
//! numbers under which the records know them.

pub mod files;
mod master_key;

use std::collections::BTreeMap;
use std::fmt;
use std::iter::successors;
use std::sync::OnceLock;

use acctpool_actors::pool::{AccountId, Fence, Fingerprint, Generation, ManagementKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use master_key::LENGTH;
pub use master_key::{KeyringError, MasterKey};

/// Names this derivation, so that a later one can never collide with it.
const SALT: &[u8] = b"acctpool/keyring/1";

/// Derives the values of management keys and lease keys.
///
/// A master key can be added while others read, without a lock. None is taken out: one that no
/// record needs any more opens nothing, and goes with the process.
pub struct Keyring {
    oldest: Link,
    store_id: Uuid,
}

/// A master key, and the one that came after it.
struct Link {
    generation: Generation,
    master: MasterKey,
    newer: OnceLock<Box<Link>>,
}

impl Link {
    fn new(generation: Generation, master: MasterKey) -> Self {
        Self {
            generation,
            master,
            newer: OnceLock::new(),
        }
    }
}

/// The master keys that are at hand.
#[derive(Debug)]
pub struct MasterKeys {
    /// The one that new keys are to be derived from.
    pub current: MasterKey,
    /// The one before it, while some account may need that.
    pub previous: Option<MasterKey>,
}

/// Why records and master keys do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// No record was made with any of them.
    #[error(
        "the records were made with another master key: bring that one back, or remove the records, \
         which ends every lease"
    )]
    Foreign,
    /// Some account has not moved from the former one.
    #[error(
        "accounts still need the former master key, which is not there: bring it back as the \
         previous one"
    )]
    PreviousMissing,
    /// The former one was put in the place of the one in use.
    #[error(
        "this master key has been replaced by a newer one, which accounts use already: bring that \
         one back, and keep this one as the previous one"
    )]
    Replaced,
}

impl Keyring {
    /// Makes a keyring over one master key, the first of its store.
    ///
    /// `store_id` is the random id of the store that counts the fences: should a store be lost and
    /// its fences begin anew, no lease key is ever derived twice.
    #[must_use]
    pub fn new(master: MasterKey, store_id: Uuid) -> Self {
        Self {
            oldest: Link::new(Generation(0), master),
            store_id,
        }
    }

    /// Makes a keyring over the master keys at hand, under the numbers by which the store knows them.
    ///
    /// One that the store does not know gets the next number; of a previous one, only if the store is
    /// new. A previous one that no record needs any more is left out.
    pub fn of_store(
        masters: MasterKeys,
        store_id: Uuid,
        known: &BTreeMap<Generation, Fingerprint>,
    ) -> Result<Self, Mismatch> {
        let MasterKeys { current, previous } = masters;
        let of_current = fingerprint(&current, store_id);
        let mut previous = previous
            .map(|master| (fingerprint(&master, store_id), master))
            .filter(|(of_previous, _)| *of_previous != of_current);
        let number = |of: &Fingerprint| {
            let known = known.iter().find(|(_, fingerprint)| *fingerprint == of);
            known.map(|(generation, _)| *generation)
        };
        let Some((&newest, _)) = known.last_key_value() else {
            let Some((_, previous)) = previous else {
                return Ok(Self::new(current, store_id));
            };
            let keyring = Self::new(previous, store_id);
            keyring.add(current);
            return Ok(keyring);
        };
        let of_previous = previous
            .as_ref()
            .and_then(|(of_previous, _)| number(of_previous));
        let of_current = match (number(&of_current), of_previous) {
            (Some(generation), _) if generation == newest => generation,
            (Some(_), _) => return Err(Mismatch::Replaced),
            (None, Some(former)) if former == newest => newest.next(),
            (None, _) => return Err(Mismatch::Foreign),
        };
        let at_hand =
            |generation: &Generation| *generation == of_current || Some(*generation) == of_previous;
        if !known.keys().all(at_hand) {
            return Err(Mismatch::PreviousMissing);
        }
        let oldest = match of_previous.zip(previous.take()) {
            Some((generation, (_, master))) => {
                let oldest = Link::new(generation, master);
                let newer = Box::new(Link::new(of_current, current));
                // It was made a line above, so nobody was faster.
                let _ = oldest.newer.set(newer);
                oldest
            }
            None => Link::new(of_current, current),
        };
        Ok(Self { oldest, store_id })
    }

    /// Makes a keyring over the same master keys, for another store.
    #[must_use]
    pub fn beside(self, store_id: Uuid) -> Self {
        Self { store_id, ..self }
    }

    /// Adds a new master key, under the next number, which it returns.
    pub fn add(&self, master: MasterKey) -> Generation {
        let mut added = Box::new(Link::new(Generation(0), master));
        loop {
            let newest = self.newest();
            added.generation = newest.generation.next();
            let generation = added.generation;
            match newest.newer.set(added) {
                Ok(()) => return generation,
                // Somebody else was faster: this one comes after theirs.
                Err(refused) => added = refused,
            }
        }
    }

    /// Returns the numbers of the master keys and what they are known by, oldest first. The last is
    /// the one to derive new keys from.
    #[must_use]
    pub fn fingerprints(&self) -> BTreeMap<Generation, Fingerprint> {
        self.links()
            .map(|link| (link.generation, fingerprint(&link.master, self.store_id)))
            .collect()
    }

    /// Tells whether a master key is the one to derive new keys from.
    #[must_use]
    pub fn is_newest(&self, master: &MasterKey) -> bool {
        fingerprint(&self.newest().master, self.store_id) == fingerprint(master, self.store_id)
    }

    /// Returns the numbers of the master keys, newest first.
    #[must_use]
    pub fn generations(&self) -> Vec<Generation> {
        let mut generations: Vec<_> = self.links().map(|link| link.generation).collect();
        generations.reverse();
        generations
    }

    /// Returns the value of the lease key of `account` at `fence`: 43 characters of base64url.
    ///
    /// There is none where the master key is not at hand.
    #[must_use]
    pub fn lease(
        &self,
        account: &AccountId,
        generation: Generation,
        fence: Fence,
    ) -> Option<SecretString> {
        let purpose: [&[u8]; 4] = [
            b"lease",
            self.store_id.as_bytes(),
            account.as_str().as_bytes(),
            &fence.0.to_be_bytes(),
        ];
        Some(derive(self.master(generation)?, &purpose))
    }

    /// Returns the value of a management key of `account`: 43 characters of base64url.
    ///
    /// It does not depend on the store's id, so that a lost store loses no account. The configured
    /// key is not derived: there is no value for it, and none where the master key is not at hand.
    #[must_use]
    pub fn management(&self, account: &AccountId, key: ManagementKey) -> Option<SecretString> {
        let master = self.master(key.generation).filter(|_| key.is_derived())?;
        let purpose: [&[u8]; 3] = [
            b"management",
            account.as_str().as_bytes(),
            &key.epoch.0.to_be_bytes(),
        ];
        Some(derive(master, &purpose))
    }

    fn master(&self, generation: Generation) -> Option<&MasterKey> {
        let mut links = self.links();
        let link = links.find(|link| link.generation == generation)?;
        Some(&link.master)
    }

    /// Returns the master keys, oldest first.
    fn links(&self) -> impl Iterator<Item = &Link> {
        successors(Some(&self.oldest), |link| link.newer.get().map(Box::as_ref))
    }

    fn newest(&self) -> &Link {
        self.links().last().unwrap_or(&self.oldest)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("store_id", &self.store_id)
            .field("generations", &self.generations())
            .finish_non_exhaustive()
    }
}

/// Returns what tells this master key from every other one beside the same store: 43 characters from
/// which nothing else can be derived.
fn fingerprint(master: &MasterKey, store_id: Uuid) -> Fingerprint {
    let fingerprint = derive(master, &[b"fingerprint", store_id.as_bytes()]);
    fingerprint.expose_secret().into()
}

fn derive(master: &MasterKey, parts: &[&[u8]]) -> SecretString {
    let mut value = Zeroizing::new([0_u8; LENGTH]);
    Hkdf::<Sha256>::new(Some(SALT), master.bytes())
        .expand(&info(parts), value.as_mut_slice())
        .expect("HKDF-SHA256 yields up to 8160 bytes");
    URL_SAFE_NO_PAD.encode(value.as_slice()).into()
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

#[cfg(test)]
mod tests;
