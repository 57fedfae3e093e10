//! The part of a mess that is VPC infrastructure: networks first, then what hangs on them.
//!
//! Depends on the maker. A recipe whose ingredients are missing in the region makes the ingredients,
//! so every recipe makes something.

use serde_json::{Value, json};

use super::machines::{
    active_reservation, backup_policy, bare_metal_server, cluster_network, dedicated_host, image,
    infrastructure_tag, instance, instance_group, key, reservation, share, snapshot,
    snapshot_group, template, volume,
};
use super::networks::{
    address_range, balancer, dns_binding, endpoint_gateway, floating_ip, flow_log_collector,
    network_acl, public_gateway, routing, security_groups, service_gateway, subnet,
    virtual_interface, vpc, vpn_gateway, vpn_server,
};
use super::platform::group;
use super::{Maker, Recipe};
use crate::simulator::random::Random;
use crate::simulator::refusal::Refusal;
use crate::simulator::services::vpc::REGIONS;

pub(super) type Made = Result<Value, Refusal>;
pub(super) type Done = Result<(), Refusal>;

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
    pub(super) fn url(&self, path: &str) -> String {
        let region = self.region;
        format!("/vpc/{region}/v1/{path}?version=2026-05-01&generation=2")
    }

    /// Makes one of a collection in the current region, in some resource group.
    pub(super) fn build(&mut self, collection: &'static str, mut body: Value) -> Made {
        body["name"] = self.name("thing").into();
        body["resource_group"] = json!({"id": group(self)});
        let url = self.url(collection);
        self.make(self.region, collection, &url, body)
    }

    /// Makes a part of something.
    pub(super) fn part(&mut self, path: &str, body: Value) -> Made {
        let url = self.url(path);
        self.send("POST", &url, body)
    }

    /// One of a collection in the current region that fits, which then serves nothing else.
    pub(super) fn take(
        &mut self,
        collection: &'static str,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let made = self.made.get_mut(&(self.region, collection))?;
        let position = made.iter().rposition(fits)?;
        Some(made.remove(position))
    }

    /// One of a collection in the current region, made if there is none.
    pub(super) fn some(&mut self, collection: &'static str, make: fn(&mut Self) -> Made) -> Made {
        match self.any(self.region, collection) {
            Some(found) => Ok(found),
            None => make(self),
        }
    }

    pub(super) fn zone(&mut self) -> Value {
        let number = self.random.below(3) + 1;
        json!({"name": format!("{}-{number}", self.region)})
    }
}

pub(super) fn named(made: &Value) -> Value {
    json!({"id": made["id"]})
}

/// Whether two things are in one zone.
pub(super) fn near(one: &Value, other: &Value) -> bool {
    one["zone"]["name"] == other["zone"]["name"]
}

pub(super) fn same_vpc(one: &Value, other: &Value) -> bool {
    one["vpc"]["id"] == other["vpc"]["id"]
}

pub(super) fn simple(maker: &mut Maker, collection: &'static str, body: Value) -> Done {
    maker.build(collection, body).map(drop)
}
