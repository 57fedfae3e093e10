//! The API of clusters: lists, reads and deletion.
//!
//! Depends on the world. Lists are bare arrays without pages (`ibm-cloud.md` 1.7), and the header that
//! names a resource group narrows them.

use serde_json::Value;

use super::{Cluster, Kind, State};
use crate::simulator::call::{Answer, Call, Reply};
use crate::simulator::refusal::Refusal;
use crate::simulator::rights::Level;
use crate::simulator::world::{Account, World};

pub(super) fn list_vpc(world: &mut World, call: &Call) -> Answer {
    list(world, call, Kind::Vpc)
}

pub(super) fn list_classic(world: &mut World, call: &Call) -> Answer {
    list(world, call, Kind::Classic)
}

pub(super) fn list_satellite(world: &mut World, call: &Call) -> Answer {
    list(world, call, Kind::Satellite)
}

fn list(world: &mut World, call: &Call, kind: Kind) -> Answer {
    within_account(call)?;
    let account = world.account(call);
    let (group, region) = (group_header(call), region_header(call));
    let shown = account.clusters.shown();
    let clusters: Value = shown
        .filter(|cluster| cluster.kind == kind)
        .filter(|cluster| group.is_none_or(|group| cluster.place.group == group))
        .filter(|cluster| region.is_none_or(|region| cluster.place.region == region))
        .filter(|cluster| account.allows(call, cluster.target(), Level::View))
        .map(|cluster| cluster.json(&account.id))
        .collect();
    Ok(Reply::ok(clusters))
}

pub(super) fn get(world: &mut World, call: &Call) -> Answer {
    show(world.account(call), call, call.param(0))
}

pub(super) fn get_named(world: &mut World, call: &Call) -> Answer {
    let Some(id_or_name) = call.query("cluster") else {
        return Err(Refusal::bad_request("Query parameter cluster is missing."));
    };
    show(world.account(call), call, id_or_name)
}

fn show(account: &Account, call: &Call, id_or_name: &str) -> Answer {
    within_account(call)?;
    let cluster = find(account, call, id_or_name, Level::View)?;
    Ok(Reply::ok(cluster.json(&account.id)))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Answer {
    within_account(call)?;
    let account = world.account_mut(call);
    let cluster = find(account, call, call.param(0), Level::Administer)?;
    // A deletion that is under way goes on as it was begun.
    if cluster.state != State::Deleting {
        let id = cluster.id.clone();
        account.begin_cluster_deletion(&id, call.flag("deleteResources"), call.now);
    }
    Ok(Reply::empty(204))
}

/// The cluster with this id or name, on which the caller has `level`.
pub(super) fn find<'a>(
    account: &'a Account,
    call: &Call,
    id_or_name: &str,
    level: Level,
) -> Result<&'a Cluster, Refusal> {
    let mut shown = account.clusters.shown();
    let cluster = shown.find(|cluster| cluster.is_called(id_or_name));
    let cluster = cluster.ok_or_else(|| {
        Refusal::new(
            404,
            format!("The specified cluster {id_or_name} could not be found."),
        )
    })?;
    account.require(call, cluster.target(), level)?;
    Ok(cluster)
}

/// Refuses calls whose headers name another account than the token's.
pub(super) fn within_account(call: &Call) -> Result<(), Refusal> {
    call.within(named_by(call, "x-auth-resource-account"))
}

pub(super) fn group_header(call: &Call) -> Option<&str> {
    named_by(call, "x-auth-resource-group")
}

pub(super) fn region_header(call: &Call) -> Option<&str> {
    named_by(call, "x-region")
}

fn named_by<'a>(call: &'a Call, header: &str) -> Option<&'a str> {
    call.header(header).filter(|value| !value.is_empty())
}
