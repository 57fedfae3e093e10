//! The VPC infrastructure of one account: one store for every kind, and what time does in it.
//!
//! Depends on the kinds and on lags. Promises that a resource which others refer to is found from both
//! ends, that no reference outlives what it refers to, and that everything follows from the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::kind::Kind;
use super::kinds::KINDS;
use super::regions::Region;
use super::resource::{Link, Phase, Resource, identity, named, places};
use super::{compute, storage};
use crate::simulator::random::Random;
use crate::simulator::refusal::Refusal;
use crate::simulator::settings::Lags;

pub(crate) struct Vpc {
    pub(super) account: String,
    default_group: String,
    pub(super) lags: Lags,
    pub(super) random: Random,
    resources: BTreeMap<String, Resource>,
    collections: BTreeMap<Place, BTreeSet<String>>,
    /// Pairs of what is referred to and what refers to it.
    referrers: BTreeSet<(String, String)>,
    /// What something else than VPC infrastructure holds: what is held and by whom, with the word for
    /// what it is held by. No list shows it (`ibm-cloud.md` 8.2).
    unseen: BTreeMap<(String, String), &'static str>,
    agenda: BTreeSet<(OffsetDateTime, u64, String, Event)>,
    /// How many events were ever put down: those of one time happen in that order.
    noted: u64,
    /// Ids of what was made for a wish that is not yet granted, the first first.
    pub(super) fresh: Vec<String>,
    /// Ids of what has changed since somebody asked, with its CRN.
    changed: BTreeMap<String, String>,
}

/// One list: a region, a kind's path, and the id of a parent or nothing.
type Place = (&'static str, &'static str, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A change of state ends.
    Settle,
    /// An instance group replaces the members that it lacks.
    Regrow,
    /// A backup plan makes its snapshots.
    BackUp,
}

impl Vpc {
    pub(crate) fn new(account: &str, default_group: &str, lags: Lags, random: Random) -> Self {
        Self {
            account: account.to_owned(),
            default_group: default_group.to_owned(),
            lags,
            random,
            resources: BTreeMap::new(),
            collections: BTreeMap::new(),
            referrers: BTreeSet::new(),
            unseen: BTreeMap::new(),
            agenda: BTreeSet::new(),
            noted: 0,
            fresh: Vec::new(),
            changed: BTreeMap::new(),
        }
    }

    pub(super) fn kind(path: &str) -> &'static Kind {
        let kind = KINDS.iter().find(|kind| kind.path == path);
        kind.expect("the table has a row for every path that the program names")
    }

    /// The resource group of what names none.
    pub(crate) fn default_group(&self) -> &str {
        &self.default_group
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Resource> {
        self.resources.get(id)
    }

    /// A resource that is known to be there.
    pub(super) fn get(&self, id: &str) -> &Resource {
        &self.resources[id]
    }

    pub(super) fn get_mut(&mut self, id: &str) -> &mut Resource {
        let resource = self.resources.get_mut(id);
        resource.expect("ids that the store gave are asked for while they are there")
    }

    /// Everything, in the order of ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    /// The resource with this CRN.
    pub(crate) fn named_by_crn(&self, crn: &str) -> Option<&Resource> {
        let resource = self.find(crn.rsplit(':').next()?)?;
        (resource.crn(&self.account).as_deref() == Some(crn)).then_some(resource)
    }

    /// The ids in one list, in order.
    pub(super) fn listed(
        &self,
        region: &Region,
        kind: &Kind,
        parent: Option<&str>,
    ) -> impl Iterator<Item = &str> {
        let place = (
            region.name,
            kind.path,
            parent.unwrap_or_default().to_owned(),
        );
        let ids = self.collections.get(&place).into_iter().flatten();
        ids.map(String::as_str)
    }

    /// The ids of what refers to `id`, its parts included.
    pub(super) fn referrers_of(&self, id: &str) -> impl Iterator<Item = &Resource> {
        let from = (id.to_owned(), String::new());
        self.referrers
            .range(from..)
            .take_while(move |(to, _)| to == id)
            .map(|(_, referrer)| self.get(referrer))
    }

    /// What refers to `id` and is of the kind `path`.
    pub(super) fn referrers_from<'a>(
        &'a self,
        id: &'a str,
        path: &'a str,
    ) -> impl Iterator<Item = &'a Resource> {
        let referrers = self.referrers_of(id);
        referrers.filter(move |resource| resource.kind.path == path)
    }

    /// Lets a `holder` of another service hold a resource.
    pub(crate) fn hold(&mut self, id: &str, holder: &str, by: &'static str) {
        self.unseen.insert((id.to_owned(), holder.to_owned()), by);
    }

    /// Lets go of everything that a `holder` of another service holds.
    pub(crate) fn release(&mut self, holder: &str) {
        self.unseen.retain(|(_, known), _| known != holder);
    }

    /// The word for what another service holds a resource by, if one does.
    pub(super) fn held_unseen(&self, id: &str) -> Option<&'static str> {
        let from = (id.to_owned(), String::new());
        let (_, by) = self
            .unseen
            .range(from..)
            .take_while(|((held, _), _)| held == id)
            .next()?;
        Some(by)
    }

    /// The ids of the resource's parent, its parent's parent and so on, the outermost first.
    pub(super) fn ancestors<'a>(&'a self, resource: &'a Resource) -> Vec<&'a str> {
        let mut ids = Vec::new();
        let mut parent = resource.parent.as_deref();
        while let Some(id) = parent {
            ids.insert(0, id);
            parent = self.get(id).parent.as_deref();
        }
        ids
    }

    /// Whether anything is in this resource group.
    pub(crate) fn uses_group(&self, id: &str) -> bool {
        self.all().any(|resource| resource.group == id)
    }

    pub(super) fn insert(&mut self, resource: Resource) -> Result<(), Refusal> {
        let id = resource.id.clone();
        self.collections
            .entry(place_of(&resource))
            .or_default()
            .insert(id.clone());
        self.resources.insert(id.clone(), resource);
        self.touch(&id);
        let linked = self.relink(&id);
        if linked.is_err() {
            self.erase(&id);
        }
        linked
    }

    /// Reads the references of a body anew. A refused body leaves the former links.
    pub(super) fn relink(&mut self, id: &str) -> Result<(), Refusal> {
        let resource = self.get(id);
        let mut body = resource.body.clone();
        let mut links = Vec::new();
        if let Some(parent) = &resource.parent {
            let (to, bond) = (parent.clone(), resource.kind.to_parent);
            links.push(Link { to, bond, at: "" });
        }
        for reference in resource.kind.refs {
            let bond = reference.bond_in(&body);
            for place in places(&mut body, reference.at) {
                // A prototype names nothing that is there.
                let Some(to) = identity(place).map(ToOwned::to_owned) else {
                    continue;
                };
                let at = reference.at;
                self.referable(&to, reference.to, resource.region)
                    .map_err(|refusal| refusal.with_target("field", at, &to))?;
                *place = named(&to);
                links.push(Link { to, bond, at });
            }
        }
        self.unlink(id);
        for link in &links {
            self.referrers.insert((link.to.clone(), id.to_owned()));
        }
        let resource = self.get_mut(id);
        (resource.body, resource.links) = (body, links);
        Ok(())
    }

    /// Refuses references to what is not there, is going, or cannot be meant.
    fn referable(&self, id: &str, kinds: &[&str], region: &Region) -> Result<(), Refusal> {
        let found = self
            .find(id)
            .filter(|found| kinds.contains(&found.kind.path) && found.region == region)
            .ok_or_else(|| Refusal::not_found("Resource", id))?;
        if found.phase == Phase::Deleting {
            let message = format!("The {} is being deleted.", found.kind.word);
            return Err(Refusal::conflict(message).with_code("conflict_field"));
        }
        Ok(())
    }

    fn unlink(&mut self, id: &str) {
        for link in mem::take(&mut self.get_mut(id).links) {
            self.referrers.remove(&(link.to, id.to_owned()));
        }
    }

    /// Changes a body and what it refers to; a refused change changes nothing.
    pub(super) fn edit(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<(), Refusal> {
        let before = self.get(id).body.clone();
        change(&mut self.get_mut(id).body);
        let linked = self.relink(id);
        match linked {
            Ok(()) => self.touch(id),
            Err(_) => self.get_mut(id).body = before,
        }
        linked
    }

    /// Puts a field into a body.
    pub(super) fn set(
        &mut self,
        id: &str,
        field: &str,
        value: impl Into<Value>,
    ) -> Result<(), Refusal> {
        let value = value.into();
        self.edit(id, |body| drop(body.insert(field.to_owned(), value)))
    }

    /// Takes a field out of a body.
    pub(super) fn unset(&mut self, id: &str, field: &str) -> Result<(), Refusal> {
        self.edit(id, |body| drop(body.remove(field)))
    }

    /// Takes out one resource, which must be referred to by nothing that stays.
    pub(super) fn erase(&mut self, id: &str) -> Option<Resource> {
        self.touch(id);
        self.unlink_if_there(id);
        let resource = self.resources.remove(id)?;
        if let Some(ids) = self.collections.get_mut(&place_of(&resource)) {
            ids.remove(id);
        }
        let referrers: Vec<String> = self
            .referrers
            .range((id.to_owned(), String::new())..)
            .take_while(|(to, _)| to == id)
            .map(|(_, referrer)| referrer.clone())
            .collect();
        for referrer in referrers {
            self.get_mut(&referrer).let_go(id);
            self.referrers.remove(&(id.to_owned(), referrer));
        }
        Some(resource)
    }

    fn unlink_if_there(&mut self, id: &str) {
        if self.resources.contains_key(id) {
            self.unlink(id);
        }
    }

    /// Notes that a resource has changed, for who keeps a copy.
    pub(super) fn touch(&mut self, id: &str) {
        let resource = self.find(id);
        if let Some(crn) = resource.and_then(|resource| resource.crn(&self.account)) {
            self.changed.insert(id.to_owned(), crn);
        }
    }

    /// Notes that what is said elsewhere of the resource with this CRN has changed.
    pub(crate) fn touch_named(&mut self, crn: &str) {
        if let Some(id) = self.named_by_crn(crn).map(|found| found.id.clone()) {
            self.touch(&id);
        }
    }

    /// The CRNs of what has come, changed or gone since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<String> {
        mem::take(&mut self.changed).into_values().collect()
    }

    /// Puts an event down.
    pub(super) fn note(&mut self, at: OffsetDateTime, id: &str, event: Event) {
        self.noted += 1;
        self.agenda.insert((at, self.noted, id.to_owned(), event));
    }

    /// When something changes next by time alone.
    pub(crate) fn next_due(&self) -> Option<OffsetDateTime> {
        self.agenda.first().map(|(at, ..)| *at)
    }

    /// Does everything that time has brought about up to `now`.
    pub(crate) fn settle(&mut self, now: OffsetDateTime) {
        while self.next_due().is_some_and(|due| due <= now) {
            let Some((at, _, id, event)) = self.agenda.pop_first() else {
                return;
            };
            let Some(resource) = self.find(&id) else {
                continue;
            };
            match event {
                // A later change may have taken its place.
                Event::Settle if resource.due != Some(at) => {}
                Event::Settle => self.end_change(&id, at),
                Event::Regrow => compute::regrow(self, &id, at),
                Event::BackUp => storage::back_up(self, &id, at),
            }
        }
    }

    /// Begins a change of state, which ends by itself.
    pub(super) fn enter(&mut self, id: &str, phase: Phase, until: OffsetDateTime) {
        let resource = self.get_mut(id);
        (resource.phase, resource.due) = (phase, Some(until));
        self.note(until, id, Event::Settle);
        self.touch(id);
    }

    fn end_change(&mut self, id: &str, now: OffsetDateTime) {
        let resource = self.get_mut(id);
        if resource.phase == Phase::Deleting {
            self.remove(id, now);
        } else {
            (resource.phase, resource.due) = (Phase::Ready, None);
        }
    }
}

fn place_of(resource: &Resource) -> Place {
    let parent = resource.parent.clone().unwrap_or_default();
    (resource.region.name, resource.kind.path, parent)
}
