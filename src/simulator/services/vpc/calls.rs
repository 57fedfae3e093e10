//! The API of VPC infrastructure: what every kind answers to, and who may ask.
//!
//! Depends on the world and the store. What only some kinds answer to is in `actions`.

use serde_json::{Map, Value};

use super::actions;
use super::balancing::{keep_busy, not_busy};
use super::kind::Kind;
use super::kinds::{BALANCERS, IMAGES, KINDS};
use super::making::Wish;
use super::regions::Region;
use super::resource::{Resource, identity};
use super::storage::stock_images;
use super::target;
use crate::simulator::call::{Answer, Call, Reply};
use crate::simulator::paging;
use crate::simulator::refusal::Refusal;
use crate::simulator::rights::Level;
use crate::simulator::world::{Account, World};

/// A call of a region's API.
pub(super) struct Request<'a> {
    pub(super) call: &'a Call,
    pub(super) region: &'static Region,
    /// The path below `/v1`, in segments.
    pub(super) segments: Vec<&'a str>,
}

/// What a path names.
enum Place {
    Collection(&'static Kind, Option<String>),
    Item(String),
    /// One of IBM's own images.
    Stock(Value),
}

impl<'a> Request<'a> {
    fn read(call: &'a Call) -> Result<Self, Refusal> {
        let name = call.param(0);
        let region = Region::find(name).ok_or_else(|| Refusal::not_found("Region", name))?;
        call.dated()?;
        let generation = call.query("generation").unwrap_or_default();
        if generation != "2" {
            let refusal = Refusal::bad_request("Query parameter generation must be 2.");
            let refusal = refusal.with_code("missing_generation");
            return Err(refusal.with_target("parameter", "generation", generation));
        }
        let path = call.param(1).trim_end_matches('/');
        Ok(Self {
            call,
            region,
            segments: path.split('/').collect(),
        })
    }

    /// What the path names, if the tables of the kinds know it.
    fn place(&self, account: &Account) -> Result<Option<Place>, Refusal> {
        for kind in KINDS {
            let Some((ids, rest)) = matched(&self.segments, kind.path) else {
                continue;
            };
            let parent = match ids.last() {
                None => None,
                Some(id) => Some(
                    self.resource(account, parent_path(kind), id, &ids)?
                        .id
                        .clone(),
                ),
            };
            match rest {
                [] => return Ok(Some(Place::Collection(kind, parent))),
                [id] => {
                    if kind.path == IMAGES
                        && let Some(image) = self.stock_image(id)
                    {
                        return Ok(Some(Place::Stock(image)));
                    }
                    let mut ids = ids;
                    ids.push(id);
                    let found = self.resource(account, kind.path, id, &ids)?;
                    return Ok(Some(Place::Item(found.id.clone())));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn stock_image(&self, id: &str) -> Option<Value> {
        let mut images = stock_images(self.region, &self.call.base).into_iter();
        images.find(|image| image["id"] == id)
    }

    /// The resource that a path names, whose ancestors must be those of the path.
    pub(super) fn resource<'w>(
        &self,
        account: &'w Account,
        path: &str,
        id: &str,
        ids: &[&str],
    ) -> Result<&'w Resource, Refusal> {
        let found = account.vpc.find(id).filter(|found| {
            let mut line = account.vpc.ancestors(found);
            line.push(&found.id);
            found.kind.path == path && found.region == self.region && line == ids
        });
        found.ok_or_else(|| {
            let refusal = Refusal::not_found("Resource", id);
            refusal.with_target("parameter", "id", id)
        })
    }
}

/// The ids in a path that begins as `pattern` does, and what follows.
pub(super) fn matched<'p, 's>(
    segments: &'p [&'s str],
    pattern: &str,
) -> Option<(Vec<&'s str>, &'p [&'s str])> {
    let expected: Vec<&str> = pattern.split('/').collect();
    let (start, rest) = segments.split_at_checked(expected.len())?;
    let mut ids = Vec::new();
    for (expected, found) in expected.iter().zip(start) {
        match *expected {
            "{}" => ids.push(*found),
            expected if expected == *found => {}
            _ => return None,
        }
    }
    Some((ids, rest))
}

fn parent_path(kind: &Kind) -> &'static str {
    let (path, _) = kind.path.rsplit_once("/{}").unwrap_or_default();
    path
}

pub(super) fn get(world: &mut World, call: &Call) -> Answer {
    let request = Request::read(call)?;
    let account = world.account_mut(call);
    if let Some(answer) = actions::act(account, "GET", &request) {
        return answer;
    }
    match request.place(account)? {
        Some(Place::Collection(kind, parent)) => list(account, &request, kind, parent.as_deref()),
        Some(Place::Item(id)) => {
            let found = account.vpc.get(&id);
            account.require(call, found.target(), Level::View)?;
            Ok(Reply::ok(account.vpc.json(found, &call.base)))
        }
        Some(Place::Stock(image)) => Ok(Reply::ok(image)),
        None => Err(Refusal::not_found("Path", &call.path)),
    }
}

fn list(account: &Account, request: &Request, kind: &Kind, parent: Option<&str>) -> Answer {
    let Request { call, region, .. } = request;
    let vpc = &account.vpc;
    let own = vpc.listed(region, kind, parent).filter_map(|id| {
        let found = vpc.get(id);
        let visible = account.allows(call, found.target(), Level::View);
        visible.then(|| (id.to_owned(), vpc.json(found, &call.base)))
    });
    let stock = if kind.path == IMAGES {
        stock_images(region, &call.base)
    } else {
        Vec::new()
    };
    let stock = stock.into_iter().map(|image| (text(&image, "id"), image));
    let fits = |(_, json): &(String, Value)| filters(call).all(|(at, value)| has(json, at, value));
    let items = own.chain(stock).filter(fits).map(|(_, json)| json);
    paging::next_href(call, last_segment(kind), items.collect(), kind.paged)
}

/// The parameters of a list that are no page and no version: each names a place in the items.
fn filters(call: &Call) -> impl Iterator<Item = (&str, &str)> {
    let own = ["version", "generation", "limit", "start", "sort"];
    let pairs = call.query.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(move |(name, value)| !own.contains(name) && !value.is_empty())
}

fn has(json: &Value, at: &str, wanted: &str) -> bool {
    let (field, rest) = at.split_once('.').unwrap_or((at, ""));
    let value = &json[field.trim_end_matches("[]")];
    let fits = |value: &Value| match value {
        Value::String(text) if rest.is_empty() => text == wanted,
        Value::Bool(flag) if rest.is_empty() => flag.to_string() == wanted,
        value => !rest.is_empty() && has(value, rest, wanted),
    };
    match value {
        Value::Array(values) => values.iter().any(fits),
        value => fits(value),
    }
}

fn last_segment(kind: &Kind) -> &'static str {
    kind.path.rsplit('/').next().unwrap_or(kind.path)
}

fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}

pub(super) fn post(world: &mut World, call: &Call) -> Answer {
    let request = Request::read(call)?;
    let account = world.account_mut(call);
    if let Some(answer) = actions::act(account, "POST", &request) {
        return answer;
    }
    let Some(Place::Collection(kind, parent)) = request.place(account)? else {
        return Err(Refusal::not_found("Path", &call.path));
    };
    if !kind.creatable {
        return Err(Refusal::new(405, "These cannot be created."));
    }
    let group = group_asked_for(account, call, parent.as_deref())?;
    account.require(call, target(&group), Level::Edit)?;
    let busy = parent.as_deref().filter(|_| kind.keeps_busy);
    let root = busy.map(|parent| root_of(account, account.vpc.get(parent)));
    check_busy(account, root.as_deref())?;
    let wish = Wish {
        kind,
        region: request.region,
        parent: parent.as_deref(),
        body: call.body.clone(),
    };
    let id = account.vpc.make(wish, call.now)?;
    if let Some(root) = root {
        keep_busy(&mut account.vpc, &root, call.now);
    }
    attach_tags(account, &id);
    let made = account.vpc.get(&id);
    Ok(Reply::created(account.vpc.json(made, &call.base)))
}

/// The resource group that a request names, or that follows.
fn group_asked_for(
    account: &Account,
    call: &Call,
    parent: Option<&str>,
) -> Result<String, Refusal> {
    let of_parent = parent.map(|parent| account.vpc.get(parent).group.as_str());
    let asked = identity(&call.body["resource_group"]).or(of_parent);
    let group = asked.unwrap_or(account.vpc.default_group());
    if account.resource_groups.contains(group) {
        Ok(group.to_owned())
    } else {
        let refusal = Refusal::not_found("Resource group", group);
        Err(refusal.with_target("field", "resource_group.id", group))
    }
}

/// Attaches the user tags that a request has brought along.
fn attach_tags(account: &mut Account, id: &str) {
    let found = account.vpc.get(id);
    let tags = found.body.get("user_tags").and_then(Value::as_array);
    let tags: Vec<String> = tags
        .into_iter()
        .flatten()
        .filter_map(|tag| tag.as_str().map(ToOwned::to_owned))
        .collect();
    if let Some(crn) = found.crn(&account.id) {
        for tag in tags {
            account.attach_user_tag(&tag, &crn);
        }
    }
}

/// The load balancer, or whatever else is outermost, that a part belongs to.
fn root_of(account: &Account, part: &Resource) -> String {
    let ancestors = account.vpc.ancestors(part);
    ancestors.first().copied().unwrap_or(&part.id).to_owned()
}

fn check_busy(account: &Account, root: Option<&str>) -> Result<(), Refusal> {
    root.map_or(Ok(()), |root| not_busy(&account.vpc, account.vpc.get(root)))
}

/// The load balancer that a change of this resource keeps busy.
fn kept_busy(account: &Account, id: &str) -> Option<String> {
    let found = account.vpc.get(id);
    let busy = found.kind.keeps_busy || found.kind.path == BALANCERS;
    busy.then(|| root_of(account, found))
}

pub(super) fn put(world: &mut World, call: &Call) -> Answer {
    let request = Request::read(call)?;
    let unknown = || Err(Refusal::not_found("Path", &call.path));
    actions::act(world.account_mut(call), "PUT", &request).unwrap_or_else(unknown)
}

pub(super) fn patch(world: &mut World, call: &Call) -> Answer {
    let request = Request::read(call)?;
    let (account, id) = item(world, &request, Level::Edit)?;
    let root = kept_busy(account, &id);
    check_busy(account, root.as_deref())?;
    let Value::Object(changes) = call.body.clone() else {
        return Err(Refusal::bad_request("The body is not a JSON object."));
    };
    account.vpc.edit(&id, |body| merge(body, changes))?;
    if let Some(name) = account.vpc.take(&id, "name") {
        let name = name.as_str().unwrap_or_default();
        name.clone_into(&mut account.vpc.get_mut(&id).name);
    }
    let kind = account.vpc.get(&id).kind;
    (kind.changed)(&mut account.vpc, &id, call.now);
    if let Some(root) = root {
        keep_busy(&mut account.vpc, &root, call.now);
    }
    let found = account.vpc.get(&id);
    Ok(Reply::ok(account.vpc.json(found, &call.base)))
}

/// RFC 7396 on the outer level: `null` takes a field away.
fn merge(body: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (field, value) in changes {
        if value.is_null() {
            body.remove(&field);
        } else {
            body.insert(field, value);
        }
    }
}

pub(super) fn delete(world: &mut World, call: &Call) -> Answer {
    let request = Request::read(call)?;
    if let Some(answer) = actions::act(world.account_mut(call), "DELETE", &request) {
        return answer;
    }
    let (account, id) = item(world, &request, Level::Edit)?;
    // A load balancer that goes is judged as every kind is.
    let root = kept_busy(account, &id).filter(|root| *root != id);
    check_busy(account, root.as_deref())?;
    let status = account.vpc.delete(&id, call.now)?;
    if let Some(root) = root {
        keep_busy(&mut account.vpc, &root, call.now);
    }
    Ok(Reply::empty(status))
}

/// The resource that the path names, on which the caller has `level`.
fn item<'w>(
    world: &'w mut World,
    request: &Request,
    level: Level,
) -> Result<(&'w mut Account, String), Refusal> {
    let account = world.account_mut(request.call);
    match request.place(account)? {
        Some(Place::Item(id)) => {
            let found = account.vpc.get(&id);
            account.require(request.call, found.target(), level)?;
            Ok((account, id))
        }
        Some(Place::Collection(..)) => Err(Refusal::new(
            405,
            "The method is not allowed on a collection.",
        )),
        Some(Place::Stock(_)) => Err(Refusal::forbidden()),
        None => Err(Refusal::not_found("Path", &request.call.path)),
    }
}
