//! What an operator is told of accounts, one by one or in pages.

use std::ops::Bound;

use super::Pool;
use super::account::{Account, AccountState, StateKind};
use super::command::Command;
use super::command::sealed::Rule;
use super::findings::Leftover;
use super::ids::{AccountId, AccountType, Epoch, ReservationId, Timestamp, TokenId};
use super::operator::UnknownAccount;
use super::progress::Progress;
use super::reservation::ReservationState;

/// How many accounts are looked at in one turn: others wait meanwhile.
const LOOKED_AT: usize = 32;

/// How many leftovers of a quarantine are named.
const NAMED: usize = 100;

/// An account as an operator may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its id at IBM Cloud.
    pub id: AccountId,
    /// The operator's label.
    pub account_type: AccountType,
    /// Where it stands.
    pub state: StateKind,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Whether the operator's file names it.
    pub configured: bool,
    /// Whether it is to be out as soon as it is clean.
    pub draining: bool,
    /// Who holds it.
    pub holder: Option<Holder>,
    /// Where its cleaning is.
    pub progress: Option<Progress>,
    /// Why it needs a person.
    pub quarantine: Option<QuarantineView>,
    /// When its management key was verified last.
    pub verified_at: Option<Timestamp>,
    /// When its management key became another one.
    pub key_changed_at: Option<Timestamp>,
    /// The epoch of its management key; 0 is the configured one.
    pub key_epoch: Epoch,
}

/// Who holds an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The reservation.
    pub reservation: ReservationId,
    /// Whose it is.
    pub consumer: TokenId,
    /// What it is needed for, in its owner's words.
    pub purpose: Option<Box<str>>,
    /// Where there is more about that.
    pub link: Option<Box<str>>,
    /// When its lease ends.
    pub expiration: Timestamp,
}

/// Why an account needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineView {
    /// The reason, in words.
    pub reason: String,
    /// How many items could not be deleted.
    pub leftovers: usize,
    /// The first hundred of them; none where many accounts are told of.
    pub items: Vec<Leftover>,
    /// Whether a lease credential may still work, which is tried to be revoked.
    pub revoking: bool,
}

/// Asks about one account.
#[derive(Clone, Debug)]
pub struct GetAccount {
    /// The account.
    pub account: AccountId,
}

impl Rule for GetAccount {
    type Outcome = AccountId;

    fn rule(self, _: &mut Pool) -> AccountId {
        self.account
    }
}

impl Command for GetAccount {
    type Reply = Result<AccountView, UnknownAccount>;

    fn reply(account: AccountId, pool: &Pool) -> Self::Reply {
        let account = pool.accounts.get(&account).ok_or(UnknownAccount)?;
        Ok(pool.inspect(account, NAMED))
    }
}

/// Asks about accounts, in the order of their ids. A turn looks at some and no more, so a page may be
/// short of what was asked for, or empty, and yet there is a next one.
#[derive(Clone, Debug, Default)]
pub struct ListAccounts {
    /// Begins behind this one.
    pub after: Option<AccountId>,
    /// Only those of this type.
    pub account_type: Option<AccountType>,
    /// Only those in this state.
    pub state: Option<StateKind>,
    /// How many at most.
    pub limit: usize,
}

/// Some accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsPage {
    /// Those that were asked for.
    pub accounts: Vec<AccountView>,
    /// Where the next page begins: behind this one. `None` after the last.
    pub next: Option<AccountId>,
}

impl Rule for ListAccounts {
    type Outcome = Self;

    fn rule(self, _: &mut Pool) -> Self {
        self
    }
}

impl Command for ListAccounts {
    type Reply = AccountsPage;

    fn reply(asked: Self, pool: &Pool) -> AccountsPage {
        let begin = asked.after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = pool.accounts.range((begin, Bound::Unbounded));
        let mut accounts = Vec::new();
        let mut last = None;
        for (id, account) in rest.by_ref().take(LOOKED_AT) {
            let of_type = asked.account_type.as_ref();
            let is_meant = of_type.is_none_or(|label| *label == account.account_type)
                && asked.state.is_none_or(|state| state == account.kind());
            if is_meant {
                accounts.push(pool.inspect(account, 0));
            }
            last = Some(id);
            if accounts.len() >= asked.limit {
                break;
            }
        }
        AccountsPage {
            accounts,
            next: last.filter(|_| rest.next().is_some()).cloned(),
        }
    }
}

impl Pool {
    fn inspect(&self, account: &Account, named: usize) -> AccountView {
        AccountView {
            id: account.id.clone(),
            account_type: account.account_type.clone(),
            state: account.kind(),
            since: account.since,
            configured: account.configured,
            draining: account.draining,
            holder: self.holder(account),
            progress: account.progress(),
            quarantine: match &account.state {
                AccountState::Quarantined(quarantine) => Some(QuarantineView {
                    reason: quarantine.reason.clone(),
                    leftovers: quarantine.leftovers.len(),
                    items: quarantine.leftovers.iter().take(named).cloned().collect(),
                    revoking: quarantine.revoke.is_some(),
                }),
                _ => None,
            },
            verified_at: account.verified_at,
            key_changed_at: account.key_changed_at,
            key_epoch: account.keys.current.epoch,
        }
    }

    fn holder(&self, account: &Account) -> Option<Holder> {
        let AccountState::Leased { reservation } = account.state else {
            return None;
        };
        let held = self.reservations.get(&reservation)?;
        let ReservationState::Active { expiration, .. } = held.state else {
            return None;
        };
        Some(Holder {
            reservation,
            consumer: held.token.clone(),
            purpose: held.purpose.clone(),
            link: held.link.clone(),
            expiration,
        })
    }
}
