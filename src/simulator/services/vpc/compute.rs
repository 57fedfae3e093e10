//! Quirks of what computes: the parts of a server, groups that grow again, and hosts.
//!
//! Depends on the store.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::balancing::keep_busy;
use super::kinds::{
    ATTACHMENTS, CLUSTER_ATTACHMENTS, HOST_GROUPS, INSTANCES, MEMBERSHIPS, NICS,
    SERVER_ATTACHMENTS, SERVER_NICS, VOLUME_ATTACHMENTS, VOLUMES,
};
use super::networks::in_vpc;
use super::resource::{Phase, Resource, identity, named, prototype};
use super::store::{Event, Vpc};
use crate::simulator::refusal::Refusal;

/// Makes the interfaces and the volumes of an instance, which its template may ask for.
pub(super) fn instance_made(vpc: &mut Vpc, id: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    follow_template(vpc, id)?;
    network_parts(vpc, id, NICS, ATTACHMENTS, now)?;
    for part in list(vpc.take(id, "cluster_network_attachments")) {
        vpc.make_part(CLUSTER_ATTACHMENTS, id, part, now)?;
    }
    for part in list(vpc.take(id, "volume_attachments")) {
        vpc.make_part(VOLUME_ATTACHMENTS, id, part, now)?;
    }
    let mut boot = prototype(vpc.take(id, "boot_volume_attachment"))?;
    boot["type"] = "boot".into();
    if boot["delete_volume_on_instance_delete"].is_null() {
        boot["delete_volume_on_instance_delete"] = true.into();
    }
    if !boot["volume"].is_object() {
        boot["volume"] = json!({});
    }
    let boot = vpc.make_part(VOLUME_ATTACHMENTS, id, boot, now)?;
    vpc.set(id, "boot_volume_attachment", named(&boot))
}

pub(super) fn server_made(vpc: &mut Vpc, id: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    network_parts(vpc, id, SERVER_NICS, SERVER_ATTACHMENTS, now)
}

/// Completes what is asked for by what the template of its choice says.
fn follow_template(vpc: &mut Vpc, id: &str) -> Result<(), Refusal> {
    let Some(template) = vpc.take(id, "source_template") else {
        return Ok(());
    };
    let template = identity(&template).unwrap_or_default();
    let Some(found) = vpc.find(template) else {
        return Err(Refusal::not_found("Instance template", template));
    };
    let said = found.body.clone();
    vpc.edit(id, |body| {
        let networked = body
            .keys()
            .any(|field| field.starts_with("primary_network"));
        for (field, value) in said {
            if field != "zone" && !(networked && field.contains("network_")) {
                body.entry(field).or_insert(value);
            }
        }
    })
}

/// Makes the interfaces of a server, of the older or of the newer sort.
fn network_parts(
    vpc: &mut Vpc,
    id: &str,
    interfaces: &str,
    attachments: &str,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let mut primary = false;
    for (first, rest, path) in [
        (
            "primary_network_interface",
            "network_interfaces",
            interfaces,
        ),
        (
            "primary_network_attachment",
            "network_attachments",
            attachments,
        ),
    ] {
        let others = list(vpc.take(id, rest));
        let Some(part) = vpc.take(id, first) else {
            continue;
        };
        primary = true;
        let part = vpc.make_part(path, id, part, now)?;
        for other in others {
            vpc.make_part(path, id, other, now)?;
        }
        vpc.set(id, first, named(&part))?;
        if vpc.get(id).link("vpc").is_none() {
            let of = vpc.get(&part);
            let of = of
                .link("subnet")
                .or_else(|| of.link("virtual_network_interface"));
            let of = of.and_then(|of| vpc.get(of).link("vpc")).map(named);
            if let Some(of) = of {
                vpc.set(id, "vpc", of)?;
            }
        }
    }
    if primary {
        return Ok(());
    }
    let field = "primary_network_attachment";
    let refusal = Refusal::bad_request(format!("Property {field} is missing."));
    Err(refusal.with_target("field", field, ""))
}

/// Makes the volume that an attachment asks for instead of naming one.
pub(super) fn volume_attachment_made(
    vpc: &mut Vpc,
    id: &str,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let instance = vpc.get(id).parent.clone().unwrap_or_default();
    vpc.set(id, "instance", named(&instance))?;
    if vpc.get(id).link("volume").is_some() {
        return Ok(());
    }
    let mut volume = prototype(vpc.take(id, "volume"))?;
    if volume["profile"].is_null() {
        volume["profile"] = json!({"name": "general-purpose"});
    }
    volume["zone"] = json!({"name": vpc.get(&instance).zone});
    let volume = vpc.make_beside(VOLUMES, &instance, volume, now)?;
    vpc.set(id, "volume", named(&volume))
}

/// A volume that is marked so goes with its instance, and not when it is detached alone.
pub(super) fn volume_attachment_takes(
    _: &Vpc,
    part: &Resource,
    with_instance: bool,
) -> Vec<String> {
    let marked = part.flag("delete_volume_on_instance_delete") && with_instance;
    let volume = part.link("volume").filter(|_| marked);
    volume.map(ToOwned::to_owned).into_iter().collect()
}

/// What a server was started with stays as long as the server.
pub(super) fn part_may_go(vpc: &Vpc, part: &Resource) -> Result<(), Refusal> {
    let server = part.parent.as_deref().map(|server| vpc.get(server));
    let needed = server.is_some_and(|server| {
        let mut links = server.links.iter();
        links.any(|link| link.to == part.id)
    });
    if !needed {
        return Ok(());
    }
    let message = format!("The {} is the primary one.", part.kind.word);
    Err(Refusal::conflict(message).with_code("primary_cannot_be_deleted"))
}

/// A cluster network is left by a stopped instance only.
pub(super) fn cluster_attachment_may_go(vpc: &Vpc, part: &Resource) -> Result<(), Refusal> {
    let instance = part.parent.as_deref().map(|instance| vpc.get(instance));
    if instance.is_some_and(|instance| instance.state() == "stopped") {
        return Ok(());
    }
    let message = "The instance must be stopped.";
    Err(Refusal::conflict(message).with_code("instance_not_stopped"))
}

/// Puts a host into a group, which is made for it unless it is named.
pub(super) fn host_made(vpc: &mut Vpc, id: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    vpc.edit(id, |body| {
        let placement = body.entry("instance_placement_enabled");
        placement.or_insert(true.into());
    })?;
    if vpc.get(id).link("group").is_some() {
        return Ok(());
    }
    let mut group = prototype(vpc.take(id, "group"))?;
    group["class"] = "bx2d".into();
    group["family"] = "balanced".into();
    let group = vpc.make_beside(HOST_GROUPS, id, group, now)?;
    vpc.set(id, "group", named(&group))
}

/// A host on which instances may be placed is not deleted: it must be told first.
pub(super) fn host_may_go(_: &Vpc, host: &Resource) -> Result<(), Refusal> {
    if host.flag("instance_placement_enabled") {
        let message = "instance_placement_enabled of the dedicated host must be false.";
        return Err(Refusal::conflict(message).with_code("dedicated_host_placement_enabled"));
    }
    Ok(())
}

/// An active reservation is paid for to its end.
pub(super) fn reservation_may_go(_: &Vpc, reservation: &Resource) -> Result<(), Refusal> {
    if reservation.text("status") == "active" {
        let message = "An active reservation cannot be deleted.";
        return Err(Refusal::conflict(message).with_code("reservation_active"));
    }
    Ok(())
}

pub(super) fn group_made(vpc: &mut Vpc, id: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    in_vpc(vpc, id, now)?;
    regrow(vpc, id, now);
    Ok(())
}

/// Brings a group to the number of members that it should have.
pub(super) fn regrow(vpc: &mut Vpc, id: &str, now: OffsetDateTime) {
    let group = vpc.get(id);
    if group.phase == Phase::Deleting {
        return;
    }
    let wanted = group.body.get("membership_count").and_then(Value::as_u64);
    let wanted = usize::try_from(wanted.unwrap_or(0)).unwrap_or(usize::MAX);
    let members = members(vpc, id);
    for surplus in members.iter().skip(wanted) {
        vpc.begin_deletion(surplus, now);
    }
    for number in members.len()..wanted {
        if add_member(vpc, id, number, now).is_err() {
            // What it needs is on its way out: nothing will come of it until somebody changes it.
            return;
        }
    }
}

fn add_member(
    vpc: &mut Vpc,
    group: &str,
    number: usize,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let found = vpc.get(group);
    let subnets: Vec<&str> = found.links_at("subnets[]").collect();
    let (Some(template), Some(subnet)) = (
        found.link("instance_template").map(ToOwned::to_owned),
        subnets.get(number % subnets.len().max(1)),
    ) else {
        return Err(Refusal::conflict("The template or the subnets are gone."));
    };
    let instance = json!({
        "source_template": named(&template),
        "primary_network_interface": {"subnet": named(subnet)},
        "zone": {"name": vpc.get(subnet).zone},
    });
    let instance = vpc.make_beside(INSTANCES, group, instance, now)?;
    let membership = json!({
        "instance": named(&instance), "instance_template": named(&template),
        "delete_instance_on_membership_delete": true,
    });
    vpc.make_part(MEMBERSHIPS, group, membership, now)?;
    Ok(())
}

/// The instances of a group.
pub(super) fn members(vpc: &Vpc, group: &str) -> Vec<String> {
    let memberships = vpc.referrers_from(group, MEMBERSHIPS);
    let instances = memberships.filter_map(|membership| membership.link("instance"));
    instances.map(ToOwned::to_owned).collect()
}

/// The load balancer of a group must be active when the group goes.
pub(super) fn group_may_go(vpc: &Vpc, group: &Resource) -> Result<(), Refusal> {
    let balancer = group.link("load_balancer").map(|id| vpc.get(id));
    if balancer.is_some_and(|balancer| balancer.phase != Phase::Ready) {
        let message = "The load balancer of the instance group is not active.";
        return Err(Refusal::conflict(message).with_code("conflict_field"));
    }
    Ok(())
}

/// A group takes its instances along, and its load balancer is busy with that.
pub(super) fn group_going(vpc: &mut Vpc, id: &str, now: OffsetDateTime) {
    let balancer = vpc.get(id).link("load_balancer").map(ToOwned::to_owned);
    for member in members(vpc, id) {
        vpc.begin_deletion(&member, now);
    }
    if let Some(balancer) = balancer {
        keep_busy(vpc, &balancer, now);
    }
}

pub(super) fn membership_going(vpc: &mut Vpc, id: &str, now: OffsetDateTime) {
    let membership = vpc.get(id);
    let instance = membership.link("instance").map(ToOwned::to_owned);
    if membership.flag("delete_instance_on_membership_delete")
        && let Some(instance) = instance
    {
        vpc.begin_deletion(&instance, now);
    }
}

/// A group that has lost a member looks for another.
pub(super) fn membership_gone(vpc: &mut Vpc, membership: &Resource, now: OffsetDateTime) {
    if let Some(group) = &membership.parent {
        let at = now + vpc.lags.vpc_create;
        vpc.note(at, group, Event::Regrow);
    }
}

pub(super) fn view_group(vpc: &Vpc, group: &Resource, _: &str, json: &mut Map<String, Value>) {
    let count = members(vpc, &group.id).len();
    json.insert("membership_count".into(), count.into());
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    }
}
