//! Going through the whole plan: which collections are visited where, and what is found there.
//!
//! Depends on the collections, the scope and Global Search. Promises that a survey writes nothing, and
//! says "nothing is left" only when every collection was read to its end by a session that sees what
//! is known to exist.

use std::collections::BTreeSet;

use acctpool_actors::cloud::{CloudError, Leftover, Proof, Traffic};
use futures_util::future::join_all;

use super::account_settings;
use super::api::{Api, Region};
use super::baseline::BaselineItem;
use super::collections::{Collection, Item, KeptItem, Reading, Stage, TABLE, Verdict, Where};
use super::fault::{Fault, scrub, worst};
use super::paging::take_array;
use super::request::{Request, field};
use super::scope::Scope;
use super::search;
use super::session::Session;
use super::settings::Profile;

/// Regions that are asked for the list of all; the second is for when the first does not answer.
pub(super) const FIRST_REGIONS: [&str; 2] = ["us-south", "eu-de"];

/// One collection, in one region if it stands in regions.
#[derive(Clone)]
pub(super) struct Stop {
    pub(super) row: &'static Collection,
    pub(super) region: Option<Region>,
}

/// Everything that was found in an account.
pub(super) struct Survey {
    /// What each collection holds, in the plan's order; those that hold nothing are left out.
    pub(super) stops: Vec<(Stop, Reading)>,
    /// What is in no collection: found by Global Search only, settings that are not what they were,
    /// and what the baseline has and the account has not.
    pub(super) others: Vec<Leftover>,
    pub(super) traffic: Traffic,
}

/// Reads the whole account.
pub(super) async fn survey(session: &Session<'_>) -> Result<Survey, CloudError> {
    let before = session.traffic();
    let scope = Scope::read(session).await?;
    let regions = regions(session).await?;
    let mut stops = Vec::new();
    let mut faults = Vec::new();
    // Stage by stage as the sweep, since what is kept in one stage says what is kept in later ones.
    for stage in Stage::ALL {
        if stage == Stage::Remainder {
            scope.learn_kept_tags(session).await?;
        }
        let readings = stops_of(stage, session, &regions).map(|stop| async {
            let reading = stop.row.read(session, &scope, stop.region.as_ref()).await;
            (stop, reading)
        });
        for (stop, reading) in join_all(readings).await {
            match reading {
                Ok(Reading { kept, items }) if kept.is_empty() && items.is_empty() => {}
                Ok(reading) => stops.push((stop, reading)),
                Err(fault) => faults.push(fault),
            }
        }
    }
    let mut others = missing(&scope, &stops);
    let settings = &scope.baseline().settings;
    for found in [
        account_settings::differences(session, settings).await,
        search::unexplained(session, &scope, &regions).await,
    ] {
        match found {
            Ok(found) => others.extend(found),
            Err(fault) => faults.push(fault),
        }
    }
    match worst(faults) {
        Some(error) => Err(error),
        None => Ok(Survey {
            stops,
            others,
            traffic: session.traffic_since(before),
        }),
    }
}

/// Returns what the baseline has and the account has not.
fn missing(scope: &Scope<'_>, stops: &[(Stop, Reading)]) -> Vec<Leftover> {
    let kept = stops.iter().flat_map(|(stop, reading)| {
        let kept = reading.kept.iter();
        kept.map(|item| BaselineItem::from(&stop.kept(item)))
    });
    let kept: BTreeSet<BaselineItem> = kept.collect();
    let missing = scope.baseline().items.difference(&kept);
    missing
        .map(|item| Leftover {
            collection: item.collection.clone(),
            region: item.region.clone(),
            id: item.id.clone(),
            name: None,
            reason: "the baseline has it, and it is gone".to_owned(),
        })
        .collect()
}

/// Returns the collections that are visited in a stage, with their regions.
pub(super) fn stops_of(
    stage: Stage,
    session: &Session<'_>,
    regions: &[Region],
) -> impl Iterator<Item = Stop> {
    let profile = session.ibm.settings.profile;
    let rows = TABLE
        .iter()
        .filter(move |row| row.stage == stage && row.is_in(profile));
    rows.flat_map(move |row| {
        let places: Vec<Option<Region>> = match row.places {
            Where::Home => vec![None],
            Where::Regions => regions.iter().cloned().map(Some).collect(),
            Where::Named(names) => names.iter().map(|name| Region::new(name)).collect(),
        };
        places.into_iter().map(move |region| Stop { row, region })
    })
}

/// Returns the regions of VPC (8.1), where the account's profile has any.
///
/// One that is not available can be neither cleaned nor proven, so there is no going on without it.
pub(super) async fn regions(session: &Session<'_>) -> Result<Vec<Region>, Fault> {
    if session.ibm.settings.profile < Profile::Full {
        return Ok(Vec::new());
    }
    let mut outcome = Ok(Vec::new());
    for name in FIRST_REGIONS {
        let request = Request::get(Api::Vpc, "/v1/regions").in_region(Region::new(name).as_ref());
        outcome = match session.send(&request).await {
            Ok(reply) => {
                let mut body = reply.json()?;
                let listed = take_array(&request.describe(), &mut body, "regions")?;
                listed.iter().map(available).collect()
            }
            Err(fault) => Err(fault),
        };
        if !matches!(&outcome, Err(fault) if fault.is_temporary()) {
            break;
        }
    }
    outcome
}

fn available(region: &serde_json::Value) -> Result<Region, Fault> {
    let name = field("GET /v1/regions", region, "name")?;
    if region["status"] == "unavailable" {
        let problem = format!("region {} is not available", scrub(&name, &[]));
        return Err(CloudError::Transient(problem).into());
    }
    Region::new(&name).ok_or_else(|| Fault::Unreadable {
        call: "GET /v1/regions".into(),
        problem: "a region's name is no label".into(),
    })
}

impl Stop {
    /// Describes an item that is there, and says why.
    pub(super) fn leftover(&self, item: &Item, reason: impl Into<String>) -> Leftover {
        self.describe(&item.id, item.name.as_deref(), reason.into())
    }

    /// Describes an item that the operator keeps.
    pub(super) fn kept(&self, item: &KeptItem) -> Leftover {
        self.describe(&item.id, item.name.as_deref(), item.reason.to_owned())
    }

    fn describe(&self, id: &str, name: Option<&str>, reason: String) -> Leftover {
        Leftover {
            collection: self.row.name.to_owned(),
            region: self.region.as_ref().map(ToString::to_string),
            // Logged, and chosen by a borrower: a tag's id is its name.
            id: scrub(id, &[]),
            name: name.map(|name| scrub(name, &[])),
            reason,
        }
    }
}

impl From<Survey> for Proof {
    fn from(survey: Survey) -> Self {
        let mut proof = Self {
            traffic: survey.traffic,
            ..Self::default()
        };
        for (stop, reading) in survey.stops {
            proof
                .kept
                .extend(reading.kept.iter().map(|item| stop.kept(item)));
            let leftovers = reading.items.iter().map(|item| {
                let reason = match &item.verdict {
                    Verdict::Leaving(reason) | Verdict::Immovable(reason) => reason.as_str(),
                    Verdict::Following(other) => other,
                    _ => "it is still there",
                };
                stop.leftover(item, reason)
            });
            proof.leftovers.extend(leftovers);
        }
        proof.leftovers.extend(survey.others);
        proof
    }
}
