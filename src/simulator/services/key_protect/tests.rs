//! Keys as their owner meets them.

use serde_json::{Value, json};

use crate::simulator::catalog::{COS_STANDARD, KEY_PROTECT};
use crate::simulator::services::lab::{LAG, Lab, text};

/// A lab with an instance of Key Protect.
struct KeyLab {
    lab: Lab,
    guid: String,
}

impl KeyLab {
    fn new() -> Self {
        let lab = Lab::slow();
        let guid = lab.instance(&KEY_PROTECT, &json!({}));
        Self { lab, guid }
    }

    fn send(&self, method: &str, below: &str, body: &Value) -> (u16, Value) {
        let path = format!("/keyprotect/eu-de/api/v2/keys{below}");
        let asking = self.lab.ask().with("bluemix-instance", &self.guid);
        asking.send(method, &path, body)
    }

    fn key(&self, name: &str) -> Value {
        let body = json!({"resources": [{"name": name, "extractable": false}]});
        let (status, mut made) = self.send("POST", "", &body);
        assert_eq!(status, 201);
        made["resources"][0].take()
    }

    /// Deletes a key; gives the status and the code of the reason.
    fn delete(&self, key: &Value, force: bool) -> (u16, String) {
        let below = format!("/{}?force={force}", text(&key["id"]));
        let (status, body) = self.send("DELETE", &below, &json!({}));
        let code = body["resources"][0]["reasons"][0]["code"].as_str();
        (status, code.unwrap_or_default().to_owned())
    }

    fn bucket(&self, key: &Value, name: &str) {
        let guid = self.lab.instance(&COS_STANDARD, &json!({}));
        let asking = self.lab.ask().with("ibm-service-instance-id", &guid);
        let asking = asking.with("ibm-sse-kp-customer-root-key-crn", &text(&key["crn"]));
        let path = format!("/cos/eu-de/{name}");
        assert_eq!(asking.send("PUT", &path, &Value::Null).0, 200);
    }

    fn names(&self, query: &str) -> Vec<String> {
        let (status, page) = self.send("GET", query, &json!({}));
        assert_eq!(status, 200);
        let keys = page["resources"].as_array().into_iter().flatten();
        let names: Vec<String> = keys.map(|key| text(&key["name"])).collect();
        assert_eq!(page["metadata"]["collectionTotal"], names.len());
        names
    }
}

#[test]
fn instance_stays_while_a_key_is_not_destroyed() {
    let mut keys = KeyLab::new();
    let key = keys.key("root");
    let (status, message) = keys.lab.delete_instance(&keys.guid);
    assert_eq!(status, 422);
    assert!(
        message.starts_with("[409, Conflict] CONTAINS_ACTIVE_KEYS"),
        "{message}"
    );
    assert_eq!(keys.delete(&key, false).0, 204);
    assert_eq!(keys.delete(&key, true), (410, "KEY_DELETED_ERR".to_owned()));
    assert_eq!(keys.lab.delete_instance(&keys.guid).0, 204);
    keys.lab.advance(LAG);
    assert_eq!(keys.send("GET", "", &json!({})).0, 404);
    assert_eq!(keys.lab.inventory("key_protect_keys").len(), 1);
    assert_eq!(keys.lab.inventory("reclamations").len(), 1);
    let list = keys.lab.get("/v1/reclamations");
    let id = text(&list["resources"][0]["id"]);
    let reclaim = format!("/v1/reclamations/{id}/actions/reclaim");
    keys.lab.post(&reclaim, &json!({}));
    assert!(keys.lab.inventory("key_protect_keys").is_empty());
}

#[test]
fn destroyed_keys_are_listed_only_when_asked_for() {
    let keys = KeyLab::new();
    let gone = keys.key("gone");
    keys.key("here");
    assert_eq!(keys.delete(&gone, false).0, 204);
    assert_eq!(keys.names(""), ["here"]);
    assert_eq!(keys.names("?state=5"), ["gone"]);
    assert_eq!(keys.names("?state=0,1,2,3,5").len(), 2);
    assert!(keys.names("?state=2").is_empty());
    let (_, empty) = keys.send("GET", "?state=2", &json!({}));
    assert_eq!(empty.get("resources"), None);
}

#[test]
fn lists_come_in_pages() {
    let keys = KeyLab::new();
    for number in 0..5 {
        keys.key(&format!("key-{number}"));
    }
    let mut seen = Vec::new();
    for (offset, expected) in [(0, 2), (2, 2), (4, 1), (5, 0)] {
        let names = keys.names(&format!("?limit=2&offset={offset}"));
        assert_eq!(names.len(), expected);
        seen.extend(names);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[test]
fn key_in_use_is_destroyed_by_force_only() {
    let keys = KeyLab::new();
    let key = keys.key("root");
    keys.bucket(&key, "plain-bucket");
    let below = format!("/{}/registrations", text(&key["id"]));
    let (_, registered) = keys.send("GET", &below, &json!({}));
    assert_eq!(registered["metadata"]["collectionTotal"], 1);
    let refused = (409, "PROTECTED_RESOURCE_ERR".to_owned());
    assert_eq!(keys.delete(&key, false), refused);
    assert_eq!(keys.delete(&key, true).0, 204);
    let (_, registered) = keys.send("GET", &below, &json!({}));
    assert_eq!(registered["metadata"]["collectionTotal"], 0);
}

#[test]
fn key_of_a_retained_bucket_is_not_destroyed_even_by_force() {
    let keys = KeyLab::new();
    let key = keys.key("root");
    keys.bucket(&key, "kept-bucket");
    let xml = "<ProtectionConfiguration><Status>Retention</Status></ProtectionConfiguration>";
    keys.lab
        .made("PUT", "/cos/eu-de/kept-bucket?protection", &xml.into());
    let refused = (409, "PREV_KEY_DEL_ERR".to_owned());
    assert_eq!(keys.delete(&key, true), refused);
    assert_eq!(keys.lab.delete_instance(&keys.guid).0, 422);
}

#[test]
fn dual_authorisation_is_not_taken_back_and_refuses_for_ever() {
    let mut keys = KeyLab::new();
    let key = keys.key("root");
    let policy = |enabled: bool| {
        let body = json!({"resources": [{"dualAuthDelete": {"enabled": enabled}}]});
        let below = format!("/{}/policies?policy=dualAuthDelete", text(&key["id"]));
        keys.send("PUT", &below, &body).0
    };
    assert_eq!(
        (policy(false), policy(true), policy(false)),
        (200, 200, 409)
    );
    keys.lab.advance(100 * LAG);
    let refused = (409, "AUTHORIZATIONS_NOT_MET".to_owned());
    assert_eq!(keys.delete(&key, true), refused);
}

#[test]
fn calls_name_an_instance_of_the_region() {
    let keys = KeyLab::new();
    let path = |region: &str| format!("/keyprotect/{region}/api/v2/keys");
    assert_eq!(keys.lab.status_of(&path("eu-de")), 400);
    let asking = keys.lab.ask().with("bluemix-instance", &keys.guid);
    let elsewhere = asking.send("GET", &path("us-south"), &Value::Null);
    assert_eq!(elsewhere.0, 404);
    assert_eq!(keys.send("POST", "", &json!({})).0, 400);
}
