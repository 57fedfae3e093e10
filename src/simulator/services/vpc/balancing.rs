//! Quirks of load balancers and of what lets others reach a service.
//!
//! Depends on the store.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::kinds::{BALANCERS, DNS_BINDINGS, ENDPOINT_GATEWAYS};
use super::networks::is_hub;
use super::resource::{Phase, Resource};
use super::store::Vpc;
use crate::simulator::refusal::Refusal;

/// Refuses a change of a part of a load balancer that is changing already.
pub(super) fn not_busy(vpc: &Vpc, root: &Resource) -> Result<(), Refusal> {
    if root.phase == Phase::Ready {
        return Ok(());
    }
    let message = format!(
        "The load balancer {} cannot be updated: it is {}.",
        vpc.get(&root.id).name,
        root.state()
    );
    Err(Refusal::conflict(message).with_code("load_balancer_update_conflict"))
}

/// Makes a load balancer busy for a while.
pub(super) fn keep_busy(vpc: &mut Vpc, id: &str, now: OffsetDateTime) {
    let is_ready = vpc
        .find(id)
        .is_some_and(|found| found.kind.path == BALANCERS && found.phase == Phase::Ready);
    if is_ready && !vpc.lags.vpc_create.is_zero() {
        vpc.enter(id, Phase::Updating, now + vpc.lags.vpc_create);
    }
}

pub(super) fn view_service_gateway(
    vpc: &Vpc,
    gateway: &Resource,
    _: &str,
    json: &mut Map<String, Value>,
) {
    let count = vpc.referrers_from(&gateway.id, ENDPOINT_GATEWAYS).count();
    json.insert("endpoint_gateway_count".into(), count.into());
}

/// In a DNS hub, an endpoint gateway stays while a VPC that the hub resolves for has one for the same
/// target.
pub(super) fn endpoint_gateway_may_go(vpc: &Vpc, gateway: &Resource) -> Result<(), Refusal> {
    let Some(hub) = gateway.link("vpc").map(|id| vpc.get(id)) else {
        return Ok(());
    };
    if !is_hub(hub) {
        return Ok(());
    }
    let bindings = vpc.referrers_from(&hub.id, DNS_BINDINGS);
    let spokes = bindings.filter_map(|binding| binding.parent.as_deref());
    let target = gateway.body.get("target");
    let mut others = spokes.flat_map(|spoke| vpc.referrers_from(spoke, ENDPOINT_GATEWAYS));
    if others.any(|other| other.body.get("target") == target) {
        let message = "Another VPC of the DNS topology has an endpoint gateway for the target.";
        return Err(Refusal::conflict(message).with_code("endpoint_gateway_in_dns_topology"));
    }
    Ok(())
}
