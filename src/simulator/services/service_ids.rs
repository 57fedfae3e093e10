//! IAM Identity: service ids and their groups (`ibm-cloud.md` 3.2).
//!
//! Promises that members of other groups than the default are hidden until their group is asked for,
//! and that a deletion takes the keys first and may have to be repeated.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::api_keys::entity_tag;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::random::Random;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{IDENTITY, Level};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Identity,
    routes: &[
        route("GET", "/v1/serviceids/", list),
        route("POST", "/v1/serviceids/", create),
        route("GET", "/v1/serviceids/{id}", get),
        route("PUT", "/v1/serviceids/{id}", update),
        route("DELETE", "/v1/serviceids/{id}", delete),
        route("POST", "/v1/serviceids/{id}/lock", lock),
        route("DELETE", "/v1/serviceids/{id}/lock", unlock),
        route("GET", "/v1/serviceid_groups", list_groups),
        route("POST", "/v1/serviceid_groups", create_group),
        route("GET", "/v1/serviceid_groups/{id}", get_group),
        route("PUT", "/v1/serviceid_groups/{id}", update_group),
        route("DELETE", "/v1/serviceid_groups/{id}", delete_group),
    ],
};

pub(crate) struct ServiceId {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) locked: bool,
    pub(crate) group_id: String,
    description: String,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
    entity_tag: String,
    /// How many more deletions are answered 409.
    conflicts: u32,
}

impl ServiceId {
    pub(crate) fn iam_id(&self) -> String {
        format!("iam-{}", self.id)
    }

    fn json(&self, account: &str) -> Value {
        json!({
            "id": self.id, "iam_id": self.iam_id(), "entity_tag": self.entity_tag,
            "crn": format!("crn:v1:bluemix:public:iam-identity::a/{account}::serviceid:{}", self.id),
            "locked": self.locked, "account_id": account, "group_id": self.group_id,
            "name": self.name, "description": self.description,
            "created_at": clock::iam(self.created_at), "modified_at": clock::iam(self.modified_at),
        })
    }

    fn touch(&mut self, now: OffsetDateTime, random: &mut Random) {
        self.modified_at = now;
        self.entity_tag = entity_tag(random);
    }
}

pub(crate) struct ServiceIdGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_default: bool,
    description: String,
    created_at: OffsetDateTime,
    entity_tag: String,
}

impl ServiceIdGroup {
    /// The group that every account has, and that cannot be deleted.
    pub(crate) fn default_group(random: &mut Random, now: OffsetDateTime) -> Self {
        Self {
            is_default: true,
            id: format!("default-{}", random.uuid()),
            ..Self::new("default", "", random, now)
        }
    }

    fn new(name: &str, description: &str, random: &mut Random, now: OffsetDateTime) -> Self {
        Self {
            id: format!("ServiceIdGroup-{}", random.uuid()),
            name: name.to_owned(),
            is_default: false,
            description: description.to_owned(),
            created_at: now,
            entity_tag: entity_tag(random),
        }
    }

    fn json(&self, account: &str) -> Value {
        let kind = "serviceidgroup";
        json!({
            "id": self.id, "entity_tag": self.entity_tag, "account_id": account,
            "crn": format!("crn:v1:bluemix:public:iam-identity::a/{account}::{kind}:{}", self.id),
            "name": self.name, "description": self.description,
            "created_at": clock::iam(self.created_at), "modified_at": clock::iam(self.created_at),
        })
    }
}

impl Account {
    /// The service id behind an IAM id.
    pub(crate) fn service_id_of(&self, iam_id: &str) -> Result<&ServiceId, Refusal> {
        self.service_ids
            .iter()
            .find(|service_id| service_id.iam_id() == iam_id)
            .ok_or_else(|| Refusal::not_found("Identity", iam_id))
    }

    /// Whether a list shows what belongs to this identity: persons always, service ids of the group
    /// that was asked for, or of the default group.
    pub(crate) fn in_listed_group(&self, iam_id: &str, call: &Call) -> bool {
        let wanted = call
            .query("group_id")
            .unwrap_or_else(|| self.default_group_id());
        self.service_id_of(iam_id)
            .map_or(true, |service_id| service_id.group_id == wanted)
    }

    fn default_group_id(&self) -> &str {
        let group = self.service_id_groups.iter().find(|group| group.is_default);
        &group.expect("an account has a default group for ever").id
    }

    /// Adds a service id and gives its id. Rights are the caller's business.
    pub(crate) fn add_service_id(
        &mut self,
        name: &str,
        description: &str,
        group_id: Option<&str>,
        now: OffsetDateTime,
    ) -> String {
        let id = format!("ServiceId-{}", self.random.uuid());
        let group_id = group_id
            .unwrap_or_else(|| self.default_group_id())
            .to_owned();
        self.service_ids.push(ServiceId {
            id: id.clone(),
            name: name.to_owned(),
            locked: false,
            group_id,
            description: description.to_owned(),
            created_at: now,
            modified_at: now,
            entity_tag: entity_tag(&mut self.random),
            conflicts: self.lags.service_id_conflicts,
        });
        id
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account(call);
    let sees_all = account.allows(call, IDENTITY, Level::View);
    let service_ids = account
        .service_ids
        .iter()
        .filter(|service_id| sees_all || service_id.iam_id() == call.caller.iam_id)
        .filter(|service_id| account.in_listed_group(&service_id.iam_id(), call))
        .filter(|service_id| {
            call.query("name")
                .is_none_or(|name| service_id.name == name)
        })
        .map(|service_id| service_id.json(&account.id))
        .collect();
    paging::page_token(call, "serviceids", service_ids)
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let name = call.required("name")?;
    let account = world.account_mut(call);
    account.require(call, IDENTITY, Level::Operate)?;
    let group_id = call.text("group_id");
    if let Some(group_id) = group_id
        && !account
            .service_id_groups
            .iter()
            .any(|group| group.id == group_id)
    {
        return Err(Refusal::not_found("Service ID group", group_id));
    }
    let description = call.text("description").unwrap_or_default();
    let id = account.add_service_id(name, description, group_id, call.now);
    let mut key = None;
    if call.body["apikey"].is_object() {
        let account_id = call.caller.account.clone();
        let minted = world
            .mint_key(call, &format!("iam-{id}"), &call.body["apikey"])
            .map(|key| key.json_with_value(&account_id));
        match minted {
            Ok(json) => key = Some(json),
            Err(refusal) => {
                let account = world.account_mut(call);
                account.service_ids.retain(|service_id| service_id.id != id);
                return Err(refusal);
            }
        }
    }
    let account = world.account_mut(call);
    let service_id = account
        .service_ids
        .iter_mut()
        .find(|service_id| service_id.id == id)
        .expect("the service id was just added");
    service_id.locked = call.header_flag("entity-lock");
    let mut json = service_id.json(&account.id);
    if let Some(key) = key {
        json["apikey"] = key;
    }
    Ok(Reply::created(json))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call);
    let service_id = account
        .service_ids
        .iter()
        .find(|service_id| service_id.id == call.param(0))
        .ok_or_else(|| Refusal::not_found("Service ID", call.param(0)))?;
    if service_id.iam_id() != call.caller.iam_id {
        account.require(call, IDENTITY, Level::View)?;
    }
    Ok(Reply::ok(service_id.json(&account.id)))
}

fn update(world: &mut World, call: &Call) -> Answer {
    let (account, position) = writable(world, call)?;
    let service_id = &mut account.service_ids[position];
    call.matches(&service_id.entity_tag)?;
    unlocked(service_id)?;
    if let Some(name) = call.text("name") {
        name.clone_into(&mut service_id.name);
    }
    if let Some(description) = call.text("description") {
        description.clone_into(&mut service_id.description);
    }
    service_id.touch(call.now, &mut account.random);
    Ok(Reply::ok(service_id.json(&account.id)))
}

fn lock(world: &mut World, call: &Call) -> Answer {
    set_locked(world, call, true)
}

fn unlock(world: &mut World, call: &Call) -> Answer {
    set_locked(world, call, false)
}

fn set_locked(world: &mut World, call: &Call, locked: bool) -> Answer {
    let (account, position) = writable(world, call)?;
    let service_id = &mut account.service_ids[position];
    service_id.locked = locked;
    service_id.touch(call.now, &mut account.random);
    Ok(Reply::empty(204))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = writable(world, call)?;
    let service_id = &mut account.service_ids[position];
    unlocked(service_id)?;
    let iam_id = service_id.iam_id();
    account.api_keys.retain(|key| key.iam_id != iam_id);
    if service_id.conflicts > 0 {
        service_id.conflicts -= 1;
        let refusal = Refusal::conflict("The service ID cannot be deleted yet. Please try again.");
        return Err(refusal.with_code("BXNIM0105E"));
    }
    account.service_ids.remove(position);
    account.remove_policies_of(&iam_id, call.now);
    account.access_groups.remove_everywhere(&iam_id, call.now);
    Ok(Reply::empty(204))
}

/// The service id that the path names, which the caller may change.
fn writable<'w>(world: &'w mut World, call: &Call) -> Result<(&'w mut Account, usize), Refusal> {
    let account = world.account_mut(call);
    let position = account
        .service_ids
        .iter()
        .position(|service_id| service_id.id == call.param(0))
        .ok_or_else(|| Refusal::not_found("Service ID", call.param(0)))?;
    account.require(call, IDENTITY, Level::Operate)?;
    Ok((account, position))
}

fn unlocked(service_id: &ServiceId) -> Result<(), Refusal> {
    if service_id.locked {
        let message = format!("Service ID {} is locked.", service_id.id);
        return Err(Refusal::conflict(message));
    }
    Ok(())
}

fn list_groups(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account(call);
    let sees_all = account.allows(call, IDENTITY, Level::View);
    let groups: Vec<Value> = account
        .service_id_groups
        .iter()
        .filter(|_| sees_all)
        .map(|group| group.json(&account.id))
        .collect();
    Ok(Reply::ok(json!({"serviceid_groups": groups})))
}

fn create_group(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let name = call.required("name")?;
    let account = world.account_mut(call);
    account.require(call, IDENTITY, Level::Operate)?;
    let description = call.text("description").unwrap_or_default();
    let group = ServiceIdGroup::new(name, description, &mut account.random, call.now);
    let json = group.json(&account.id);
    account.service_id_groups.push(group);
    Ok(Reply::created(json))
}

fn get_group(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call);
    account.require(call, IDENTITY, Level::View)?;
    let group = account
        .service_id_groups
        .iter()
        .find(|group| group.id == call.param(0));
    group
        .map(|group| Reply::ok(group.json(&account.id)))
        .ok_or_else(|| Refusal::not_found("Service ID group", call.param(0)))
}

fn update_group(world: &mut World, call: &Call) -> Answer {
    let account = world.account_mut(call);
    account.require(call, IDENTITY, Level::Operate)?;
    let group = account
        .service_id_groups
        .iter_mut()
        .find(|group| group.id == call.param(0))
        .ok_or_else(|| Refusal::not_found("Service ID group", call.param(0)))?;
    call.matches(&group.entity_tag)?;
    call.required("name")?.clone_into(&mut group.name);
    call.text("description")
        .unwrap_or_default()
        .clone_into(&mut group.description);
    group.entity_tag = entity_tag(&mut account.random);
    Ok(Reply::ok(group.json(&account.id)))
}

fn delete_group(world: &mut World, call: &Call) -> Answer {
    let account = world.account_mut(call);
    account.require(call, IDENTITY, Level::Operate)?;
    let id = call.param(0);
    let group = account
        .service_id_groups
        .iter()
        .find(|group| group.id == id)
        .ok_or_else(|| Refusal::not_found("Service ID group", id))?;
    let has_members = account
        .service_ids
        .iter()
        .any(|service_id| service_id.group_id == id);
    if group.is_default || has_members {
        let message = format!("Service ID group {id} is the default group or not empty.");
        return Err(Refusal::conflict(message));
    }
    account.service_id_groups.retain(|group| group.id != id);
    Ok(Reply::empty(204))
}
