//! Settings of the account that a borrower with rights can poison (`ibm-cloud.md` 3.4, 5.2): compared
//! with those that it had when it joined the pool, and restored.
//!
//! Depends on sessions and the baseline. Promises to write only what differs.

use acctpool_actors::cloud::Leftover;
use awc::http::Method;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::baseline::AccountSettings;
use super::fault::{Fault, scrub};
use super::request::{Request, encode, field};
use super::session::Session;

/// What people call them; it names leftovers.
pub(super) const COLLECTION: &str = "account settings";

/// The settings of IAM Identity that are restored: all that its update takes (3.4).
const IDENTITY: [&str; 12] = [
    "restrict_create_service_id",
    "restrict_create_platform_apikey",
    "restrict_user_list_visibility",
    "restrict_user_domains",
    "allowed_ip_addresses",
    "mfa",
    "user_mfa",
    "session_expiration_in_seconds",
    "session_invalidation_in_seconds",
    "max_sessions_per_identity",
    "system_access_token_expiration_in_seconds",
    "system_refresh_token_expiration_in_seconds",
];

const PUBLIC_ACCESS: &str = "public_access_enabled";

/// The settings as they are, and what is needed to change them.
struct Present {
    settings: AccountSettings,
    entity_tag: String,
}

/// Reads the settings as they are.
pub(super) async fn read(session: &Session<'_>) -> Result<AccountSettings, Fault> {
    present(session).await.map(|present| present.settings)
}

/// Returns what is not as it was when the account joined.
pub(super) async fn differences(
    session: &Session<'_>,
    wanted: &AccountSettings,
) -> Result<Vec<Leftover>, Fault> {
    let present = present(session).await?;
    let differ = present.settings.differing(wanted);
    Ok(differ
        .map(|name| leftover(name, "it is not what it was"))
        .collect())
}

/// Restores what is not as it was when the account joined; returns what that is.
pub(super) async fn restore(
    session: &Session<'_>,
    wanted: &AccountSettings,
) -> Result<Vec<Leftover>, Fault> {
    let present = present(session).await?;
    let differ: Vec<&str> = present.settings.differing(wanted).collect();
    if differ.iter().any(|name| *name != PUBLIC_ACCESS) {
        // The whole of it: what is left out may be reset.
        let request = Request::new(Api::Iam, Method::PUT, identity_target(session))
            .header("if-match", SecretString::from(present.entity_tag))
            .json(&Value::Object(wanted.identity.clone()));
        session.send(&request).await?;
    }
    if differ.contains(&PUBLIC_ACCESS) {
        let request = Request::new(Api::Iam, Method::PATCH, groups_target(session))
            .json(&json!({PUBLIC_ACCESS: wanted.public_access}));
        session.send(&request).await?;
    }
    Ok(differ
        .into_iter()
        .map(|name| leftover(name, "it was restored"))
        .collect())
}

async fn present(session: &Session<'_>) -> Result<Present, Fault> {
    let request = Request::get(Api::Iam, identity_target(session));
    let reply = session.send(&request).await?;
    let call = reply.call.clone();
    let body = reply.json()?;
    let entity_tag = field(&call, &body, "entity_tag")?;
    let known = IDENTITY.iter().filter_map(|name| {
        let value = body.get(*name)?;
        Some(((*name).to_owned(), value.clone()))
    });
    let identity: Map<String, Value> = known.collect();
    let groups = session
        .send(&Request::get(Api::Iam, groups_target(session)))
        .await?;
    let public_access = groups.json()?[PUBLIC_ACCESS] == true;
    Ok(Present {
        settings: AccountSettings {
            identity,
            public_access,
        },
        entity_tag,
    })
}

fn identity_target(session: &Session<'_>) -> String {
    format!(
        "/v1/accounts/{}/settings/identity",
        encode(session.account())
    )
}

fn groups_target(session: &Session<'_>) -> String {
    format!(
        "/v2/groups/settings?account_id={}",
        encode(session.account())
    )
}

impl AccountSettings {
    /// Returns the names of the settings that are not as in `wanted`.
    fn differing<'w>(&self, wanted: &'w Self) -> impl Iterator<Item = &'w str> {
        let identity = wanted.identity.iter();
        let identity = identity.filter(|(name, value)| self.identity.get(*name) != Some(value));
        let public = (self.public_access != wanted.public_access).then_some(PUBLIC_ACCESS);
        identity.map(|(name, _)| name.as_str()).chain(public)
    }
}

fn leftover(name: &str, reason: &str) -> Leftover {
    Leftover {
        collection: COLLECTION.to_owned(),
        id: scrub(name, &[]),
        name: None,
        region: None,
        reason: reason.to_owned(),
    }
}
