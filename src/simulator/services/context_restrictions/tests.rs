//! Restrictions, and what they shut out.

use serde_json::{Value, json};

use super::holds_loopback;
use crate::simulator::services::lab::{LAG, Lab, text, vpc};

fn zone(lab: &Lab, address: &str) -> String {
    let addresses = json!([{"type": "ipAddress", "value": address}]);
    let body = json!({"name": "office", "account_id": lab.account, "addresses": addresses});
    text(&lab.post("/cbr/v1/zones", &body)["id"])
}

/// A rule for one attribute of a resource, as a request.
fn rule(lab: &Lab, name: &str, value: &str, zone: &str, mode: &str) -> Value {
    json!({
        "enforcement_mode": mode, "description": "nobody else",
        "resources": [{"attributes": [
            {"name": "accountId", "value": lab.account}, {"name": name, "value": value},
        ]}],
        "contexts": [{"attributes": [{"name": "networkZoneId", "value": zone}]}],
    })
}

fn make_rule(lab: &Lab, rule: &Value) -> String {
    let id = text(&lab.post("/cbr/v1/rules", rule)["id"]);
    format!("/cbr/v1/rules/{id}")
}

fn delete(lab: &Lab, path: &str) -> u16 {
    lab.delete(path)
}

#[test]
fn rule_shuts_everybody_out_of_its_service_after_a_while_until_a_while() {
    let mut lab = Lab::slow();
    let zone = zone(&lab, "192.0.2.7");
    let vpcs = |lab: &Lab| lab.status_of(&vpc("vpcs"));
    let path = make_rule(&lab, &rule(&lab, "serviceName", "is", &zone, "enabled"));
    assert_eq!(vpcs(&lab), 200);
    lab.advance(LAG);
    assert_eq!(vpcs(&lab), 403);
    assert_eq!(lab.status_of("/v1/apikeys"), 200);
    assert_eq!(delete(&lab, &path), 204);
    assert_eq!(vpcs(&lab), 403);
    lab.advance(LAG);
    assert_eq!(vpcs(&lab), 200);
}

#[test]
fn rule_on_access_management_leaves_the_token_endpoint_and_itself() {
    let mut lab = Lab::slow();
    let zone = zone(&lab, "192.0.2.7");
    let path = make_rule(
        &lab,
        &rule(&lab, "service_group_id", "IAM", &zone, "enabled"),
    );
    lab.advance(LAG);
    let users = format!("/v2/accounts/{}/users", lab.account);
    let groups = format!("/v2/groups?account_id={}", lab.account);
    for path in [
        "/v1/apikeys",
        "/v1/serviceids/",
        "/v2/policies",
        &users,
        &groups,
    ] {
        assert_eq!(lab.status_of(path), 403, "{path}");
    }
    assert_eq!(lab.status_of("/v2/resource_instances"), 200);
    // Tokens are still given.
    lab.sign_in();
    assert_eq!(delete(&lab, &path), 204);
}

#[test]
fn rule_that_admits_this_machine_or_is_not_enforced_shuts_nobody_out() {
    let mut lab = Lab::slow();
    let (here, elsewhere) = (zone(&lab, "127.0.0.1"), zone(&lab, "192.0.2.7"));
    make_rule(&lab, &rule(&lab, "serviceName", "is", &here, "enabled"));
    make_rule(&lab, &rule(&lab, "serviceName", "is", &elsewhere, "report"));
    make_rule(
        &lab,
        &rule(&lab, "serviceName", "is", &elsewhere, "disabled"),
    );
    let mut narrow = rule(&lab, "serviceName", "is", &elsewhere, "enabled");
    let attributes = narrow["resources"][0]["attributes"].as_array_mut();
    let region = json!({"name": "region", "value": "us-south"});
    attributes.unwrap().push(region);
    make_rule(&lab, &narrow);
    lab.advance(LAG);
    assert_eq!(lab.status_of(&vpc("vpcs")), 200);
    let list = lab.get(&format!("/cbr/v1/rules?account_id={}", lab.account));
    assert_eq!(list["count"], 4);
    let list = lab.get(&format!("/cbr/v1/rules?zone_id={here}"));
    assert_eq!(list["count"], 1);
    assert_eq!(list["rules"].as_array().unwrap().len(), 1);
}

#[test]
fn rule_without_contexts_lets_nobody_in() {
    let mut lab = Lab::slow();
    let mut rule = rule(&lab, "serviceName", "kms", "", "enabled");
    rule["contexts"] = json!([]);
    make_rule(&lab, &rule);
    lab.advance(LAG);
    assert_eq!(lab.status_of("/keyprotect/eu-de/api/v2/keys"), 403);
}

#[test]
fn zone_stays_while_a_rule_names_it() {
    let lab = Lab::slow();
    let id = zone(&lab, "192.0.2.7");
    let path = make_rule(&lab, &rule(&lab, "serviceName", "is", &id, "report"));
    let zone = format!("/cbr/v1/zones/{id}");
    assert_eq!(delete(&lab, &zone), 409);
    assert_eq!(lab.inventory("cbr_zones").len(), 1);
    assert_eq!(delete(&lab, &path), 204);
    assert_eq!(delete(&lab, &zone), 204);
    assert_eq!(delete(&lab, &zone), 404);
    assert_eq!(delete(&lab, &path), 404);
    let list = lab.get(&format!("/cbr/v1/zones?account_id={}", lab.account));
    assert_eq!((&list["count"], &list["zones"]), (&json!(0), &json!([])));
}

#[test]
fn bad_requests_are_refused() {
    let lab = Lab::slow();
    let of_no_zone = rule(&lab, "serviceName", "is", "nowhere", "enabled");
    let of_no_service = rule(&lab, "region", "eu-de", "nowhere", "enabled");
    for body in [of_no_zone, of_no_service, json!({})] {
        assert_eq!(lab.send("POST", "/cbr/v1/rules", &body).0, 400, "{body}");
    }
    let foreign = json!({"name": "zone", "account_id": "another"});
    assert_eq!(lab.send("POST", "/cbr/v1/zones", &foreign).0, 403);
    let nobody = lab.by(&lab.service_id("nobody", &[]));
    let seen = nobody.send("GET", "/cbr/v1/rules", &Value::Null);
    assert_eq!(seen.0, 403);
}

#[test]
fn zone_holds_loopback_by_address_range_or_subnet() {
    for (kind, value, expected) in [
        ("ipAddress", "127.0.0.1", true),
        ("ipAddress", "192.0.2.1", false),
        ("ipRange", "127.0.0.0-127.0.0.9", true),
        ("ipRange", "127.0.0.2-127.0.0.9", false),
        ("subnet", "127.0.0.0/8", true),
        ("subnet", "0.0.0.0/0", true),
        ("subnet", "192.0.2.0/24", false),
        ("subnet", "127.0.0.0/99", false),
        (
            "vpc",
            "crn:v1:bluemix:public:is:eu-de:a/A::vpc:r010-1",
            false,
        ),
    ] {
        let entry = json!({"type": kind, "value": value});
        assert_eq!(holds_loopback(&entry), expected, "{kind} {value}");
    }
}
