//! The networks of a mess, and what serves them: gateways, balancers, addresses.
//!
//! Depends on the maker.

use serde_json::{Value, json};

use super::infrastructure::{Done, Made, named, near, same_vpc, simple};
use super::machines::instance;
use super::{Maker, text};

pub(super) fn vpc(maker: &mut Maker) -> Made {
    maker.build("vpcs", json!({}))
}

pub(super) fn subnet(maker: &mut Maker) -> Made {
    let vpc = maker.some("vpcs", vpc)?;
    let body = json!({"vpc": named(&vpc), "zone": maker.zone(), "total_ipv4_address_count": 256});
    maker.build("subnets", body)
}

/// A public gateway, which a subnet of its VPC may use.
pub(super) fn public_gateway(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let mut body = json!({"vpc": named(&subnet["vpc"]), "zone": subnet["zone"]});
    if maker.once_in(2)
        && let Some(address) = maker.take("floating_ips", |address| near(address, &subnet))
    {
        body["floating_ip"] = named(&address);
    }
    let gateway = maker.build("public_gateways", body)?;
    if maker.once_in(2) {
        let url = maker.url(&format!("subnets/{}/public_gateway", text(&subnet, "id")));
        maker.send("PUT", &url, named(&gateway))?;
    }
    Ok(())
}

/// A floating IP, bound to an instance or not.
pub(super) fn floating_ip(maker: &mut Maker) -> Done {
    if maker.once_in(2) {
        let instance = maker.some("instances", instance)?;
        let interface = &instance["primary_network_interface"];
        let attachment = &instance["primary_network_attachment"]["virtual_network_interface"];
        let of_either = [interface, attachment]
            .into_iter()
            .find(|found| found.is_object());
        let target = named(of_either.unwrap_or(&Value::Null));
        return maker
            .part("floating_ips", json!({"target": target}))
            .map(drop);
    }
    let zone = maker.zone();
    simple(maker, "floating_ips", json!({"zone": zone}))
}

/// A security group whose rules refer to another, and sometimes the other way round.
pub(super) fn security_groups(maker: &mut Maker) -> Done {
    let vpc = maker.some("vpcs", vpc)?;
    let body = json!({"vpc": named(&vpc), "rules": [{"direction": "outbound", "protocol": "any"}]});
    let other = maker.any(maker.region, "security_groups");
    let made = maker.build("security_groups", body)?;
    let Some(other) = other.filter(|other| same_vpc(other, &made)) else {
        return Ok(());
    };
    let mutual = maker.once_in(2);
    let pairs = [(&made, &other), (&other, &made)];
    for (of, by) in pairs.into_iter().take(1 + usize::from(mutual)) {
        let rule = json!({"direction": "inbound", "protocol": "any", "remote": named(by)});
        maker.part(&format!("security_groups/{}/rules", text(of, "id")), rule)?;
    }
    Ok(())
}

pub(super) fn network_acl(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let rule = json!({"action": "allow", "direction": "inbound", "protocol": "any"});
    let body = json!({"vpc": named(&subnet["vpc"]), "rules": [rule]});
    let acl = maker.build("network_acls", body)?;
    let url = maker.url(&format!("subnets/{}/network_acl", text(&subnet, "id")));
    maker.send("PUT", &url, named(&acl)).map(drop)
}

/// A routing table with a route, in use by a subnet or not.
pub(super) fn routing(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let vpc = text(&subnet["vpc"], "id");
    let name = maker.name("table");
    let table = maker.part(&format!("vpcs/{vpc}/routing_tables"), json!({"name": name}))?;
    let id = text(&table, "id");
    let route = json!({
        "destination": "10.9.0.0/24", "zone": maker.zone(), "next_hop": {"address": "10.0.0.7"},
    });
    maker.part(&format!("vpcs/{vpc}/routing_tables/{id}/routes"), route)?;
    if maker.once_in(2) {
        let url = maker.url(&format!("subnets/{}/routing_table", text(&subnet, "id")));
        maker.send("PUT", &url, named(&table))?;
    }
    Ok(())
}

pub(super) fn virtual_interface(maker: &mut Maker) -> Made {
    let subnet = maker.some("subnets", subnet)?;
    maker.build(
        "virtual_network_interfaces",
        json!({"subnet": named(&subnet)}),
    )
}

pub(super) fn address_range(maker: &mut Maker) -> Done {
    let vpc = maker.some("vpcs", vpc)?;
    let target = json!({"vpc": named(&vpc), "zone": maker.zone()});
    let body = json!({"ipv4_address_count": 8, "target": target});
    simple(maker, "public_address_ranges", body)
}

pub(super) fn dns_binding(maker: &mut Maker) -> Done {
    let hub = maker.build("vpcs", json!({"dns": {"enable_hub": true}}))?;
    let spoke = maker.build("vpcs", json!({}))?;
    let path = format!("vpcs/{}/dns_resolution_bindings", text(&spoke, "id"));
    maker.part(&path, json!({"vpc": named(&hub)})).map(drop)
}

pub(super) fn balancer(maker: &mut Maker) -> Made {
    let subnet = maker.some("subnets", subnet)?;
    let monitor = json!({"delay": 5, "max_retries": 2, "timeout": 2, "type": "http"});
    let pool = json!({"algorithm": "round_robin", "protocol": "http", "health_monitor": monitor});
    let listener = json!({"protocol": "http", "port": 80});
    let subnets = [named(&subnet)];
    let body =
        json!({"is_public": true, "subnets": subnets, "pools": [pool], "listeners": [listener]});
    maker.build("load_balancers", body)
}

pub(super) fn service_gateway(maker: &mut Maker) -> Made {
    let balancer = balancer(maker)?;
    let body = json!({"load_balancer": named(&balancer), "service_endpoints": ["svc.example.com"]});
    maker.build("private_path_service_gateways", body)
}

/// An endpoint gateway to a service of the provider or of one's own.
pub(super) fn endpoint_gateway(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let target = if maker.once_in(3) {
        let gateway = maker.some("private_path_service_gateways", service_gateway)?;
        json!({"crn": gateway["crn"], "resource_type": "private_path_service_gateway"})
    } else {
        json!({"name": "ibm-ntp-server", "resource_type": "provider_infrastructure_service"})
    };
    let body = json!({
        "target": target, "vpc": named(&subnet["vpc"]), "ips": [{"subnet": named(&subnet)}],
    });
    simple(maker, "endpoint_gateways", body)
}

/// A VPN gateway with a connection, which a route may go through.
pub(super) fn vpn_gateway(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let ike = maker.build("ike_policies", json!({"ike_version": 2}))?;
    let ipsec = maker.build("ipsec_policies", json!({}))?;
    let gateway = json!({"subnet": named(&subnet), "mode": "route"});
    let gateway = maker.build("vpn_gateways", gateway)?;
    let connection = json!({
        "psk": "a shared secret", "peer": {"address": "192.0.2.5"},
        "ike_policy": named(&ike), "ipsec_policy": named(&ipsec),
    });
    let path = format!("vpn_gateways/{}/connections", text(&gateway, "id"));
    let connection = maker.part(&path, connection)?;
    if maker.once_in(2) {
        let vpc = text(&subnet["vpc"], "id");
        let table = json!({"name": maker.name("table")});
        let table = maker.part(&format!("vpcs/{vpc}/routing_tables"), table)?;
        let path = format!("vpcs/{vpc}/routing_tables/{}/routes", text(&table, "id"));
        let route = json!({
            "destination": "10.8.0.0/24", "zone": maker.zone(), "next_hop": named(&connection),
        });
        maker.part(&path, route)?;
    }
    Ok(())
}

pub(super) fn vpn_server(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let body = json!({
        "certificate": {"crn": "crn:v1:bluemix:public:secrets-manager:::::"},
        "client_authentication": [{"method": "username"}], "client_ip_pool": "172.16.0.0/16",
        "subnets": [named(&subnet)],
    });
    simple(maker, "vpn_servers", body)
}

pub(super) fn flow_log_collector(maker: &mut Maker) -> Done {
    let target = if maker.once_in(2) {
        maker.some("subnets", subnet)?
    } else {
        maker.some("vpcs", vpc)?
    };
    let marked = maker.once_in(2);
    let body = json!({
        "storage_bucket": {"name": "bucket"}, "target": named(&target), "auto_delete": marked,
    });
    simple(maker, "flow_log_collectors", body)
}
