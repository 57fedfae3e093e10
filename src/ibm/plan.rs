//! What a cleaning would do, without doing any of it.
//!
//! Depends on the survey. Promises to write nothing.

use acctpool_actors::cloud::{CloudError, Leftover, Traffic};

use super::account_settings;
use super::baseline::{Baseline, BaselineItem};
use super::collections::{Item, Verdict};
use super::lease;
use super::search::SEARCH;
use super::session::Session;
use super::survey::{Survey, survey};

/// What a cleaning would do, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The collections that hold something.
    pub steps: Vec<PlannedStep>,
    /// What no collection explains: found by Global Search only, settings that are not what they were,
    /// and what the baseline has and the account has not. A cleaning restores the settings, and ends in
    /// quarantine over the rest.
    pub others: Vec<Leftover>,
    /// What it took to find out.
    pub traffic: Traffic,
}

/// What a cleaning would do with one collection, in one region if it stands in regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStep {
    /// The stage, by its name: nothing of a later one goes before this one is done.
    pub stage: &'static str,
    /// The collection, such as `subnets`.
    pub collection: &'static str,
    /// The region, unless the collection is in none.
    pub region: Option<String>,
    /// What would be deleted.
    pub delete: Vec<Leftover>,
    /// What is on its way out already, or goes with something else.
    pub wait: Vec<Leftover>,
    /// What needs a person.
    pub stuck: Vec<Leftover>,
    /// What stays, and why.
    pub keep: Vec<Leftover>,
}

impl Plan {
    /// Returns what the plan would not leave as it is.
    pub fn items(&self) -> impl Iterator<Item = &Leftover> {
        let steps = self.steps.iter();
        let items = steps.flat_map(|step| [&step.delete, &step.wait, &step.stuck]);
        items.flatten().chain(&self.others)
    }

    /// Returns what Global Search alone knows: nothing deletes it, so it ends in quarantine.
    pub fn found_by_search(&self) -> impl Iterator<Item = &Leftover> {
        self.others.iter().filter(|item| item.collection == SEARCH)
    }

    /// Returns the settings that a cleaning would restore; their names are the ids.
    pub fn settings(&self) -> impl Iterator<Item = &Leftover> {
        let others = self.others.iter();
        others.filter(|item| item.collection == account_settings::COLLECTION)
    }

    /// Returns what the baseline has and the account has not: it ends in quarantine.
    pub fn missing(&self) -> impl Iterator<Item = &Leftover> {
        let known = [SEARCH, account_settings::COLLECTION];
        let others = self.others.iter();
        others.filter(move |item| !known.contains(&item.collection.as_str()))
    }
}

/// Reads the whole account and says what a cleaning would do with it.
pub(super) async fn plan(session: &Session<'_>) -> Result<Plan, CloudError> {
    survey(session).await.map(Plan::from)
}

/// Reads the whole account and returns it as a baseline: all that is in it now, and its settings.
pub(super) async fn baseline(session: &Session<'_>) -> Result<Baseline, CloudError> {
    let settings = account_settings::read(session).await?;
    let survey = survey(session).await?;
    let items = survey.stops.iter().flat_map(|(stop, reading)| {
        // What is on its way out will not be there.
        let staying =
            |item: &&Item| !matches!(item.verdict, Verdict::Leaving(_) | Verdict::Following(_));
        let unkept = reading.items.iter().filter(staying);
        let unkept = unkept.map(|item| stop.leftover(item, ""));
        let kept = reading.kept.iter().map(|item| stop.kept(item));
        unkept.chain(kept)
    });
    // A lease's credential is in the account while it is ready, and another one next time.
    let is_ours = |item: &Leftover| {
        let name = item.name.as_deref().unwrap_or_default();
        name.starts_with(lease::NAME_PREFIX)
    };
    let items = items.filter(|item| !is_ours(item));
    Ok(Baseline {
        settings,
        items: items.map(|item| BaselineItem::from(&item)).collect(),
    })
}

impl From<Survey> for Plan {
    fn from(survey: Survey) -> Self {
        let steps = survey.stops.iter().map(|(stop, reading)| {
            let mut step = PlannedStep {
                stage: stop.row.stage.name(),
                collection: stop.row.name,
                region: stop.region.as_ref().map(ToString::to_string),
                delete: Vec::new(),
                wait: Vec::new(),
                stuck: Vec::new(),
                keep: reading.kept.iter().map(|item| stop.kept(item)).collect(),
            };
            for item in &reading.items {
                let (list, reason) = match &item.verdict {
                    Verdict::Leaving(reason) => (&mut step.wait, reason.as_str()),
                    Verdict::Following(other) => (&mut step.wait, *other),
                    Verdict::Immovable(reason) => (&mut step.stuck, reason.as_str()),
                    _ => (&mut step.delete, "it would be deleted"),
                };
                list.push(stop.leftover(item, reason));
            }
            step
        });
        Self {
            steps: steps.collect(),
            others: survey.others,
            traffic: survey.traffic,
        }
    }
}
