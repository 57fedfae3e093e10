//! How far a cleaning is, in numbers and in words.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use acctpool_actors::cloud::{Leftover, Pass, Proof};
use acctpool_actors::pool::Lasting;

use super::super::status_line::bar;
use crate::ibm::BaselineItem;

/// How often a pass is told of that changes nothing.
const QUIET: Duration = Duration::from_mins(1);

/// See the module.
pub(super) struct Tally {
    /// Everything that was found and should not be there.
    met: HashSet<BaselineItem>,
    /// What was left of it when it was last looked at.
    pub(super) left: Vec<Leftover>,
    kept: usize,
    passes: usize,
    stage: Option<&'static str>,
    in_stage_since: Instant,
    last_told: Option<(Instant, usize)>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            met: HashSet::new(),
            left: Vec::new(),
            kept: 0,
            passes: 0,
            stage: None,
            in_stage_since: Instant::now(),
            last_told: None,
        }
    }
}

impl Tally {
    /// Takes a pass in. Returns what to tell of it, if it changed something or long nothing was told.
    pub(super) fn take_pass(&mut self, pass: Pass) -> Option<String> {
        self.passes += 1;
        self.kept = pass.kept.len();
        let is_new_stage = self.stage != pass.stage;
        if is_new_stage {
            self.stage = pass.stage;
            self.in_stage_since = Instant::now();
        }
        self.met.extend(pass.deleted.iter().map(BaselineItem::from));
        self.left = pass.stuck;
        self.left.extend(pass.leaving);
        self.left.extend(pass.waiting);
        self.met.extend(self.left.iter().map(BaselineItem::from));
        let gone = self.gone();
        let has_changed = is_new_stage || self.last_told.is_none_or(|(_, told)| told != gone);
        let is_long_ago = self.last_told.is_none_or(|(at, _)| at.elapsed() >= QUIET);
        if !has_changed && !is_long_ago {
            return None;
        }
        self.last_told = Some((Instant::now(), gone));
        let stage = self.stage_in_words();
        let left = self.left.len();
        Some(format!(
            "pass {}: {gone} deleted, {left} left{stage}",
            self.passes
        ))
    }

    /// Takes a proof in that found something.
    pub(super) fn take_proof(&mut self, proof: Proof) {
        self.left = proof.leftovers;
        self.met.extend(self.left.iter().map(BaselineItem::from));
    }

    /// Says how far it is, in a line that is as short as can be.
    pub(super) fn status(&self, requests: u32) -> String {
        let (gone, met) = (self.gone(), self.met.len());
        let stage = self.stage_in_words();
        match self.passes {
            0 => format!("looking: {requests} requests"),
            pass => format!(
                "{} {gone}/{met}{stage}, pass {pass}, {requests} requests",
                bar(gone, met)
            ),
        }
    }

    /// Says what was done.
    pub(super) fn summary(&self, requests: u32, took: Duration) -> String {
        let took = Lasting(took);
        format!(
            "{} deleted, {} left, {} kept, in {} passes with {requests} requests and {took}",
            self.gone(),
            self.left.len(),
            self.kept,
            self.passes,
        )
    }

    /// Returns how many things are gone, or were asked to go and have not been seen since.
    fn gone(&self) -> usize {
        self.met.len().saturating_sub(self.left.len())
    }

    fn stage_in_words(&self) -> String {
        let Some(stage) = self.stage else {
            return String::new();
        };
        format!(", {stage} for {}", Lasting(self.in_stage_since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(ids: &[&str]) -> Vec<Leftover> {
        let item = |id: &&str| Leftover {
            collection: "things".to_owned(),
            id: (*id).to_owned(),
            name: None,
            region: None,
            reason: String::new(),
        };
        ids.iter().map(item).collect()
    }

    fn pass(deleted: &[&str], waiting: &[&str], stage: Option<&'static str>) -> Pass {
        Pass {
            deleted: items(deleted),
            waiting: items(waiting),
            stage,
            ..Pass::default()
        }
    }

    #[test]
    fn what_comes_back_after_it_was_asked_to_go_is_left() {
        let mut tally = Tally::default();
        tally.take_pass(pass(&["a", "b"], &["c"], Some("machines")));
        assert!(
            tally
                .status(7)
                .contains(" 2/3, machines for 0 s, pass 1, 7 requests")
        );
        tally.take_pass(pass(&[], &["b", "c"], Some("machines")));
        assert!(tally.status(9).contains(" 1/3"));
        tally.take_pass(pass(&[], &[], None));
        let summary = tally.summary(12, Duration::from_millis(61_200));
        let expected = "3 deleted, 0 left, 0 kept, in 3 passes with 12 requests and 1 min";
        assert_eq!(summary, expected);
    }

    #[test]
    fn pass_that_changes_nothing_is_not_told_of() {
        let mut tally = Tally::default();
        let told = tally.take_pass(pass(&["a"], &["b"], Some("machines")));
        assert_eq!(told.unwrap(), "pass 1: 1 deleted, 1 left, machines for 0 s");
        let same = || pass(&[], &["b"], Some("machines"));
        assert_eq!(tally.take_pass(same()), None);
        let later = pass(&[], &["b"], Some("groups"));
        assert!(tally.take_pass(later).is_some(), "another stage");
    }
}
