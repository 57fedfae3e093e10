//! How clusters come to be, one way for each kind of infrastructure.
//!
//! Depends on the world. Promises that a refused creation leaves nothing behind, and that the first
//! cluster of a region and a resource group stores an infrastructure key of its maker.

use serde_json::{Value, json};

use super::calls::{group_header, region_header, within_account};
use super::{Cluster, Kind, Place, Site, State, target};
use crate::simulator::call::{Answer, Call, Reply};
use crate::simulator::refusal::Refusal;
use crate::simulator::rights::Level;
use crate::simulator::world::{Account, World};

/// The version of a cluster that asks for none.
const VERSION: &str = "1.33.4";

pub(super) fn in_vpc(world: &mut World, call: &Call) -> Answer {
    let pool = &call.body["workerPool"];
    let Some(vpc) = pool["vpcID"].as_str() else {
        return Err(Refusal::bad_request(
            "Property workerPool.vpcID is missing.",
        ));
    };
    let zones = pool["zones"].as_array().into_iter().flatten();
    let subnets = zones.map(|zone| zone["subnetID"].as_str().map(ToOwned::to_owned));
    let subnets: Option<Vec<String>> = subnets.collect();
    let Some(subnets) = subnets.filter(|subnets| !subnets.is_empty()) else {
        let message = "Property workerPool.zones must name a subnet for each zone.";
        return Err(Refusal::bad_request(message));
    };
    let region = world.account(call).vpc.region_of_subnets(vpc, &subnets)?;
    let per_zone = pool["workerCount"].as_u64().unwrap_or(1);
    let plan = Plan {
        kind: Kind::Vpc,
        region,
        workers: per_zone.saturating_mul(subnets.len() as u64),
        subnets: Some((vpc.to_owned(), subnets)),
    };
    let id = make(world, call, plan)?;
    Ok(Reply::created(json!({"clusterID": id})))
}

pub(super) fn classic(world: &mut World, call: &Call) -> Answer {
    elsewhere(world, call, Kind::Classic, "workerNum")
}

pub(super) fn on_satellite(world: &mut World, call: &Call) -> Answer {
    elsewhere(world, call, Kind::Satellite, "workerCount")
}

/// Makes a cluster that is in no VPC.
fn elsewhere(world: &mut World, call: &Call, kind: Kind, count: &str) -> Answer {
    let Some(region) = region_header(call) else {
        return Err(Refusal::bad_request("Header X-Region is missing."));
    };
    let plan = Plan {
        kind,
        region,
        workers: call.body[count].as_u64().unwrap_or(1),
        subnets: None,
    };
    let id = make(world, call, plan)?;
    Ok(Reply::created(json!({"id": id})))
}

/// What is special about a cluster.
struct Plan<'a> {
    kind: Kind,
    region: &'a str,
    workers: u64,
    /// The VPC and its subnets, for a cluster that is in one.
    subnets: Option<(String, Vec<String>)>,
}

fn make(world: &mut World, call: &Call, plan: Plan<'_>) -> Result<String, Refusal> {
    within_account(call)?;
    let name = call.required("name")?;
    let account = world.account(call);
    let place = account.place(plan.region, group_header(call))?;
    account.require(call, target(&place.group), Level::Administer)?;
    if account
        .clusters
        .shown()
        .any(|cluster| cluster.is_called(name))
    {
        let message = format!("A cluster with the name {name} exists already.");
        return Err(Refusal::conflict(message));
    }
    account.check_key(call, &place)?;
    world.store_first_key(call, &place)?;

    let account = world.account_mut(call);
    let id = format!("c{}", &account.random.hex()[..19]);
    let site = match plan.subnets {
        None => None,
        Some((vpc, subnets)) => {
            let (group, now) = (&place.group, call.now);
            let furnishings = account.vpc.furnish_cluster(&id, group, &subnets, now)?;
            Some(Site { vpc, furnishings })
        }
    };
    let version = call.text("kubeVersion").or(call.text("masterVersion"));
    let version = version.filter(|version| !version.is_empty());
    let lag = account.lags.instance_create;
    account.clusters.clusters.push(Cluster {
        id: id.clone(),
        name: name.to_owned(),
        kind: plan.kind,
        place,
        version: version.unwrap_or(VERSION).to_owned(),
        workers: plan.workers,
        state: if lag.is_zero() {
            State::Normal
        } else {
            State::Deploying
        },
        due: (!lag.is_zero()).then(|| call.now + lag),
        takes_resources: false,
        site,
        created_by: call.caller.iam_id.clone(),
        created_at: call.now,
    });
    give_identity(world, call, &id)?;
    Ok(id)
}

/// Makes the service ID with which a cluster pulls its images.
fn give_identity(world: &mut World, call: &Call, cluster: &str) -> Result<(), Refusal> {
    let name = format!("cluster-{cluster}");
    let account = world.account_mut(call);
    let service_id = account.add_service_id(&name, "", None, call.now);
    let wanted: Value = json!({"name": name});
    world.mint_key(call, &format!("iam-{service_id}"), &wanted)?;
    Ok(())
}

impl Account {
    /// A region and a resource group: the one that is asked for, which must be there, or the default.
    pub(super) fn place(&self, region: &str, group: Option<&str>) -> Result<Place, Refusal> {
        let group = group.unwrap_or(self.vpc.default_group());
        if !self.resource_groups.contains(group) {
            return Err(Refusal::not_found("Resource group", group));
        }
        Ok(Place {
            region: region.to_owned(),
            group: group.to_owned(),
        })
    }
}
