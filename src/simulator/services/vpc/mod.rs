//! VPC infrastructure (`ibm-cloud.md` 8): every collection of 8.2 in several regions.
//!
//! Each region's API stands under its own prefix, `/vpc/{region}/v1`, since one server has them all:
//! the endpoint template of a client is `{url}/vpc/{region}`, as `GET /regions` says for each. Promises
//! that no answer to a DELETE means that the resource is gone, that what is held is refused with 409,
//! and that all kinds behave alike but for what [`kinds`] says of them.
//!
//! `kinds` is the model, on two screens; `store` holds it and moves it through time, `making` and `deletion` are the two
//! ends of a life; `networks`, `balancing`, `compute` and `storage` are the quirks of the families;
//! `view` shows; `clusters` is what clusters have here; `calls` and `actions` are the API.

mod actions;
mod balancing;
mod calls;
mod clusters;
mod compute;
mod deletion;
mod kind;
mod kinds;
mod making;
mod networks;
mod regions;
mod resource;
mod storage;
mod store;
#[cfg(test)]
mod tests;
mod view;

use serde_json::{Value, json};

use crate::simulator::call::{Service, route};
use crate::simulator::refusal::Family;
use crate::simulator::rights::Target;
use crate::simulator::world::Account;

pub(crate) use self::clusters::Furnishings;
pub(crate) use self::regions::REGIONS;
pub(crate) use self::resource::Resource;
pub(crate) use self::store::Vpc;

pub(crate) const SERVICE: Service = Service {
    family: Family::Infrastructure,
    routes: &[
        route("GET", PATTERN, calls::get),
        route("POST", PATTERN, calls::post),
        route("PUT", PATTERN, calls::put),
        route("PATCH", PATTERN, calls::patch),
        route("DELETE", PATTERN, calls::delete),
    ],
};

const PATTERN: &str = "/vpc/{region}/v1/{*}";

/// The service's name in CRNs and policies.
const SERVICE_NAME: &str = "is";

/// The target that rights on what is in this resource group are judged for.
fn target(resource_group: &str) -> Target<'_> {
    Target::Service {
        name: SERVICE_NAME,
        instance: "",
        resource_group,
    }
}

impl Resource {
    /// The target that rights on this resource are judged for.
    pub(crate) fn target(&self) -> Target<'_> {
        target(&self.group)
    }

    /// The collection that an inventory lists it in: its path without ids.
    pub(crate) fn collection(&self) -> String {
        self.kind.path.replace("/{}", "")
    }
}

impl Account {
    /// What the search index says of a resource.
    pub(crate) fn searchable_resource(&self, resource: &Resource, crn: &str) -> Value {
        json!({
            "crn": crn, "name": resource.name, "type": resource.kind.word, "family": SERVICE_NAME,
            "region": resource.region.name, "resource_group_id": resource.group,
            "account_id": self.id, "service_name": SERVICE_NAME, "guid": resource.id,
            "state": resource.state(), "tags": self.tags_of(crn),
        })
    }
}
