//! Recipes for virtual private clouds and for the networks around them.

use serde_json::{Value, json};

use super::platform::instance;
use super::{Left, Recipe, text};
use crate::arena::Arena;
use acctpool::simulator::catalog::DNS_SERVICES;

const ZONE: &str = "eu-de-1";

pub(super) const RECIPES: &[Recipe] = &[
    Recipe("backup policies", |arena| {
        let plan = json!({"cron_spec": "5 * * * *", "deletion_trigger": {"delete_over_count": 2}});
        let body = json!({"match_user_tags": ["backup:daily"], "plans": [plan]});
        left(arena, "backup_policies", body)
    }),
    Recipe("instance groups", |arena| {
        let subnet = subnet(arena);
        let body = json!({
            "instance_template": named(&template(arena, &subnet)), "subnets": [named(&subnet)],
            "membership_count": 0,
        });
        left(arena, "instance_groups", body)
    }),
    Recipe("flow log collectors", |arena| {
        let body = json!({
            "storage_bucket": {"name": "bucket"}, "target": named(&vpc(arena)), "auto_delete": false,
        });
        left(arena, "flow_log_collectors", body)
    }),
    Recipe("VPC clusters", |arena| {
        let subnet = subnet(arena);
        let zones = json!([{"id": ZONE, "subnetID": subnet["id"]}]);
        let pool = json!({"vpcID": subnet["vpc"]["id"], "zones": zones, "workerCount": 1});
        let body = json!({"name": "left", "provider": "vpc-gen2", "workerPool": pool});
        let made = arena.make("/containers/v2/vpc/createCluster", body);
        Left::called(text(&made, "clusterID"))
    }),
    Recipe("VPC instances", |arena| {
        let body = machine(&subnet(arena));
        left(arena, "instances", body)
    }),
    Recipe("bare metal servers", |arena| {
        let body = json!({
            "profile": {"name": "bx2-metal-192x768"}, "zone": {"name": ZONE},
            "initialization": {"image": {"id": "none"}, "keys": []},
            "primary_network_interface": {"subnet": named(&subnet(arena))},
        });
        left(arena, "bare_metal_servers", body)
    }),
    Recipe("instance templates", |arena| {
        Left::new(&template(arena, &subnet(arena)))
    }),
    // A route goes with its table, and that one with its VPC.
    Recipe("VPC routes", |arena| {
        let vpc = vpc(arena);
        let tables = format!("vpcs/{}/routing_tables", text(&vpc, "id"));
        let table = build(arena, &tables, json!({}));
        let body = json!({
            "destination": "10.9.0.0/24", "zone": {"name": ZONE}, "next_hop": {"address": "10.0.0.7"},
        });
        let routes = format!("{tables}/{}/routes", text(&table, "id"));
        left(arena, &routes, body).in_what_is(&vpc["id"])
    }),
    Recipe("cluster networks", |arena| {
        let vpc = named(&vpc(arena));
        let body = json!({"profile": {"name": "h100"}, "vpc": vpc, "zone": {"name": ZONE}});
        left(arena, "cluster_networks", body)
    }),
    Recipe("load balancers", |arena| {
        Left::new(&balancer(arena, &subnet(arena)))
    }),
    Recipe("endpoint gateways", |arena| {
        let kind = "provider_infrastructure_service";
        let target = json!({"name": "ibm-ntp-server", "resource_type": kind});
        let body = json!({"target": target, "vpc": named(&vpc(arena))});
        left(arena, "endpoint_gateways", body)
    }),
    Recipe("private path service gateways", |arena| {
        let balancer = named(&balancer(arena, &subnet(arena)));
        let body = json!({"load_balancer": balancer, "service_endpoints": ["svc.example.com"]});
        left(arena, "private_path_service_gateways", body)
    }),
    Recipe("VPN gateways", |arena| {
        let body = json!({"subnet": named(&subnet(arena)), "mode": "route"});
        left(arena, "vpn_gateways", body)
    }),
    Recipe("VPN servers", |arena| {
        let body = json!({
            "certificate": {"crn": "crn:v1:bluemix:public:secrets-manager:::::"},
            "client_authentication": [{"method": "username"}], "client_ip_pool": "172.16.0.0/16",
            "subnets": [named(&subnet(arena))],
        });
        left(arena, "vpn_servers", body)
    }),
    Recipe("share mount targets", |arena| {
        let share = share(arena, "source");
        let interface = json!({"subnet": named(&subnet(arena))});
        let body = json!({"virtual_network_interface": interface});
        let targets = format!("shares/{}/mount_targets", text(&share, "id"));
        left(arena, &targets, body)
    }),
    // A rule goes with its group, and that one with its VPC.
    Recipe("security group rules", |arena| {
        let vpc = vpc(arena);
        let of = |name: &str| json!({"name": name, "vpc": named(&vpc)});
        let other = build(arena, "security_groups", of("other"));
        let group = build(arena, "security_groups", of("group"));
        let rule = json!({"direction": "inbound", "protocol": "any", "remote": named(&other)});
        let rules = format!("security_groups/{}/rules", text(&group, "id"));
        let left = left(arena, &rules, rule);
        left.in_what_is(&group["id"]).in_what_is(&vpc["id"])
    }),
    Recipe("DNS resolution bindings", |arena| {
        let hub = json!({"name": "hub", "dns": {"enable_hub": true}});
        let (hub, spoke) = (build(arena, "vpcs", hub), vpc(arena));
        let bindings = format!("vpcs/{}/dns_resolution_bindings", text(&spoke, "id"));
        let left = left(arena, &bindings, json!({"vpc": named(&hub)}));
        left.in_what_is(&spoke["id"])
    }),
    Recipe("transit connections", |arena| {
        let gateway = text(&transit_gateway(arena), "id");
        let path = format!("/transit/v1/transit_gateways/{gateway}/connections");
        let body = json!({"network_type": "vpc", "network_id": vpc(arena)["crn"]});
        Left::new(&arena.make(&dated(&path), body))
    }),
    Recipe("Direct Link connections", |arena| {
        let gateway = text(&direct_link(arena), "id");
        let path = format!("/directlink/v1/gateways/{gateway}/virtual_connections");
        let body = json!({"name": "left", "type": "vpc", "network_id": vpc(arena)["crn"]});
        Left::new(&arena.make(&dated(&path), body))
    }),
    Recipe("DNS custom resolvers", |arena| {
        let resolvers = dns(arena, "custom_resolvers");
        let location = json!({"subnet_crn": subnet(arena)["crn"], "enabled": true});
        let body = json!({"name": "left", "locations": [location]});
        let made = arena.make(&resolvers, body);
        let path = format!("{resolvers}/{}", text(&made, "id"));
        let (status, _) = arena.ask("PATCH", &path, &[], &json!({"enabled": true}));
        assert_eq!(status, 200);
        Left::new(&made)
    }),
    Recipe("DNS permitted networks", |arena| {
        let zones = dns(arena, "dnszones");
        let zone = arena.make(&zones, json!({"name": "left.example.com"}));
        let path = format!("{zones}/{}/permitted_networks", text(&zone, "id"));
        let network = json!({"vpc_crn": vpc(arena)["crn"]});
        let body = json!({"type": "vpc", "permitted_network": network});
        Left::new(&arena.make(&path, body))
    }),
    Recipe("shares", |arena| {
        let source = share(arena, "source");
        let body = json!({
            "profile": {"name": "dp2"}, "zone": {"name": ZONE}, "source_share": named(&source),
        });
        left(arena, "shares", body)
    }),
    Recipe("IKE policies", |arena| {
        left(arena, "ike_policies", json!({"ike_version": 2}))
    }),
    Recipe("IPsec policies", |arena| {
        left(arena, "ipsec_policies", json!({}))
    }),
    Recipe("transit gateways", |arena| {
        Left::new(&transit_gateway(arena))
    }),
    Recipe("Direct Link gateways", |arena| {
        Left::new(&direct_link(arena))
    }),
    // A zone goes with its instance.
    Recipe("DNS zones", |arena| {
        let zones = dns(arena, "dnszones");
        let made = arena.make(&zones, json!({"name": "left.example.com"}));
        let instance = zones.split('/').nth(4);
        Left::new(&made).in_what_is(&instance.into())
    }),
    Recipe("virtual network interfaces", |arena| {
        let body = json!({"subnet": named(&subnet(arena))});
        left(arena, "virtual_network_interfaces", body)
    }),
    Recipe("subnets", |arena| Left::new(&subnet(arena))),
    Recipe("public gateways", |arena| {
        let body = json!({"vpc": named(&vpc(arena)), "zone": {"name": ZONE}});
        left(arena, "public_gateways", body)
    }),
    Recipe("floating IPs", |arena| {
        left(arena, "floating_ips", json!({"zone": {"name": ZONE}}))
    }),
    Recipe("public address ranges", |arena| {
        let target = json!({"vpc": named(&vpc(arena)), "zone": {"name": ZONE}});
        let body = json!({"ipv4_address_count": 8, "target": target});
        left(arena, "public_address_ranges", body)
    }),
    // These three go with their VPC.
    Recipe("security groups", |arena| in_vpc(arena, "security_groups")),
    Recipe("network ACLs", |arena| in_vpc(arena, "network_acls")),
    Recipe("routing tables", |arena| {
        let vpc = vpc(arena);
        let tables = format!("vpcs/{}/routing_tables", text(&vpc, "id"));
        left(arena, &tables, json!({})).in_what_is(&vpc["id"])
    }),
    Recipe("placement groups", |arena| {
        left(
            arena,
            "placement_groups",
            json!({"strategy": "host_spread"}),
        )
    }),
    Recipe("volumes", |arena| Left::new(&volume(arena))),
    // Which takes its snapshot along, and comes with it.
    Recipe("snapshot groups", |arena| {
        let snapshots = json!([{"source_volume": named(&volume(arena))}]);
        let body = json!({"snapshots": snapshots, "delete_snapshots_on_delete": true});
        left(arena, "snapshot_consistency_groups", body)
    }),
    Recipe("snapshots", |arena| {
        let body = json!({"source_volume": named(&volume(arena))});
        left(arena, "snapshots", body)
    }),
    Recipe("images", |arena| {
        let body = json!({
            "file": {"href": "cos://eu-de/bucket/image.qcow2"},
            "operating_system": {"name": "debian-12-amd64"},
        });
        left(arena, "images", body)
    }),
    Recipe("SSH keys", |arena| {
        left(arena, "keys", json!({"public_key": "ssh-ed25519 AAAA"}))
    }),
    Recipe("dedicated hosts", |arena| {
        let group = named(&host_group(arena));
        let body = json!({"profile": {"name": "bx2d-host-152x608"}, "group": group});
        left(arena, "dedicated_hosts", body)
    }),
    Recipe("reservations", |arena| {
        let body = json!({
            "capacity": {"total": 1}, "committed_use": {"term": "one_year"}, "zone": {"name": ZONE},
            "profile": {"name": "bx2-2x8", "resource_type": "instance_profile"},
        });
        left(arena, "reservations", body)
    }),
    Recipe("dedicated host groups", |arena| {
        Left::new(&host_group(arena))
    }),
    Recipe("VPCs", |arena| Left::new(&vpc(arena))),
];

/// Makes something of VPC in a region.
fn build(arena: &Arena, path: &str, mut body: Value) -> Value {
    if body["name"].is_null() {
        body["name"] = "left".into();
    }
    let target = format!("/vpc/eu-de/v1/{path}?version=2026-05-01&generation=2");
    arena.make(&target, body)
}

fn left(arena: &Arena, path: &str, body: Value) -> Left {
    Left::new(&build(arena, path, body))
}

fn named(made: &Value) -> Value {
    json!({"id": made["id"]})
}

fn vpc(arena: &Arena) -> Value {
    build(arena, "vpcs", json!({}))
}

fn in_vpc(arena: &Arena, collection: &str) -> Left {
    let vpc = vpc(arena);
    let left = left(arena, collection, json!({"vpc": named(&vpc)}));
    left.in_what_is(&vpc["id"])
}

fn subnet(arena: &Arena) -> Value {
    let vpc = named(&vpc(arena));
    let body = json!({"vpc": vpc, "zone": {"name": ZONE}, "total_ipv4_address_count": 256});
    build(arena, "subnets", body)
}

fn machine(subnet: &Value) -> Value {
    json!({
        "vpc": named(&subnet["vpc"]), "zone": {"name": ZONE}, "profile": {"name": "bx2-2x8"},
        "primary_network_interface": {"subnet": named(subnet)},
    })
}

fn template(arena: &Arena, subnet: &Value) -> Value {
    build(arena, "instance/templates", machine(subnet))
}

fn balancer(arena: &Arena, subnet: &Value) -> Value {
    let body = json!({"is_public": true, "subnets": [named(subnet)]});
    build(arena, "load_balancers", body)
}

fn volume(arena: &Arena) -> Value {
    let profile = json!({"name": "general-purpose"});
    let body = json!({"profile": profile, "zone": {"name": ZONE}, "capacity": 10});
    build(arena, "volumes", body)
}

fn share(arena: &Arena, name: &str) -> Value {
    let profile = json!({"name": "dp2"});
    let body = json!({"name": name, "profile": profile, "zone": {"name": ZONE}, "size": 200});
    build(arena, "shares", body)
}

fn host_group(arena: &Arena) -> Value {
    let body = json!({"class": "bx2d", "family": "balanced", "zone": {"name": ZONE}});
    build(arena, "dedicated_host/groups", body)
}

fn dated(path: &str) -> String {
    format!("{path}?version=2026-05-01")
}

fn transit_gateway(arena: &Arena) -> Value {
    let body = json!({"name": "left", "location": "eu-de", "global": true});
    arena.make(&dated("/transit/v1/transit_gateways"), body)
}

fn direct_link(arena: &Arena) -> Value {
    let body = json!({"name": "left", "type": "connect", "speed_mbps": 1000});
    arena.make(&dated("/directlink/v1/gateways"), body)
}

/// Makes an instance of DNS Services, and gives the path of one of its lists.
fn dns(arena: &Arena, list: &str) -> String {
    let guid = text(&instance(arena, &DNS_SERVICES), "guid");
    format!("/dns/v1/instances/{guid}/{list}")
}
