//! IAM Identity: API keys (`ibm-cloud.md` 3.1).
//!
//! Promises that a key's value is shown by the reply that created it and by nothing else, that values
//! are unique over all accounts, and that locked keys refuse every change but unlocking.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::random::Random;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{IDENTITY, Level};
use crate::simulator::settings::AccountSpec;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Identity,
    routes: &[
        route("GET", "/v1/apikeys", list),
        route("POST", "/v1/apikeys", create),
        route("GET", "/v1/apikeys/details", details),
        route("GET", "/v1/apikeys/{id}", get),
        route("PUT", "/v1/apikeys/{id}", update),
        route("DELETE", "/v1/apikeys/{id}", delete),
        route("POST", "/v1/apikeys/{id}/lock", lock),
        route("DELETE", "/v1/apikeys/{id}/lock", unlock),
        route("POST", "/v1/apikeys/{id}/disable", disable),
        route("DELETE", "/v1/apikeys/{id}/disable", enable),
    ],
};

/// At most this many keys per identity.
const MOST_PER_IDENTITY: usize = 20;
/// A chosen value has at least this many characters.
const SHORTEST_VALUE: usize = 32;

pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) iam_id: String,
    pub(crate) value: SecretString,
    pub(crate) locked: bool,
    pub(crate) disabled: bool,
    pub(crate) expires_at: Option<OffsetDateTime>,
    description: String,
    action_when_leaked: String,
    created_by: String,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
    entity_tag: String,
}

impl ApiKey {
    /// The key that an account's owner has at the start.
    pub(crate) fn of_owner(spec: &AccountSpec, random: &mut Random, now: OffsetDateTime) -> Self {
        Self {
            id: format!("ApiKey-{}", random.uuid()),
            name: "owner".to_owned(),
            iam_id: spec.owner_iam_id.clone(),
            value: spec.api_key.clone(),
            locked: false,
            disabled: false,
            expires_at: None,
            description: String::new(),
            action_when_leaked: "disable".to_owned(),
            created_by: spec.owner_iam_id.clone(),
            created_at: now,
            modified_at: now,
            entity_tag: entity_tag(random),
        }
    }

    /// A key as `request` (the create body, or what is embedded in a service id's) asks for it.
    fn new(
        request: &Value,
        iam_id: &str,
        value: SecretString,
        call: &Call,
        random: &mut Random,
    ) -> Result<Self, Refusal> {
        let text = |name: &str| request[name].as_str();
        let name = text("name").filter(|name| !name.is_empty());
        let action = text("action_when_leaked").unwrap_or("disable");
        if !["none", "disable", "delete"].contains(&action) {
            return Err(Refusal::bad_request("action_when_leaked is not valid."));
        }
        let expires_at = match text("expires_at") {
            None => None,
            Some(text) => Some(
                clock::parse(text)
                    .ok_or_else(|| Refusal::bad_request("expires_at is not a valid time."))?,
            ),
        };
        Ok(Self {
            id: format!("ApiKey-{}", random.uuid()),
            name: name
                .ok_or_else(|| Refusal::bad_request("Property name is missing or empty."))?
                .to_owned(),
            iam_id: iam_id.to_owned(),
            value,
            locked: call.header_flag("entity-lock"),
            disabled: call.header_flag("entity-disable"),
            expires_at,
            description: text("description").unwrap_or_default().to_owned(),
            action_when_leaked: action.to_owned(),
            created_by: call.caller.iam_id.clone(),
            created_at: call.now,
            modified_at: call.now,
            entity_tag: entity_tag(random),
        })
    }

    /// The record as everybody may see it: without the value.
    fn json(&self, account: &str) -> Value {
        let mut json = json!({
            "id": self.id, "entity_tag": self.entity_tag,
            "crn": format!("crn:v1:bluemix:public:iam-identity::a/{account}::apikey:{}", self.id),
            "locked": self.locked, "disabled": self.disabled, "name": self.name,
            "description": self.description, "iam_id": self.iam_id, "account_id": account,
            "action_when_leaked": self.action_when_leaked, "support_sessions": false,
            "created_at": clock::iam(self.created_at), "created_by": self.created_by,
            "modified_at": clock::iam(self.modified_at), "apikey": "",
        });
        if let Some(expires_at) = self.expires_at {
            json["expires_at"] = clock::iam(expires_at).into();
        }
        json
    }

    /// The record with its value: for the reply that creates the key.
    pub(crate) fn json_with_value(&self, account: &str) -> Value {
        let mut json = self.json(account);
        json["apikey"] = self.value.expose_secret().into();
        json
    }

    fn touch(&mut self, now: OffsetDateTime, random: &mut Random) {
        self.modified_at = now;
        self.entity_tag = entity_tag(random);
    }
}

/// A fresh entity tag, of the form that IAM Identity uses.
pub(crate) fn entity_tag(random: &mut Random) -> String {
    format!("1-{}", random.hex())
}

impl World {
    /// Makes a key of `iam_id` in the caller's account, and remembers its value as a secret. Rights
    /// are the caller's business.
    pub(crate) fn mint_key(
        &mut self,
        call: &Call,
        iam_id: &str,
        request: &Value,
    ) -> Result<&ApiKey, Refusal> {
        let chosen = request["apikey"].as_str().filter(|value| !value.is_empty());
        if let Some(value) = chosen {
            if value.len() < SHORTEST_VALUE {
                return Err(Refusal::bad_request("The API key value is too short."));
            }
            if self.find_key(value).is_some() {
                let refusal = Refusal::conflict("The API key value is already in use.");
                return Err(refusal.with_code("BXNIM0114E"));
            }
        }
        let account = self.account_mut(call);
        let held = account.api_keys.iter().filter(|key| key.iam_id == iam_id);
        if held.count() >= MOST_PER_IDENTITY {
            let refusal = Refusal::bad_request("The identity has the most API keys it may have.");
            return Err(refusal.with_code("BXNIM0121E"));
        }
        let value: SecretString = match chosen {
            Some(value) => value.to_owned(),
            None => account.random.key_value(),
        }
        .into();
        let key = ApiKey::new(request, iam_id, value.clone(), call, &mut account.random)?;
        self.secrets.push(value);
        let keys = &mut self.account_mut(call).api_keys;
        keys.push(key);
        Ok(keys.last().expect("a key was just added"))
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account(call);
    let whole_account = call.query("scope") == Some("account");
    let sees_all = account.allows(call, IDENTITY, Level::View);
    let wanted = call.query("iam_id").unwrap_or(&call.caller.iam_id);
    let keys = account
        .api_keys
        .iter()
        .filter(|key| {
            if whole_account {
                account.in_listed_group(&key.iam_id, call)
            } else {
                key.iam_id == wanted
            }
        })
        .filter(|key| match call.query("type") {
            Some("user") => key.iam_id.starts_with("IBMid-"),
            Some("serviceid") => key.iam_id.starts_with("iam-ServiceId-"),
            _ => true,
        })
        .filter(|key| sees_all || key.iam_id == call.caller.iam_id)
        .map(|key| key.json(&account.id))
        .collect();
    paging::page_token(call, "apikeys", keys)
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let iam_id = call.required("iam_id")?;
    let account = world.account(call);
    if iam_id.starts_with("IBMid-") {
        // A person's key is made by that person alone, and not under a restriction
        // (`ibm-cloud.md` 3.4).
        if iam_id != call.caller.iam_id || account.identity_settings.restricts_user_keys() {
            return Err(Refusal::forbidden());
        }
    } else {
        account.require(call, IDENTITY, Level::Operate)?;
        account.service_id_of(iam_id)?;
    }
    if !call.body["store_value"].is_null() && iam_id.starts_with("IBMid-") {
        return Err(Refusal::bad_request("User API keys cannot be stored."));
    }
    let account_id = call.caller.account.clone();
    let key = world.mint_key(call, iam_id, &call.body)?;
    Ok(Reply::created(key.json_with_value(&account_id)))
}

fn details(world: &mut World, call: &Call) -> Answer {
    let value = call
        .header("iam-apikey")
        .ok_or_else(|| Refusal::bad_request("Header IAM-ApiKey is missing."))?;
    match world.find_key(value) {
        Some((account, key)) if account.id == call.caller.account => {
            visible(account, call, key)?;
            Ok(Reply::ok(key.json(&account.id)))
        }
        _ => Err(Refusal::new(404, "Provided API key could not be found.")),
    }
}

fn get(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call);
    let key = account
        .api_keys
        .iter()
        .find(|key| key.id == call.param(0))
        .ok_or_else(|| Refusal::not_found("API key", call.param(0)))?;
    visible(account, call, key)?;
    Ok(Reply::ok(key.json(&account.id)))
}

fn visible(account: &Account, call: &Call, key: &ApiKey) -> Result<(), Refusal> {
    if key.iam_id == call.caller.iam_id {
        return Ok(());
    }
    account.require(call, IDENTITY, Level::View)
}

fn update(world: &mut World, call: &Call) -> Answer {
    change(world, call, |key| {
        call.matches(&key.entity_tag)?;
        unlocked(key)?;
        if let Some(name) = call.text("name") {
            name.clone_into(&mut key.name);
        }
        if let Some(description) = call.text("description") {
            description.clone_into(&mut key.description);
        }
        if let Some(expires_at) = call.text("expires_at") {
            key.expires_at = clock::parse(expires_at);
        }
        Ok(200)
    })
}

fn lock(world: &mut World, call: &Call) -> Answer {
    change(world, call, |key| {
        key.locked = true;
        Ok(204)
    })
}

fn unlock(world: &mut World, call: &Call) -> Answer {
    change(world, call, |key| {
        key.locked = false;
        Ok(204)
    })
}

fn disable(world: &mut World, call: &Call) -> Answer {
    change(world, call, |key| {
        unlocked(key)?;
        key.disabled = true;
        Ok(204)
    })
}

fn enable(world: &mut World, call: &Call) -> Answer {
    change(world, call, |key| {
        unlocked(key)?;
        key.disabled = false;
        Ok(204)
    })
}

fn delete(world: &mut World, call: &Call) -> Answer {
    change(world, call, |key| unlocked(key).map(|()| 204))?;
    let account = world.account_mut(call);
    account.api_keys.retain(|key| key.id != call.param(0));
    Ok(Reply::empty(204))
}

/// Does `with` to the key that the path names, once the caller may; `with` says the status.
fn change(
    world: &mut World,
    call: &Call,
    with: impl FnOnce(&mut ApiKey) -> Result<u16, Refusal>,
) -> Answer {
    let account = world.account_mut(call);
    let position = account
        .api_keys
        .iter()
        .position(|key| key.id == call.param(0))
        .ok_or_else(|| Refusal::not_found("API key", call.param(0)))?;
    account.require(call, IDENTITY, Level::Operate)?;
    let key = &mut account.api_keys[position];
    let status = with(key)?;
    key.touch(call.now, &mut account.random);
    match status {
        200 => Ok(Reply::ok(key.json(&account.id))),
        status => Ok(Reply::empty(status)),
    }
}

fn unlocked(key: &ApiKey) -> Result<(), Refusal> {
    if key.locked {
        return Err(Refusal::conflict(format!("API key {} is locked.", key.id)));
    }
    Ok(())
}
