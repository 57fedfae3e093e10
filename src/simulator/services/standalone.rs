//! Resources of services that keep lists of their own: the Resource Controller and VPC know nothing of
//! them, and yet they are in resource groups, carry tags and are found by Global Search.
//!
//! Depends on the account. A service with such resources adds them to [`Account::standalone`], and is
//! then searched, tagged, inventoried, and in the way of the deletion of its resource group.

use serde_json::{Value, json};

use crate::simulator::rights::Target;
use crate::simulator::world::Account;

/// One such resource.
pub(crate) struct Standalone<'a> {
    /// The collection that an inventory lists it in.
    pub(crate) collection: &'static str,
    pub(crate) id: &'a str,
    pub(crate) crn: String,
    pub(crate) name: &'a str,
    pub(crate) state: &'a str,
    pub(crate) region: &'a str,
    /// The id of its resource group; empty when it is in none.
    pub(crate) group: &'a str,
    /// The service's name in CRNs and policies.
    pub(crate) service: &'static str,
    /// What Global Search calls its family.
    pub(crate) family: &'static str,
    /// What Global Search calls its type.
    pub(crate) kind: &'static str,
}

impl Standalone<'_> {
    /// The target that rights on it are judged for.
    pub(crate) fn target(&self) -> Target<'_> {
        Target::Service {
            name: self.service,
            instance: self.id,
            resource_group: self.group,
        }
    }
}

impl Account {
    /// Every resource of such services, in order of creation within each.
    pub(crate) fn standalone(&self) -> impl Iterator<Item = Standalone<'_>> {
        let clusters = self.clusters.shown();
        let clusters = clusters.map(|cluster| cluster.standalone(&self.id));
        let namespaces = self.namespaces.iter();
        let namespaces = namespaces.map(|namespace| namespace.standalone(&self.id));
        let workspaces = self.workspaces.iter();
        let workspaces = workspaces.map(|workspace| workspace.standalone(&self.id));
        clusters.chain(namespaces).chain(workspaces)
    }

    /// The one with this CRN.
    pub(crate) fn standalone_named(&self, crn: &str) -> Option<Standalone<'_>> {
        self.standalone().find(|found| found.crn == crn)
    }

    /// What the search index says of one.
    pub(crate) fn searchable_standalone(&self, found: &Standalone<'_>) -> Value {
        json!({
            "crn": found.crn, "name": found.name, "type": found.kind, "family": found.family,
            "region": found.region, "resource_group_id": found.group, "account_id": self.id,
            "service_name": found.service, "service_instance": found.id, "guid": found.id,
            "state": found.state, "tags": self.tags_of(&found.crn),
        })
    }
}
