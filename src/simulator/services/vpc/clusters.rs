//! What Kubernetes and OpenShift clusters have in a VPC: worker nodes that no list shows, a load
//! balancer, a volume.
//!
//! Depends on the store. Promises that a subnet with workers and a volume in use by them answer their
//! deletion with 409 until the cluster lets go of them (`ibm-cloud.md` 8.1, 8.2).

use serde_json::json;
use time::OffsetDateTime;

use super::kinds::{BALANCERS, SUBNETS, VOLUMES, VPCS};
use super::making::Wish;
use super::regions::Region;
use super::resource::{Phase, named};
use super::store::Vpc;
use crate::simulator::refusal::Refusal;

/// What holds the subnets that workers are in, and the volume that they use.
const WORKER: &str = "iks-worker-node";

/// What was made in a VPC for one cluster.
pub(crate) struct Furnishings {
    pub(crate) balancer: String,
    pub(crate) volume: String,
}

impl Vpc {
    /// The name of the region of a VPC, of which all these subnets must be, and none of them going.
    pub(crate) fn region_of_subnets(
        &self,
        vpc: &str,
        subnets: &[String],
    ) -> Result<&'static str, Refusal> {
        let found = self.find(vpc).filter(|found| found.kind.path == VPCS);
        let region = found
            .ok_or_else(|| Refusal::not_found("VPC", vpc))?
            .region
            .name;
        for id in subnets {
            let found = self
                .find(id)
                .filter(|found| found.kind.path == SUBNETS && found.link("vpc") == Some(vpc));
            let found = found.ok_or_else(|| Refusal::not_found("Subnet", id))?;
            if found.phase == Phase::Deleting {
                return Err(Refusal::conflict(format!("Subnet {id} is being deleted.")));
            }
        }
        Ok(region)
    }

    /// Gives a cluster a load balancer, a volume, and workers in its subnets, of which there is one at
    /// least.
    pub(crate) fn furnish_cluster(
        &mut self,
        cluster: &str,
        group: &str,
        subnets: &[String],
        now: OffsetDateTime,
    ) -> Result<Furnishings, Refusal> {
        let Some(first) = subnets.first().and_then(|id| self.find(id)) else {
            return Err(Refusal::bad_request("A cluster needs a subnet."));
        };
        let (region, zone) = (first.region.name, first.zone.clone());
        let of_all: Vec<_> = subnets.iter().map(|id| named(id)).collect();
        let balancer = json!({
            "name": format!("kube-{cluster}-{}", &self.random.hex()[..8]), "is_public": true,
            "subnets": of_all, "resource_group": named(group),
        });
        let balancer = self.build(BALANCERS, region, balancer, now)?;
        let volume = json!({
            "name": format!("pvc-{}", self.random.uuid()), "zone": {"name": zone}, "capacity": 10,
            "profile": {"name": "general-purpose"}, "resource_group": named(group),
        });
        let volume = self.build(VOLUMES, region, volume, now)?;
        for used in subnets.iter().chain([&volume]) {
            self.hold(used, cluster, WORKER);
        }
        Ok(Furnishings { balancer, volume })
    }

    /// Makes something for a service that builds on VPC infrastructure. `path` and `region` must be
    /// ones that there are.
    pub(crate) fn build(
        &mut self,
        path: &str,
        region: &str,
        body: serde_json::Value,
        now: OffsetDateTime,
    ) -> Result<String, Refusal> {
        let wish = Wish {
            kind: Self::kind(path),
            region: Region::find(region).ok_or_else(|| Refusal::not_found("Region", region))?,
            parent: None,
            body,
        };
        self.make(wish, now)
    }

    /// Deletes something as such a service does, unless something holds it or it is gone already.
    pub(crate) fn clear_away(&mut self, id: &str, now: OffsetDateTime) {
        if self.find(id).is_some() {
            // What is held stays where it is, as it does in IBM Cloud.
            let _ = self.delete(id, now);
        }
    }
}
