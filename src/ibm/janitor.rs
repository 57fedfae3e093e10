//! The janitor: a service ID that lives while clusters are deleted (`ibm-cloud.md` 9, "Clusters hold API
//! keys").
//!
//! The containers service deletes a cluster's load balancers and workers with an API key that it stores
//! per region and resource group: that of whoever made the first cluster there, such as a lease that is
//! revoked by now. So, before a deletion, the stored key is replaced by one of an identity of our own,
//! which is never the owner: add-ons keep a copy of the key, where a borrower could read it.
//!
//! Depends on IAM Identity and policies. Promises that the janitor is known to this process only: one
//! that a crash left behind is a service ID like any other, which the next sweep deletes.

use std::collections::BTreeSet;

use acctpool_actors::pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::api::Api;
use super::fault::Fault;
use super::lease::expiry;
use super::policies;
use super::request::{Request, field};
use super::session::Session;
use super::settings::Rights;
use super::token::{NoToken, Token};

/// How long the janitor lives at most: longer than a cleaning may take.
const LIFE: time::Duration = time::Duration::hours(4);

/// How long its rights may take to work (4); whatever is refused later is refused for good.
const RIGHTS_TAKE: time::Duration = time::Duration::minutes(15);

/// What people see it called.
const NAME: &str = "acctpool-janitor";

/// See the module.
pub(super) struct Janitor {
    /// Its IAM id, `iam-ServiceId-…`.
    iam_id: String,
    key: SecretString,
    token: Option<Token>,
    employed_at: Timestamp,
    /// Where its key is the stored one.
    taken: BTreeSet<ClusterPlace>,
}

/// The region and the resource group of a cluster, which share a stored key.
pub(super) type ClusterPlace = (String, String);

/// Sees to it that the janitor's key is the stored one in each of these places.
///
/// Its rights take a while to work: until then the service refuses (see [`is_new`]).
pub(super) async fn take_over(
    session: &Session<'_>,
    places: BTreeSet<ClusterPlace>,
) -> Result<(), Fault> {
    // Held, so that several lists of clusters get one janitor.
    let mut janitor = session.ibm.janitor.lock().await;
    let now = session.ibm.clock.now();
    let is_due = |janitor: &Janitor| janitor.employed_at + LIFE <= now;
    if janitor.as_ref().is_none_or(is_due) {
        *janitor = Some(employ(session, now).await?);
    }
    let janitor = janitor.as_mut().expect("one was employed above");
    for place in places {
        if !janitor.taken.contains(&place) {
            janitor.set_key(session, &place).await?;
            janitor.taken.insert(place);
        }
    }
    Ok(())
}

/// Tells whether the janitor is so new that its rights need not work yet.
pub(super) async fn is_new(session: &Session<'_>) -> bool {
    let now = session.ibm.clock.now();
    let janitor = session.ibm.janitor.lock().await;
    let mut janitors = janitor.iter();
    janitors.any(|janitor| now < janitor.employed_at + RIGHTS_TAKE)
}

/// Makes the service ID with all rights.
async fn employ(session: &Session<'_>, now: Timestamp) -> Result<Janitor, Fault> {
    let until = now + LIFE;
    let body = json!({
        "account_id": session.account(),
        "name": NAME,
        "description": "made by acctpool to delete clusters",
        "apikey": {"name": NAME, "expires_at": expiry(until), "action_when_leaked": "delete"},
    });
    let request = Request::post(Api::Iam, "/v1/serviceids/").json(&body);
    let reply = session.send(&request).await?;
    let call = reply.call.clone();
    let made = reply.json()?;
    let iam_id = field(&call, &made, "iam_id")?;
    // The only key whose value IBM Cloud chooses: it is needed for some minutes, and never again.
    let key = field(&call, &made["apikey"], "apikey")?;
    for grant in policies::grants(Rights::Administrator) {
        policies::create(session, &iam_id, NAME, *grant, (now, until)).await?;
    }
    Ok(Janitor {
        iam_id,
        key: key.into(),
        token: None,
        employed_at: now,
        taken: BTreeSet::new(),
    })
}

impl Janitor {
    /// Returns its IAM id.
    pub(super) fn iam_id(&self) -> &str {
        &self.iam_id
    }

    /// Makes its key the stored one of a place: the service makes the key itself, for whoever asks.
    async fn set_key(&mut self, session: &Session<'_>, place: &ClusterPlace) -> Result<(), Fault> {
        let (region, group) = place;
        let header = |value: &str| SecretString::from(value.to_owned());
        let request = Request::post(Api::Containers, "/v1/keys")
            .repeatable()
            .header("x-region", header(region))
            .header("x-auth-resource-group", header(group))
            .header("x-auth-resource-account", header(session.account()));
        let token = self.token(session).await?;
        session.ibm.transport.send(&request, Some(&token)).await?;
        Ok(())
    }

    async fn token(&mut self, session: &Session<'_>) -> Result<SecretString, Fault> {
        let now = session.ibm.clock.now();
        let token = match self.token.take() {
            Some(token) if !token.is_old(now) => token,
            _ => match session.ibm.token(&self.key).await {
                Ok(token) => token,
                Err(NoToken::UnknownKey(refusal) | NoToken::BlockedKey(refusal)) => {
                    return Err(Fault::Refused(refusal));
                }
                Err(NoToken::Other(fault)) => return Err(fault),
            },
        };
        let value = token.value.expose_secret().to_owned().into();
        self.token = Some(token);
        Ok(value)
    }
}
