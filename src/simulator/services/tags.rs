//! Global Tagging (`ibm-cloud.md` 7).
//!
//! Promises that errors of single tags and resources hide inside a 200, that attached tags are not
//! deleted, and that a detached user tag vanishes by itself while an access tag stays.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::resource_instances::Instance;
use super::standalone::Standalone;
use super::vpc::Resource;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, POLICIES};
use crate::simulator::settings::Lags;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/v3/tags", list),
        route("POST", "/v3/tags", create),
        route("DELETE", "/v3/tags", delete_all),
        route("POST", "/v3/tags/attach", attach),
        route("POST", "/v3/tags/detach", detach),
        route("DELETE", "/v3/tags/{name}", delete),
    ],
};

pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// CRNs of the resources that carry it.
    pub(crate) attached_to: BTreeSet<String>,
    /// Since when no resource carries it.
    detached_at: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Access,
    Service,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Access => "access",
            Self::Service => "service",
        }
    }

    /// The kind that a call is about; user tags unless it says otherwise.
    fn of(call: &Call) -> Result<Self, Refusal> {
        match call.query("tag_type") {
            None | Some("user") => Ok(Self::User),
            Some("access") => Ok(Self::Access),
            Some("service") => Ok(Self::Service),
            Some(_) => Err(Refusal::bad_request(
                "tag_type must be user, access or service.",
            )),
        }
    }
}

impl Tag {
    /// When the tag vanishes by itself.
    pub(crate) fn due(&self, lags: &Lags) -> Option<OffsetDateTime> {
        let detached_at = self.detached_at.filter(|_| self.kind == Kind::User)?;
        Some(detached_at + lags.detached_tag)
    }

    fn detach(&mut self, crn: &str, now: OffsetDateTime) -> bool {
        let detached = self.attached_to.remove(crn);
        if detached && self.attached_to.is_empty() {
            self.detached_at = Some(now);
        }
        detached
    }
}

impl Account {
    pub(crate) fn tags_of(&self, crn: &str) -> Vec<&str> {
        let tags = self.tags.iter().filter(|tag| tag.attached_to.contains(crn));
        tags.map(|tag| tag.name.as_str()).collect()
    }

    pub(crate) fn attach_user_tag(&mut self, name: &str, crn: &str) {
        self.attach_tag(name, Kind::User, crn);
    }

    /// Takes every tag off a resource that is gone.
    pub(crate) fn detach_all_tags(&mut self, crn: &str, now: OffsetDateTime) {
        for tag in &mut self.tags {
            tag.detach(crn, now);
        }
        self.vpc.touch_named(crn);
    }

    pub(crate) fn settle_tags(&mut self, now: OffsetDateTime) {
        let lags = &self.lags;
        self.tags
            .retain(|tag| tag.due(lags).is_none_or(|due| due > now));
    }

    fn attach_tag(&mut self, name: &str, kind: Kind, crn: &str) {
        let position = self
            .tags
            .iter()
            .position(|tag| tag.kind == kind && tag.name.eq_ignore_ascii_case(name));
        let position = position.unwrap_or_else(|| {
            self.tags.push(Tag {
                name: name.to_owned(),
                kind,
                attached_to: BTreeSet::new(),
                detached_at: None,
            });
            self.tags.len() - 1
        });
        let tag = &mut self.tags[position];
        tag.detached_at = None;
        tag.attached_to.insert(crn.to_owned());
        self.vpc.touch_named(crn);
    }

    /// Whether the caller may put tags of a kind on a resource: an editor of it may put user tags.
    fn may_tag(&self, call: &Call, kind: Kind, crn: &str) -> bool {
        if kind == Kind::Access {
            return self.allows(call, POLICIES, Level::Edit);
        }
        if let Some(instance) = self.instance(crn).filter(|instance| !instance.is_removed()) {
            return self.allows(call, instance.target(), Level::Edit);
        }
        if let Some(resource) = self.vpc.named_by_crn(crn) {
            return self.allows(call, resource.target(), Level::Edit);
        }
        if let Some(standalone) = self.standalone_named(crn) {
            return self.allows(call, standalone.target(), Level::Edit);
        }
        let mut groups = self.resource_groups.groups.iter();
        groups
            .find(|group| group.crn(&self.id) == crn)
            .is_some_and(|group| self.allows_on_group(call, &group.id, Level::Edit))
    }

    fn sees_tag(&self, call: &Call, tag: &Tag) -> bool {
        if self.allows(call, POLICIES, Level::View) {
            return true;
        }
        tag.attached_to.iter().any(|crn| {
            let of_instance = self.instance(crn).map(Instance::target);
            let of_vpc = || self.vpc.named_by_crn(crn).map(Resource::target);
            let standalone = self.standalone_named(crn);
            let of_standalone = || standalone.as_ref().map(Standalone::target);
            let target = of_instance.or_else(of_vpc).or_else(of_standalone);
            target.is_some_and(|target| self.allows(call, target, Level::View))
        })
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let kind = Kind::of(call)?;
    let account = world.account(call);
    let tags = account
        .tags
        .iter()
        .filter(|tag| tag.kind == kind && account.sees_tag(call, tag))
        .filter(|tag| {
            call.query("attached_to")
                .is_none_or(|crn| tag.attached_to.contains(crn))
        })
        .filter(|tag| !call.flag("attached_only") || !tag.attached_to.is_empty())
        .map(|tag| json!({"name": tag.name}))
        .collect();
    paging::offset(call, "items", tags)
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    if Kind::of(call)? != Kind::Access {
        return Err(Refusal::bad_request(
            "Only access tags are created: tag_type must be access.",
        ));
    }
    let account = world.account_mut(call);
    account.require(call, POLICIES, Level::Edit)?;
    let mut results = Vec::new();
    for name in texts(&call.body["tag_names"]) {
        let is_valid = name
            .split_once(':')
            .is_some_and(|(key, value)| !(key.is_empty() || value.is_empty()));
        let exists = account
            .tags
            .iter()
            .any(|tag| tag.kind == Kind::Access && tag.name == name);
        let is_error = !is_valid || exists;
        if !is_error {
            account.tags.push(Tag {
                name: name.to_owned(),
                kind: Kind::Access,
                attached_to: BTreeSet::new(),
                detached_at: Some(call.now),
            });
        }
        results.push(json!({"tag_name": name, "is_error": is_error}));
    }
    Ok(Reply::ok(json!({"results": results})))
}

fn attach(world: &mut World, call: &Call) -> Answer {
    each_resource(world, call, |account, name, kind, crn| {
        account.attach_tag(name, kind, crn);
    })
}

fn detach(world: &mut World, call: &Call) -> Answer {
    let now = call.now;
    each_resource(world, call, |account, name, kind, crn| {
        let tags = account.tags.iter_mut();
        for tag in tags.filter(|tag| tag.kind == kind && tag.name.eq_ignore_ascii_case(name)) {
            tag.detach(crn, now);
        }
        account.vpc.touch_named(crn);
    })
}

/// Does `act` for every tag and resource of the body; a resource that the caller may not tag is an
/// error inside the answer.
fn each_resource(
    world: &mut World,
    call: &Call,
    act: impl Fn(&mut Account, &str, Kind, &str),
) -> Answer {
    call.within(call.query("account_id"))?;
    let kind = Kind::of(call)?;
    let names: Vec<&str> = match call.text("tag_name") {
        Some(name) => vec![name],
        None => texts(&call.body["tag_names"]).collect(),
    };
    let resources = call.body["resources"].as_array();
    let Some(resources) = resources.filter(|_| !names.is_empty()) else {
        return Err(Refusal::bad_request(
            "tag_names and resources must be given.",
        ));
    };
    let account = world.account_mut(call);
    let mut results = Vec::new();
    for crn in resources
        .iter()
        .filter_map(|resource| resource["resource_id"].as_str())
    {
        let may = account.may_tag(call, kind, crn);
        if may {
            for name in &names {
                act(account, name, kind, crn);
            }
        }
        results.push(json!({"resource_id": crn, "is_error": !may}));
    }
    Ok(Reply::ok(json!({"results": results})))
}

fn delete_all(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let kind = Kind::of(call)?;
    let account = world.account_mut(call);
    account.require(call, POLICIES, Level::Edit)?;
    let detached: Vec<String> = account
        .tags
        .iter()
        .filter(|tag| tag.kind == kind && tag.attached_to.is_empty())
        .map(|tag| tag.name.clone())
        .collect();
    for name in &detached {
        account.delete_tag(name, kind, call.now);
    }
    let items: Vec<Value> = detached
        .iter()
        .map(|name| json!({"tag_name": name, "is_error": false}))
        .collect();
    Ok(Reply::ok(
        json!({"total_count": items.len(), "errors": false, "items": items}),
    ))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let kind = Kind::of(call)?;
    let account = world.account_mut(call);
    account.require(call, POLICIES, Level::Edit)?;
    let name = call.param(0);
    let mut tags = account.tags.iter();
    let tag = tags.find(|tag| tag.kind == kind && tag.name == name);
    let result = match tag {
        Some(tag) if tag.attached_to.is_empty() => {
            account.delete_tag(name, kind, call.now);
            json!({"provider": "ghost", "is_error": false})
        }
        Some(_) => json!({
            "provider": "ghost", "is_error": true,
            "errors": [{"code": "tag_attached", "message": "The tag is attached to resources."}],
        }),
        None => json!({
            "provider": "ghost", "is_error": true,
            "errors": [{"code": "tag_not_found", "message": "The tag does not exist."}],
        }),
    };
    Ok(Reply::ok(json!({"results": [result]})))
}

impl Account {
    fn delete_tag(&mut self, name: &str, kind: Kind, now: OffsetDateTime) {
        self.tags.retain(|tag| tag.kind != kind || tag.name != name);
        if kind == Kind::Access {
            self.remove_policies_with_tag(name, now);
        }
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}
