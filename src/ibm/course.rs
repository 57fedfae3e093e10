//! What a sweep remembers from pass to pass, so that a pass need not read everything again.
//!
//! Depends on the plan. A memory only: without it a sweep does the same with more requests. Promises
//! that nothing is believed for longer than a few minutes, and that what is not remembered is read.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use acctpool_actors::cloud::Leftover;
use acctpool_actors::pool::Timestamp;

use super::api::Region;
use super::collections::{KeptItem, Stage, Where};
use super::survey::Stop;

/// How long what was seen is believed: something may appear where there was nothing.
const FRESH: Duration = Duration::from_mins(5);

/// How long a stage is waited for: the slowest, clusters, may take 45 minutes (8.2, 12).
const PATIENCE: Duration = Duration::from_mins(45);

/// See the module.
#[derive(Default)]
pub(super) struct Course {
    seen: HashMap<(&'static str, Option<Region>), (Timestamp, Seen)>,
    /// Since when something of a stage is on its way out, in a region or in none.
    leaving_since: BTreeMap<(Stage, Option<Region>), Timestamp>,
}

/// What was seen where nothing could be deleted: because there is nothing, or not yet.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) kept: Vec<KeptItem>,
    pub(super) waiting: Vec<Leftover>,
}

impl Course {
    /// Returns what was seen at a stop, if there is no need to look again. Only what stands in regions
    /// is remembered: that is most of all lists.
    pub(super) fn recall(&self, stop: &Stop, is_blocked: bool, now: Timestamp) -> Option<&Seen> {
        let (at, seen) = self.seen.get(&(stop.row.name, stop.region.clone()))?;
        let is_fresh = now - *at < FRESH;
        (is_fresh && (is_blocked || seen.waiting.is_empty())).then_some(seen)
    }

    /// Remembers what was seen at a stop.
    pub(super) fn note(&mut self, stop: &Stop, seen: Seen, now: Timestamp) {
        if matches!(stop.row.places, Where::Regions) {
            let key = (stop.row.name, stop.region.clone());
            self.seen.insert(key, (now, seen));
        }
    }

    /// Forgets what was seen at a stop: it has to be looked at again.
    pub(super) fn forget(&mut self, stop: &Stop) {
        self.seen.remove(&(stop.row.name, stop.region.clone()));
    }

    /// Forgets everything that was seen.
    pub(super) fn forget_all(&mut self) {
        self.seen.clear();
    }

    /// Notes where in a stage something is on its way out. Returns for which of these places later
    /// stages should wait: not for ever, since what never ends must not keep the rest from being
    /// cleaned.
    pub(super) fn waits_for(
        &mut self,
        stage: Stage,
        leaving: BTreeMap<Option<Region>, &'static str>,
        now: Timestamp,
    ) -> BTreeMap<Option<Region>, &'static str> {
        self.leaving_since
            .retain(|(of, place), _| *of != stage || leaving.contains_key(place));
        let mut waited_for = leaving;
        waited_for.retain(|place, _| {
            let since = self.leaving_since.entry((stage, place.clone()));
            now - *since.or_insert(now) < PATIENCE
        });
        waited_for
    }
}
