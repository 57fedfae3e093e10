//! Zones and resolvers as their owner meets them.

use serde_json::{Value, json};

use crate::simulator::catalog::DNS_SERVICES;
use crate::simulator::services::lab::{LAG, Lab, text, vpc};

/// A lab with a DNS instance.
struct DnsLab {
    lab: Lab,
    guid: String,
}

impl DnsLab {
    fn new() -> Self {
        let lab = Lab::slow();
        let guid = lab.instance(&DNS_SERVICES, &json!({}));
        Self { lab, guid }
    }

    fn path(&self, below: &str) -> String {
        format!("/dns/v1/instances/{}/{below}", self.guid)
    }

    fn made(&self, method: &str, below: &str, body: &Value) -> Value {
        self.lab.made(method, &self.path(below), body)
    }

    fn delete(&self, below: &str) -> u16 {
        let path = self.path(below);
        self.lab.delete(&path)
    }

    /// A VPC with a subnet.
    fn network(&self) -> (Value, Value) {
        let network = self.lab.post(&vpc("vpcs"), &json!({}));
        let body = json!({
            "vpc": {"id": network["id"]}, "zone": {"name": "eu-de-1"}, "total_ipv4_address_count": 8,
        });
        let subnet = self.lab.post(&vpc("subnets"), &body);
        (network, subnet)
    }

    fn resolver(&self, subnet: &Value) -> String {
        let locations = json!([{"subnet_crn": subnet["crn"], "enabled": true}]);
        let body = json!({"name": "resolver", "locations": locations});
        let made = self.made("POST", "custom_resolvers", &body);
        assert_eq!(made["enabled"], false);
        format!("custom_resolvers/{}", text(&made["id"]))
    }

    fn delete_subnet(&self, subnet: &Value) -> (u16, String) {
        let path = vpc(&format!("subnets/{}", text(&subnet["id"])));
        let (status, body) = self.lab.send("DELETE", &path, &json!({}));
        let code = body["errors"][0]["code"].as_str();
        (status, code.unwrap_or_default().to_owned())
    }
}

#[test]
fn resolver_holds_its_subnet_unseen_until_some_time_after_its_end() {
    let mut dns = DnsLab::new();
    let (_, subnet) = dns.network();
    let resolver = dns.resolver(&subnet);
    dns.lab.advance(LAG);
    let in_use = (409, "subnet_in_use_network_interface_exists".to_owned());
    assert_eq!(dns.delete_subnet(&subnet), in_use);
    let list = dns.lab.get(&vpc("virtual_network_interfaces"));
    assert_eq!(list["virtual_network_interfaces"], json!([]));
    assert_eq!(dns.delete(&resolver), 204);
    // It is in no list any more, and its interface is still there.
    let list = dns.lab.get(&dns.path("custom_resolvers"));
    assert_eq!(list["custom_resolvers"], json!([]));
    assert_eq!(dns.delete_subnet(&subnet), in_use);
    dns.lab.advance(LAG);
    assert_eq!(dns.delete_subnet(&subnet).0, 204);
}

#[test]
fn enabled_resolver_is_disabled_before_it_is_deleted() {
    let dns = DnsLab::new();
    let (_, subnet) = dns.network();
    let resolver = dns.resolver(&subnet);
    dns.made("PATCH", &resolver, &json!({"enabled": true}));
    assert_eq!(dns.delete(&resolver), 409);
    dns.made("PATCH", &resolver, &json!({"enabled": false}));
    assert_eq!(dns.delete(&resolver), 204);
    assert_eq!(dns.delete(&resolver), 404);
}

#[test]
fn resolver_without_a_location_is_not_enabled() {
    let dns = DnsLab::new();
    let made = dns.made("POST", "custom_resolvers", &json!({"name": "idle"}));
    let path = dns.path(&format!("custom_resolvers/{}", text(&made["id"])));
    let enabled = json!({"enabled": true});
    assert_eq!(dns.lab.send("PATCH", &path, &enabled).0, 400);
}

#[test]
fn instance_stays_while_a_resolver_or_a_permitted_network_is_there() {
    let mut dns = DnsLab::new();
    let (vpc, subnet) = dns.network();
    let zone = dns.made("POST", "dnszones", &json!({"name": "example.com"}));
    assert_eq!(zone["state"], "pending_network_add");
    let zone = format!("dnszones/{}", text(&zone["id"]));
    let body = json!({"type": "vpc", "permitted_network": {"vpc_crn": vpc["crn"]}});
    let networks = format!("{zone}/permitted_networks");
    let network = dns.made("POST", &networks, &body);
    let network = format!("{networks}/{}", text(&network["id"]));
    let resolver = dns.resolver(&subnet);

    assert_eq!(dns.lab.delete_instance(&dns.guid).0, 422);
    assert_eq!(dns.delete(&resolver), 204);
    assert_eq!(dns.lab.delete_instance(&dns.guid).0, 422);
    assert_eq!(dns.delete(&zone), 409);
    assert_eq!(dns.delete(&network), 202);
    let list = dns.lab.get(&dns.path(&networks));
    assert_eq!(
        list["permitted_networks"][0]["state"],
        "REMOVAL_IN_PROGRESS"
    );
    assert_eq!(dns.lab.delete_instance(&dns.guid).0, 422);
    dns.lab.advance(LAG);
    // A zone that nobody may ask holds nothing, and goes along.
    assert_eq!(dns.lab.delete_instance(&dns.guid).0, 202);
    dns.lab.advance(LAG);
    assert!(dns.lab.inventory("dns_zones").is_empty());
    assert!(dns.lab.inventory("dns_custom_resolvers").is_empty());
    assert_eq!(dns.lab.status_of(&dns.path("dnszones")), 404);
}

#[test]
fn zones_come_in_pages() {
    let dns = DnsLab::new();
    for number in 0..5 {
        let name = format!("{number}.example.com");
        dns.made("POST", "dnszones", &json!({"name": name}));
    }
    let mut target = dns.path("dnszones?limit=2");
    let mut seen = Vec::new();
    for expected in [2, 2, 1] {
        let page = dns.lab.get(&target);
        let zones = page["dnszones"].as_array().unwrap();
        assert_eq!((zones.len(), &page["total_count"]), (expected, &json!(5)));
        seen.extend(zones.iter().map(|zone| text(&zone["name"])));
        let next = page["next"]["href"].as_str().unwrap_or_default();
        target = next.trim_start_matches(dns.lab.cloud.url()).to_owned();
    }
    assert_eq!((seen.len(), target.as_str()), (5, ""));
}

#[test]
fn locations_and_networks_must_be_there() {
    let dns = DnsLab::new();
    let nowhere = "crn:v1:bluemix:public:is:eu-de-1:a/x::subnet:02b7-none";
    let body = json!({"name": "lost", "locations": [{"subnet_crn": nowhere}]});
    let path = dns.path("custom_resolvers");
    assert_eq!(dns.lab.send("POST", &path, &body).0, 404);
    let zone = dns.made("POST", "dnszones", &json!({"name": "example.com"}));
    let path = dns.path(&format!(
        "dnszones/{}/permitted_networks",
        text(&zone["id"])
    ));
    let body = json!({"type": "vpc", "permitted_network": {"vpc_crn": nowhere}});
    assert_eq!(dns.lab.send("POST", &path, &body).0, 404);
    assert_eq!(dns.lab.send("POST", &path, &json!({"type": "vpc"})).0, 400);
}
