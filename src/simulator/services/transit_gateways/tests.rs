//! Gateways and connections as their owner meets them.

use serde_json::{Value, json};

use crate::simulator::services::lab::{LAG, Lab, text, vpc};

fn path(below: &str) -> String {
    format!("/transit/v1/transit_gateways{below}?version=2026-05-01")
}

fn gateway(lab: &Lab, name: &str) -> String {
    let body = json!({"name": name, "location": "eu-de"});
    text(&lab.post(&path(""), &body)["id"])
}

/// The state of what a path names, or nothing when it is gone.
fn state(lab: &Lab, below: &str) -> Option<String> {
    let (status, body) = lab.send("GET", &path(below), &Value::Null);
    (status == 200).then(|| text(&body["status"]))
}

#[test]
fn gateway_stays_while_a_connection_is_there_or_going() {
    let mut lab = Lab::slow();
    let id = gateway(&lab, "one");
    let below = format!("/{id}");
    let network = lab.post(&vpc("vpcs"), &json!({}));
    let body = json!({"network_type": "vpc", "network_id": network["crn"]});
    let connections = format!("{below}/connections");
    let made = lab.post(&path(&connections), &body);
    let connection = format!("{connections}/{}", text(&made["id"]));
    assert_eq!(state(&lab, &below).as_deref(), Some("pending"));
    lab.advance(LAG);
    assert_eq!(state(&lab, &below).as_deref(), Some("available"));
    assert_eq!(state(&lab, &connection).as_deref(), Some("attached"));

    let delete = |lab: &Lab, below: &str| lab.delete(&path(below));
    assert_eq!(delete(&lab, &below), 409);
    assert_eq!(delete(&lab, &connection), 204);
    assert_eq!(state(&lab, &connection).as_deref(), Some("detaching"));
    assert_eq!(delete(&lab, &below), 409);
    lab.advance(LAG);
    assert_eq!(state(&lab, &connection), None);
    assert_eq!(delete(&lab, &below), 204);
    assert_eq!(state(&lab, &below).as_deref(), Some("deleting"));
    lab.advance(LAG);
    assert_eq!(state(&lab, &below), None);
    assert!(lab.inventory("transit_gateways").is_empty());
}

#[test]
fn nothing_is_connected_to_a_gateway_that_goes() {
    let lab = Lab::slow();
    let below = format!("/{}", gateway(&lab, "one"));
    assert_eq!(lab.delete(&path(&below)), 204);
    let body = json!({"network_type": "classic"});
    let connections = path(&format!("{below}/connections"));
    assert_eq!(lab.send("POST", &connections, &body).0, 409);
}

#[test]
fn lists_come_in_pages_that_name_their_start() {
    let lab = Lab::slow();
    for number in 0..5 {
        gateway(&lab, &format!("gateway-{number}"));
    }
    let mut seen = Vec::new();
    let mut start = Value::Null;
    for expected in [2, 2, 1] {
        let mut list = path("") + "&limit=2";
        if let Some(start) = start.as_str() {
            list.extend(["&start=", start]);
        }
        let page = lab.get(&list);
        let gateways = page["transit_gateways"].as_array().unwrap();
        assert_eq!(gateways.len(), expected);
        seen.extend(gateways.iter().map(|gateway| text(&gateway["name"])));
        start = page["next"]["start"].clone();
        assert_eq!(start.is_string(), page["next"]["href"].is_string());
    }
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), start), (5, Value::Null));
}

#[test]
fn bad_requests_are_refused() {
    let lab = Lab::slow();
    let body = json!({"name": "one", "location": "eu-de"});
    let undated = "/transit/v1/transit_gateways";
    assert_eq!(lab.send("POST", undated, &body).0, 400);
    assert_eq!(lab.status_of(undated), 400);
    let id = gateway(&lab, "one");
    assert_eq!(lab.send("POST", &path(""), &body).0, 409);
    let connections = path(&format!("/{id}/connections"));
    let nowhere = "crn:v1:bluemix:public:is:eu-de:a/x::vpc:r010-none";
    for (body, expected) in [
        (json!({"network_type": "carrier pigeon"}), 400),
        (json!({"network_type": "vpc"}), 400),
        (json!({"network_type": "vpc", "network_id": nowhere}), 404),
    ] {
        assert_eq!(lab.send("POST", &connections, &body).0, expected, "{body}");
    }
}

#[test]
fn gateway_is_searched_and_keeps_its_resource_group() {
    let mut lab = Lab::slow();
    let account = json!({"account_id": lab.account, "name": "side"});
    let group = text(&lab.post("/v2/resource_groups", &account)["id"]);
    let body = json!({"name": "one", "location": "eu-de", "resource_group": {"id": group}});
    let made = lab.post(&path(""), &body);
    lab.advance(LAG);
    assert_eq!(lab.types("service_name:transit"), ["gateway"]);
    let group = format!("/v2/resource_groups/{group}");
    assert_eq!(lab.delete(&group), 500);
    let below = format!("/{}", text(&made["id"]));
    assert_eq!(lab.delete(&path(&below)), 204);
    lab.advance(LAG);
    assert_eq!(lab.types("service_name:transit"), ["gateway"]);
    assert_eq!(lab.delete(&group), 204);
    lab.advance(LAG);
    assert!(lab.types("service_name:transit").is_empty());
}

#[test]
fn stranger_without_rights_sees_and_changes_nothing() {
    let lab = Lab::slow();
    let id = gateway(&lab, "one");
    let nobody = lab.service_id("nobody", &[]);
    let (status, list) = lab.by(&nobody).send("GET", &path(""), &Value::Null);
    assert_eq!((status, &list["transit_gateways"]), (200, &json!([])));
    for method in ["GET", "DELETE"] {
        let below = path(&format!("/{id}"));
        assert_eq!(lab.by(&nobody).send(method, &below, &Value::Null).0, 403);
    }
}
