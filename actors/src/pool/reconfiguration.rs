//! Another configuration while the pool is open.
//!
//! It does what a start on that configuration would do to what is idle, and ends nothing that goes on:
//! leases run on, and a full cleaning that was begun for an account that leaves is finished. Accounts
//! that nothing has changed about stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Pool;
use super::account::{Account, AccountState, Purpose};
use super::command::Command;
use super::command::sealed::Rule;
use super::event::Event;
use super::ids::{AccountId, AccountType, ReservationId, Subject, Timestamp, TokenId};
use super::index::Index;
use super::policy::Policy;
use super::reservation::{EndReason, ReservationState};

/// Goes on with another configuration. The one that is in force already changes nothing.
///
/// Takes O(n) for n accounts and reservations.
#[derive(Clone, Debug)]
pub struct Reconfigure {
    /// The settings from now on.
    pub policy: Policy,
    /// The accounts that the operator's file names, with their types. One that is held already counts
    /// as of its new type, as it does after a start.
    pub accounts: BTreeMap<AccountId, AccountType>,
    /// The accounts that were cleaned by other rules, or got a lease credential that would not be made
    /// like that now: an idle one is cleaned before it is lent again.
    pub changed: BTreeSet<AccountId>,
    /// What becomes of the tokens. The pool knows none; this is for the auditor.
    pub tokens: TokenChanges,
}

/// Which tokens a configuration changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenChanges {
    /// They are accepted from now on.
    pub added: Vec<TokenId>,
    /// They are refused from now on.
    pub removed: Vec<TokenId>,
    /// Another secret proves them, or they may do more or less.
    pub changed: Vec<TokenId>,
}

/// What a configuration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconfigured {
    /// The accounts that joined the pool, or came back to it.
    pub added: Vec<AccountId>,
    /// The accounts that leave it: out at once, or as soon as their leases are over and they are clean.
    pub removed: Vec<AccountId>,
    /// The accounts of another type, or under other rules.
    pub changed: Vec<AccountId>,
    /// Whether the settings of the pool are other ones.
    pub policy: bool,
    /// The tokens.
    pub tokens: TokenChanges,
}

impl Reconfigured {
    /// Tells whether everything is as it was.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn leaves_the_pool_as_it_is(&self) -> bool {
        let tokens = TokenChanges::default();
        Self {
            tokens,
            ..self.clone()
        }
        .is_nothing()
    }
}

impl fmt::Display for Reconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, what: &str| match n {
            0 => None,
            1 => Some(format!("1 account {what}")),
            _ => Some(format!("{n} accounts {what}")),
        };
        let names = |tokens: &[TokenId], what: &str| {
            let names: Vec<&str> = tokens.iter().map(TokenId::as_str).collect();
            (!names.is_empty()).then(|| format!("tokens {what}: {}", names.join(" ")))
        };
        let parts = [
            count(self.added.len(), "added"),
            count(self.removed.len(), "removed"),
            count(self.changed.len(), "changed"),
            self.policy.then(|| "policy changed".to_owned()),
            names(&self.tokens.added, "added"),
            names(&self.tokens.removed, "removed"),
            names(&self.tokens.changed, "changed"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match &parts[..] {
            [] => f.write_str("nothing changed"),
            _ => f.write_str(&parts.join(", ")),
        }
    }
}

impl Rule for Reconfigure {
    type Outcome = Reconfigured;

    fn rule(self, pool: &mut Pool) -> Reconfigured {
        let done = pool.compare(&self);
        if done.is_nothing() {
            return done;
        }
        pool.events
            .push(Event::Reconfigured(Box::new(done.clone())));
        if !done.leaves_the_pool_as_it_is() {
            pool.reconfigure(self.policy, &self.accounts, &done);
        }
        done
    }
}

impl Command for Reconfigure {
    type Reply = Reconfigured;

    fn reply(outcome: Self::Outcome, _: &Pool) -> Self::Reply {
        outcome
    }
}

impl Pool {
    fn compare(&self, asked: &Reconfigure) -> Reconfigured {
        let present = |id: &AccountId| self.accounts.get(id).filter(|a| a.configured);
        let named = || asked.accounts.iter();
        let is_other = |account: &Account, account_type: &AccountType| {
            account.account_type != *account_type || asked.changed.contains(&account.id)
        };
        Reconfigured {
            added: named()
                .filter(|(id, _)| present(id).is_none())
                .map(|(id, _)| id.clone())
                .collect(),
            removed: self
                .accounts
                .values()
                .filter(|account| account.configured && !asked.accounts.contains_key(&account.id))
                .map(|account| account.id.clone())
                .collect(),
            changed: named()
                .filter(|(id, label)| present(id).is_some_and(|account| is_other(account, label)))
                .map(|(id, _)| id.clone())
                .collect(),
            policy: self.policy != asked.policy,
            tokens: asked.tokens.clone(),
        }
    }

    fn reconfigure(
        &mut self,
        policy: Policy,
        accounts: &BTreeMap<AccountId, AccountType>,
        wanted: &Reconfigured,
    ) {
        self.recounted.extend(self.index.types().cloned());
        self.policy = policy;
        for id in &wanted.added {
            self.join(id, accounts[id].clone());
        }
        for id in &wanted.changed {
            self.begin_anew(id, accounts[id].clone());
        }
        if wanted.policy {
            self.reschedule_upkeep();
        }
        // Everything is filed by what the policy says.
        self.file_anew();
        self.recounted.extend(self.index.types().cloned());
        for id in &wanted.removed {
            self.leave(id);
        }
        self.cut_down_pending();
        self.forget_beyond_limit();
        // What is due by other deadlines, or has begun anew.
        self.settle();
    }

    /// Takes an account in, as a start does.
    fn join(&mut self, id: &AccountId, account_type: AccountType) {
        let known = self
            .accounts
            .remove(id)
            .or_else(|| self.left_out.remove(id));
        self.events.push(Event::AccountAdded {
            account: id.clone(),
            account_type: account_type.clone(),
        });
        let account = self.taken_in(id.clone(), account_type, known);
        self.touched.insert(Subject::Account(id.clone()));
        self.accounts.insert(id.clone(), account);
    }

    /// Sees to it that nothing which was done by other rules is relied on. Whom a person has to look
    /// at, or took out, stays so.
    fn begin_anew(&mut self, id: &AccountId, account_type: AccountType) {
        let now = self.now;
        self.events.push(Event::AccountChanged {
            account: id.clone(),
            account_type: account_type.clone(),
        });
        let account = self.accounts.get_mut(id).expect("it was compared");
        account.account_type = account_type;
        self.lines.extend(account.interrupted(now));
        match account.state {
            AccountState::Leased { .. } => account.remint_at = now,
            AccountState::Ready { .. } | AccountState::Cleaning(_) => {
                account.state = AccountState::Dirty { not_before: now };
                account.since = now;
            }
            AccountState::Dirty { .. } | AccountState::Quarantined(_) | AccountState::Drained => {}
        }
        self.touched.insert(Subject::Account(id.clone()));
    }

    /// Lets an account go. One that is idle is not swept, since the operator may use it otherwise by
    /// now; its lease credential is taken away.
    fn leave(&mut self, id: &AccountId) {
        self.events.push(Event::AccountRemoved {
            account: id.clone(),
        });
        self.change_account(id, |account| account.configured = false);
        match &self.accounts[id].state {
            AccountState::Ready { .. } => self.start_cleaning(id, Purpose::Revoke),
            AccountState::Cleaning(cleaning) if cleaning.purpose != Purpose::Full => {
                self.start_cleaning(id, Purpose::Revoke);
            }
            AccountState::Quarantined(quarantine) if quarantine.revoke.is_none() => {
                self.put_out(id);
            }
            // A lease, a full cleaning and a revocation in quarantine end in the same way.
            AccountState::Leased { .. }
            | AccountState::Dirty { .. }
            | AccountState::Cleaning(_)
            | AccountState::Quarantined(_)
            | AccountState::Drained => {}
        }
    }

    /// Brings forward what the policy wants sooner: a lease credential must outlive the longest lease.
    fn reschedule_upkeep(&mut self) {
        let (now, policy) = (self.now, &self.policy);
        let mut moved = Vec::new();
        for account in self.accounts.values() {
            let verify_at = account.verify_at.min(now + policy.verify_every);
            let lasts = policy.longest_lease(&account.account_type) + policy.credential_grace;
            let lent_until = account.credential.as_ref().map(|c| c.expires_at - lasts);
            let remint_at = lent_until.map_or(account.remint_at, |until| {
                let latest = until.min(now + policy.remint_every);
                account.remint_at.min(latest)
            });
            let rotate_at = self.rotation_by_policy(account);
            if (verify_at, remint_at, rotate_at)
                != (account.verify_at, account.remint_at, account.rotate_at)
            {
                moved.push((account.id.clone(), verify_at, remint_at, rotate_at));
            }
        }
        for (id, verify_at, remint_at, rotate_at) in moved {
            let account = self.accounts.get_mut(&id).expect("it was just seen");
            account.verify_at = verify_at;
            account.remint_at = remint_at;
            account.rotate_at = rotate_at;
            self.touched.insert(Subject::Account(id));
        }
    }

    fn file_anew(&mut self) {
        self.index = Index::new(self.policy.types.keys());
        for account in self.accounts.values() {
            self.index.account_moved(account, None);
        }
        let mut in_order: Vec<_> = self.reservations.values().collect();
        in_order.sort_by_key(|reservation| reservation.sequence);
        for reservation in in_order {
            self.index
                .reservation_moved(reservation, None, &self.policy);
        }
        self.file_exhausted();
    }

    /// Cuts down what the configuration no longer allows to those who wait: the longest duration, or
    /// the type as a whole, or more accounts at once than there are.
    pub(super) fn cut_down_pending(&mut self) {
        let waiting = self.reservations.values();
        let mut waiting: Vec<(u64, ReservationId)> = waiting
            .filter(|reservation| reservation.state == ReservationState::Pending)
            .map(|reservation| (reservation.sequence, reservation.id))
            .collect();
        waiting.sort_unstable();
        for (_, id) in waiting {
            let reservation = &self.reservations[&id];
            let longest = self
                .policy
                .longest_lease_of(&reservation.token, &reservation.account_type);
            let too_many = reservation.count > self.most_at_once(&reservation.account_type);
            if longest.is_zero() || too_many {
                self.end_reservation(id, EndReason::Revoked);
            } else if reservation.duration > longest {
                self.change_reservation(id, |reservation| reservation.duration = longest);
            }
        }
    }

    /// Returns when an account's management key is to be rotated, by the policy and by what was due
    /// before. What is due stays due, also where rotation was turned off since: somebody may have asked.
    pub(super) fn rotation_by_policy(&self, account: &Account) -> Option<Timestamp> {
        let rotate_by = self.rotation_of(account.keys.current);
        let latest = rotate_by.unwrap_or(self.now);
        let rotate_at = account.rotate_at.filter(|at| *at <= latest);
        rotate_at.or(rotate_by)
    }
}
