//! Quirks of networks: what a VPC is furnished with, addresses, and interfaces that come along.
//!
//! Depends on the store.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::kinds::{ACLS, DNS_BINDINGS, FLOATING_IPS, GROUPS, PREFIXES, TABLES, VNIS, VPCS};
use super::resource::{Resource, named, prototype};
use super::store::Vpc;
use crate::simulator::refusal::Refusal;

/// Gives a VPC its default ACL, security group and routing table, and its address prefixes.
pub(super) fn vpc_made(vpc: &mut Vpc, id: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    let within = json!({"vpc": named(id)});
    let acl = vpc.make_beside(ACLS, id, within.clone(), now)?;
    let group = vpc.make_beside(GROUPS, id, within, now)?;
    let table = vpc.make_part(TABLES, id, json!({"is_default": true}), now)?;
    if vpc.take(id, "address_prefix_management") != Some("manual".into()) {
        let zones = vpc.get(id).region.zones();
        for (number, zone) in zones.enumerate() {
            let cidr = format!("10.{}.0.0/18", 240 + number);
            let prefix = json!({"cidr": cidr, "zone": {"name": zone}, "is_default": true});
            vpc.make_part(PREFIXES, id, prefix, now)?;
        }
    }
    vpc.edit(id, |body| {
        body.insert("default_network_acl".into(), named(&acl));
        body.insert("default_security_group".into(), named(&group));
        body.insert("default_routing_table".into(), named(&table));
    })
}

/// The defaults go with their VPC only.
pub(super) fn default_may_not_go(vpc: &Vpc, resource: &Resource) -> Result<(), Refusal> {
    if vpc.referrers_from(&resource.id, VPCS).next().is_none() {
        return Ok(());
    }
    let word = resource.kind.word;
    let code = format!("{word}_is_default").replace('-', "_");
    Err(Refusal::conflict(format!("The {word} is the default of its VPC.")).with_code(code))
}

/// Counts the bindings of a VPC: of a hub those to it, of another one its own (docstring of
/// `list_vpc_dns_resolution_bindings`).
pub(super) fn view_vpc(vpc: &Vpc, resource: &Resource, _: &str, json: &mut Map<String, Value>) {
    let bound = vpc.referrers_from(&resource.id, DNS_BINDINGS);
    let is_hub = is_hub(resource);
    json.insert(
        "dns".into(),
        json!({
            "enable_hub": is_hub, "resolution_binding_count": bound.count(),
            "resolver": {"servers": [], "type": resolver(resource)},
        }),
    );
}

/// Whether other VPCs may let this one resolve names for them.
pub(super) fn is_hub(vpc: &Resource) -> bool {
    let dns = vpc.body.get("dns");
    dns.is_some_and(|dns| dns["enable_hub"] == true)
}

fn resolver(vpc: &Resource) -> &str {
    let dns = vpc.body.get("dns");
    let kind = dns.and_then(|dns| dns["resolver"]["type"].as_str());
    kind.unwrap_or("system")
}

/// A VPC whose names are resolved by the hub alone keeps its binding.
pub(super) fn dns_binding_may_go(vpc: &Vpc, resource: &Resource) -> Result<(), Refusal> {
    let of = resource.parent.as_deref().map(|parent| vpc.get(parent));
    if of.is_some_and(|of| resolver(of) == "delegated") {
        let message = "The VPC delegates its DNS resolution to the hub.";
        return Err(Refusal::conflict(message).with_code("vpc_dns_resolver_delegated"));
    }
    Ok(())
}

/// Attaches a subnet to the defaults of its VPC where it names no others, and gives it addresses.
pub(super) fn subnet_made(vpc: &mut Vpc, id: &str, _: OffsetDateTime) -> Result<(), Refusal> {
    let cidr = format!(
        "10.{}.{}.0/24",
        vpc.random.below(240),
        vpc.random.below(256)
    );
    let subnet = vpc.get(id);
    let Some(of) = subnet.link("vpc").map(|of| vpc.get(of)) else {
        return Err(Refusal::bad_request("Property vpc names nothing."));
    };
    let defaults = [
        ("network_acl", of.link("default_network_acl").map(named)),
        ("routing_table", of.link("default_routing_table").map(named)),
        ("ipv4_cidr_block", Some(cidr.into())),
    ];
    vpc.edit(id, |body| {
        for (field, value) in defaults {
            if let Some(value) = value {
                body.entry(field).or_insert(value);
            }
        }
    })
}

/// Gives a public gateway a floating IP, which goes with it unless it was there before.
pub(super) fn public_gateway_made(
    vpc: &mut Vpc,
    id: &str,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    if let Some(address) = vpc.get(id).link("floating_ip").map(ToOwned::to_owned) {
        return vpc.set(&address, "target", named(id));
    }
    let address = vpc.make_beside(FLOATING_IPS, id, json!({"target": named(id)}), now)?;
    vpc.get_mut(&address).came_with = Some(id.to_owned());
    vpc.set(id, "floating_ip", named(&address))
}

pub(super) fn floating_ip_made(vpc: &mut Vpc, id: &str, _: OffsetDateTime) -> Result<(), Refusal> {
    let random = &mut vpc.random;
    let address = format!("192.0.{}.{}", random.below(256), random.below(256));
    vpc.set(id, "address", address)
}

/// Makes the virtual network interface that an attachment asks for instead of naming one. It goes
/// with the attachment unless its prototype says otherwise.
pub(super) fn attachment_made(vpc: &mut Vpc, id: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    if vpc.get(id).link("virtual_network_interface").is_none()
        && let Some(asked) = vpc.take(id, "virtual_network_interface")
    {
        let mut asked = prototype(Some(asked))?;
        if asked["auto_delete"].is_null() {
            asked["auto_delete"] = true.into();
        }
        let of = vpc.get(id).parent.clone().unwrap_or_default();
        let interface = vpc.make_beside(VNIS, &of, asked, now)?;
        vpc.set(id, "virtual_network_interface", named(&interface))?;
    }
    in_vpc(vpc, id, now)
}

pub(super) fn attachment_takes(vpc: &Vpc, attachment: &Resource, _: bool) -> Vec<String> {
    let interface = attachment.link("virtual_network_interface");
    let interface = interface.filter(|id| vpc.get(id).flag("auto_delete"));
    interface.map(ToOwned::to_owned).into_iter().collect()
}

/// Writes down the VPC that a resource is in by what it refers to.
pub(super) fn in_vpc(vpc: &mut Vpc, id: &str, _: OffsetDateTime) -> Result<(), Refusal> {
    let resource = vpc.get(id);
    let says = resource.kind.refs.iter().any(|place| place.at == "vpc");
    if !says || resource.link("vpc").is_some() {
        return Ok(());
    }
    match vpc_of(vpc, resource, 0) {
        Some(of) => vpc.set(id, "vpc", named(&of)),
        None => Ok(()),
    }
}

/// The VPC that a resource is in, looked for among what it refers to, and so on.
fn vpc_of(vpc: &Vpc, resource: &Resource, depth: usize) -> Option<String> {
    if resource.kind.path == VPCS {
        return Some(resource.id.clone());
    }
    // An interface, its subnet, its VPC: no way is longer.
    if depth > 4 {
        return None;
    }
    let links = resource.links.iter();
    let mut found = links.filter_map(|link| vpc_of(vpc, vpc.get(&link.to), depth + 1));
    found.next()
}

/// Lists what is in a security group.
pub(super) fn view_security_group(
    vpc: &Vpc,
    group: &Resource,
    base: &str,
    json: &mut Map<String, Value>,
) {
    let targets = targets_of(vpc, group).map(|target| vpc.reference(target, base));
    json.insert("targets".into(), targets.collect());
}

/// What is in a security group.
pub(super) fn targets_of<'a>(
    vpc: &'a Vpc,
    group: &'a Resource,
) -> impl Iterator<Item = &'a Resource> {
    let referrers = vpc.referrers_of(&group.id);
    referrers.filter(|referrer| {
        referrer
            .links_at("security_groups[]")
            .any(|id| id == group.id)
    })
}
