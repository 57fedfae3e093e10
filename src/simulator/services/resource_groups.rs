//! Resource Manager: resource groups (`ibm-cloud.md` 6.4).
//!
//! Promises that a group with anything in it, awaiting reclamation included, answers its deletion with
//! 500, that the default group stays, and that a deleted group's name is reserved for a while.

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::random::Random;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, RESOURCE_GROUPS, Target};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/v2/resource_groups", list),
        route("POST", "/v2/resource_groups", create),
        route("GET", "/v2/resource_groups/{id}", get),
        route("PATCH", "/v2/resource_groups/{id}", update),
        route("DELETE", "/v2/resource_groups/{id}", delete),
    ],
};

pub(crate) struct ResourceGroups {
    pub(crate) groups: Vec<ResourceGroup>,
    /// Names of deleted groups, and until when they stay reserved.
    reserved: Vec<(String, OffsetDateTime)>,
}

pub(crate) struct ResourceGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_default: bool,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl ResourceGroups {
    pub(crate) fn new(random: &mut Random, now: OffsetDateTime) -> Self {
        let default = ResourceGroup {
            is_default: true,
            ..ResourceGroup::new("Default", random, now)
        };
        Self {
            groups: vec![default],
            reserved: Vec::new(),
        }
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.groups.iter().any(|group| group.id == id)
    }

    fn is_taken(&self, name: &str, now: OffsetDateTime) -> bool {
        let mut reserved = self.reserved.iter();
        self.groups.iter().any(|group| group.name == name)
            || reserved.any(|(reserved, until)| reserved == name && now < *until)
    }
}

impl ResourceGroup {
    fn new(name: &str, random: &mut Random, now: OffsetDateTime) -> Self {
        Self {
            id: random.hex(),
            name: name.to_owned(),
            is_default: false,
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) fn crn(&self, account: &str) -> String {
        let service = "resource-controller";
        format!(
            "crn:v1:bluemix:public:{service}::a/{account}::resource-group:{}",
            self.id
        )
    }

    fn json(&self, account: &str) -> Value {
        json!({
            "id": self.id, "crn": self.crn(account), "account_id": account, "name": self.name,
            "state": "ACTIVE", "default": self.is_default, "quota_id": "a3d7b8d01e261c24677937c29ab33f3c",
            "quota_url": "/v2/quota_definitions/a3d7b8d01e261c24677937c29ab33f3c",
            "payment_methods_url": format!("/v2/resource_groups/{}/payment_methods", self.id),
            "resource_linkages": [], "teams_url": format!("/v2/resource_groups/{}/teams", self.id),
            "created_at": clock::controller(self.created_at),
            "updated_at": clock::controller(self.updated_at),
        })
    }
}

impl Account {
    /// The resource group that a request names as `resource_group.id`, or else the default one.
    pub(crate) fn group_asked_for(&self, call: &Call) -> Result<String, Refusal> {
        let asked = call.body["resource_group"]["id"].as_str();
        let group = asked.unwrap_or(self.vpc.default_group());
        if self.resource_groups.contains(group) {
            Ok(group.to_owned())
        } else {
            Err(Refusal::not_found("Resource group", group))
        }
    }

    /// Whether a Transit Gateway or a Direct Link is in this group.
    fn has_gateways_in(&self, id: &str) -> bool {
        let mut transit = self.transit_gateways.iter();
        let mut direct = self.direct_links.iter();
        transit.any(|gateway| gateway.group == id) || direct.any(|gateway| gateway.group == id)
    }

    /// Whether the caller has `level` on a group: by rights on the group, or on the management of all.
    pub(crate) fn allows_on_group(&self, call: &Call, id: &str, level: Level) -> bool {
        self.allows(call, Target::ResourceGroup(id), level)
            || self.allows(call, RESOURCE_GROUPS, level)
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    if call.query("account_id").is_none() && !call.caller.is_user() {
        return Err(Refusal::bad_request(
            "Query parameter account_id is missing.",
        ));
    }
    call.within_own_account()?;
    let account = world.account(call);
    let groups: Vec<Value> = account
        .resource_groups
        .groups
        .iter()
        .filter(|group| call.query("name").is_none_or(|name| group.name == name))
        .filter(|group| !call.flag("default") || group.is_default)
        .filter(|group| account.allows_on_group(call, &group.id, Level::View))
        .map(|group| group.json(&account.id))
        .collect();
    Ok(Reply::ok(json!({"resources": groups})))
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let name = call.required("name")?;
    let account = world.account_mut(call);
    account.require(call, RESOURCE_GROUPS, Level::Edit)?;
    if account.resource_groups.is_taken(name, call.now) {
        let refusal = Refusal::conflict(format!("The name {name} is in use or still reserved."));
        return Err(refusal.with_code("RESOURCE_GROUP_NAME_UNIQUENESS"));
    }
    let group = ResourceGroup::new(name, &mut account.random, call.now);
    let reply = json!({"id": group.id, "crn": group.crn(&account.id)});
    account.resource_groups.groups.push(group);
    Ok(Reply::created(reply))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call)?;
    let group = &account.resource_groups.groups[position];
    if !account.allows_on_group(call, &group.id, Level::View) {
        return Err(Refusal::forbidden());
    }
    Ok(Reply::ok(group.json(&account.id)))
}

fn update(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call)?;
    if !account.allows_on_group(call, call.param(0), Level::Edit) {
        return Err(Refusal::forbidden());
    }
    if let Some(name) = call.text("name") {
        let current = &account.resource_groups.groups[position].name;
        if name != current && account.resource_groups.is_taken(name, call.now) {
            let refusal = Refusal::conflict("The name is in use or still reserved.");
            return Err(refusal.with_code("RESOURCE_GROUP_NAME_UNIQUENESS"));
        }
        name.clone_into(&mut account.resource_groups.groups[position].name);
    }
    let group = &mut account.resource_groups.groups[position];
    group.updated_at = call.now;
    Ok(Reply::ok(group.json(&account.id)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call)?;
    account.require(call, RESOURCE_GROUPS, Level::Edit)?;
    let group = &account.resource_groups.groups[position];
    if group.is_default {
        return Err(Refusal::bad_request(
            "The default resource group cannot be deleted.",
        ));
    }
    let has_instances = account
        .instances
        .iter()
        .any(|instance| instance.resource_group_id == group.id && !instance.is_removed());
    let is_used = account.standalone().any(|found| found.group == group.id)
        || account.vpc.uses_group(&group.id)
        || account.has_gateways_in(&group.id);
    if has_instances || is_used {
        let message = "The resource group has active or pending reclamation resource instances.";
        return Err(Refusal::new(500, message));
    }
    let until = call.now + account.lags.group_name_reserved;
    let groups = &mut account.resource_groups;
    let group = groups.groups.remove(position);
    groups.reserved.push((group.name.clone(), until));
    let crn = group.crn(&account.id);
    account.detach_all_tags(&crn, call.now);
    Ok(Reply::empty(204))
}

fn find<'w>(world: &'w mut World, call: &Call) -> Result<(&'w mut Account, usize), Refusal> {
    let id = call.param(0);
    let account = world.account_mut(call);
    let position = account
        .resource_groups
        .groups
        .iter()
        .position(|group| group.id == id)
        .ok_or_else(|| Refusal::not_found("Resource group", id))?;
    Ok((account, position))
}
