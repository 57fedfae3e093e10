//! The machines of a mess, and what they compute with: volumes, images, hosts.
//!
//! Depends on the maker.

use serde_json::{Value, json};

use super::infrastructure::{Done, Made, named, near, same_vpc, simple};
use super::networks::{balancer, subnet, vpc};
use super::{Maker, text};

pub(super) fn instance(maker: &mut Maker) -> Made {
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

pub(super) fn template(maker: &mut Maker) -> Made {
    let subnet = maker.some("subnets", subnet)?;
    let body = json!({
        "vpc": named(&subnet["vpc"]), "zone": subnet["zone"], "profile": {"name": "bx2-2x8"},
        "primary_network_interface": {"subnet": named(&subnet)},
    });
    maker.build("instance/templates", body)
}

pub(super) fn instance_group(maker: &mut Maker) -> Done {
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

pub(super) fn bare_metal_server(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let body = json!({
        "profile": {"name": "bx2-metal-192x768"}, "zone": subnet["zone"],
        "initialization": {"image": {"id": "none"}, "keys": []},
        "primary_network_interface": {"subnet": named(&subnet)},
    });
    simple(maker, "bare_metal_servers", body)
}

pub(super) fn dedicated_host(maker: &mut Maker) -> Done {
    let zone = maker.zone();
    let group = json!({"class": "bx2d", "family": "balanced", "zone": zone});
    let group = maker.build("dedicated_host/groups", group)?;
    let body = json!({"profile": {"name": "bx2d-host-152x608"}, "group": named(&group)});
    simple(maker, "dedicated_hosts", body)
}

pub(super) fn cluster_network(maker: &mut Maker) -> Done {
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

pub(super) fn key(maker: &mut Maker) -> Made {
    maker.build("keys", json!({"public_key": "ssh-ed25519 AAAA"}))
}

pub(super) fn reservation(maker: &mut Maker) -> Done {
    make_reservation(maker).map(drop)
}

pub(super) fn active_reservation(maker: &mut Maker) -> Done {
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

pub(super) fn volume(maker: &mut Maker) -> Made {
    let mut body = json!({
        "profile": {"name": "general-purpose"}, "zone": maker.zone(), "capacity": 10,
    });
    if maker.once_in(4) {
        body["user_tags"] = json!(["backup:daily"]);
    }
    maker.build("volumes", body)
}

pub(super) fn snapshot(maker: &mut Maker) -> Done {
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

pub(super) fn snapshot_group(maker: &mut Maker) -> Done {
    let volume = maker.some("volumes", volume)?;
    let marked = maker.once_in(2);
    let snapshots = json!([{"source_volume": named(&volume)}]);
    let body = json!({"snapshots": snapshots, "delete_snapshots_on_delete": marked});
    simple(maker, "snapshot_consistency_groups", body)
}

pub(super) fn image(maker: &mut Maker, is_managed: bool) -> Made {
    let body = json!({
        "file": {"href": "cos://eu-de/bucket/image.qcow2"},
        "operating_system": {"name": "debian-12-amd64"},
        "catalog_offering": {"managed": is_managed},
    });
    maker.build("images", body)
}

/// A share with a mount target or a replica.
pub(super) fn share(maker: &mut Maker) -> Done {
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

pub(super) fn backup_policy(maker: &mut Maker) -> Done {
    let plans = json!([{"cron_spec": "5 * * * *", "deletion_trigger": {"delete_over_count": 2}}]);
    let body = json!({"match_user_tags": ["backup:daily"], "plans": plans});
    simple(maker, "backup_policies", body)
}

pub(super) fn infrastructure_tag(maker: &mut Maker) -> Done {
    let volume = maker.some("volumes", volume)?;
    let tag = format!("team:{}", maker.random.below(20));
    let resources = json!([{"resource_id": volume["crn"]}]);
    let body = json!({"resources": resources, "tag_names": [tag]});
    let path = "/v3/tags/attach?tag_type=user";
    maker.send("POST", path, body).map(drop)
}
