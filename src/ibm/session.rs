//! Sessions: calls made with the account's management key, whichever of its epochs works.
//!
//! Depends on the token service and the transport. Promises the safety interlock: every token is
//! checked before its first use, and one that is bound to another account than the configured one,
//! or to a protected account, ends the verb as `WrongAccount` with nothing written.

use std::collections::BTreeSet;
use std::rc::Rc;

use acctpool_actors::cloud::{CloudError, Traffic};
use acctpool_actors::pool::{Epoch, ManagementKey, ManagementKeys};
use secrecy::SecretString;
use tokio::sync::OnceCell;

use super::Ibm;
use super::api::{Api, Region};
use super::fault::{Fault, Refusal, scrub};
use super::identity::{self, KeyRecord};
use super::request::{Reply, Request};
use super::settings::BaseUrl;
use super::token::{self, NoToken, Token};

/// A way into the account that works: the token of one management key.
pub(super) struct Access {
    pub(super) key: ManagementKey,
    pub(super) token: Token,
    own_key: OnceCell<KeyRecord>,
}

/// Makes the calls of one verb.
pub(super) struct Session<'a> {
    pub(super) ibm: &'a Ibm,
    pub(super) keys: ManagementKeys,
    /// Only the current key will do.
    strict: bool,
}

impl<'a> Session<'a> {
    /// Opens a session with whichever management key works, a known token if there is one.
    pub(super) async fn open(ibm: &'a Ibm, keys: ManagementKeys) -> Result<Self, Fault> {
        let session = Self {
            ibm,
            keys,
            strict: false,
        };
        // Not with a token of a key that is being retired: its record may be gone while the token
        // lives on.
        let outdated = |access: &Rc<Access>| Some(access.key) == keys.previous;
        ibm.access.lock().await.take_if(|access| outdated(access));
        session.access().await?;
        Ok(session)
    }

    /// Opens a session with a token that is new, after trying the keys in order.
    pub(super) async fn open_fresh(ibm: &'a Ibm, keys: ManagementKeys) -> Result<Self, Fault> {
        *ibm.access.lock().await = None;
        Self::open(ibm, keys).await
    }

    /// Opens a session with a new token of the current key and no other.
    pub(super) async fn open_strict(ibm: &'a Ibm, keys: ManagementKeys) -> Result<Self, Fault> {
        *ibm.access.lock().await = None;
        let session = Self {
            ibm,
            keys,
            strict: true,
        };
        session.access().await?;
        Ok(session)
    }

    /// Returns the id of the account.
    pub(super) fn account(&self) -> &'a str {
        self.ibm.settings.account.as_str()
    }

    /// Returns where `api` is.
    pub(super) fn base(&self, api: Api, region: Option<&Region>) -> BaseUrl {
        self.ibm.settings.endpoints.of(api, region)
    }

    /// Returns how many requests were sent so far.
    pub(super) fn traffic(&self) -> Traffic {
        self.ibm.transport.traffic()
    }

    /// Returns how many requests were sent since then.
    pub(super) fn traffic_since(&self, before: Traffic) -> Traffic {
        let now = self.traffic();
        Traffic {
            requests: now.requests - before.requests,
            retries: now.retries - before.retries,
        }
    }

    /// Sends a call with the management key's token. After a 401 it takes one fresh token and
    /// tries again, once.
    pub(super) async fn send(&self, request: &Request) -> Result<Reply, Fault> {
        let access = self.access().await?;
        let first = self.send_as(&access, request).await;
        match first {
            Err(fault) if fault.is_status(401) => {
                self.discard(&access).await;
                let access = self.access().await?;
                self.send_as(&access, request).await
            }
            outcome => outcome,
        }
    }

    /// Returns the record of the key in use.
    pub(super) async fn own_key(&self) -> Result<KeyRecord, Fault> {
        let access = self.access().await?;
        let value = self.ibm.management_key(access.key)?;
        let read = || async {
            let found = identity::key_details(self, &value).await?;
            found.ok_or_else(|| Fault::Unreadable {
                call: "GET /v1/apikeys/details".into(),
                problem: "the key in use is said not to exist".into(),
            })
        };
        access.own_key.get_or_try_init(read).await.cloned()
    }

    /// Returns the access in use: the cached one while it is good, else a new one.
    pub(super) async fn access(&self) -> Result<Rc<Access>, Fault> {
        // Held while a new token is fetched, so that ten calls fetch one.
        let mut cached = self.ibm.access.lock().await;
        let now = self.ibm.clock.now();
        let access = match cached.take() {
            Some(access) if !access.token.is_old(now) => access,
            Some(old) => match self.enter(old.key).await {
                Ok(fresh) => Rc::new(fresh),
                // A token that still works is better than none.
                Err(NoToken::Other(fault)) if fault.is_temporary() && !old.token.is_dead(now) => {
                    log::debug!("account {}: keeping an old token: {fault}", self.account());
                    old
                }
                Err(_) => Rc::new(self.find().await?),
            },
            None => Rc::new(self.find().await?),
        };
        *cached = Some(access.clone());
        Ok(access)
    }

    async fn discard(&self, stale: &Rc<Access>) {
        let mut cached = self.ibm.access.lock().await;
        // Another call may have fetched a fresh one already.
        if cached
            .as_ref()
            .is_some_and(|access| Rc::ptr_eq(access, stale))
        {
            *cached = None;
        }
    }

    async fn send_as(&self, access: &Access, request: &Request) -> Result<Reply, Fault> {
        let token = &access.token.value;
        self.ibm.transport.send(request, Some(token)).await
    }

    /// Finds a management key that works: the pending, the current and the previous one in this
    /// order, then, where IBM knows none of them, the configured one and every epoch of every master
    /// key.
    async fn find(&self) -> Result<Access, Fault> {
        let mut refused = None;
        for key in self.candidates() {
            match self.enter(key).await {
                Ok(access) => {
                    self.ibm.search_exhausted.set(false);
                    return Ok(access);
                }
                Err(NoToken::Other(fault)) => return Err(fault),
                Err(NoToken::UnknownKey(refusal) | NoToken::BlockedKey(refusal)) => {
                    // The reason to show is that of the key that ought to work.
                    if refused.is_none() || key == self.keys.current {
                        refused = Some(refusal);
                    }
                }
            }
        }
        if !self.strict {
            self.ibm.search_exhausted.set(true);
        }
        Err(self.locked_out(refused).into())
    }

    fn candidates(&self) -> Vec<ManagementKey> {
        let keys = self.keys;
        let mut candidates: Vec<_> = if self.strict {
            vec![keys.current]
        } else {
            let configured = ManagementKey::CONFIGURED;
            keys.known()
                .chain([configured])
                .chain(self.derived())
                .collect()
        };
        let mut seen = BTreeSet::new();
        let is_usable = |key: &ManagementKey| self.ibm.management_key(*key).is_ok();
        candidates.retain(|key| seen.insert(*key) && is_usable(key));
        candidates
    }

    /// Returns the keys that a search among all that may ever have been derived tries.
    fn derived(&self) -> impl Iterator<Item = ManagementKey> {
        // Sixty exchanges that cannot end differently are made once, not at each verification.
        let last = if self.ibm.search_exhausted.get() {
            0
        } else {
            let searched = self.ibm.settings.limits.searched_epochs;
            searched.max(self.keys.newest.0)
        };
        let generations = self.ibm.keyring.generations();
        (1..=last).map(Epoch).flat_map(move |epoch| {
            let keys = generations.clone().into_iter();
            keys.map(move |generation| ManagementKey { epoch, generation })
        })
    }

    fn locked_out(&self, refused: Option<Refusal>) -> CloudError {
        let account = self.account();
        let words = refused.map_or_else(String::new, |refusal| format!(": {refusal}"));
        CloudError::Unauthorised(if self.ibm.settings.api_key.is_some() {
            format!(
                "no management key of account {account} is accepted any more{words}; configure a \
                 working API key of its owner"
            )
        } else {
            format!(
                "account {account} is not in the configuration any more, and acctpool has no key of \
                 its own that opens it{words}; put the account back, with a working API key of its \
                 owner"
            )
        })
    }

    /// Exchanges a key and makes sure that it opens the right account.
    async fn enter(&self, key: ManagementKey) -> Result<Access, NoToken> {
        let value = self.ibm.management_key(key).map_err(NoToken::Other)?;
        let token = self.ibm.token(&value).await?;
        Ok(Access {
            key,
            token,
            own_key: OnceCell::new(),
        })
    }
}

impl Ibm {
    /// Returns the value of a management key; of the configured one, while it is configured, and of a
    /// derived one, while its master key is at hand.
    pub(super) fn management_key(&self, key: ManagementKey) -> Result<SecretString, Fault> {
        let account = &self.settings.account;
        let value = if key.is_derived() {
            self.keyring.management(account, key)
        } else {
            self.settings.api_key.clone()
        };
        value.ok_or_else(|| {
            let words = if key.is_derived() {
                format!("master key {} is not at hand", key.generation)
            } else {
                format!("account {account} is not in the configuration any more")
            };
            CloudError::Unauthorised(words).into()
        })
    }

    /// Exchanges a key of this account, management or lease. The safety interlock is here, so that
    /// no token gets past it.
    pub(super) async fn token(&self, key: &SecretString) -> Result<Token, NoToken> {
        let now = self.clock.now();
        let token = token::exchange(&self.transport, key, now).await?;
        self.interlock(&token)
            .map_err(|error| NoToken::Other(error.into()))?;
        Ok(token)
    }

    fn interlock(&self, token: &Token) -> Result<(), CloudError> {
        let account = &self.settings.account;
        let claimed = token.claims.account();
        if claimed != account.as_str() {
            return Err(CloudError::WrongAccount(format!(
                "the key configured for account {account} belongs to account {}; nothing was \
                 touched",
                scrub(claimed, &[])
            )));
        }
        self.not_protected()
    }

    /// Refuses a protected account.
    pub(super) fn not_protected(&self) -> Result<(), CloudError> {
        let account = &self.settings.account;
        if self.settings.protected.contains(account) {
            return Err(CloudError::WrongAccount(format!(
                "account {account} is protected; nothing was touched"
            )));
        }
        Ok(())
    }
}
