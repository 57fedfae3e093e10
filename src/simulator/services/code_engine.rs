//! Code Engine: projects (`ibm-cloud.md` 9; shapes from IBM's `ibm-code-engine-sdk`).
//!
//! A project is a resource instance, and nothing is kept of it here: what either API does to it, the other
//! shows. Each region's API stands under its own prefix, `/codeengine/{region}/v2`. Promises that a
//! deleted project is listed as `soft_deleted`, counts, and keeps its name until its instance has been
//! reclaimed.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::reclamations::Stage;
use super::resource_instances::{Instance, Order, State};
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::catalog::CODE_ENGINE;
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::Level;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/codeengine/{region}/v2/projects", list),
        route("POST", "/codeengine/{region}/v2/projects", create),
        route("GET", "/codeengine/{region}/v2/projects/{id}", get),
        route("DELETE", "/codeengine/{region}/v2/projects/{id}", delete),
    ],
};

/// Every region of the service.
pub(crate) const REGIONS: [&str; 9] = [
    "au-syd", "br-sao", "ca-tor", "eu-de", "eu-gb", "jp-osa", "jp-tok", "us-east", "us-south",
];

/// At most this many in each region.
const MOST: usize = 20;

impl Account {
    /// The projects of a region that are not destroyed, with their positions among the instances.
    fn projects_in(&self, region: &str) -> impl Iterator<Item = (usize, &Instance)> {
        let instances = self.instances.iter().enumerate();
        instances.filter(move |(_, instance)| is_project(instance) && instance.region == region)
    }

    /// How many more projects the account may have in a region.
    pub(crate) fn projects_left(&self, region: &str) -> usize {
        MOST.saturating_sub(self.projects_in(region).count())
    }

    /// Refuses a project that is one too many for its region, or has a name that another has there.
    pub(crate) fn admits_project(&self, name: &str, region: &str) -> Result<(), Refusal> {
        let mut projects = self.projects_in(region);
        if projects.any(|(_, project)| project.name == name) {
            let message = format!("A project with the name {name} exists already in {region}.");
            return Err(Refusal::conflict(message));
        }
        if self.projects_left(region) == 0 {
            let message = format!("There are {MOST} projects in {region}, the most there may be.");
            return Err(Refusal::new(403, message));
        }
        Ok(())
    }

    /// The status of a project, which follows from its instance and its reclamation.
    fn project_status(&self, project: &Instance) -> &'static str {
        match project.state {
            State::Provisioning => "creating",
            State::Active if project.is_changing() => "deleting",
            State::Active => "active",
            State::PendingReclamation => match self.reclamation_of(&project.guid) {
                Some(Stage::Ending {
                    outcome: State::Removed,
                    ..
                }) => "hard_deleting",
                _ => "soft_deleted",
            },
            State::Removed => "hard_deleted",
        }
    }

    fn project_json(&self, project: &Instance, base: &str) -> Value {
        let (region, id) = (&project.region, &project.guid);
        json!({
            "id": id, "name": project.name, "account_id": self.id, "crn": project.crn,
            "href": format!("{base}/codeengine/{region}/v2/projects/{id}"), "region": region,
            "resource_group_id": project.resource_group_id, "resource_type": "project_v2",
            "status": self.project_status(project),
            "created_at": clock::controller(project.created_at),
        })
    }
}

fn is_project(instance: &Instance) -> bool {
    instance.plan == CODE_ENGINE && !instance.is_removed()
}

fn list(world: &mut World, call: &Call) -> Answer {
    let region = region(call)?;
    let account = world.account_mut(call);
    let visible = account
        .projects_in(region)
        .filter(|(_, project)| account.allows(call, project.target(), Level::View));
    let shown = visible.map(|(at, project)| (at, account.project_json(project, &call.base)));
    let (positions, projects): (Vec<usize>, Vec<Value>) = shown.unzip();
    for position in positions {
        account.instances[position].looked_at();
    }
    paging::next_start_limited(call, "projects", projects)
}

fn create(world: &mut World, call: &Call) -> Answer {
    let region = region(call)?;
    let name = call.required("name")?;
    let account = world.account_mut(call);
    let group = call.text("resource_group_id");
    let group = group.unwrap_or(account.vpc.default_group()).to_owned();
    let order = Order {
        name,
        region,
        group: &group,
        plan_id: CODE_ENGINE.plan_id,
    };
    let made = account.order_instance(call, &order)?;
    let project = &account.instances[made];
    Ok(Reply::with(202, account.project_json(project, &call.base)))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let json = account.project_json(&account.instances[position], &call.base);
    account.instances[position].looked_at();
    Ok(Reply::ok(json))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    account.delete_instance(position, true, call.now)?;
    Ok(Reply::empty(202))
}

fn region(call: &Call) -> Result<&str, Refusal> {
    let region = call.param(0);
    if REGIONS.contains(&region) {
        Ok(region)
    } else {
        Err(Refusal::not_found("Region", region))
    }
}

/// The project that the path names, on which the caller has `level`.
fn find<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<(&'w mut Account, usize), Refusal> {
    let (region, id) = (region(call)?, call.param(1));
    let account = world.account_mut(call);
    let (position, _) = account
        .projects_in(region)
        .find(|(_, project)| project.guid == id)
        .ok_or_else(|| Refusal::not_found("Project", id))?;
    account.require(call, account.instances[position].target(), level)?;
    Ok((account, position))
}
