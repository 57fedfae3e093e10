//! Stage 0 of `ibm-cloud.md` 12: is this the account, is it usable, and does its management key see
//! what it must?
//!
//! Depends on sessions and the scope. Promises to read only, and that its final errors say in a
//! sentence what a person has to do.

use std::collections::BTreeSet;

use acctpool_actors::cloud::{CloudError, Verified};
use acctpool_actors::pool::{Epoch, ManagementKey};

use super::api::Api;
use super::fault::{Fault, scrub};
use super::identity::{self, KeyRecord};
use super::management::{self, epoch_of};
use super::request::{Request, encode};
use super::scope::Scope;
use super::session::Session;
use super::token::NoToken;

/// Verifies the account that a fresh session opened.
pub(super) async fn verify(session: &Session<'_>) -> Result<Verified, Fault> {
    let account = session.account();
    let access = session.access().await?;
    if access.token.claims.sub_type.as_deref() == Some("ServiceId") {
        return Err(refused(format!(
            "the management key of account {account} belongs to a service ID, which cannot remove \
             users: configure an API key of the account's owner"
        )));
    }
    let own = session.own_key().await?;
    if own.account_id != account {
        return Err(CloudError::WrongAccount(format!(
            "the key configured for account {account} was made in another account; nothing was \
             touched"
        ))
        .into());
    }
    let expected = session.ibm.settings.owner.as_deref();
    if let Some(expected) = expected.filter(|expected| *expected != own.iam_id) {
        return Err(refused(format!(
            "the management key of account {account} belongs to {}, and {expected} is expected",
            own.iam_id
        )));
    }
    // The holder of a derived key was found to be the right one when acctpool made it.
    let out_of_file = session.ibm.settings.api_key.is_none();
    check_account(session, &own.iam_id, expected.is_some() || out_of_file).await?;
    let scope = Scope::read(session).await?;
    let keys = session.keys;
    let named = identity::keys_of(session, &own.iam_id).await?;
    let known = keys.known().chain([access.key]).map(|key| key.epoch);
    let newest = known.fold(keys.newest, Epoch::max);
    let newer: BTreeSet<Epoch> = named
        .iter()
        .filter_map(|key| epoch_of(&key.name))
        .filter(|epoch| *epoch > newest)
        .collect();
    let adopted = is_new_start(session, &scope, &own, access.key).await?;
    Ok(Verified {
        current: if adopted {
            ManagementKey::CONFIGURED
        } else {
            access.key
        },
        newest: newest_made(session, newer).await?.unwrap_or(newest),
    })
}

/// Tells whether the operator has configured another key since acctpool left the configured one
/// behind (`design.md` 7): that one was deleted, and this one works.
async fn is_new_start(
    session: &Session<'_>,
    scope: &Scope<'_>,
    own: &KeyRecord,
    in_use: ManagementKey,
) -> Result<bool, Fault> {
    let Some(configured) = scope.configured_key() else {
        return Ok(false);
    };
    // One that is being left behind is there until it is retired; one that is kept, for ever.
    let left_behind = session.keys.previous == Some(ManagementKey::CONFIGURED)
        || session.keys.current == ManagementKey::CONFIGURED
        || management::is_kept(session, configured);
    if !in_use.is_derived() || left_behind || configured.iam_id != own.iam_id {
        return Ok(false);
    }
    let value = session.ibm.management_key(ManagementKey::CONFIGURED)?;
    match session.ibm.token(&value).await {
        Ok(_) => Ok(true),
        Err(NoToken::UnknownKey(_) | NoToken::BlockedKey(_)) => Ok(false),
        Err(NoToken::Other(fault)) => Err(fault),
    }
}

/// Returns the highest of `epochs` whose key was made.
///
/// Who may rename keys can write any number into a name. A counter that believed it would end
/// there, and all epochs up to it would be searched for a key; so the exchange is asked.
async fn newest_made(
    session: &Session<'_>,
    epochs: BTreeSet<Epoch>,
) -> Result<Option<Epoch>, Fault> {
    for epoch in epochs.into_iter().rev() {
        for generation in session.ibm.keyring.generations() {
            let key = ManagementKey { epoch, generation };
            let value = session.ibm.management_key(key)?;
            match session.ibm.token(&value).await {
                Ok(_) | Err(NoToken::BlockedKey(_)) => return Ok(Some(epoch)),
                Err(NoToken::UnknownKey(_)) => {}
                Err(NoToken::Other(fault)) => return Err(fault),
            }
        }
    }
    Ok(None)
}

/// Checks what Account Management says of the account, if it says anything: whether a management
/// key may read it is not certain (`ibm-cloud.md` 15).
async fn check_account(
    session: &Session<'_>,
    holder: &str,
    holder_is_expected: bool,
) -> Result<(), Fault> {
    let account = session.account();
    let request = Request::get(
        Api::AccountManagement,
        format!("/v4/accounts/{}", encode(account)),
    );
    let details = match session.send(&request).await {
        Ok(reply) => reply.json()?,
        // A token that is good elsewhere and refused here may not read this, whatever the status is.
        Err(fault) if fault.is_status(401) || fault.is_status(403) || fault.is_gone() => {
            log::debug!("account {account}: its details cannot be read, going on: {fault}");
            return Ok(());
        }
        Err(fault) => return Err(fault),
    };
    let state = details["status"].as_str().unwrap_or("ACTIVE");
    if !state.eq_ignore_ascii_case("ACTIVE") {
        return Err(refused(format!(
            "account {account} is not active: its status is {}",
            scrub(state, &[])
        )));
    }
    let owner = details["owner_iamid"].as_str().unwrap_or(holder);
    if owner != holder && !holder_is_expected {
        return Err(refused(format!(
            "the management key of account {account} belongs to {holder}, but {owner} owns the \
             account: configure the owner's key, or name {holder} as the expected owner"
        )));
    }
    Ok(())
}

fn refused(words: String) -> Fault {
    CloudError::Refused(words).into()
}
