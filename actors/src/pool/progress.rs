//! Where a cleaning is, for whoever waits for it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::account::{Account, AccountState, Phase};
use super::findings::Leftover;
use super::ids::{Timestamp, rfc3339};

/// Where a cleaning is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What is done now.
    pub phase: Phase,
    /// The first stage of the plan that still has something to do, while it is swept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The collection of which most is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// How many items the last pass or proof left, as far as is known.
    pub remaining: usize,
    /// Since when it is there: in this stage, or in this phase.
    #[serde(serialize_with = "whole_seconds")]
    pub since: Timestamp,
    /// How many items are left of each collection.
    #[serde(skip)]
    counts: BTreeMap<String, usize>,
}

impl Progress {
    pub(super) fn new(
        phase: Phase,
        stage: Option<String>,
        counts: BTreeMap<String, usize>,
        since: Timestamp,
    ) -> Self {
        let most = counts.iter().rev().max_by_key(|(_, count)| **count);
        Self {
            phase,
            stage,
            collection: most.map(|(collection, _)| collection.clone()),
            remaining: counts.values().sum(),
            since,
            counts,
        }
    }

    /// Tells whether the same is left as before, in the same place.
    pub(super) fn is_like(&self, before: &Self) -> bool {
        self.phase == before.phase && self.stage == before.stage && self.counts == before.counts
    }
}

impl Account {
    /// Returns where its cleaning is, if it is being cleaned.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        match &self.state {
            AccountState::Cleaning(cleaning) => Some(Progress::new(
                cleaning.phase,
                cleaning.stage.as_deref().map(ToOwned::to_owned),
                count(&cleaning.remaining),
                cleaning.there_since.unwrap_or(self.since),
            )),
            _ => None,
        }
    }
}

/// Counts items per collection.
pub(super) fn count(items: &[Leftover]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item.collection.clone()).or_default() += 1;
    }
    counts
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More collections than a line of the log wants to name.
        const NAMED: usize = 4;
        f.write_str(self.phase.as_str())?;
        if let Some(stage) = &self.stage {
            write!(f, ", stage {stage}")?;
        }
        if self.remaining == 0 {
            return Ok(());
        }
        write!(f, ": {} remaining (", self.remaining)?;
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let (named, others) = counts.split_at(counts.len().min(NAMED));
        for (place, (collection, count)) in named.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {collection}")?;
        }
        if !others.is_empty() {
            let rest: usize = others.iter().map(|(_, count)| **count).sum();
            write!(f, ", {rest} in {} others", others.len())?;
        }
        f.write_str(")")
    }
}

/// How long something has lasted, in the words of a person: `40 s`, `4 min`, `1 h 5 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting(pub Duration);

impl Lasting {
    /// Returns what lies between two moments.
    #[must_use]
    pub fn between(start: Timestamp, end: Timestamp) -> Self {
        Self((end - start).try_into().unwrap_or(Duration::ZERO))
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 3600, seconds / 60 % 60) {
            (0, 0) => write!(f, "{seconds} s"),
            (0, minutes) => write!(f, "{minutes} min"),
            (hours, 0) => write!(f, "{hours} h"),
            (hours, minutes) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

/// Writes a moment as RFC 3339, without fractions of a second.
pub(super) fn whole_seconds<S: serde::Serializer>(
    moment: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(moment.truncate_to_second()))
}
