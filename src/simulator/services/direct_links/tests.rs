//! Circuits as their owner meets them.

use serde_json::{Value, json};

use crate::simulator::services::lab::{LAG, Lab, text, vpc};

fn path(below: &str) -> String {
    format!("/directlink/v1/gateways{below}?version=2026-05-01")
}

fn delete(lab: &Lab, below: &str) -> u16 {
    lab.delete(&path(below))
}

/// The state of what a path names, or nothing when it is gone.
fn state(lab: &Lab, below: &str, field: &str) -> Option<String> {
    let (status, body) = lab.send("GET", &path(below), &Value::Null);
    (status == 200).then(|| text(&body[field]))
}

#[test]
fn connect_gateway_goes_after_its_virtual_connections() {
    let mut lab = Lab::slow();
    let body = json!({"name": "one", "type": "connect", "speed_mbps": 1000});
    let below = format!("/{}", text(&lab.post(&path(""), &body)["id"]));
    let network = lab.post(&vpc("vpcs"), &json!({}));
    let body = json!({"name": "link", "type": "vpc", "network_id": network["crn"]});
    let connections = format!("{below}/virtual_connections");
    let made = lab.post(&path(&connections), &body);
    let connection = format!("{connections}/{}", text(&made["id"]));
    lab.advance(LAG);
    let status = |lab: &Lab| state(lab, &below, "operational_status");
    assert_eq!(status(&lab).as_deref(), Some("provisioned"));
    assert_eq!(
        state(&lab, &connection, "status").as_deref(),
        Some("attached")
    );
    assert_eq!(delete(&lab, &below), 409);
    assert_eq!(delete(&lab, &connection), 204);
    assert_eq!(
        state(&lab, &connection, "status").as_deref(),
        Some("deleting")
    );
    assert_eq!(delete(&lab, &below), 409);
    lab.advance(LAG);
    assert_eq!(delete(&lab, &below), 204);
    assert_eq!(status(&lab).as_deref(), Some("delete_pending"));
    assert_eq!(lab.types("service_name:directlink"), ["connect"]);
    lab.advance(2 * LAG);
    assert_eq!(status(&lab), None);
    assert!(lab.inventory("direct_links").is_empty());
}

#[test]
fn dedicated_gateway_is_deleted_before_its_letter_is_accepted_and_not_after() {
    let mut lab = Lab::slow();
    let make = |lab: &Lab, name: &str| {
        let body = json!({
            "name": name, "type": "dedicated", "speed_mbps": 1000, "location_name": "dal03",
            "cross_connect_router": "xcr01.dal03",
        });
        format!("/{}", text(&lab.post(&path(""), &body)["id"]))
    };
    let (early, late) = (make(&lab, "early"), make(&lab, "late"));
    let accepted = json!({"operational_status": "loa_accepted"});
    let rejected = json!({"operational_status": "loa_rejected"});
    lab.made("PATCH", &path(&early), &rejected);
    lab.made("PATCH", &path(&late), &accepted);
    assert_eq!(lab.send("PATCH", &path(&late), &rejected).0, 400);
    assert_eq!(delete(&lab, &early), 204);
    assert_eq!(delete(&lab, &late), 409);
    lab.advance(100 * LAG);
    assert_eq!(delete(&lab, &late), 409);
    let left = lab.inventory("direct_links");
    assert_eq!(left.len(), 1);
    assert!(left[0].contains("::dedicated:") && left[0].ends_with("awaiting_completion_notice"));
}

#[test]
fn bad_requests_are_refused() {
    let lab = Lab::slow();
    for (body, expected) in [
        (json!({"type": "connect", "speed_mbps": 1}), 400),
        (json!({"name": "one", "type": "wire", "speed_mbps": 1}), 400),
        (json!({"name": "one", "type": "connect"}), 400),
        (
            json!({"name": "one", "type": "dedicated", "speed_mbps": 1}),
            400,
        ),
        (
            json!({"name": "one", "type": "connect", "speed_mbps": 1}),
            201,
        ),
        (
            json!({"name": "one", "type": "connect", "speed_mbps": 1}),
            409,
        ),
    ] {
        assert_eq!(lab.send("POST", &path(""), &body).0, expected, "{body}");
    }
    assert_eq!(lab.status_of("/directlink/v1/gateways"), 400);
    assert_eq!(delete(&lab, "/nobody"), 404);
}
