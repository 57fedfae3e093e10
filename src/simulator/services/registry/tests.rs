//! Namespaces over whole requests.

use serde_json::{Value, json};

use super::MOST;
use crate::simulator::Lags;
use crate::simulator::services::lab::{Lab, Login};

const GERMANY: &str = "/registry/de/api/v1/namespaces";

impl Lab {
    fn registry(&self, login: &Login, method: &str, target: &str) -> (u16, Value) {
        let asking = self.by(login).with("account", &self.account);
        asking.send(method, target, &Value::Null)
    }

    fn put(&self, registry: &str, name: &str) -> u16 {
        let target = format!("/registry/{registry}/api/v1/namespaces/{name}");
        self.registry(&self.owner, "PUT", &target).0
    }

    fn names(&self, registry: &str) -> Value {
        let target = format!("/registry/{registry}/api/v1/namespaces");
        let (status, names) = self.registry(&self.owner, "GET", &target);
        assert_eq!(status, 200, "{names}");
        names
    }
}

#[test]
fn no_call_goes_without_the_account() {
    let lab = Lab::new(Lags::none());
    let (status, refusal) = lab.ask().send("GET", GERMANY, &Value::Null);
    assert_eq!(status, 400, "{refusal}");
    let asking = lab.ask().with("account", "another");
    let (status, refusal) = asking.send("GET", GERMANY, &Value::Null);
    assert_eq!((status, &refusal["code"]), (401, &json!("CRG0009E")));
    assert_eq!(lab.names("de"), json!([]));
}

#[test]
fn registries_are_apart() {
    let lab = Lab::new(Lags::none());
    assert_eq!(lab.put("de", "team"), 201);
    assert_eq!(lab.put("de", "team"), 200, "it is there already");
    assert_eq!(lab.put("us", "team"), 201);
    assert_eq!(lab.names("de"), json!(["team"]));
    assert_eq!(lab.names("uk"), json!([]));
    let delete = |registry: &str| {
        let target = format!("/registry/{registry}/api/v1/namespaces/team");
        lab.registry(&lab.owner, "DELETE", &target).0
    };
    assert_eq!(delete("uk"), 404);
    assert_eq!(delete("de"), 204);
    assert_eq!(delete("de"), 404);
    assert_eq!(lab.names("us"), json!(["team"]));
    assert_eq!(lab.put("nowhere", "team"), 404);
}

#[test]
fn a_name_is_given_once_over_all_accounts() {
    let lab = Lab::new(Lags::none());
    assert_eq!(lab.put("de", "team"), 201);
    let other = lab.by(&lab.stranger);
    let groups = other.get("/v2/resource_groups");
    let account = groups["resources"][0]["account_id"].as_str().unwrap();
    let taken = |registry: &str| {
        let target = format!("/registry/{registry}/api/v1/namespaces/team");
        let asking = lab.by(&lab.stranger).with("account", account);
        asking.send("PUT", &target, &Value::Null).0
    };
    assert_eq!(taken("de"), 409);
    assert_eq!(taken("us"), 201);
    for bad in ["abc", "UPPER", "with.dot"] {
        assert_eq!(lab.put("de", bad), 400, "{bad}");
    }
}

#[test]
fn there_are_so_many_namespaces_and_no_more() {
    let lab = Lab::new(Lags::none());
    for number in 0..MOST {
        assert_eq!(lab.put("de", &format!("team-{number}")), 201);
    }
    assert_eq!(lab.put("de", "one-too-many"), 400);
    assert_eq!(lab.put("us", "elsewhere"), 201);
    assert_eq!(lab.names("de").as_array().unwrap().len(), MOST);
}

#[test]
fn a_namespace_is_searched_tagged_and_in_its_group() {
    let lab = Lab::new(Lags::none());
    let group = lab.group("side");
    assert_eq!(lab.put("de", "team"), 201);
    let asking = lab.ask().with("account", &lab.account);
    let assigned = asking.with("x-auth-resource-group", &group).send(
        "PATCH",
        "/registry/de/api/v1/namespaces/team",
        &Value::Null,
    );
    assert_eq!(assigned.0, 200);
    let details = lab.registry(&lab.owner, "GET", "/registry/de/api/v1/namespaces/details");
    assert_eq!(details.1[0]["resource_group"], group);
    let found = lab.search("family:container-registry AND region:eu-de");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["crn"], details.1[0]["crn"]);
    assert_eq!(lab.delete_group(&group), 500);
    assert_eq!(
        lab.inventory("namespaces"),
        ["namespaces team \"team\" active"]
    );
    let target = "/registry/de/api/v1/namespaces/team";
    assert_eq!(lab.registry(&lab.owner, "DELETE", target).0, 204);
    assert_eq!(lab.delete_group(&group), 204);
    assert_eq!(lab.search("family:container-registry"), Vec::<Value>::new());
}

#[test]
fn rights_are_asked_for() {
    let lab = Lab::new(Lags::none());
    assert_eq!(lab.put("de", "team"), 201);
    let nobody = lab.service_id("nobody", &[]);
    let reader = lab.service_id("reader", &[("container-registry", "Viewer")]);
    let editor = lab.service_id("editor", &[("container-registry", "Editor")]);
    let target = format!("{GERMANY}/team");
    let send = |login: &Login, method: &str, target: &str| lab.registry(login, method, target);
    // Who may see nothing is told nothing.
    assert_eq!(send(&nobody, "GET", GERMANY), (200, json!([])));
    assert_eq!(send(&reader, "GET", GERMANY), (200, json!(["team"])));
    assert_eq!(send(&reader, "DELETE", &target).0, 403);
    assert_eq!(send(&reader, "PUT", &format!("{GERMANY}/other")).0, 403);
    assert_eq!(send(&editor, "DELETE", &target).0, 204);
}
