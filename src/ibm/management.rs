//! The management key's rotation, without a moment in which no key works (`ibm-cloud.md` 13.2).
//!
//! Depends on the keyring and IAM Identity. Promises (P6) that a key is created only after its
//! epoch was intended, that whether it exists is answered by exchanging it, that an old key is
//! deleted only after the current one was seen working without it, and that a name alone makes no
//! key of the owner's one of acctpool's.

use std::collections::BTreeSet;

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{Epoch, ManagementKey};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::api::Api;
use super::fault::Fault;
use super::identity::{self, KeyRecord, KeySwitch};
use super::request::{Request, encode};
use super::session::Session;
use super::token::{NoToken, Token};

/// What the names of management keys begin with; the epoch follows.
const MANAGEMENT_KEY_PREFIX: &str = "acctpool-mgmt-";

/// With so many keys one more may not fit: IAM allows 20 per identity.
const CROWDED: usize = 19;

/// Returns the epoch that the name of a management key tells.
pub(super) fn epoch_of(name: &str) -> Option<Epoch> {
    let digits = name.strip_prefix(MANAGEMENT_KEY_PREFIX)?;
    digits.parse().ok().map(Epoch)
}

/// Returns the key that acctpool made with this record, if it made it: the name tells the epoch, and
/// the value that follows from it is asked for.
pub(super) async fn derived(
    session: &Session<'_>,
    record: &KeyRecord,
) -> Result<Option<ManagementKey>, Fault> {
    let Some(epoch) = epoch_of(&record.name) else {
        return Ok(None);
    };
    for generation in session.ibm.keyring.generations() {
        let key = ManagementKey { epoch, generation };
        if !key.is_derived() {
            continue;
        }
        let value = session.ibm.management_key(key)?;
        let found = identity::key_details(session, &value).await?;
        if found.is_some_and(|found| found.id == record.id) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Makes the management key `to`, unless it exists, and proves that it works.
pub(super) async fn rotate(session: &Session<'_>, to: ManagementKey) -> Result<(), Fault> {
    if !to.is_derived() {
        let words = "epoch 0 is the configured key; it is never made".to_owned();
        return Err(CloudError::Refused(words).into());
    }
    let own = session.own_key().await?;
    let value = session.ibm.management_key(to)?;
    let token = match session.ibm.token(&value).await {
        Ok(token) => token,
        Err(NoToken::UnknownKey(_)) => {
            make_room(session, &own, to.epoch).await?;
            let made = create(session, &own, to.epoch, &value).await;
            // The exchange is believed, not the reply: it may have been lost, or say that a key of
            // this value exists.
            match (session.ibm.token(&value).await, made) {
                (Ok(token), _) => token,
                (Err(NoToken::UnknownKey(_)), Err(fault)) => return Err(fault),
                (Err(no_token), _) => return Err(no_token.into_fault()),
            }
        }
        Err(no_token) => return Err(no_token.into_fault()),
    };
    prove_new_key(session, &own, &value, &token).await
}

impl NoToken {
    fn into_fault(self) -> Fault {
        match self {
            Self::Other(fault) => fault,
            // Made, and not known everywhere yet.
            Self::UnknownKey(refusal) => CloudError::Transient(refusal.to_string()).into(),
            Self::BlockedKey(refusal) => {
                CloudError::Unauthorised(format!("the new management key was disabled: {refusal}"))
                    .into()
            }
        }
    }
}

async fn create(
    session: &Session<'_>,
    own: &KeyRecord,
    epoch: Epoch,
    value: &SecretString,
) -> Result<(), Fault> {
    let body = json!({
        "name": format!("{MANAGEMENT_KEY_PREFIX}{epoch}"),
        "description": "made by acctpool to clean this account",
        "iam_id": own.iam_id,
        "account_id": session.account(),
        "apikey": value.expose_secret(),
        "action_when_leaked": "disable",
    });
    let request = Request::post(Api::Iam, "/v1/apikeys")
        .json(&body)
        .holding(value);
    session.send(&request).await.map(drop)
}

/// Deletes forgotten management keys if the owner has nearly as many keys as IAM allows: here the
/// name is enough (`ibm-cloud.md` 13.2), since without a new key the account would be lost. What is
/// deleted is told.
async fn make_room(session: &Session<'_>, own: &KeyRecord, to: Epoch) -> Result<(), Fault> {
    let records = identity::keys_of(session, &own.iam_id).await?;
    if records.len() < CROWDED {
        return Ok(());
    }
    let keys = session.keys;
    let known = keys.known().map(|key| key.epoch);
    let needed: BTreeSet<Epoch> = known.chain([to]).collect();
    let mut left = records.len();
    for record in records {
        let forgotten = epoch_of(&record.name).is_some_and(|epoch| !needed.contains(&epoch))
            && !is_kept(session, &record);
        if forgotten && record.id != own.id {
            log::warn!(
                "account {}: the owner has {left} API keys, so {} ({}) makes room for another",
                session.account(),
                record.name,
                record.id
            );
            identity::delete_key(session, &record.id).await?;
            left -= 1;
        }
    }
    if left > CROWDED {
        return Err(CloudError::Refused(format!(
            "the owner of account {} has {left} API keys and none that acctpool may delete; IBM \
             Cloud allows 20",
            session.account()
        ))
        .into());
    }
    Ok(())
}

/// Makes sure that the new key is the owner's, in this account, and has the owner's rights.
async fn prove_new_key(
    session: &Session<'_>,
    own: &KeyRecord,
    value: &SecretString,
    token: &Token,
) -> Result<(), Fault> {
    let unproven = |what: &str| {
        let words = format!(
            "account {}: the new management key {what}",
            session.account()
        );
        Fault::from(CloudError::Transient(words))
    };
    let ask = async |request: Request| {
        let sent = session
            .ibm
            .transport
            .send(&request, Some(&token.value))
            .await;
        match sent {
            // Services learn of a new key with a delay; the current one works meanwhile.
            Err(fault) if fault.is_status(401) || fault.is_status(403) => {
                Err(unproven(&format!("is not accepted yet: {fault}")))
            }
            sent => sent?.json(),
        }
    };
    if token.claims.iam_id != own.iam_id {
        return Err(unproven("belongs to somebody else"));
    }
    let request = Request::get(Api::Iam, "/v1/apikeys/details").header("iam-apikey", value.clone());
    let details = ask(request).await?;
    if details["account_id"] != session.account() || details["iam_id"] != own.iam_id.as_str() {
        return Err(unproven("is not what was asked for"));
    }
    let target = format!(
        "/v2/resource_groups?account_id={}",
        encode(session.account())
    );
    let request = Request::get(Api::ResourceController, target);
    let groups = ask(request).await?;
    let sees = groups["resources"]
        .as_array()
        .is_some_and(|groups| !groups.is_empty());
    if sees {
        Ok(())
    } else {
        Err(unproven("sees nothing yet"))
    }
}

/// Takes away every management key but the current one, and the configured key if it is the
/// previous one. A pending key is spared.
///
/// `session` must be one of the current key and no other.
pub(super) async fn retire(session: &Session<'_>) -> Result<(), Fault> {
    let own = session.own_key().await?;
    for id in outdated(session, &own).await? {
        identity::disable_key(session, &id).await?;
        // Disabling can be taken back, deleting cannot: so the current key has to work in between.
        if let Err(fault) = current_works(session, &own).await {
            if let Err(fault) = identity::switch_key(session, &id, KeySwitch::Enable).await {
                log::warn!(
                    "account {}: key {id} stays disabled: {fault}",
                    session.account()
                );
            }
            return Err(fault);
        }
        identity::delete_key(session, &id).await?;
    }
    Ok(())
}

async fn outdated(session: &Session<'_>, own: &KeyRecord) -> Result<BTreeSet<String>, Fault> {
    let keys = session.keys;
    let mut ids = BTreeSet::new();
    for record in identity::keys_of(session, &own.iam_id).await? {
        // What has the name and is somebody else's is left for the sweep to report.
        let derived = derived(session, &record).await?;
        if derived.is_some() && derived != keys.pending && !is_kept(session, &record) {
            ids.insert(record.id);
        }
    }
    // By value, since its name is the operator's. If it is not the previous one, the operator may
    // just have configured it.
    if keys.previous == Some(ManagementKey::CONFIGURED)
        && let Some(value) = &session.ibm.settings.api_key
    {
        let configured = identity::key_details(session, value).await?;
        let configured = configured.filter(|record| !is_kept(session, record));
        ids.extend(configured.map(|record| record.id));
    }
    ids.remove(&own.id);
    Ok(ids)
}

/// Tells whether the operator keeps a key, whatever its name is by now.
pub(super) fn is_kept(session: &Session<'_>, key: &KeyRecord) -> bool {
    session.ibm.settings.keep.crns.contains(&key.crn)
}

/// Makes sure with a new token that the current key opens the account and is seen there.
async fn current_works(session: &Session<'_>, own: &KeyRecord) -> Result<(), Fault> {
    let fresh = Session::open_strict(session.ibm, session.keys).await?;
    let records = identity::keys_of(&fresh, &own.iam_id).await?;
    if records
        .iter()
        .any(|record| record.id == own.id && !record.disabled)
    {
        return Ok(());
    }
    let words = "the current management key is not listed, so no other is deleted".to_owned();
    Err(CloudError::Transient(words).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_an_epoch_are_management_keys() {
        assert_eq!(epoch_of("acctpool-mgmt-7"), Some(Epoch(7)));
        for name in [
            "acctpool-mgmt-",
            "acctpool-mgmt-x",
            "acctpool-mgmt--1",
            "mine",
        ] {
            assert_eq!(epoch_of(name), None, "{name}");
        }
    }
}
