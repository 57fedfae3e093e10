//! IAM Identity: an account's settings (`ibm-cloud.md` 3.4), with which a borrower can poison it.
//!
//! Two of them have their effect here: the allowed addresses shut the token endpoint, and the
//! restriction on API keys shuts the owner out of making keys.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::api_keys::entity_tag;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::random::Random;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{IDENTITY, Level};
use crate::simulator::world::World;

pub(crate) const SERVICE: Service = Service {
    family: Family::Identity,
    routes: &[
        route("GET", "/v1/accounts/{id}/settings/identity", get),
        route("PUT", "/v1/accounts/{id}/settings/identity", update),
    ],
};

const TOKEN_LIFETIME: &str = "system_access_token_expiration_in_seconds";

pub(crate) struct IdentitySettings {
    entity_tag: String,
    values: Map<String, Value>,
}

impl IdentitySettings {
    pub(crate) fn new(random: &mut Random) -> Self {
        let values = json!({
            "restrict_create_service_id": "NOT_SET", "restrict_create_platform_apikey": "NOT_SET",
            "restrict_user_list_visibility": "NOT_RESTRICTED", "allowed_ip_addresses": "",
            "mfa": "NONE", "user_mfa": [], "restrict_user_domains": {"restrictions": []},
            "session_expiration_in_seconds": "86400", "session_invalidation_in_seconds": "7200",
            "max_sessions_per_identity": "NOT_SET", TOKEN_LIFETIME: "3600",
            "system_refresh_token_expiration_in_seconds": "259200",
        });
        let Value::Object(values) = values else {
            unreachable!("the literal above is an object")
        };
        Self {
            entity_tag: entity_tag(random),
            values,
        }
    }

    /// How long the account's access tokens live.
    pub(crate) fn token_lifetime(&self) -> Duration {
        let seconds = self.text(TOKEN_LIFETIME).parse().unwrap_or(3600);
        Duration::from_secs(seconds)
    }

    /// Whether callers on this machine pass the list of allowed addresses.
    pub(crate) fn admits_loopback(&self) -> bool {
        let allowed = self.text("allowed_ip_addresses");
        allowed.is_empty()
            || allowed
                .split(',')
                .any(|entry| entry.trim().starts_with("127."))
    }

    /// Whether users are kept from making API keys.
    pub(crate) fn restricts_user_keys(&self) -> bool {
        self.text("restrict_create_platform_apikey") == "RESTRICTED"
    }

    /// The settings that are not as they were at the start, as `name=value`.
    pub(crate) fn changed(&self) -> Vec<String> {
        let initial = Self::new(&mut Random::new(0));
        self.values
            .iter()
            .filter(|(name, value)| initial.values.get(*name) != Some(value))
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    fn text(&self, name: &str) -> &str {
        self.values[name].as_str().unwrap_or_default()
    }

    fn json(&self, account: &str) -> Value {
        let mut json = self.values.clone();
        json.insert("account_id".into(), account.into());
        json.insert("entity_tag".into(), self.entity_tag.as_str().into());
        json.into()
    }
}

fn get(world: &mut World, call: &Call) -> Answer {
    call.within(Some(call.param(0)))?;
    let account = world.account(call);
    account.require(call, IDENTITY, Level::View)?;
    Ok(Reply::ok(account.identity_settings.json(&account.id)))
}

fn update(world: &mut World, call: &Call) -> Answer {
    call.within(Some(call.param(0)))?;
    let account = world.account_mut(call);
    account.require(call, IDENTITY, Level::Administer)?;
    let settings = &mut account.identity_settings;
    call.matches(&settings.entity_tag)?;
    if let Some(seconds) = call.text(TOKEN_LIFETIME)
        && !seconds
            .parse()
            .is_ok_and(|seconds: u64| (900..=3600).contains(&seconds))
    {
        let message = format!("{TOKEN_LIFETIME} must be from 900 to 3600.");
        return Err(Refusal::bad_request(message));
    }
    for (name, value) in &mut settings.values {
        if let Some(new) = call.body.get(name).filter(|new| !new.is_null()) {
            value.clone_from(new);
        }
    }
    settings.entity_tag = entity_tag(&mut account.random);
    Ok(Reply::ok(account.identity_settings.json(&account.id)))
}
