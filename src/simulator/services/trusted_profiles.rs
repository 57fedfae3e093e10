//! IAM Identity: trusted profiles with their rules, links and identities, and identity providers
//! (`ibm-cloud.md` 3.3). Each is a way into the account that survives the deletion of keys.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::api_keys::entity_tag;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{IDENTITY, Level};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Identity,
    routes: &[
        route("GET", "/v1/profiles", list),
        route("POST", "/v1/profiles", create),
        route("GET", "/v1/profiles/{id}", get),
        route("PUT", "/v1/profiles/{id}", update),
        route("DELETE", "/v1/profiles/{id}", delete),
        route("GET", "/v1/profiles/{id}/rules", list_rules),
        route("POST", "/v1/profiles/{id}/rules", create_rule),
        route("DELETE", "/v1/profiles/{id}/rules/{rule}", delete_rule),
        route("GET", "/v1/profiles/{id}/links", list_links),
        route("POST", "/v1/profiles/{id}/links", create_link),
        route("DELETE", "/v1/profiles/{id}/links/{link}", delete_link),
        route("GET", "/v1/profiles/{id}/identities", list_identities),
        route(
            "POST",
            "/v1/profiles/{id}/identities/{type}",
            create_identity,
        ),
        route(
            "DELETE",
            "/v1/profiles/{id}/identities/{type}/{identity}",
            delete_identity,
        ),
        route("GET", "/v1/idps/", list_providers),
        route("POST", "/v1/idps/", create_provider),
        route("GET", "/v1/idps/{id}", get_provider),
        route("DELETE", "/v1/idps/{id}", delete_provider),
    ],
};

pub(crate) struct Profile {
    pub(crate) id: String,
    pub(crate) name: String,
    description: String,
    entity_tag: String,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
    rules: Vec<Value>,
    links: Vec<Value>,
    identities: Vec<Value>,
}

impl Profile {
    fn json(&self, account: &str) -> Value {
        json!({
            "id": self.id, "entity_tag": self.entity_tag, "name": self.name,
            "crn": format!("crn:v1:bluemix:public:iam-identity::a/{account}::profile:{}", self.id),
            "description": self.description, "iam_id": format!("iam-{}", self.id),
            "account_id": account, "created_at": clock::iam(self.created_at),
            "modified_at": clock::iam(self.modified_at),
        })
    }

    /// How many rules, links and identities lead into the profile.
    pub(crate) fn entrances(&self) -> usize {
        self.rules.len() + self.links.len() + self.identities.len()
    }
}

pub(crate) struct IdentityProvider {
    pub(crate) id: String,
    pub(crate) name: String,
    json: Value,
}

fn list(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account(call);
    let sees_all = account.allows(call, IDENTITY, Level::View);
    let profiles = account
        .profiles
        .iter()
        .filter(|profile| sees_all && call.query("name").is_none_or(|name| profile.name == name))
        .map(|profile| profile.json(&account.id))
        .collect();
    paging::page_token(call, "profiles", profiles)
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let name = call.required("name")?.to_owned();
    let account = world.account_mut(call);
    account.require(call, IDENTITY, Level::Operate)?;
    if account.profiles.iter().any(|profile| profile.name == name) {
        return Err(Refusal::conflict(format!("Profile {name} exists already.")));
    }
    let profile = Profile {
        id: format!("Profile-{}", account.random.uuid()),
        name,
        description: call.text("description").unwrap_or_default().to_owned(),
        entity_tag: entity_tag(&mut account.random),
        created_at: call.now,
        modified_at: call.now,
        rules: Vec::new(),
        links: Vec::new(),
        identities: Vec::new(),
    };
    let json = profile.json(&account.id);
    account.profiles.push(profile);
    Ok(Reply::created(json))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::View)?;
    Ok(Reply::ok(account.profiles[position].json(&account.id)))
}

fn update(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::Operate)?;
    let profile = &mut account.profiles[position];
    call.matches(&profile.entity_tag)?;
    if let Some(name) = call.text("name") {
        name.clone_into(&mut profile.name);
    }
    if let Some(description) = call.text("description") {
        description.clone_into(&mut profile.description);
    }
    profile.modified_at = call.now;
    profile.entity_tag = entity_tag(&mut account.random);
    Ok(Reply::ok(profile.json(&account.id)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::Operate)?;
    let profile = account.profiles.remove(position);
    let iam_id = format!("iam-{}", profile.id);
    account.remove_policies_of(&iam_id, call.now);
    account.access_groups.remove_everywhere(&iam_id, call.now);
    Ok(Reply::empty(204))
}

/// The profile that the path names, on which the caller has `level`.
fn profile<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<(&'w mut Account, usize), Refusal> {
    let account = world.account_mut(call);
    account.require(call, IDENTITY, level)?;
    let position = account
        .profiles
        .iter()
        .position(|profile| profile.id == call.param(0))
        .ok_or_else(|| Refusal::not_found("Profile", call.param(0)))?;
    Ok((account, position))
}

fn list_rules(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::View)?;
    Ok(Reply::ok(
        json!({"rules": account.profiles[position].rules}),
    ))
}

fn create_rule(world: &mut World, call: &Call) -> Answer {
    call.required("type")?;
    let (account, position) = profile(world, call, Level::Operate)?;
    let rule = described("ClaimRule", account, call);
    account.profiles[position].rules.push(rule.clone());
    Ok(Reply::created(rule))
}

fn delete_rule(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::Operate)?;
    remove(&mut account.profiles[position].rules, "id", call.param(1))
}

fn list_links(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::View)?;
    Ok(Reply::ok(
        json!({"links": account.profiles[position].links}),
    ))
}

fn create_link(world: &mut World, call: &Call) -> Answer {
    call.required("cr_type")?;
    let (account, position) = profile(world, call, Level::Operate)?;
    let link = described("Link", account, call);
    account.profiles[position].links.push(link.clone());
    Ok(Reply::created(link))
}

fn delete_link(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::Operate)?;
    remove(&mut account.profiles[position].links, "id", call.param(1))
}

fn list_identities(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::View)?;
    let profile = &account.profiles[position];
    Ok(Reply::ok(json!({
        "entity_tag": profile.entity_tag, "identities": profile.identities,
    })))
}

fn create_identity(world: &mut World, call: &Call) -> Answer {
    let identifier = call.required("identifier")?;
    let identity = json!({
        "iam_id": identifier, "identifier": identifier, "type": call.param(1),
        "accounts": call.body["accounts"], "description": call.body["description"],
    });
    let (account, position) = profile(world, call, Level::Operate)?;
    account.profiles[position].identities.push(identity.clone());
    Ok(Reply::ok(identity))
}

fn delete_identity(world: &mut World, call: &Call) -> Answer {
    let (account, position) = profile(world, call, Level::Operate)?;
    remove(
        &mut account.profiles[position].identities,
        "identifier",
        call.param(2),
    )
}

/// The call's body as a record of its own, with an id and times.
fn described(kind: &str, account: &mut Account, call: &Call) -> Value {
    let mut record = call.body.clone();
    record["id"] = format!("{kind}-{}", account.random.uuid()).into();
    record["entity_tag"] = entity_tag(&mut account.random).into();
    record["created_at"] = clock::iam(call.now).into();
    record["modified_at"] = clock::iam(call.now).into();
    record
}

fn remove(records: &mut Vec<Value>, key: &str, id: &str) -> Answer {
    let position = records
        .iter()
        .position(|record| record[key] == id)
        .ok_or_else(|| Refusal::not_found("Record", id))?;
    records.remove(position);
    Ok(Reply::empty(204))
}

fn list_providers(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account(call);
    let sees_all = account.allows(call, IDENTITY, Level::View);
    let providers: Vec<&Value> = account
        .identity_providers
        .iter()
        .filter(|_| sees_all)
        .map(|provider| &provider.json)
        .collect();
    Ok(Reply::ok(json!({"idps": providers})))
}

fn create_provider(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let name = call.required("name")?;
    let kind = call.required("type")?;
    let account = world.account_mut(call);
    account.require(call, IDENTITY, Level::Operate)?;
    let id = account.random.uuid();
    // Not the whole body: its secrets are not shown again.
    let json = json!({
        "idp_id": id, "account_id": account.id, "entity_tag": entity_tag(&mut account.random),
        "type": kind, "name": name, "active": call.body["active"], "realm": "",
        "properties": call.body["properties"], "created_at": clock::iam(call.now),
        "modified_at": clock::iam(call.now),
    });
    account.identity_providers.push(IdentityProvider {
        id,
        name: name.to_owned(),
        json: json.clone(),
    });
    Ok(Reply::created(json))
}

fn get_provider(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call);
    account.require(call, IDENTITY, Level::View)?;
    let mut providers = account.identity_providers.iter();
    providers
        .find(|provider| provider.id == call.param(0))
        .map(|provider| Reply::ok(provider.json.clone()))
        .ok_or_else(|| Refusal::not_found("Identity provider", call.param(0)))
}

fn delete_provider(world: &mut World, call: &Call) -> Answer {
    let account = world.account_mut(call);
    account.require(call, IDENTITY, Level::Operate)?;
    let position = account
        .identity_providers
        .iter()
        .position(|provider| provider.id == call.param(0))
        .ok_or_else(|| Refusal::not_found("Identity provider", call.param(0)))?;
    account.identity_providers.remove(position);
    Ok(Reply::empty(204))
}
