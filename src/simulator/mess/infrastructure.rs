//! The part of a mess that is VPC infrastructure: networks first, then what hangs on them.
//!
//! Depends on the maker. A recipe whose ingredients are missing in the region makes the ingredients,
//! so every recipe makes something.

use serde_json::{Value, json};

use super::platform::group;
use super::{Maker, Recipe, text};
use crate::simulator::random::Random;
use crate::simulator::refusal::Refusal;
use crate::simulator::services::vpc::REGIONS;

type Made = Result<Value, Refusal>;
type Done = Result<(), Refusal>;

/// How many things there are for each region that is used.
const PER_REGION: usize = 40;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe(2, |maker| vpc(maker).map(drop)),
    Recipe(6, |maker| subnet(maker).map(drop)),
    Recipe(4, public_gateway),
    Recipe(6, floating_ip),
    Recipe(8, security_groups),
    Recipe(2, network_acl),
    Recipe(3, routing),
    Recipe(2, |maker| virtual_interface(maker).map(drop)),
    Recipe(1, address_range),
    Recipe(1, dns_binding),
    Recipe(14, |maker| instance(maker).map(drop)),
    Recipe(3, |maker| template(maker).map(drop)),
    Recipe(2, instance_group),
    Recipe(1, bare_metal_server),
    Recipe(2, dedicated_host),
    Recipe(1, cluster_network),
    Recipe(2, |maker| {
        simple(
            maker,
            "placement_groups",
            json!({"strategy": "host_spread"}),
        )
    }),
    Recipe(5, |maker| key(maker).map(drop)),
    Recipe(1, reservation),
    Recipe(10, |maker| volume(maker).map(drop)),
    Recipe(8, snapshot),
    Recipe(1, snapshot_group),
    Recipe(2, |maker| image(maker, false).map(drop)),
    Recipe(4, share),
    Recipe(1, backup_policy),
    Recipe(4, |maker| balancer(maker).map(drop)),
    Recipe(1, |maker| service_gateway(maker).map(drop)),
    Recipe(3, endpoint_gateway),
    Recipe(2, vpn_gateway),
    Recipe(1, vpn_server),
    Recipe(2, flow_log_collector),
    Recipe(2, infrastructure_tag),
];

pub(super) const UNDELETABLE: &[Recipe] = &[
    Recipe(1, active_reservation),
    Recipe(1, |maker| {
        let made = image(maker, true)?;
        maker.undeletable(&made);
        Ok(())
    }),
];

/// Some of the regions, in random order.
pub(super) fn regions(random: &mut Random, size: usize) -> Vec<&'static str> {
    let mut regions: Vec<&'static str> = REGIONS.iter().map(|region| region.name).collect();
    let most = regions.len();
    regions.sort_by_cached_key(|_| random.next());
    regions.truncate((size / PER_REGION).clamp(1, most));
    regions
}

impl Maker<'_> {
    fn url(&self, path: &str) -> String {
        let region = self.region;
        format!("/vpc/{region}/v1/{path}?version=2026-05-01&generation=2")
    }

    /// Makes one of a collection in the current region, in some resource group.
    fn build(&mut self, collection: &'static str, mut body: Value) -> Made {
        body["name"] = self.name("thing").into();
        body["resource_group"] = json!({"id": group(self)});
        let url = self.url(collection);
        self.make(self.region, collection, &url, body)
    }

    /// Makes a part of something.
    fn part(&mut self, path: &str, body: Value) -> Made {
        let url = self.url(path);
        self.send("POST", &url, body)
    }

    /// One of a collection in the current region that fits, which then serves nothing else.
    fn take(&mut self, collection: &'static str, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let made = self.made.get_mut(&(self.region, collection))?;
        let position = made.iter().rposition(fits)?;
        Some(made.remove(position))
    }

    /// One of a collection in the current region, made if there is none.
    fn some(&mut self, collection: &'static str, make: fn(&mut Self) -> Made) -> Made {
        match self.any(self.region, collection) {
            Some(found) => Ok(found),
            None => make(self),
        }
    }

    fn zone(&mut self) -> Value {
        let number = self.random.below(3) + 1;
        json!({"name": format!("{}-{number}", self.region)})
    }
}

fn named(made: &Value) -> Value {
    json!({"id": made["id"]})
}

/// Whether two things are in one zone.
fn near(one: &Value, other: &Value) -> bool {
    one["zone"]["name"] == other["zone"]["name"]
}

fn same_vpc(one: &Value, other: &Value) -> bool {
    one["vpc"]["id"] == other["vpc"]["id"]
}

fn simple(maker: &mut Maker, collection: &'static str, body: Value) -> Done {
    maker.build(collection, body).map(drop)
}

fn vpc(maker: &mut Maker) -> Made {
    maker.build("vpcs", json!({}))
}

fn subnet(maker: &mut Maker) -> Made {
    let vpc = maker.some("vpcs", vpc)?;
    let body = json!({"vpc": named(&vpc), "zone": maker.zone(), "total_ipv4_address_count": 256});
    maker.build("subnets", body)
}

/// A public gateway, which a subnet of its VPC may use.
fn public_gateway(maker: &mut Maker) -> Done {
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
fn floating_ip(maker: &mut Maker) -> Done {
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
fn security_groups(maker: &mut Maker) -> Done {
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

fn network_acl(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let rule = json!({"action": "allow", "direction": "inbound", "protocol": "any"});
    let body = json!({"vpc": named(&subnet["vpc"]), "rules": [rule]});
    let acl = maker.build("network_acls", body)?;
    let url = maker.url(&format!("subnets/{}/network_acl", text(&subnet, "id")));
    maker.send("PUT", &url, named(&acl)).map(drop)
}

/// A routing table with a route, in use by a subnet or not.
fn routing(maker: &mut Maker) -> Done {
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

fn virtual_interface(maker: &mut Maker) -> Made {
    let subnet = maker.some("subnets", subnet)?;
    maker.build(
        "virtual_network_interfaces",
        json!({"subnet": named(&subnet)}),
    )
}

fn address_range(maker: &mut Maker) -> Done {
    let vpc = maker.some("vpcs", vpc)?;
    let target = json!({"vpc": named(&vpc), "zone": maker.zone()});
    let body = json!({"ipv4_address_count": 8, "target": target});
    simple(maker, "public_address_ranges", body)
}

fn dns_binding(maker: &mut Maker) -> Done {
    let hub = maker.build("vpcs", json!({"dns": {"enable_hub": true}}))?;
    let spoke = maker.build("vpcs", json!({}))?;
    let path = format!("vpcs/{}/dns_resolution_bindings", text(&spoke, "id"));
    maker.part(&path, json!({"vpc": named(&hub)})).map(drop)
}

fn instance(maker: &mut Maker) -> Made {
    let subnet = maker.some("subnets", subnet)?;
    let group = maker.any(maker.region, "security_groups");
    let group = group.filter(|group| same_vpc(group, &subnet));
    let groups: Value = group.iter().map(named).collect();
    let key = maker.some("keys", key)?;
    let mut body = json!({
        "vpc": named(&subnet["vpc"]), "zone": subnet["zone"], "profile": {"name": "bx2-2x8"},
        "keys": [named(&key)],
    });
    let own = json!({"subnet": named(&subnet), "security_groups": groups});
    if maker.once_in(3) {
        let own = maker.take("virtual_network_interfaces", |own| {
            near(own, &subnet) && same_vpc(own, &subnet)
        });
        let interface = own.map_or(json!({"subnet": named(&subnet)}), |own| named(&own));
        body["primary_network_attachment"] = json!({"virtual_network_interface": interface});
    } else {
        body["primary_network_interface"] = own;
    }
    if maker.once_in(3)
        && let Some(volume) = maker.take("volumes", |volume| near(volume, &subnet))
    {
        let marked = maker.once_in(2);
        body["volume_attachments"] = json!([{
            "volume": named(&volume), "delete_volume_on_instance_delete": marked,
        }]);
    }
    if maker.once_in(4) {
        let place = maker.once_in(2);
        let place = if place {
            "dedicated_hosts"
        } else {
            "placement_groups"
        };
        let place = maker.any(maker.region, place);
        let fits = |place: &Value| place["zone"].is_null() || near(place, &subnet);
        if let Some(place) = place.filter(fits) {
            body["placement_target"] = named(&place);
        }
    }
    maker.build("instances", body)
}

fn template(maker: &mut Maker) -> Made {
    let subnet = maker.some("subnets", subnet)?;
    let body = json!({
        "vpc": named(&subnet["vpc"]), "zone": subnet["zone"], "profile": {"name": "bx2-2x8"},
        "primary_network_interface": {"subnet": named(&subnet)},
    });
    maker.build("instance/templates", body)
}

fn instance_group(maker: &mut Maker) -> Done {
    let template = maker.some("instance/templates", template)?;
    let subnet = named(&template["primary_network_interface"]["subnet"]);
    let mut body = json!({
        "instance_template": named(&template), "subnets": [subnet],
        "membership_count": maker.random.below(4),
    });
    if maker.once_in(2) {
        let balancer = maker.some("load_balancers", balancer)?;
        body["load_balancer"] = named(&balancer);
    }
    simple(maker, "instance_groups", body)
}

fn bare_metal_server(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let body = json!({
        "profile": {"name": "bx2-metal-192x768"}, "zone": subnet["zone"],
        "initialization": {"image": {"id": "none"}, "keys": []},
        "primary_network_interface": {"subnet": named(&subnet)},
    });
    simple(maker, "bare_metal_servers", body)
}

fn dedicated_host(maker: &mut Maker) -> Done {
    let zone = maker.zone();
    let group = json!({"class": "bx2d", "family": "balanced", "zone": zone});
    let group = maker.build("dedicated_host/groups", group)?;
    let body = json!({"profile": {"name": "bx2d-host-152x608"}, "group": named(&group)});
    simple(maker, "dedicated_hosts", body)
}

fn cluster_network(maker: &mut Maker) -> Done {
    let vpc = maker.some("vpcs", vpc)?;
    let body = json!({"profile": {"name": "h100"}, "vpc": named(&vpc), "zone": maker.zone()});
    let network = maker.build("cluster_networks", body)?;
    let path = format!("cluster_networks/{}", text(&network, "id"));
    let subnet = json!({"total_ipv4_address_count": 256});
    let subnet = maker.part(&format!("{path}/subnets"), subnet)?;
    let interface = json!({"subnet": named(&subnet)});
    maker
        .part(&format!("{path}/interfaces"), interface)
        .map(drop)
}

fn key(maker: &mut Maker) -> Made {
    maker.build("keys", json!({"public_key": "ssh-ed25519 AAAA"}))
}

fn reservation(maker: &mut Maker) -> Done {
    make_reservation(maker).map(drop)
}

fn active_reservation(maker: &mut Maker) -> Done {
    let made = make_reservation(maker)?;
    let url = maker.url(&format!("reservations/{}/activate", text(&made, "id")));
    maker.send("POST", &url, json!({}))?;
    maker.undeletable(&made);
    Ok(())
}

fn make_reservation(maker: &mut Maker) -> Made {
    let body = json!({
        "capacity": {"total": 1}, "committed_use": {"term": "one_year"}, "zone": maker.zone(),
        "profile": {"name": "bx2-2x8", "resource_type": "instance_profile"},
    });
    maker.build("reservations", body)
}

fn volume(maker: &mut Maker) -> Made {
    let mut body = json!({
        "profile": {"name": "general-purpose"}, "zone": maker.zone(), "capacity": 10,
    });
    if maker.once_in(4) {
        body["user_tags"] = json!(["backup:daily"]);
    }
    maker.build("volumes", body)
}

fn snapshot(maker: &mut Maker) -> Done {
    let volume = maker.some("volumes", volume)?;
    let made = maker.build("snapshots", json!({"source_volume": named(&volume)}))?;
    if maker.once_in(4) {
        let zone = text(&maker.zone(), "name");
        let path = format!("snapshots/{}/clones/{zone}", text(&made, "id"));
        let url = maker.url(&path);
        maker.send("PUT", &url, json!({}))?;
    }
    Ok(())
}

fn snapshot_group(maker: &mut Maker) -> Done {
    let volume = maker.some("volumes", volume)?;
    let marked = maker.once_in(2);
    let snapshots = json!([{"source_volume": named(&volume)}]);
    let body = json!({"snapshots": snapshots, "delete_snapshots_on_delete": marked});
    simple(maker, "snapshot_consistency_groups", body)
}

fn image(maker: &mut Maker, is_managed: bool) -> Made {
    let body = json!({
        "file": {"href": "cos://eu-de/bucket/image.qcow2"},
        "operating_system": {"name": "debian-12-amd64"},
        "catalog_offering": {"managed": is_managed},
    });
    maker.build("images", body)
}

/// A share with a mount target or a replica.
fn share(maker: &mut Maker) -> Done {
    let zone = maker.zone();
    let profile = json!({"name": "dp2"});
    let body = json!({"profile": profile, "zone": zone, "size": 200});
    let share = maker.build("shares", body)?;
    if maker.once_in(3) {
        let body = json!({"profile": profile, "zone": zone, "source_share": named(&share)});
        return simple(maker, "shares", body);
    }
    let subnet = maker.some("subnets", subnet)?;
    let interface = json!({"subnet": named(&subnet)});
    let path = format!("shares/{}/mount_targets", text(&share, "id"));
    let target = json!({"virtual_network_interface": interface});
    maker.part(&path, target).map(drop)
}

fn backup_policy(maker: &mut Maker) -> Done {
    let plans = json!([{"cron_spec": "5 * * * *", "deletion_trigger": {"delete_over_count": 2}}]);
    let body = json!({"match_user_tags": ["backup:daily"], "plans": plans});
    simple(maker, "backup_policies", body)
}

fn balancer(maker: &mut Maker) -> Made {
    let subnet = maker.some("subnets", subnet)?;
    let monitor = json!({"delay": 5, "max_retries": 2, "timeout": 2, "type": "http"});
    let pool = json!({"algorithm": "round_robin", "protocol": "http", "health_monitor": monitor});
    let listener = json!({"protocol": "http", "port": 80});
    let subnets = [named(&subnet)];
    let body =
        json!({"is_public": true, "subnets": subnets, "pools": [pool], "listeners": [listener]});
    maker.build("load_balancers", body)
}

fn service_gateway(maker: &mut Maker) -> Made {
    let balancer = balancer(maker)?;
    let body = json!({"load_balancer": named(&balancer), "service_endpoints": ["svc.example.com"]});
    maker.build("private_path_service_gateways", body)
}

/// An endpoint gateway to a service of the provider or of one's own.
fn endpoint_gateway(maker: &mut Maker) -> Done {
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
fn vpn_gateway(maker: &mut Maker) -> Done {
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

fn vpn_server(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let body = json!({
        "certificate": {"crn": "crn:v1:bluemix:public:secrets-manager:::::"},
        "client_authentication": [{"method": "username"}], "client_ip_pool": "172.16.0.0/16",
        "subnets": [named(&subnet)],
    });
    simple(maker, "vpn_servers", body)
}

fn flow_log_collector(maker: &mut Maker) -> Done {
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

fn infrastructure_tag(maker: &mut Maker) -> Done {
    let volume = maker.some("volumes", volume)?;
    let tag = format!("team:{}", maker.random.below(20));
    let resources = json!([{"resource_id": volume["crn"]}]);
    let body = json!({"resources": resources, "tag_names": [tag]});
    let path = "/v3/tags/attach?tag_type=user";
    maker.send("POST", path, body).map(drop)
}
