//! Recipes for identities, for resource instances and what hangs on them, and for services of their own.

use std::time::Duration;

use acctpool::simulator::catalog::{COS_STANDARD, KEY_PROTECT, PLAIN, Plan};
use serde_json::{Value, json};

use super::{Left, Recipe, text};
use crate::arena::{Arena, START};

pub(super) const RECIPES: &[Recipe] = &[
    // What hangs on an instance goes with it.
    Recipe("resource keys", |arena| {
        attachment(arena, "resource_keys", json!({"role": "Writer"}))
    }),
    Recipe("users", |arena| {
        let body = json!({"users": [{"email": "friend@example.com", "account_role": "Member"}]});
        let made = arena.make(&format!("/v2/accounts/{}/users", arena.spec.id), body);
        Left::new(&made["resources"][0])
    }),
    Recipe("access groups", |arena| {
        let path = format!("/v2/groups?account_id={}", arena.spec.id);
        Left::new(&arena.make(&path, json!({"name": "left"})))
    }),
    Recipe("trusted profiles", |arena| {
        of_account(arena, "/v1/profiles")
    }),
    Recipe("identity providers", |arena| {
        let body = json!({"account_id": arena.spec.id, "name": "left", "type": "saml"});
        Left::called(text(&arena.make("/v1/idps/", body), "idp_id"))
    }),
    Recipe("context-based rules", |arena| {
        let zone = zone(arena);
        let attribute = |name: &str, value: &Value| json!({"name": name, "value": value});
        let attributes = [
            attribute("accountId", &json!(arena.spec.id)),
            attribute("serviceName", &json!("is")),
        ];
        let contexts = [json!({"attributes": [attribute("networkZoneId", &zone["id"])]})];
        let body = json!({
            "description": "left", "enforcement_mode": "disabled", "contexts": contexts,
            "resources": [{"attributes": attributes}],
        });
        Left::new(&arena.make("/cbr/v1/rules", body))
    }),
    Recipe("network zones", |arena| Left::new(&zone(arena))),
    Recipe("service IDs", |arena| of_account(arena, "/v1/serviceids/")),
    // A key goes with its service ID.
    Recipe("API keys of service IDs", |arena| {
        let body = json!({"account_id": arena.spec.id, "name": "left"});
        let service_id = arena.make("/v1/serviceids/", body);
        let body = json!({"name": "left", "iam_id": service_id["iam_id"]});
        let left = Left::new(&arena.make("/v1/apikeys", body));
        left.in_what_is(&service_id["id"])
    }),
    // Of the owner's keys, only those that the containers service makes are deleted.
    Recipe("API keys of users", |arena| {
        let body = json!({"name": "containers-kubernetes-key", "iam_id": arena.spec.owner_iam_id});
        Left::new(&arena.make("/v1/apikeys", body))
    }),
    Recipe("policies", |arena| {
        let attribute = |key: &str, value: &str| json!({"key": key, "operator": "stringEquals", "value": value});
        let subject = attribute("access_group_id", "AccessGroupId-PublicAccess");
        let resource = [
            attribute("accountId", &arena.spec.id),
            attribute("serviceName", "cloud-object-storage"),
        ];
        let role = json!({"role_id": "crn:v1:bluemix:public:iam::::role:Viewer"});
        let body = json!({
            "type": "access", "subject": {"attributes": [subject]},
            "resource": {"attributes": resource}, "control": {"grant": {"roles": [role]}},
        });
        Left::new(&arena.make("/v2/policies", body))
    }),
    Recipe("Schematics workspaces", |arena| {
        let body = json!({"name": "left", "type": ["terraform_v1.5"], "resource_group": arena.default_group()});
        Left::new(&arena.make("/schematics/eu-de/v1/workspaces", body))
    }),
    Recipe("Code Engine projects", |arena| {
        let body = json!({"name": "left", "resource_group_id": arena.default_group()});
        Left::new(&arena.make("/codeengine/eu-de/v2/projects", body))
    }),
    Recipe("classic clusters", |arena| {
        cluster(arena, "/containers/v1/clusters")
    }),
    Recipe("Satellite clusters", |arena| {
        cluster(arena, "/containers/v2/satellite/createCluster")
    }),
    Recipe("registry namespaces", |arena| {
        let headers = [("account", arena.spec.id.as_str())];
        let path = "/registry/de/api/v1/namespaces/left-namespace";
        let (status, _) = arena.ask("PUT", path, &headers, &json!({}));
        assert_eq!(status, 201);
        Left::called("left-namespace".into())
    }),
    Recipe("Key Protect keys", |arena| {
        let guid = text(&instance(arena, &KEY_PROTECT), "guid");
        let headers = [("bluemix-instance", guid.as_str())];
        let body = json!({"resources": [{"name": "left", "extractable": false}]});
        let (_, made) = arena.ask("POST", "/keyprotect/eu-de/api/v2/keys", &headers, &body);
        Left::new(&made["resources"][0])
    }),
    Recipe("resource bindings", |arena| {
        attachment(arena, "resource_bindings", json!({"target": "crn:v1:app"}))
    }),
    Recipe("resource aliases", |arena| {
        attachment(arena, "resource_aliases", json!({"target": "crn:v1:space"}))
    }),
    Recipe("resource instances", |arena| {
        Left::by_crn(&instance(arena, &PLAIN))
    }),
    Recipe("reclamations", |arena| {
        let instance = instance(arena, &COS_STANDARD);
        let path = format!("/v2/resource_instances/{}", text(&instance, "guid"));
        let (status, _) = arena.ask("DELETE", &path, &[], &Value::Null);
        assert_eq!(status, 204);
        arena.cloud.move_to(START + Duration::from_mins(30));
        let path = format!("/v1/reclamations?account_id={}", arena.spec.id);
        let (_, listed) = arena.ask("GET", &path, &[], &Value::Null);
        Left::new(&listed["resources"][0])
    }),
    Recipe("authorization policies", |arena| {
        let attribute = |name: &str, value: &str| json!({"name": name, "value": value});
        let subject = [
            attribute("serviceName", "is"),
            attribute("accountId", &"f".repeat(32)),
        ];
        let resource = [
            attribute("serviceName", "cloud-object-storage"),
            attribute("accountId", &arena.spec.id),
        ];
        let body = json!({
            "type": "authorization", "subjects": [{"attributes": subject}],
            "roles": [{"role_id": "crn:v1:bluemix:public:iam::::serviceRole:Reader"}],
            "resources": [{"attributes": resource}],
        });
        Left::new(&arena.make("/v1/policies", body))
    }),
    Recipe("custom roles", |arena| {
        let body = json!({
            "account_id": arena.spec.id, "name": "Left", "service_name": "is",
            "display_name": "Left", "actions": ["is.vpc.vpc.read"],
        });
        Left::new(&arena.make("/v2/roles", body))
    }),
    Recipe("service ID groups", |arena| {
        of_account(arena, "/v1/serviceid_groups")
    }),
    // A tag goes when nothing carries it any more.
    Recipe("user tags", |arena| {
        let instance = instance(arena, &PLAIN);
        let resources = json!([{"resource_id": instance["crn"]}]);
        let body = json!({"resources": resources, "tag_names": ["left-tag"]});
        arena.make("/v3/tags/attach?tag_type=user", body);
        Left::called("left-tag".into()).in_what_is(&instance["guid"])
    }),
    Recipe("access tags", |arena| {
        let path = format!("/v3/tags?tag_type=access&account_id={}", arena.spec.id);
        arena.make(&path, json!({"tag_names": ["left:tag"]}));
        let ways = vec!["left".into()];
        Left {
            id: "left:tag".into(),
            ways,
        }
    }),
    Recipe("resource groups", |arena| {
        of_account(arena, "/v2/resource_groups")
    }),
];

/// Makes an instance of a plan.
pub(super) fn instance(arena: &Arena, plan: &Plan) -> Value {
    let body = json!({
        "name": "left", "target": "eu-de", "resource_plan_id": plan.plan_id,
        "resource_group": arena.default_group(),
    });
    arena.make("/v2/resource_instances", body)
}

/// Leaves what needs nothing but a name in the account.
fn of_account(arena: &Arena, path: &str) -> Left {
    let body = json!({"account_id": arena.spec.id, "name": "left"});
    Left::new(&arena.make(path, body))
}

/// Leaves something on an instance.
fn attachment(arena: &Arena, collection: &str, mut body: Value) -> Left {
    let instance = instance(arena, &PLAIN);
    body["name"] = "left".into();
    body["source"] = instance["guid"].clone();
    let made = arena.make(&format!("/v2/{collection}"), body);
    Left::by_crn(&made).in_what_is(&instance["guid"])
}

/// Leaves a cluster in no VPC.
fn cluster(arena: &Arena, path: &str) -> Left {
    let headers = [("x-region", "eu-de")];
    let (_, made) = arena.ask("POST", path, &headers, &json!({"name": "left"}));
    Left::new(&made)
}

/// Makes a zone from which nobody calls.
fn zone(arena: &Arena) -> Value {
    let address = json!({"type": "ipAddress", "value": "192.0.2.7"});
    let body = json!({"account_id": arena.spec.id, "name": "left", "addresses": [address]});
    arena.make("/cbr/v1/zones", body)
}
