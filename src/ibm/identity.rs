//! IAM Identity Services (`ibm-cloud.md` 3): API keys, service IDs and their groups.
//!
//! Depends on sessions and paging. Promises that what is already gone counts as removed.

use std::collections::BTreeMap;

use acctpool_actors::pool::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::api::Api;
use super::fault::Fault;
use super::paging::{List, Style};
use super::request::{Reply, Request, encode, field};
use super::session::Session;
use super::token::NoToken;

/// How often a service ID whose keys are still being deleted is asked to go within one call.
const CONFLICTS: u32 = 4;

/// An API key as IAM describes it, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyRecord {
    pub(super) id: String,
    pub(super) crn: String,
    pub(super) name: String,
    pub(super) iam_id: String,
    pub(super) account_id: String,
    pub(super) disabled: bool,
    pub(super) created_at: Option<Timestamp>,
}

impl KeyRecord {
    fn read(call: &str, body: &Value) -> Result<Self, Fault> {
        Ok(Self {
            id: field(call, body, "id")?,
            crn: body["crn"].as_str().unwrap_or_default().to_owned(),
            name: body["name"].as_str().unwrap_or_default().to_owned(),
            iam_id: field(call, body, "iam_id")?,
            account_id: field(call, body, "account_id")?,
            disabled: body["disabled"].as_bool().unwrap_or(false),
            created_at: body["created_at"].as_str().and_then(moment),
        })
    }
}

/// Reads a moment as either kind of service writes it: `2026-05-01T10:00+0000` in IAM,
/// `2026-05-01T10:00:00.000Z` elsewhere.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let minutes = format_description!(
        "[year]-[month]-[day]T[hour]:[minute][offset_hour sign:mandatory][offset_minute]"
    );
    Timestamp::parse(text, &Rfc3339)
        .or_else(|_| Timestamp::parse(text, minutes))
        .ok()
}

/// Returns the record of the key with this value, or `None` where IAM knows no such key.
///
/// A key that is wrongly taken for unknown could be deleted. So a refusal, whose status for unknown
/// keys is not documented, is believed only if the token service does not know the key either.
pub(super) async fn key_details(
    session: &Session<'_>,
    value: &SecretString,
) -> Result<Option<KeyRecord>, Fault> {
    let request = Request::get(Api::Iam, "/v1/apikeys/details").header("iam-apikey", value.clone());
    let fault = match session.send(&request).await {
        Ok(reply) => {
            let call = reply.call.clone();
            return KeyRecord::read(&call, &reply.json()?).map(Some);
        }
        Err(fault) => fault,
    };
    let perhaps_unknown = [400, 401, 404]
        .iter()
        .any(|status| fault.is_status(*status));
    if perhaps_unknown && let Err(NoToken::UnknownKey(_)) = session.ibm.token(value).await {
        return Ok(None);
    }
    Err(fault)
}

/// Returns all API keys of one identity.
pub(super) async fn keys_of(session: &Session<'_>, iam_id: &str) -> Result<Vec<KeyRecord>, Fault> {
    // Without a type, IAM lists the keys of users only.
    let kind = if iam_id.starts_with("iam-ServiceId-") {
        "serviceid"
    } else {
        "user"
    };
    let target = format!(
        "/v1/apikeys?account_id={}&iam_id={}&scope=entity&type={kind}",
        encode(session.account()),
        encode(iam_id)
    );
    let list = List::new(Api::Iam, &target, "apikeys", Style::PageToken);
    let records = list.read(session).await?;
    records
        .iter()
        .map(|record| KeyRecord::read("GET /v1/apikeys", record))
        .collect()
}

/// What is done to a key besides deleting it.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeySwitch {
    Disable,
    Enable,
    Unlock,
}

/// Turns one of a key's switches; a key that is gone is fine.
pub(super) async fn switch_key(
    session: &Session<'_>,
    id: &str,
    switch: KeySwitch,
) -> Result<(), Fault> {
    let path = |what| format!("/v1/apikeys/{}/{what}", encode(id));
    let request = match switch {
        KeySwitch::Disable => Request::post(Api::Iam, path("disable")).repeatable(),
        KeySwitch::Enable => Request::delete(Api::Iam, path("disable")),
        KeySwitch::Unlock => Request::delete(Api::Iam, path("lock")),
    };
    done_or_gone(session.send(&request).await)
}

/// Disables a key, unlocking it if need be: from then on it opens nothing new.
pub(super) async fn disable_key(session: &Session<'_>, id: &str) -> Result<(), Fault> {
    match switch_key(session, id, KeySwitch::Disable).await {
        Err(Fault::Refused(_)) => {
            // A borrower may have locked it.
            switch_key(session, id, KeySwitch::Unlock).await?;
            switch_key(session, id, KeySwitch::Disable).await
        }
        outcome => outcome,
    }
}

/// Deletes a key, unlocking it if need be.
pub(super) async fn delete_key(session: &Session<'_>, id: &str) -> Result<(), Fault> {
    let request = Request::delete(Api::Iam, format!("/v1/apikeys/{}", encode(id)));
    match done_or_gone(session.send(&request).await) {
        Err(Fault::Refused(_)) => {
            switch_key(session, id, KeySwitch::Unlock).await?;
            done_or_gone(session.send(&request).await)
        }
        outcome => outcome,
    }
}

/// A service ID as IAM describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceId {
    pub(super) id: String,
    pub(super) iam_id: String,
    pub(super) locked: bool,
}

/// Returns the ids of all groups of service IDs.
pub(super) async fn service_id_groups(session: &Session<'_>) -> Result<Vec<String>, Fault> {
    let target = format!(
        "/v1/serviceid_groups?account_id={}",
        encode(session.account())
    );
    let list = List::new(Api::Iam, &target, "serviceid_groups", Style::PageToken);
    let groups = list.read(session).await?;
    groups
        .iter()
        .map(|group| field("GET /v1/serviceid_groups", group, "id"))
        .collect()
}

/// Returns the service IDs of every group whose name begins with `prefix`, but for those that the
/// operator keeps: names can be changed.
pub(super) async fn service_ids_named(
    session: &Session<'_>,
    prefix: &str,
) -> Result<Vec<ServiceId>, Fault> {
    let account = encode(session.account());
    // Without a group, IAM lists those of the default group only.
    let mut targets = vec![format!("/v1/serviceids/?account_id={account}")];
    for group in service_id_groups(session).await? {
        let group = encode(&group);
        targets.push(format!(
            "/v1/serviceids/?account_id={account}&group_id={group}"
        ));
    }
    let kept = &session.ibm.settings.keep.crns;
    let mut found = BTreeMap::new();
    for target in targets {
        let list = List::new(Api::Iam, &target, "serviceids", Style::PageToken);
        for record in list.read(session).await? {
            let named = record["name"].as_str().unwrap_or_default();
            let crn = record["crn"].as_str().unwrap_or_default();
            if !named.starts_with(prefix) || kept.contains(crn) {
                continue;
            }
            let service_id = ServiceId {
                id: field("GET /v1/serviceids/", &record, "id")?,
                iam_id: field("GET /v1/serviceids/", &record, "iam_id")?,
                locked: record["locked"].as_bool().unwrap_or(false),
            };
            // The default group is listed twice.
            found.insert(service_id.id.clone(), service_id);
        }
    }
    Ok(found.into_values().collect())
}

/// Unlocks a service ID, so that it and its policies can be deleted.
pub(super) async fn unlock_service_id(session: &Session<'_>, id: &str) -> Result<(), Fault> {
    let target = format!("/v1/serviceids/{}/lock", encode(id));
    done_or_gone(session.send(&Request::delete(Api::Iam, target)).await)
}

/// Deletes a service ID, asking again while IAM still deletes its keys (409).
pub(super) async fn delete_service_id(session: &Session<'_>, id: &str) -> Result<(), Fault> {
    let request = Request::delete(Api::Iam, format!("/v1/serviceids/{}", encode(id)));
    let mut conflicts = 0;
    loop {
        match done_or_gone(session.send(&request).await) {
            Err(fault) if fault.is_status(409) && conflicts < CONFLICTS => {
                conflicts += 1;
                tokio::time::sleep(session.ibm.transport.backoff(conflicts)).await;
            }
            outcome => return outcome,
        }
    }
}

/// Takes "no longer there" for done.
pub(super) fn done_or_gone(outcome: Result<Reply, Fault>) -> Result<(), Fault> {
    match outcome {
        Err(fault) if fault.is_gone() => Ok(()),
        outcome => outcome.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn moments_of_either_kind_of_service_are_read() {
        let ten = Some(datetime!(2026-05-01 10:00 UTC));
        assert_eq!(moment("2026-05-01T10:00+0000"), ten);
        assert_eq!(moment("2026-05-01T10:00:00.000Z"), ten);
        assert_eq!(moment("2026-05-01T12:00+0200"), ten);
        assert_eq!(moment("yesterday"), None);
    }
}
