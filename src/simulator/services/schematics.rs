//! Schematics: workspaces, which build infrastructure from templates (`ibm-cloud.md` 9; shapes from IBM's
//! `ibm-schematics` SDK and `ibm-cloud-docs/schematics`).
//!
//! Each location's API stands under its own prefix, `/schematics/{location}`, and lists the workspaces of
//! its location alone. Promises that a workspace with a template repository builds its resource at once,
//! and builds it again from time to time when it is missing, as one does that a pipeline keeps applying:
//! a cleaning that deletes the workspace after what it built finds no end. Deleting a workspace leaves
//! what it built.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::standalone::Standalone;
use super::vpc;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, Target};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Schematics,
    routes: &[
        route("GET", "/schematics/{location}/v1/workspaces", list),
        route("POST", "/schematics/{location}/v1/workspaces", create),
        route("GET", "/schematics/{location}/v1/workspaces/{id}", get),
        route(
            "DELETE",
            "/schematics/{location}/v1/workspaces/{id}",
            delete,
        ),
    ],
};

/// The service's name in CRNs and policies.
const SERVICE_NAME: &str = "schematics";

/// Every location of the service: its host is `{location}.schematics.cloud.ibm.com`.
pub(crate) const LOCATIONS: [&str; 6] =
    ["ca-mon", "ca-tor", "eu-de", "eu-gb", "us-east", "us-south"];

/// Where a template builds that says nothing of it.
const USUAL_REGION: &str = "us-south";

pub(crate) struct Workspace {
    id: String,
    name: String,
    description: String,
    location: &'static str,
    group: String,
    /// The part of the CRN that names the service's instance.
    instance: String,
    /// What was asked for, and is shown as it was.
    asked: Value,
    template: Option<Template>,
    created_by: String,
    created_at: OffsetDateTime,
    /// When its template is applied again, unless it never is.
    due: Option<OffsetDateTime>,
}

/// What a workspace builds. The variable `resource` of the template says `key` or `vpc`, and the variable
/// `region` says where.
struct Template {
    path: &'static str,
    region: &'static str,
    /// The id of what it has built.
    built: Option<String>,
}

impl Template {
    fn read(template_data: &Value) -> Result<Self, Refusal> {
        let variables = template_data.as_array().into_iter().flatten();
        let variables = variables.filter_map(|data| data["variablestore"].as_array());
        let variables: Vec<&Value> = variables.flatten().collect();
        let value = |name: &str| {
            let mut variables = variables.iter();
            variables.find(|variable| variable["name"] == name)?["value"].as_str()
        };
        let path = match value("resource") {
            None | Some("key") => "keys",
            Some("vpc") => "vpcs",
            Some(_) => return Err(Refusal::bad_request("The template has no such resource.")),
        };
        let asked = value("region").unwrap_or(USUAL_REGION);
        let mut regions = vpc::REGIONS.iter().map(|region| region.name);
        let region = regions.find(|region| *region == asked);
        let region =
            region.ok_or_else(|| Refusal::bad_request("The template has no such region."))?;
        Ok(Self {
            path,
            region,
            built: None,
        })
    }
}

impl Workspace {
    pub(crate) fn standalone(&self, account: &str) -> Standalone<'_> {
        Standalone {
            collection: "workspaces",
            id: &self.id,
            crn: self.crn(account),
            name: &self.name,
            state: self.status(),
            region: self.location,
            group: &self.group,
            service: SERVICE_NAME,
            family: SERVICE_NAME,
            kind: "workspace",
        }
    }

    /// When its template is applied next.
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        self.due
    }

    fn crn(&self, account: &str) -> String {
        let (location, instance, id) = (self.location, &self.instance, &self.id);
        format!(
            "crn:v1:bluemix:public:{SERVICE_NAME}:{location}:a/{account}:{instance}:workspace:{id}"
        )
    }

    fn status(&self) -> &'static str {
        match &self.template {
            Some(_) => "ACTIVE",
            None => "DRAFT",
        }
    }

    /// The target that rights on it are judged for.
    fn target(&self) -> Target<'_> {
        Target::Service {
            name: SERVICE_NAME,
            instance: &self.id,
            resource_group: &self.group,
        }
    }
}

impl Account {
    fn workspace_json(&self, workspace: &Workspace) -> Value {
        let crn = workspace.crn(&self.id);
        let at = clock::controller(workspace.created_at);
        let mut groups = self.resource_groups.groups.iter();
        let group = groups.find(|group| group.id == workspace.group);
        json!({
            "id": workspace.id, "name": workspace.name, "description": workspace.description,
            "location": workspace.location, "status": workspace.status(), "tags": self.tags_of(&crn),
            "resource_group": group.map_or("", |group| &group.name), "crn": crn,
            "type": workspace.asked["type"], "template_repo": workspace.asked["template_repo"],
            "template_data": workspace.asked["template_data"], "runtime_data": [],
            "created_by": workspace.created_by, "created_at": at, "updated_at": at,
            "workspace_status": {"frozen": false, "locked": false},
            "workspace_status_msg": {"status_code": "200", "status_msg": ""},
        })
    }

    /// Applies the templates whose time has come.
    pub(crate) fn settle_workspaces(&mut self, now: OffsetDateTime) {
        for position in 0..self.workspaces.len() {
            if self.workspaces[position].due.is_some_and(|due| due <= now) {
                self.apply(position, now);
            }
        }
    }

    /// Builds what a workspace's template wants, unless it is there.
    fn apply(&mut self, position: usize, now: OffsetDateTime) {
        let period = self.lags.workspace_apply;
        let workspace = &mut self.workspaces[position];
        let Some(template) = &mut workspace.template else {
            return;
        };
        workspace.due = (!period.is_zero()).then(|| now + period);
        let built = template.built.as_deref();
        if built.is_some_and(|built| self.vpc.find(built).is_some()) {
            return;
        }
        let mut body = json!({
            "name": format!("{}-{}", workspace.name, template.path),
            "resource_group": {"id": workspace.group},
        });
        if template.path == "keys" {
            body["public_key"] = "ssh-ed25519 AAAA".into();
        }
        // What cannot be built now is tried again the next time.
        template.built = self
            .vpc
            .build(template.path, template.region, body, now)
            .ok();
    }

    fn group_called(&self, id_or_name: &str) -> Option<&str> {
        let mut groups = self.resource_groups.groups.iter();
        let group = groups.find(|group| group.id == id_or_name || group.name == id_or_name)?;
        Some(&group.id)
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    let location = location(call)?;
    let account = world.account(call);
    let group = match call.query("resource_group") {
        None => None,
        Some(named) => match account.group_called(named) {
            None => return Err(Refusal::not_found("Resource group", named)),
            found => found,
        },
    };
    let workspaces = account.workspaces.iter();
    let visible = workspaces
        .filter(|workspace| workspace.location == location)
        .filter(|workspace| group.is_none_or(|group| workspace.group == group))
        .filter(|workspace| account.allows(call, workspace.target(), Level::View));
    let shown = visible.map(|workspace| account.workspace_json(workspace));
    paging::offset_counted(call, "workspaces", shown.collect())
}

fn create(world: &mut World, call: &Call) -> Answer {
    let location = location(call)?;
    if call.text("location").is_some_and(|asked| asked != location) {
        let message = "Bad request. Check that the location matches the endpoint.";
        return Err(Refusal::bad_request(message));
    }
    let name = call.required("name")?;
    let account = world.account_mut(call);
    let group = match call
        .text("resource_group")
        .filter(|group| !group.is_empty())
    {
        None => account.vpc.default_group(),
        Some(named) => account
            .group_called(named)
            .ok_or_else(|| Refusal::not_found("Resource group", named))?,
    };
    let group = group.to_owned();
    let target = Target::Service {
        name: SERVICE_NAME,
        instance: "",
        resource_group: &group,
    };
    account.require(call, target, Level::Edit)?;
    let template = match call.body["template_repo"]["url"].as_str() {
        None | Some("") => None,
        Some(_) => Some(Template::read(&call.body["template_data"])?),
    };
    let suffix = &account.random.hex()[..8];
    let workspace = Workspace {
        id: format!("{location}.workspace.{name}.{suffix}"),
        name: name.to_owned(),
        description: call.text("description").unwrap_or_default().to_owned(),
        location,
        group,
        instance: account.random.uuid(),
        asked: call.body.clone(),
        template,
        created_by: call.caller.iam_id.clone(),
        created_at: call.now,
        due: None,
    };
    let crn = workspace.crn(&account.id);
    let tags = call.body["tags"].as_array().into_iter().flatten();
    for tag in tags.filter_map(Value::as_str) {
        account.attach_user_tag(tag, &crn);
    }
    account.workspaces.push(workspace);
    let position = account.workspaces.len() - 1;
    account.apply(position, call.now);
    let json = account.workspace_json(&account.workspaces[position]);
    Ok(Reply::created(json))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let json = account.workspace_json(&account.workspaces[position]);
    Ok(Reply::ok(json))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    if matches!(call.query("destroy_resources"), Some("true" | "1")) {
        return Err(not_destroyed(call));
    }
    let workspace = account.workspaces.remove(position);
    let crn = workspace.crn(&account.id);
    account.detach_all_tags(&crn, call.now);
    Ok(Reply::ok("Workspace deleted".into()))
}

/// The refusal to destroy what a workspace built: that takes a refresh token, and the exchange of an API
/// key gives none.
fn not_destroyed(call: &Call) -> Refusal {
    match call.header("refresh_token") {
        None | Some("") => Refusal::bad_request("Header refresh_token is missing."),
        Some(_) => Refusal::new(401, "The refresh token is not valid."),
    }
}

fn location(call: &Call) -> Result<&'static str, Refusal> {
    let named = call.param(0);
    let mut locations = LOCATIONS.iter();
    let location = locations.find(|location| **location == named);
    location
        .copied()
        .ok_or_else(|| Refusal::not_found("Location", named))
}

/// The workspace that the path names, on which the caller has `level`.
fn find<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<(&'w mut Account, usize), Refusal> {
    let (location, id) = (location(call)?, call.param(1));
    let account = world.account_mut(call);
    let mut workspaces = account.workspaces.iter();
    let position =
        workspaces.position(|workspace| workspace.location == location && workspace.id == id);
    let position = position.ok_or_else(|| Refusal::not_found("Workspace", id))?;
    account.require(call, account.workspaces[position].target(), level)?;
    Ok((account, position))
}
