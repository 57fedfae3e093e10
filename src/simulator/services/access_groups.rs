//! IAM Access Groups (`ibm-cloud.md` 5.2).
//!
//! Promises that the *Public Access* group is always there, and that memberships give and lose rights
//! with the lags of policies.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{ACCESS_GROUPS, Level};
use crate::simulator::world::World;

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/v2/groups", list),
        route("POST", "/v2/groups", create),
        route("GET", "/v2/groups/settings", settings),
        route("PATCH", "/v2/groups/settings", update_settings),
        route(
            "DELETE",
            "/v2/groups/_allgroups/members/{member}",
            remove_from_all,
        ),
        route("GET", "/v2/groups/{id}", get),
        route("PATCH", "/v2/groups/{id}", update),
        route("DELETE", "/v2/groups/{id}", delete),
        route("GET", "/v2/groups/{id}/members", list_members),
        route("PUT", "/v2/groups/{id}/members", add_members),
        route("POST", "/v2/groups/{id}/members/delete", remove_members),
        route("DELETE", "/v2/groups/{id}/members/{member}", remove_member),
        route("GET", "/v2/groups/{id}/rules", list_rules),
        route("POST", "/v2/groups/{id}/rules", create_rule),
        route("DELETE", "/v2/groups/{id}/rules/{rule}", delete_rule),
    ],
};

/// The id of the group that every account has.
pub(crate) const PUBLIC_ACCESS: &str = "AccessGroupId-PublicAccess";

pub(crate) struct AccessGroups {
    pub(crate) public_access_enabled: bool,
    pub(crate) groups: Vec<AccessGroup>,
    former_members: Vec<FormerMember>,
}

pub(crate) struct AccessGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    description: String,
    created_at: OffsetDateTime,
    created_by: String,
    pub(crate) members: Vec<Member>,
    rules: Vec<Value>,
}

pub(crate) struct Member {
    pub(crate) iam_id: String,
    kind: String,
    added_at: OffsetDateTime,
}

/// A membership that has ended and may still give rights for a while.
struct FormerMember {
    group: String,
    iam_id: String,
    removed_at: OffsetDateTime,
}

impl AccessGroups {
    pub(crate) fn new(now: OffsetDateTime) -> Self {
        let public = AccessGroup {
            id: PUBLIC_ACCESS.to_owned(),
            name: "Public Access".to_owned(),
            description: "This group includes all users and service IDs by default.".to_owned(),
            created_at: now,
            created_by: "iam-ServiceId-system".to_owned(),
            members: Vec::new(),
            rules: Vec::new(),
        };
        Self {
            public_access_enabled: false,
            groups: vec![public],
            former_members: Vec::new(),
        }
    }

    /// The groups whose rights an identity has at `now`.
    pub(crate) fn of_member(
        &self,
        iam_id: &str,
        now: OffsetDateTime,
        effect: Duration,
        removal: Duration,
    ) -> BTreeSet<String> {
        let current = self.groups.iter().filter(|group| {
            let mut members = group.members.iter();
            members.any(|member| member.iam_id == iam_id && now >= member.added_at + effect)
        });
        let former = self
            .former_members
            .iter()
            .filter(|former| former.iam_id == iam_id && now < former.removed_at + removal);
        current
            .map(|group| group.id.clone())
            .chain(former.map(|former| former.group.clone()))
            .collect()
    }

    /// Takes an identity out of every group; gives the groups that it was in.
    pub(crate) fn remove_everywhere(&mut self, iam_id: &str, now: OffsetDateTime) -> Vec<String> {
        let mut left = Vec::new();
        for group in &mut self.groups {
            if group.remove(iam_id) {
                left.push(group.id.clone());
            }
        }
        for group in &left {
            self.remember(group, iam_id, now);
        }
        left
    }

    pub(crate) fn forget_former_members(&mut self, now: OffsetDateTime, removal: Duration) {
        self.former_members
            .retain(|former| now < former.removed_at + removal);
    }

    fn remember(&mut self, group: &str, iam_id: &str, now: OffsetDateTime) {
        self.former_members.push(FormerMember {
            group: group.to_owned(),
            iam_id: iam_id.to_owned(),
            removed_at: now,
        });
    }

    fn position(&self, id: &str) -> Result<usize, Refusal> {
        self.groups
            .iter()
            .position(|group| group.id == id)
            .ok_or_else(|| Refusal::not_found("Access group", id).with_code("group_not_found"))
    }
}

impl AccessGroup {
    fn remove(&mut self, iam_id: &str) -> bool {
        let before = self.members.len();
        self.members.retain(|member| member.iam_id != iam_id);
        self.members.len() < before
    }

    fn json(&self, account: &str, base: &str) -> Value {
        json!({
            "id": self.id, "name": self.name, "description": self.description,
            "account_id": account, "created_at": clock::controller(self.created_at),
            "created_by_id": self.created_by, "href": format!("{base}/v2/groups/{}", self.id),
            "last_modified_at": clock::controller(self.created_at),
            "last_modified_by_id": self.created_by, "is_federated": false,
        })
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    if call.query("account_id").is_none() {
        return Err(Refusal::bad_request(
            "Query parameter account_id is missing.",
        ));
    }
    call.within_own_account()?;
    let account = world.account(call);
    let sees_all = account.allows(call, ACCESS_GROUPS, Level::View);
    let member = call.query("iam_id");
    let groups = account
        .access_groups
        .groups
        .iter()
        .filter(|group| sees_all && (group.id != PUBLIC_ACCESS || !call.flag("hide_public_access")))
        .filter(|group| {
            member.is_none_or(|iam_id| group.members.iter().any(|member| member.iam_id == iam_id))
        })
        .map(|group| group.json(&account.id, &call.base))
        .collect();
    paging::offset(call, "groups", groups)
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let name = call.required("name")?.to_owned();
    let account = world.account_mut(call);
    account.require(call, ACCESS_GROUPS, Level::Edit)?;
    if account
        .access_groups
        .groups
        .iter()
        .any(|group| group.name == name)
    {
        let refusal = Refusal::conflict(format!("Access group {name} exists already."));
        return Err(refusal.with_code("group_conflict_error"));
    }
    let group = AccessGroup {
        id: format!("AccessGroupId-{}", account.random.uuid()),
        name,
        description: call.text("description").unwrap_or_default().to_owned(),
        created_at: call.now,
        created_by: call.caller.iam_id.clone(),
        members: Vec::new(),
        rules: Vec::new(),
    };
    let json = group.json(&account.id, &call.base);
    account.access_groups.groups.push(group);
    Ok(Reply::created(json))
}

fn settings(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account(call);
    account.require(call, ACCESS_GROUPS, Level::View)?;
    Ok(Reply::ok(json!({
        "account_id": account.id,
        "public_access_enabled": account.access_groups.public_access_enabled,
    })))
}

fn update_settings(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account_mut(call);
    account.require(call, ACCESS_GROUPS, Level::Administer)?;
    let enabled = call.body["public_access_enabled"]
        .as_bool()
        .ok_or_else(|| Refusal::bad_request("Property public_access_enabled is missing."))?;
    account.access_groups.public_access_enabled = enabled;
    if !enabled {
        account.remove_public_policies(call.now);
    }
    settings(world, call)
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (world, position) = readable(world, call)?;
    let account = world.account(call);
    let group = &account.access_groups.groups[position];
    Ok(Reply::ok(group.json(&account.id, &call.base)))
}

fn update(world: &mut World, call: &Call) -> Answer {
    let (world, position) = writable(world, call)?;
    let account = world.account_mut(call);
    let group = &mut account.access_groups.groups[position];
    if let Some(name) = call.text("name") {
        name.clone_into(&mut group.name);
    }
    if let Some(description) = call.text("description") {
        description.clone_into(&mut group.description);
    }
    Ok(Reply::ok(group.json(&account.id, &call.base)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (world, position) = writable(world, call)?;
    let account = world.account_mut(call);
    let group = &account.access_groups.groups[position];
    if group.id == PUBLIC_ACCESS {
        return Err(Refusal::bad_request(
            "The Public Access group cannot be deleted.",
        ));
    }
    let is_empty = group.members.is_empty() && group.rules.is_empty();
    if !is_empty && !call.flag("force") {
        let refusal = Refusal::bad_request("The access group has members or rules.");
        return Err(refusal.with_code("group_not_empty_error"));
    }
    let group = account.access_groups.groups.remove(position);
    for member in &group.members {
        account
            .access_groups
            .remember(&group.id, &member.iam_id, call.now);
    }
    account.remove_policies_of(&group.id, call.now);
    Ok(Reply::empty(204))
}

fn list_members(world: &mut World, call: &Call) -> Answer {
    let (world, position) = readable(world, call)?;
    let members = world.account(call).access_groups.groups[position]
        .members
        .iter()
        .map(|member| {
            json!({
                "iam_id": member.iam_id, "type": member.kind, "membership_type": "static",
                "created_at": clock::controller(member.added_at),
            })
        })
        .collect();
    paging::offset(call, "members", members)
}

fn add_members(world: &mut World, call: &Call) -> Answer {
    let (world, position) = writable(world, call)?;
    let wanted = call.body["members"].as_array().cloned().unwrap_or_default();
    let group = &mut world.account_mut(call).access_groups.groups[position];
    let mut results = Vec::new();
    for member in &wanted {
        let (Some(iam_id), Some(kind)) = (member["iam_id"].as_str(), member["type"].as_str())
        else {
            return Err(Refusal::bad_request("Members must have iam_id and type."));
        };
        if !group.members.iter().any(|member| member.iam_id == iam_id) {
            group.members.push(Member {
                iam_id: iam_id.to_owned(),
                kind: kind.to_owned(),
                added_at: call.now,
            });
        }
        results.push(json!({"iam_id": iam_id, "type": kind, "status_code": 200}));
    }
    Ok(Reply::with(207, json!({"members": results})))
}

fn remove_members(world: &mut World, call: &Call) -> Answer {
    let (world, position) = writable(world, call)?;
    let wanted = call.body["members"].as_array().cloned().unwrap_or_default();
    let groups = &mut world.account_mut(call).access_groups;
    let id = groups.groups[position].id.clone();
    let mut results = Vec::new();
    for iam_id in wanted.iter().filter_map(Value::as_str) {
        let removed = groups.groups[position].remove(iam_id);
        if removed {
            groups.remember(&id, iam_id, call.now);
        }
        let status = if removed { 204 } else { 404 };
        results.push(json!({"iam_id": iam_id, "status_code": status}));
    }
    let body = json!({"access_group_id": id, "members": results});
    Ok(Reply::with(207, body))
}

fn remove_member(world: &mut World, call: &Call) -> Answer {
    let (world, position) = writable(world, call)?;
    let groups = &mut world.account_mut(call).access_groups;
    if !groups.groups[position].remove(call.param(1)) {
        return Err(Refusal::not_found("Member", call.param(1)));
    }
    groups.remember(call.param(0), call.param(1), call.now);
    Ok(Reply::empty(204))
}

fn remove_from_all(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account_mut(call);
    account.require(call, ACCESS_GROUPS, Level::Edit)?;
    let iam_id = call.param(0);
    let left = account.access_groups.remove_everywhere(iam_id, call.now);
    let groups: Value = left
        .iter()
        .map(|group| json!({"access_group_id": group, "status_code": 204}))
        .collect();
    Ok(Reply::with(
        207,
        json!({"iam_id": iam_id, "groups": groups}),
    ))
}

fn list_rules(world: &mut World, call: &Call) -> Answer {
    let (world, position) = readable(world, call)?;
    let rules = &world.account(call).access_groups.groups[position].rules;
    Ok(Reply::ok(json!({"rules": rules})))
}

fn create_rule(world: &mut World, call: &Call) -> Answer {
    let (world, position) = writable(world, call)?;
    let account = world.account_mut(call);
    let mut rule = call.body.clone();
    rule["id"] = format!("ClaimRule-{}", account.random.uuid()).into();
    rule["access_group_id"] = call.param(0).into();
    account.access_groups.groups[position]
        .rules
        .push(rule.clone());
    Ok(Reply::created(rule))
}

fn delete_rule(world: &mut World, call: &Call) -> Answer {
    let (world, position) = writable(world, call)?;
    let rules = &mut world.account_mut(call).access_groups.groups[position].rules;
    let rule = rules
        .iter()
        .position(|rule| rule["id"] == call.param(1))
        .ok_or_else(|| Refusal::not_found("Rule", call.param(1)))?;
    rules.remove(rule);
    Ok(Reply::empty(204))
}

/// The world, and the place of the group that the path names, which the caller may see.
fn readable<'w>(world: &'w mut World, call: &Call) -> Result<(&'w mut World, usize), Refusal> {
    at_level(world, call, Level::View)
}

/// As [`readable`], for a caller who may change it.
fn writable<'w>(world: &'w mut World, call: &Call) -> Result<(&'w mut World, usize), Refusal> {
    at_level(world, call, Level::Edit)
}

fn at_level<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<(&'w mut World, usize), Refusal> {
    let account = world.account(call);
    account.require(call, ACCESS_GROUPS, level)?;
    let position = account.access_groups.position(call.param(0))?;
    Ok((world, position))
}
