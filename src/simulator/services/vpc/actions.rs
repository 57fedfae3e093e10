//! What only some kinds answer to: what is attached and detached, the regions, and the verbs.
//!
//! Depends on the store. One row per method and path; the subject of a row is the resource at the end of
//! `subject`.

use serde_json::{Value, json};

use super::calls::{Request, matched};
use super::compute::members;
use super::kinds::{
    FLOATING_IPS, GROUPS, INSTANCE_GROUPS, INSTANCES, NICS, RESERVATIONS, SERVER_NICS, SERVERS,
    SHARES, SNAPSHOTS, SUBNETS, VNIS, VPCS,
};
use super::networks::targets_of;
use super::regions::{REGIONS, Region};
use super::resource::{Resource, identity, named};
use super::storage::split;
use crate::simulator::call::{Answer, Call, Reply};
use crate::simulator::paging;
use crate::simulator::refusal::Refusal;
use crate::simulator::rights::Level;
use crate::simulator::world::Account;

/// One call: the subject's kind, what follows its id, and what is done.
struct Action {
    method: &'static str,
    subject: &'static str,
    /// The segments behind the subject; `{}` is any.
    rest: &'static str,
    act: fn(&mut Account, &Subject) -> Answer,
}

/// What an action is about.
struct Subject<'a> {
    call: &'a Call,
    id: &'a str,
    /// The field that the first segment behind the subject names.
    field: &'a str,
    /// The last segment of the path.
    last: &'a str,
}

const fn action(
    method: &'static str,
    subject: &'static str,
    rest: &'static str,
    act: fn(&mut Account, &Subject) -> Answer,
) -> Action {
    Action {
        method,
        subject,
        rest,
        act,
    }
}

#[rustfmt::skip]
static ACTIONS: &[Action] = &[
    action("GET", VPCS, "default_network_acl", show_linked),
    action("GET", VPCS, "default_routing_table", show_linked),
    action("GET", VPCS, "default_security_group", show_linked),
    action("GET", SUBNETS, "network_acl", show_linked),
    action("PUT", SUBNETS, "network_acl", link),
    action("GET", SUBNETS, "routing_table", show_linked),
    action("PUT", SUBNETS, "routing_table", link),
    action("GET", SUBNETS, "public_gateway", show_linked),
    action("PUT", SUBNETS, "public_gateway", link),
    action("DELETE", SUBNETS, "public_gateway", unlink),
    action("GET", GROUPS, "targets", list_targets),
    action("GET", GROUPS, "targets/{}", show_target),
    action("PUT", GROUPS, "targets/{}", add_target),
    action("DELETE", GROUPS, "targets/{}", remove_target),
    action("GET", NICS, "floating_ips", list_addresses),
    action("PUT", NICS, "floating_ips/{}", bind_address),
    action("DELETE", NICS, "floating_ips/{}", unbind_address),
    action("GET", SERVER_NICS, "floating_ips", list_addresses),
    action("PUT", SERVER_NICS, "floating_ips/{}", bind_address),
    action("DELETE", SERVER_NICS, "floating_ips/{}", unbind_address),
    action("GET", VNIS, "floating_ips", list_addresses),
    action("PUT", VNIS, "floating_ips/{}", bind_address),
    action("DELETE", VNIS, "floating_ips/{}", unbind_address),
    action("POST", INSTANCES, "actions", start_or_stop),
    action("POST", SERVERS, "start", start_or_stop),
    action("POST", SERVERS, "stop", start_or_stop),
    action("DELETE", INSTANCE_GROUPS, "load_balancer", leave_balancer),
    action("DELETE", INSTANCE_GROUPS, "memberships", delete_members),
    action("GET", SHARES, "source", show_source),
    action("DELETE", SHARES, "source", split_share),
    action("GET", SNAPSHOTS, "clones", list_clones),
    action("PUT", SNAPSHOTS, "clones/{}", add_clone),
    action("DELETE", SNAPSHOTS, "clones/{}", remove_clone),
    action("POST", RESERVATIONS, "activate", activate),
];

/// Does what is no kind's own call; `None` when the path is of a kind.
pub(super) fn act(account: &mut Account, method: &str, request: &Request) -> Option<Answer> {
    if method == "GET" && request.segments[0] == "regions" {
        return Some(regions(request));
    }
    if method == "DELETE" && request.segments == [SNAPSHOTS] {
        return Some(delete_snapshots(account, request));
    }
    let mut actions = ACTIONS.iter().filter(|action| action.method == method);
    actions.find_map(|action| {
        let (mut ids, rest) = matched(&request.segments, action.subject)?;
        let (id, rest) = rest.split_first()?;
        let (_, nothing) = matched(rest, action.rest)?;
        if !nothing.is_empty() {
            return None;
        }
        ids.push(id);
        let subject = Subject {
            call: request.call,
            id,
            field: rest[0],
            last: rest[rest.len() - 1],
        };
        let level = if method == "GET" {
            Level::View
        } else {
            Level::Edit
        };
        let found = request.resource(account, action.subject, id, &ids);
        let may = found.and_then(|found| account.require(request.call, found.target(), level));
        Some(may.and_then(|()| (action.act)(account, &subject)))
    })
}

fn regions(request: &Request) -> Answer {
    let base = &request.call.base;
    let named = |name: &str| Region::find(name).ok_or_else(|| Refusal::not_found("Region", name));
    match request.segments[1..] {
        [] => {
            let regions: Value = REGIONS.iter().map(|region| region.json(base)).collect();
            Ok(Reply::ok(json!({"regions": regions})))
        }
        [name] => Ok(Reply::ok(named(name)?.json(base))),
        [name, "zones"] => {
            let region = named(name)?;
            let zones = region.zones().map(|zone| region.zone_json(&zone, base));
            Ok(Reply::ok(json!({"zones": zones.collect::<Value>()})))
        }
        [name, "zones", zone] if named(name)?.zone_code(zone).is_some() => {
            Ok(Reply::ok(named(name)?.zone_json(zone, base)))
        }
        _ => Err(Refusal::not_found("Path", &request.call.path)),
    }
}

/// Deletes the snapshots of one volume (`ibm-cloud.md` 8.2).
fn delete_snapshots(account: &mut Account, request: &Request) -> Answer {
    let call = request.call;
    let Some(volume) = call.query("source_volume.id") else {
        let refusal = Refusal::bad_request("Query parameter source_volume.id is missing.");
        return Err(refusal.with_target("parameter", "source_volume.id", ""));
    };
    let snapshots = account.vpc.referrers_from(volume, SNAPSHOTS);
    let ids: Vec<String> = snapshots.map(|snapshot| snapshot.id.clone()).collect();
    for id in ids {
        account.require(call, account.vpc.get(&id).target(), Level::Edit)?;
        account.vpc.delete(&id, call.now)?;
    }
    Ok(Reply::empty(202))
}

fn show(account: &Account, call: &Call, found: &Resource, status: u16) -> Reply {
    Reply::with(status, account.vpc.json(found, &call.base))
}

fn missing(what: &str) -> Refusal {
    Refusal::not_found("Resource", what)
}

fn show_linked(account: &mut Account, subject: &Subject) -> Answer {
    let linked = account.vpc.get(subject.id).link(subject.field);
    let linked = linked.ok_or_else(|| missing(subject.field))?;
    Ok(show(account, subject.call, account.vpc.get(linked), 200))
}

fn link(account: &mut Account, subject: &Subject) -> Answer {
    let Subject {
        call, id, field, ..
    } = *subject;
    let named = identity(&call.body).map(named);
    let named = named.ok_or_else(|| Refusal::bad_request("The body names nothing."))?;
    account.vpc.set(id, field, named)?;
    let linked = account.vpc.get(id).link(field);
    let linked = linked.ok_or_else(|| missing(field))?;
    Ok(show(account, call, account.vpc.get(linked), 201))
}

fn unlink(account: &mut Account, subject: &Subject) -> Answer {
    account.vpc.unset(subject.id, subject.field)?;
    Ok(Reply::empty(204))
}

fn list_targets(account: &mut Account, subject: &Subject) -> Answer {
    let group = account.vpc.get(subject.id);
    let targets = targets_of(&account.vpc, group);
    let targets = targets.map(|target| account.vpc.reference(target, &subject.call.base));
    paging::next_href(subject.call, "targets", targets.collect(), true)
}

fn show_target(account: &mut Account, subject: &Subject) -> Answer {
    let group = account.vpc.get(subject.id);
    let mut targets = targets_of(&account.vpc, group);
    let target = targets.find(|target| target.id == subject.last);
    let target = target.ok_or_else(|| missing(subject.last))?;
    let reference = account.vpc.reference(target, &subject.call.base);
    Ok(Reply::ok(reference))
}

fn add_target(account: &mut Account, subject: &Subject) -> Answer {
    let Subject { call, id, last, .. } = *subject;
    let may = account.vpc.find(last).filter(|target| {
        let mut refs = target.kind.refs.iter();
        refs.any(|place| place.at == "security_groups[]")
    });
    may.ok_or_else(|| missing(last))?;
    account.vpc.edit(last, |body| {
        let groups = body.entry("security_groups").or_insert(json!([]));
        if let Some(groups) = groups.as_array_mut() {
            groups.retain(|group| group["id"] != id);
            groups.push(named(id));
        }
    })?;
    let target = account.vpc.get(last);
    Ok(Reply::ok(account.vpc.reference(target, &call.base)))
}

/// Takes a target out of a group; it must be in another, too.
fn remove_target(account: &mut Account, subject: &Subject) -> Answer {
    let target = account.vpc.find(subject.last);
    let target = target.ok_or_else(|| missing(subject.last))?;
    let is_elsewhere = target
        .links_at("security_groups[]")
        .any(|group| group != subject.id);
    if !is_elsewhere {
        let message = "The target is in no other security group.";
        let refusal = Refusal::conflict(message);
        return Err(refusal.with_code("security_group_last_of_target"));
    }
    account.vpc.edit(subject.last, |body| {
        let groups = body
            .get_mut("security_groups")
            .and_then(Value::as_array_mut);
        if let Some(groups) = groups {
            groups.retain(|group| group["id"] != subject.id);
        }
    })?;
    Ok(Reply::empty(204))
}

fn list_addresses(account: &mut Account, subject: &Subject) -> Answer {
    let addresses = account.vpc.referrers_from(subject.id, FLOATING_IPS);
    let addresses = addresses.map(|address| account.vpc.json(address, &subject.call.base));
    let is_paged = account.vpc.get(subject.id).kind.path == VNIS;
    paging::next_href(subject.call, "floating_ips", addresses.collect(), is_paged)
}

fn bind_address(account: &mut Account, subject: &Subject) -> Answer {
    let Subject { call, id, last, .. } = *subject;
    let address = account.vpc.find(last);
    address
        .filter(|address| address.kind.path == FLOATING_IPS)
        .ok_or_else(|| missing(last))?;
    account.vpc.set(last, "target", named(id))?;
    Ok(show(account, call, account.vpc.get(last), 201))
}

fn unbind_address(account: &mut Account, subject: &Subject) -> Answer {
    let Subject { id, last, .. } = *subject;
    let address = account.vpc.find(last);
    address
        .filter(|address| address.link("target") == Some(id))
        .ok_or_else(|| missing(last))?;
    account.vpc.unset(last, "target")?;
    Ok(Reply::empty(204))
}

fn start_or_stop(account: &mut Account, subject: &Subject) -> Answer {
    let Subject {
        call, id, field, ..
    } = *subject;
    let verb = match field {
        "actions" => call.required("type")?,
        verb => verb,
    };
    let (is_instance, status) = (
        field == "actions",
        match verb {
            "stop" => "stopped",
            _ => "running",
        },
    );
    account.vpc.set(id, "status", status)?;
    if !is_instance {
        return Ok(Reply::empty(204));
    }
    Ok(Reply::created(json!({
        "id": account.vpc.random.uuid(), "type": verb, "status": "completed", "force": false,
        "created_at": crate::simulator::clock::controller(call.now), "href": call.path,
    })))
}

fn leave_balancer(account: &mut Account, subject: &Subject) -> Answer {
    account.vpc.edit(subject.id, |body| {
        body.remove("load_balancer");
        body.remove("load_balancer_pool");
    })?;
    Ok(Reply::empty(204))
}

/// Empties a group, for good: it does not grow again.
fn delete_members(account: &mut Account, subject: &Subject) -> Answer {
    let Subject { call, id, .. } = *subject;
    account.vpc.set(id, "membership_count", 0)?;
    for member in members(&account.vpc, id) {
        account.vpc.begin_deletion(&member, call.now);
    }
    Ok(Reply::empty(204))
}

fn show_source(account: &mut Account, subject: &Subject) -> Answer {
    let source = account.vpc.get(subject.id).link("source_share");
    let source = source.ok_or_else(|| missing("source"))?;
    let source = account.vpc.get(source);
    let reference = account.vpc.reference(source, &subject.call.base);
    Ok(Reply::ok(reference))
}

fn split_share(account: &mut Account, subject: &Subject) -> Answer {
    split(&mut account.vpc, subject.id, subject.call.now)?;
    Ok(Reply::empty(202))
}

fn list_clones(account: &mut Account, subject: &Subject) -> Answer {
    let clones = account.vpc.get(subject.id).body.get("clones");
    let clones = clones.and_then(Value::as_array).cloned();
    paging::next_href(subject.call, "clones", clones.unwrap_or_default(), false)
}

fn add_clone(account: &mut Account, subject: &Subject) -> Answer {
    let Subject { call, id, last, .. } = *subject;
    let region = account.vpc.get(id).region;
    if region.zone_code(last).is_none() {
        return Err(Refusal::not_found("Zone", last));
    }
    let clone = json!({
        "available": true, "created_at": crate::simulator::clock::controller(call.now),
        "zone": {"name": last, "href": region.zone_href(last, &call.base)},
    });
    let added = clone.clone();
    account.vpc.edit(id, |body| {
        let clones = body.entry("clones").or_insert(json!([]));
        if let Some(clones) = clones.as_array_mut() {
            clones.retain(|clone| clone["zone"]["name"] != last);
            clones.push(added);
        }
    })?;
    Ok(Reply::ok(clone))
}

fn remove_clone(account: &mut Account, subject: &Subject) -> Answer {
    account.vpc.edit(subject.id, |body| {
        if let Some(Value::Array(clones)) = body.get_mut("clones") {
            clones.retain(|clone| clone["zone"]["name"] != subject.last);
        }
    })?;
    Ok(Reply::empty(202))
}

fn activate(account: &mut Account, subject: &Subject) -> Answer {
    account.vpc.set(subject.id, "status", "active")?;
    Ok(Reply::empty(202))
}
