//! The part of a mess that is in no region: resource instances, identities, policies, groups, tags.
//!
//! Depends on the maker.

use serde_json::{Value, json};

use super::{Maker, Recipe, text};
use crate::simulator::catalog::{COS_STANDARD, DATABASE, PLAIN, Plan, REFUSING};
use crate::simulator::refusal::Refusal;

/// Under which region these are remembered: none.
const NOWHERE: &str = "";

const ROLES: [&str; 3] = ["Viewer", "Editor", "Administrator"];

pub(super) const RECIPES: &[Recipe] = &[
    Recipe(12, instance),
    Recipe(4, resource_key),
    Recipe(1, lock),
    Recipe(5, service_id),
    Recipe(1, service_id_group),
    Recipe(4, policy),
    Recipe(2, access_group),
    Recipe(1, profile),
    Recipe(1, identity_provider),
    Recipe(1, custom_role),
    Recipe(1, user),
    Recipe(2, resource_group),
    Recipe(4, user_tag),
    Recipe(1, access_tag),
];

pub(super) const UNDELETABLE: &[Recipe] = &[Recipe(1, refusing_instance)];

/// Where instances are made.
const INSTANCES: &str = "/v2/resource_instances";

fn instance(maker: &mut Maker) -> Result<(), Refusal> {
    let plans = [PLAIN, PLAIN, COS_STANDARD, DATABASE];
    let plan = maker.random.choose(&plans).unwrap_or(&PLAIN);
    let body = instance_of(maker, plan);
    maker.make(NOWHERE, "instances", INSTANCES, body).map(drop)
}

/// Not remembered: a tag on it would stay as well.
fn refusing_instance(maker: &mut Maker) -> Result<(), Refusal> {
    let body = instance_of(maker, &REFUSING);
    let made = maker.send("POST", INSTANCES, body)?;
    maker.undeletable(&made);
    Ok(())
}

fn instance_of(maker: &mut Maker, plan: &Plan) -> Value {
    json!({
        "name": maker.name("instance"), "target": "eu-de", "resource_plan_id": plan.plan_id,
        "resource_group": group(maker),
    })
}

/// The id of a resource group: the default one, or one that was made.
pub(super) fn group(maker: &mut Maker) -> String {
    let default = maker.account().vpc.default_group().to_owned();
    let made = maker.any(NOWHERE, "resource groups");
    made.filter(|_| maker.once_in(2))
        .map_or(default, |group| text(&group, "id"))
}

fn resource_key(maker: &mut Maker) -> Result<(), Refusal> {
    let Some(instance) = maker.any(NOWHERE, "instances") else {
        return Ok(());
    };
    let hmac = maker.once_in(3);
    let body = json!({
        "name": maker.name("key"), "source": instance["guid"], "role": "Writer",
        "parameters": {"HMAC": hmac},
    });
    maker
        .make(NOWHERE, "keys", "/v2/resource_keys", body)
        .map(drop)
}

fn lock(maker: &mut Maker) -> Result<(), Refusal> {
    let Some(instance) = maker.any(NOWHERE, "instances") else {
        return Ok(());
    };
    let path = format!("/v2/resource_instances/{}/lock", text(&instance, "guid"));
    maker.send("POST", &path, json!({})).map(drop)
}

fn service_id(maker: &mut Maker) -> Result<(), Refusal> {
    let group = maker
        .any(NOWHERE, "service ID groups")
        .filter(|_| maker.once_in(2));
    let mut body = json!({"account_id": maker.account, "name": maker.name("service")});
    if let Some(group) = group {
        body["group_id"] = group["id"].clone();
    }
    if maker.once_in(2) {
        body["apikey"] = json!({"name": maker.name("key")});
    }
    let made = maker.make(NOWHERE, "service IDs", "/v1/serviceids/", body)?;
    if maker.once_in(4) {
        let path = format!("/v1/serviceids/{}/lock", text(&made, "id"));
        maker.send("POST", &path, json!({}))?;
    }
    Ok(())
}

fn service_id_group(maker: &mut Maker) -> Result<(), Refusal> {
    let body = json!({"account_id": maker.account, "name": maker.name("group")});
    let path = "/v1/serviceid_groups";
    maker
        .make(NOWHERE, "service ID groups", path, body)
        .map(drop)
}

fn policy(maker: &mut Maker) -> Result<(), Refusal> {
    let Some(service_id) = maker.any(NOWHERE, "service IDs") else {
        return Ok(());
    };
    let role = maker.random.choose(&ROLES).unwrap_or(&ROLES[0]);
    let attribute =
        |key: &str, value: Value| json!({"key": key, "operator": "stringEquals", "value": value});
    // No two policies are the same: each is for a service of its own.
    let service = maker.name("service");
    let body = json!({
        "type": "access", "description": maker.name("policy"),
        "subject": {"attributes": [attribute("iam_id", service_id["iam_id"].clone())]},
        "resource": {"attributes": [
            attribute("accountId", maker.account.clone().into()),
            attribute("serviceName", service.into()),
        ]},
        "control": {"grant": {"roles": [
            {"role_id": format!("crn:v1:bluemix:public:iam::::role:{role}")},
        ]}},
    });
    maker
        .make(NOWHERE, "policies", "/v2/policies", body)
        .map(drop)
}

fn access_group(maker: &mut Maker) -> Result<(), Refusal> {
    let path = format!("/v2/groups?account_id={}", maker.account);
    let body = json!({"name": maker.name("friends")});
    let group = maker.make(NOWHERE, "access groups", &path, body)?;
    if let Some(service_id) = maker.any(NOWHERE, "service IDs") {
        let path = format!("/v2/groups/{}/members", text(&group, "id"));
        let member = json!({"iam_id": service_id["iam_id"], "type": "service"});
        maker.send("PUT", &path, json!({"members": [member]}))?;
    }
    Ok(())
}

fn profile(maker: &mut Maker) -> Result<(), Refusal> {
    let body = json!({"account_id": maker.account, "name": maker.name("disguise")});
    maker
        .make(NOWHERE, "profiles", "/v1/profiles", body)
        .map(drop)
}

fn identity_provider(maker: &mut Maker) -> Result<(), Refusal> {
    let name = maker.name("provider");
    let body = json!({"account_id": maker.account, "name": name, "type": "saml"});
    maker
        .make(NOWHERE, "providers", "/v1/idps/", body)
        .map(drop)
}

fn custom_role(maker: &mut Maker) -> Result<(), Refusal> {
    let body = json!({
        "account_id": maker.account, "name": maker.name("Role"), "service_name": "is",
        "display_name": "Role", "actions": ["is.vpc.vpc.read"],
    });
    maker.make(NOWHERE, "roles", "/v2/roles", body).map(drop)
}

fn user(maker: &mut Maker) -> Result<(), Refusal> {
    let path = format!("/v2/accounts/{}/users", maker.account);
    let email = format!("{}@example.com", maker.name("friend"));
    let body = json!({"users": [{"email": email, "account_role": "Member"}]});
    maker.send("POST", &path, body).map(drop)
}

fn resource_group(maker: &mut Maker) -> Result<(), Refusal> {
    let body = json!({"account_id": maker.account, "name": maker.name("side")});
    let path = "/v2/resource_groups";
    maker.make(NOWHERE, "resource groups", path, body).map(drop)
}

fn user_tag(maker: &mut Maker) -> Result<(), Refusal> {
    let Some(instance) = maker.any(NOWHERE, "instances") else {
        return Ok(());
    };
    let tag = format!("env:{}", maker.random.below(20));
    let resources = json!([{"resource_id": instance["crn"]}]);
    let body = json!({"resources": resources, "tag_names": [tag]});
    let path = "/v3/tags/attach?tag_type=user";
    maker.send("POST", path, body).map(drop)
}

fn access_tag(maker: &mut Maker) -> Result<(), Refusal> {
    let tag = format!("project:{}", maker.name("p"));
    let path = format!("/v3/tags?tag_type=access&account_id={}", maker.account);
    maker
        .send("POST", &path, json!({"tag_names": [tag]}))
        .map(drop)
}
