//! IAM Policy Management: roles (`ibm-cloud.md` 5.1).
//!
//! Shows the roles that every service has, and keeps those that somebody made. A custom role gives no
//! rights here.

use serde_json::{Value, json};

use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, POLICIES};
use crate::simulator::world::World;

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/v2/roles", list),
        route("POST", "/v2/roles", create),
        route("DELETE", "/v2/roles/{id}", delete),
    ],
};

/// A role that somebody made.
pub(crate) struct CustomRole {
    pub(crate) id: String,
    pub(crate) name: String,
    json: Value,
}

fn list(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account(call);
    let sees_custom = account.allows(call, POLICIES, Level::View);
    let custom: Vec<&Value> = account
        .custom_roles
        .iter()
        .filter(|_| sees_custom)
        .map(|role| &role.json)
        .collect();
    let role = |kind: &str, name: &str| {
        json!({
            "display_name": name, "description": name, "actions": [],
            "crn": format!("crn:v1:bluemix:public:iam::::{kind}:{name}"),
        })
    };
    let of_services = ["Reader", "Writer", "Manager"].map(|name| role("serviceRole", name));
    let of_platform =
        ["Viewer", "Operator", "Editor", "Administrator"].map(|name| role("role", name));
    Ok(Reply::ok(json!({
        "custom_roles": custom, "service_roles": of_services, "system_roles": of_platform,
    })))
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let name = call.required("name")?;
    let service = call.required("service_name")?;
    let account = world.account_mut(call);
    account.require(call, POLICIES, Level::Administer)?;
    if account.custom_roles.iter().any(|role| role.name == name) {
        let refusal = Refusal::conflict(format!("Role {name} exists already."));
        return Err(refusal.with_code("role_conflict_error"));
    }
    let id = account.random.uuid();
    let json = json!({
        "id": id, "name": name, "display_name": call.body["display_name"],
        "description": call.body["description"], "actions": call.body["actions"],
        "account_id": account.id, "service_name": service,
        "crn": format!("crn:v1:bluemix:public:iam-access-management::a/{}::customRole:{name}", account.id),
        "created_at": clock::controller(call.now), "created_by_id": call.caller.iam_id,
        "href": format!("{}/v2/roles/{id}", call.base),
    });
    account.custom_roles.push(CustomRole {
        id,
        name: name.to_owned(),
        json: json.clone(),
    });
    Ok(Reply::created(json))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let account = world.account_mut(call);
    let id = call.param(0);
    let position = account
        .custom_roles
        .iter()
        .position(|role| role.id == id)
        .ok_or_else(|| Refusal::not_found("Role", id).with_code("role_not_found"))?;
    account.require(call, POLICIES, Level::Administer)?;
    account.custom_roles.remove(position);
    Ok(Reply::empty(204))
}
