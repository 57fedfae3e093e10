//! How resources end: what is in the way, what goes along, and what a 204 leaves to be done.
//!
//! Depends on the store and on the kinds. Promises that nothing is deleted that something holds, and
//! that what is held by a part counts as holding the whole.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::kind::Bond;
use super::kinds::{EXPORT_JOBS, VPCS};
use super::resource::{Phase, Resource};
use super::store::Vpc;
use crate::simulator::refusal::Refusal;

impl Vpc {
    /// Accepts or refuses a deletion; gives the status of the answer. The resource is gone at once, or
    /// when its time has come.
    pub(super) fn delete(&mut self, id: &str, now: OffsetDateTime) -> Result<u16, Refusal> {
        self.may_go(id)
            .map_err(|refusal| refusal.with_target("parameter", "id", id))?;
        let kind = self.get(id).kind;
        self.begin_deletion(id, now);
        Ok(kind.deleted)
    }

    /// Deletes a resource that may go.
    pub(super) fn begin_deletion(&mut self, id: &str, now: OffsetDateTime) {
        let Some(resource) = self.find(id) else {
            return;
        };
        if resource.phase == Phase::Deleting {
            return;
        }
        let kind = resource.kind;
        let lag = match () {
            () if kind.life.field.is_empty() => Duration::ZERO,
            () if kind.life.slow || self.lingers(resource) => self.lags.vpc_slow_delete,
            () => self.lags.vpc_delete,
        };
        (kind.going)(self, id, now);
        if lag.is_zero() {
            self.remove(id, now);
        } else {
            self.enter(id, Phase::Deleting, now + lag);
        }
    }

    /// Whether something must end first that a deletion waits for: clones of a snapshot, exports of an
    /// image.
    fn lingers(&self, resource: &Resource) -> bool {
        let clones = resource.body.get("clones").and_then(Value::as_array);
        clones.is_some_and(|clones| !clones.is_empty())
            || self
                .referrers_from(&resource.id, EXPORT_JOBS)
                .next()
                .is_some()
    }

    fn may_go(&self, id: &str) -> Result<(), Refusal> {
        let resource = self.get(id);
        let kind = resource.kind;
        if kind.undeletable.contains(&resource.phase) {
            let message = format!("The {} is {}.", kind.word, resource.state());
            return Err(Refusal::conflict(message).with_code(in_state(resource)));
        }
        (kind.may_go)(self, resource)?;
        let doomed = self.doomed(id);
        let unseen = doomed.iter().find_map(|going| self.held_unseen(going));
        let seen = || {
            let holder = doomed.iter().find_map(|going| {
                let mut referrers = self.referrers_of(going);
                referrers.find(|holder| !doomed.contains(&holder.id) && holds(holder, going))
            });
            holder.map(|holder| holder.kind.word)
        };
        match unseen.or_else(seen) {
            None => Ok(()),
            Some(by) => Err(in_use(resource, by)),
        }
    }

    /// A resource and everything that ends with it.
    pub(super) fn doomed(&self, id: &str) -> BTreeSet<String> {
        let mut doomed = BTreeSet::from([id.to_owned()]);
        let mut unseen = vec![id.to_owned()];
        while let Some(id) = unseen.pop() {
            let Some(resource) = self.find(&id) else {
                continue;
            };
            let with_parent = resource
                .parent
                .as_ref()
                .is_some_and(|parent| doomed.contains(parent));
            let taken = (resource.kind.takes)(self, resource, with_parent);
            let dying = self
                .referrers_of(&id)
                .filter(|referrer| dies(referrer, &id));
            let dying = dying.map(|referrer| referrer.id.clone());
            for next in dying.chain(taken) {
                if doomed.insert(next.clone()) {
                    unseen.push(next);
                }
            }
        }
        doomed
    }

    /// Ends a resource and what ends with it.
    pub(super) fn remove(&mut self, id: &str, now: OffsetDateTime) {
        let doomed = self.doomed(id);
        let gone: Vec<Resource> = doomed.iter().filter_map(|id| self.erase(id)).collect();
        for resource in gone {
            (resource.kind.gone)(self, &resource, now);
        }
    }
}

fn holds(referrer: &Resource, id: &str) -> bool {
    has_bond(referrer, id, Bond::Holds)
}

fn dies(referrer: &Resource, id: &str) -> bool {
    referrer.came_with.as_deref() == Some(id) || has_bond(referrer, id, Bond::Dies)
}

fn has_bond(referrer: &Resource, id: &str, bond: Bond) -> bool {
    let mut links = referrer.links.iter();
    links.any(|link| link.to == id && link.bond == bond)
}

/// The refusal of what something holds: `subnet_in_use_network_interface_exists`, and `vpc_in_use`
/// (`ibm-cloud.md` 8.1).
fn in_use(resource: &Resource, by: &str) -> Refusal {
    let word = resource.kind.word;
    let code = match resource.kind.path {
        VPCS => "vpc_in_use".to_owned(),
        _ => format!("{word}_in_use_{by}_exists").replace('-', "_"),
    };
    Refusal::conflict(format!("The {word} is in use: a {by} exists.")).with_code(code)
}

fn in_state(resource: &Resource) -> String {
    let word = format!("{}_{}", resource.kind.word, resource.state());
    word.replace('-', "_")
}
