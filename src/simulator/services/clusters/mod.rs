//! Kubernetes and OpenShift clusters: in VPCs, on classic infrastructure, on Satellite
//! (`ibm-cloud.md` 9; shapes from `IBM-Cloud/bluemix-go`, `api/container`).
//!
//! Promises what makes them the nastiest corner of a cleaning:
//! - Workers hold their subnets and a volume, and no list shows them; they and the load balancer stay for
//!   a while after the cluster is gone.
//! - A cluster is deleted with the rights of the infrastructure key that is stored for its region and
//!   resource group. When that key is dead, the cluster stays `deleting` until somebody sets another.
//! - Nothing of IAM goes with a cluster: neither the infrastructure key nor the cluster's service ID.
//!
//! `calls` is the API, `making` and `life` are the two ends of a cluster, `keys` are the infrastructure keys.

mod calls;
mod keys;
mod life;
mod making;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;

use self::keys::InfrastructureKey;
use super::standalone::Standalone;
use super::vpc::Furnishings;
use crate::simulator::call::{Service, route};
use crate::simulator::clock;
use crate::simulator::refusal::Family;
use crate::simulator::rights::Target;

pub(crate) const SERVICE: Service = Service {
    family: Family::Containers,
    routes: &[
        route("GET", "/containers/v2/vpc/getClusters", calls::list_vpc),
        route("GET", "/containers/v1/clusters", calls::list_classic),
        route(
            "GET",
            "/containers/v2/satellite/getClusters",
            calls::list_satellite,
        ),
        route("GET", "/containers/v2/getCluster", calls::get_named),
        route("GET", "/containers/v1/clusters/{cluster}", calls::get),
        route("DELETE", "/containers/v1/clusters/{cluster}", calls::delete),
        route("POST", "/containers/v2/vpc/createCluster", making::in_vpc),
        route("POST", "/containers/v1/clusters", making::classic),
        route(
            "POST",
            "/containers/v2/satellite/createCluster",
            making::on_satellite,
        ),
        route("POST", "/containers/v1/keys", keys::reset),
        route(
            "GET",
            "/containers/v1/logging/{cluster}/clusterkeyowner",
            keys::owner,
        ),
    ],
};

/// The service's name in CRNs and policies.
const SERVICE_NAME: &str = "containers-kubernetes";

/// The clusters of an account.
#[derive(Default)]
pub(crate) struct Clusters {
    clusters: Vec<Cluster>,
    /// The stored infrastructure keys. There is no call that removes one.
    keys: BTreeMap<Place, InfrastructureKey>,
}

/// What an infrastructure key is stored for: a region and the id of a resource group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    region: String,
    group: String,
}

pub(crate) struct Cluster {
    id: String,
    name: String,
    kind: Kind,
    place: Place,
    version: String,
    workers: u64,
    state: State,
    /// When the state ends, unless it lasts.
    due: Option<OffsetDateTime>,
    /// Whether load balancer and volume are deleted as well.
    takes_resources: bool,
    site: Option<Site>,
    created_by: String,
    created_at: OffsetDateTime,
}

/// Where a cluster of a VPC is, and what it has there.
struct Site {
    vpc: String,
    furnishings: Furnishings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Vpc,
    Classic,
    Satellite,
}

impl Kind {
    /// The provider, as lists name it.
    fn word(self) -> &'static str {
        match self {
            Self::Vpc => "vpc-gen2",
            Self::Classic => "classic",
            Self::Satellite => "satellite",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Deploying,
    Normal,
    Deleting,
    /// No call shows the cluster any more, and its workers are there yet.
    Gone,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Deploying => "deploying",
            Self::Normal => "normal",
            Self::Deleting => "deleting",
            Self::Gone => "deleted",
        }
    }
}

impl Clusters {
    /// Every cluster that calls show.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Cluster> {
        let clusters = self.clusters.iter();
        clusters.filter(|cluster| cluster.state != State::Gone)
    }

    /// The ids of clusters that are gone, but for their workers.
    pub(crate) fn lingering(&self) -> impl Iterator<Item = &str> {
        let clusters = self.clusters.iter();
        let gone = clusters.filter(|cluster| cluster.state == State::Gone);
        gone.map(|cluster| cluster.id.as_str())
    }

    /// When the next state ends.
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        self.clusters.iter().filter_map(|cluster| cluster.due).min()
    }
}

impl Cluster {
    pub(crate) fn standalone(&self, account: &str) -> Standalone<'_> {
        Standalone {
            collection: "clusters",
            id: &self.id,
            crn: self.crn(account),
            name: &self.name,
            state: self.state.word(),
            region: &self.place.region,
            group: &self.place.group,
            service: SERVICE_NAME,
            family: "containers",
            kind: "k8-cluster",
        }
    }

    fn crn(&self, account: &str) -> String {
        let Place { region, .. } = &self.place;
        format!(
            "crn:v1:bluemix:public:{SERVICE_NAME}:{region}:a/{account}:{}::",
            self.id
        )
    }

    /// The target that rights on the cluster are judged for.
    fn target(&self) -> Target<'_> {
        Target::Service {
            name: SERVICE_NAME,
            instance: &self.id,
            resource_group: &self.place.group,
        }
    }

    fn is_called(&self, id_or_name: &str) -> bool {
        self.id == id_or_name || self.name == id_or_name
    }

    fn json(&self, account: &str) -> Value {
        let Place { region, group } = &self.place;
        let openshift = self.version.ends_with("_openshift");
        let vpcs = self.site.iter().map(|site| site.vpc.as_str());
        json!({
            "id": self.id, "name": self.name, "crn": self.crn(account), "region": region,
            "resourceGroup": group, "resourceGroupName": "", "location": region, "dataCenter": region,
            "state": self.state.word(), "status": self.state.word(), "provider": self.kind.word(),
            "type": if openshift { "openshift" } else { "kubernetes" },
            "masterKubeVersion": self.version, "targetVersion": self.version, "isPaid": true,
            "workerCount": self.workers, "vpcs": vpcs.collect::<Value>(), "addons": [],
            "ownerEmail": "", "apiUser": self.created_by,
            "createdDate": clock::controller(self.created_at),
            "lifecycle": {"masterState": "deployed", "masterStatus": "Ready", "masterHealth": "normal"},
            "ingress": {"hostname": "", "secretName": ""},
            "serviceEndpoints": {
                "publicServiceEndpointEnabled": true, "privateServiceEndpointEnabled": true,
            },
        })
    }
}

/// The target that rights on all clusters of a resource group are judged for.
fn target(group: &str) -> Target<'_> {
    Target::Service {
        name: SERVICE_NAME,
        instance: "",
        resource_group: group,
    }
}
