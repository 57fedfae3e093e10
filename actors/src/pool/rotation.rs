//! Rotation: of one account's management key on demand, and of the master key that everything is
//! derived from (`design.md` 7).
//!
//! Moving to a new master key needs no mechanism of its own: what is derived from an older one is
//! due, the management key for its rotation, the lease credential for its minting. A master key that
//! no record needs any more is forgotten in the turn in which the last account has moved.

use super::Pool;
use super::account::{Account, AccountState};
use super::command::Command;
use super::command::sealed::Rule;
use super::credentials::ManagementKey;
use super::event::Event;
use super::ids::{AccountId, Fingerprint, Generation, Timestamp};
use super::operator::UnknownAccount;
use super::record::Change;

/// Derives keys from a master key from now on. Whoever asks must be able to derive from it already.
///
/// Repeating it changes nothing. Takes O(n) for n accounts: each has something to do.
#[derive(Clone, Debug)]
pub struct UseMasterKey {
    /// Its number, higher than any before.
    pub generation: Generation,
    /// What it is known by.
    pub fingerprint: Fingerprint,
}

/// Another master key has this number, or a higher one is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is another master key with this number or a higher one")]
pub struct NotNewer;

impl Rule for UseMasterKey {
    type Outcome = Result<(), NotNewer>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        if pool.master_keys.get(&self.generation) == Some(&self.fingerprint) {
            return Ok(());
        }
        let newest = pool.master_keys.last_key_value();
        if newest.is_some_and(|(newest, _)| *newest >= self.generation) {
            return Err(NotNewer);
        }
        pool.introduce_master_key(self.generation, self.fingerprint);
        Ok(())
    }
}

impl Command for UseMasterKey {
    type Reply = Result<(), NotNewer>;

    fn reply(outcome: Self::Outcome, _: &Pool) -> Self::Reply {
        outcome
    }
}

/// Asks which master keys some key may be derived from, oldest first. The last is in use.
#[derive(Clone, Copy, Debug)]
pub struct GetMasterKeys;

impl Rule for GetMasterKeys {
    type Outcome = ();

    fn rule(self, _: &mut Pool) {}
}

impl Command for GetMasterKeys {
    type Reply = Vec<Generation>;

    fn reply((): (), pool: &Pool) -> Self::Reply {
        pool.master_keys.keys().copied().collect()
    }
}

/// Replaces an account's management key, on the operator's word: at once where it is idle, else when
/// it is next.
#[derive(Clone, Debug)]
pub struct RotateKey {
    /// The account.
    pub account: AccountId,
}

impl Rule for RotateKey {
    type Outcome = Result<(), UnknownAccount>;

    fn rule(self, pool: &mut Pool) -> Self::Outcome {
        if !pool.accounts.contains_key(&self.account) {
            return Err(UnknownAccount);
        }
        let now = pool.now;
        pool.events.push(Event::RotationRequested {
            account: self.account.clone(),
        });
        pool.change_account(&self.account, |account| account.rotate_at = Some(now));
        pool.see_to_upkeep(&self.account);
        Ok(())
    }
}

impl Command for RotateKey {
    type Reply = Result<(), UnknownAccount>;

    fn reply(outcome: Self::Outcome, _: &Pool) -> Self::Reply {
        outcome
    }
}

impl Pool {
    /// Returns the master key in use.
    pub(super) fn generation(&self) -> Generation {
        let newest = self.master_keys.last_key_value();
        newest.map_or_else(Generation::default, |(generation, _)| *generation)
    }

    /// Returns when a management key is to be rotated that came into use now.
    pub(super) fn rotation_of(&self, key: ManagementKey) -> Option<Timestamp> {
        if key.is_older_than(self.generation()) {
            Some(self.now)
        } else {
            self.policy.rotate_every.map(|every| self.now + every)
        }
    }

    /// Takes from the record of an account what cannot be derived any more, as a master key may have been
    /// forgotten while it was out. That such keys may exist is known all the same: a management key by
    /// the newest epoch, a lease credential by its name.
    pub(super) fn drop_what_is_forgotten(&self, account: &mut Account) {
        let oldest = self.master_keys.first_key_value();
        let is_forgotten = |generation| oldest.is_some_and(|(oldest, _)| generation < *oldest);
        let is_at_hand = |key: &ManagementKey| !(key.is_derived() && is_forgotten(key.generation));
        let keys = &mut account.keys;
        keys.pending = keys.pending.filter(is_at_hand);
        keys.previous = keys.previous.filter(is_at_hand);
        let credential = account.credential.take();
        account.credential = credential.filter(|lease| !is_forgotten(lease.generation));
    }

    fn introduce_master_key(&mut self, generation: Generation, fingerprint: Fingerprint) {
        self.master_keys.insert(generation, fingerprint.clone());
        self.master_key_changes.push(Change::MasterKey {
            generation,
            fingerprint,
        });
        self.events.push(Event::MasterKeyIntroduced { generation });
        let now = self.now;
        let accounts: Vec<AccountId> = self.accounts.keys().cloned().collect();
        for id in accounts {
            let account = &self.accounts[&id];
            let moves = account.keys.current.is_older_than(generation);
            if !moves && account.credential.is_none() {
                continue;
            }
            self.change_account(&id, |account| {
                account.remint_at = now;
                if moves {
                    account.rotate_at = Some(now);
                }
            });
            self.see_to_upkeep(&id);
        }
    }

    /// Does at once what has become due for an account, where it is idle.
    fn see_to_upkeep(&mut self, id: &AccountId) {
        if matches!(self.accounts[id].state, AccountState::Ready { .. }) {
            self.make_ready(id);
        }
    }

    /// Forgets the master keys that no account needs any more, but for the one in use.
    pub(super) fn forget_master_keys(&mut self) {
        while self.master_keys.len() > 1
            && let Some((&oldest, _)) = self.master_keys.first_key_value()
            && self
                .index
                .oldest_generation()
                .is_none_or(|needed| needed > oldest)
        {
            self.master_keys.remove(&oldest);
            self.master_key_changes
                .push(Change::MasterKeyForgotten(oldest));
            self.events
                .push(Event::MasterKeyForgotten { generation: oldest });
        }
    }
}
