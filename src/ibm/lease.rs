//! The lease credential's life: minted, probed, revoked (`ibm-cloud.md` 13.1).
//!
//! Depends on the keyring, IAM Identity and policies. Promises that whatever call fails, a next
//! revocation or minting finds by name what was made, so that no credential is orphaned (P5).

use acctpool_actors::cloud::{CloudError, Probe};
use acctpool_actors::pool::{Credential, Fence, Generation, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use time::macros::format_description;

use super::api::Api;
use super::fault::{Fault, worst};
use super::identity::{self, ServiceId};
use super::policies;
use super::request::{Request, encode, field};
use super::session::Session;
use super::token::NoToken;

/// What the names of lease credentials begin with; the fence follows.
pub(super) const NAME_PREFIX: &str = "acctpool-lease-";

/// A policy holds from a little before it is made: clocks differ.
const EARLY: time::Duration = time::Duration::minutes(10);

/// Takes away `credential`, then every lease credential that can be found.
pub(super) async fn revoke(
    session: &Session<'_>,
    credential: Option<&Credential>,
) -> Result<(), Fault> {
    let mut faults = Vec::new();
    if let Some(credential) = credential {
        faults.extend(revoke_known(session, credential).await);
    }
    // By name, since a crash may have left some that nobody remembers.
    match identity::service_ids_named(session, NAME_PREFIX).await {
        Ok(found) => {
            for service_id in found {
                faults.extend(remove(session, &service_id).await);
            }
        }
        Err(fault) => faults.push(fault),
    }
    match worst(faults) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Takes away a credential by its ids: fewest calls first, no lists in between. A step that fails
/// keeps none of the others from being tried.
async fn revoke_known(session: &Session<'_>, credential: &Credential) -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(
        identity::disable_key(session, &credential.key_id)
            .await
            .err(),
    );
    // A locked service ID keeps its policies.
    faults.extend(
        identity::unlock_service_id(session, &credential.service_id)
            .await
            .err(),
    );
    for id in &credential.policy_ids {
        faults.extend(policies::delete(session, id).await.err());
    }
    faults.extend(
        identity::delete_key(session, &credential.key_id)
            .await
            .err(),
    );
    // Whatever its name is by now: with administrator's rights a borrower may have changed it.
    let service_id = ServiceId {
        id: credential.service_id.clone(),
        iam_id: format!("iam-{}", credential.service_id),
        locked: false,
    };
    faults.extend(remove(session, &service_id).await);
    faults
}

/// Takes away a service ID with all that it has.
async fn remove(session: &Session<'_>, service_id: &ServiceId) -> Vec<Fault> {
    let mut faults = Vec::new();
    if service_id.locked {
        faults.extend(
            identity::unlock_service_id(session, &service_id.id)
                .await
                .err(),
        );
    }
    let keys = match identity::keys_of(session, &service_id.iam_id).await {
        Ok(keys) => keys,
        Err(fault) => {
            // An identity that is gone has no keys.
            faults.extend((!fault.is_gone()).then_some(fault));
            Vec::new()
        }
    };
    for key in keys.iter().filter(|key| !key.disabled) {
        faults.extend(identity::disable_key(session, &key.id).await.err());
    }
    match policies::of_identity(session, &service_id.iam_id).await {
        Ok(ids) => {
            for id in ids {
                faults.extend(policies::delete(session, &id).await.err());
            }
        }
        Err(fault) => faults.extend((!fault.is_gone()).then_some(fault)),
    }
    for key in &keys {
        faults.extend(identity::delete_key(session, &key.id).await.err());
    }
    faults.extend(
        identity::delete_service_id(session, &service_id.id)
            .await
            .err(),
    );
    faults
}

/// Makes the lease credential of `fence`.
pub(super) async fn mint(
    session: &Session<'_>,
    generation: Generation,
    fence: Fence,
    expires_at: Timestamp,
) -> Result<Credential, Fault> {
    revoke(session, None).await?;
    let minted = create(session, generation, fence, whole_minute(expires_at)).await;
    if let Err(fault) = &minted {
        log::debug!("account {}: minting failed: {fault}", session.account());
        if fault.is_open() {
            // A creation that nobody answered may still be on its way, and would slip in behind a
            // removal that comes too early.
            tokio::time::sleep(session.ibm.settings.limits.request_timeout).await;
        }
        // What may have been made is taken away now if it can be; else the next minting, which
        // comes with a higher fence, begins with it.
        if let Err(fault) = revoke(session, None).await {
            log::warn!(
                "account {}: a lease credential may be left until the next try: {fault}",
                session.account()
            );
        }
    }
    minted
}

async fn create(
    session: &Session<'_>,
    generation: Generation,
    fence: Fence,
    expires_at: Timestamp,
) -> Result<Credential, Fault> {
    let ibm = session.ibm;
    let name = format!("{NAME_PREFIX}{fence}");
    let value = lease_key(session, generation, fence)?;
    let body = json!({
        "account_id": session.account(),
        "name": name,
        "description": "made by acctpool for one lease",
        "apikey": {
            "name": name,
            "apikey": value.expose_secret(),
            "expires_at": expiry(expires_at),
            "action_when_leaked": "delete",
        },
    });
    let request = Request::post(Api::Iam, "/v1/serviceids/")
        .json(&body)
        .holding(&value);
    let reply = session.send(&request).await?;
    let call = reply.call.clone();
    let made = reply.json()?;
    let iam_id = field(&call, &made, "iam_id")?;
    let mut credential = Credential {
        generation,
        fence,
        service_id: field(&call, &made, "id")?,
        key_id: field(&call, &made["apikey"], "id")?,
        policy_ids: Vec::new(),
        expires_at,
    };
    let window = (ibm.clock.now() - EARLY, expires_at);
    for grant in policies::grants(ibm.settings.rights) {
        let id = policies::create(session, &iam_id, &name, *grant, window).await?;
        credential.policy_ids.push(id);
    }
    Ok(credential)
}

fn lease_key(
    session: &Session<'_>,
    generation: Generation,
    fence: Fence,
) -> Result<SecretString, Fault> {
    let ibm = session.ibm;
    let value = ibm.keyring.lease(&ibm.settings.account, generation, fence);
    value.ok_or_else(|| {
        CloudError::Refused(format!("master key {generation} is not at hand")).into()
    })
}

/// Rounds up: keys expire at whole minutes (`ibm-cloud.md` 3.1), and never too early.
fn whole_minute(moment: Timestamp) -> Timestamp {
    let begun = moment.truncate_to_minute();
    if begun == moment {
        moment
    } else {
        begun.saturating_add(time::Duration::MINUTE)
    }
}

/// Writes a moment as `yyyy-MM-ddTHH:mm+0000`.
pub(super) fn expiry(moment: Timestamp) -> String {
    moment
        .to_offset(time::UtcOffset::UTC)
        .format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]+0000"
        ))
        .expect("the format has no part that could be missing")
}

/// Tells whether a lease credential works, by using it.
///
/// IBM shows nothing, rather than refusing, to who has no rights. So the lease must see something
/// that is known to exist: the default resource group. The policy behind that is the last of the
/// lease's.
pub(super) async fn probe(session: &Session<'_>, credential: &Credential) -> Result<Probe, Fault> {
    let ibm = session.ibm;
    let value = lease_key(session, credential.generation, credential.fence)?;
    let token = match ibm.token(&value).await {
        Ok(token) => token,
        Err(NoToken::UnknownKey(_)) => return Ok(Probe::NotYet),
        Err(NoToken::BlockedKey(refusal)) => {
            let words = format!("the lease's key is disabled: {refusal}");
            return Err(CloudError::Refused(words).into());
        }
        Err(NoToken::Other(fault)) => return Err(fault),
    };
    let whose = format!("iam-{}", credential.service_id);
    if token.claims.iam_id != whose {
        let words = format!("the key of fence {} is not {whose}'s", credential.fence);
        return Err(CloudError::Refused(words).into());
    }
    let target = format!(
        "/v2/resource_groups?account_id={}",
        encode(session.account())
    );
    let request = Request::get(Api::ResourceController, target);
    match ibm.transport.send(&request, Some(&token.value)).await {
        Ok(reply) => {
            let groups = reply.json()?;
            let sees = groups["resources"]
                .as_array()
                .is_some_and(|groups| !groups.is_empty());
            Ok(if sees { Probe::Works } else { Probe::NotYet })
        }
        // Services learn of a fresh identity and its rights with a delay.
        Err(Fault::Refused(refusal)) if matches!(refusal.status, 401 | 403) => Ok(Probe::NotYet),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn key_never_expires_before_it_must_last() {
        let whole = datetime!(2026-05-01 10:00 UTC);
        assert_eq!(whole_minute(whole), whole);
        let odd = datetime!(2026-05-01 10:00:00.000_001 UTC);
        assert_eq!(whole_minute(odd), datetime!(2026-05-01 10:01 UTC));
    }

    #[test]
    fn expiry_is_written_as_iam_reads_it() {
        let moment = datetime!(2026-05-01 12:05:59 +02:00);
        assert_eq!(expiry(moment), "2026-05-01T10:05+0000");
    }
}
