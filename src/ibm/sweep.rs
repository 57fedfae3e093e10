//! One deleting pass over an account: the collections' table, stage by stage.
//!
//! Depends on the plan and the scope. Promises that a fault with one item or one collection
//! keeps no other from being cleaned, that what lets a borrower in is never kept waiting by what they
//! left behind, and that nothing is taken for gone unless IBM Cloud said so.

use std::collections::{BTreeMap, BTreeSet};

use acctpool_actors::cloud::{CloudError, Leftover, Pass, Traffic};
use acctpool_actors::pool::Timestamp;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::Ibm;
use super::account_settings;
use super::api::Region;
use super::collections::{Collection, Item, KeptItem, Outcome, Stage, Verdict, Where};
use super::course::{Course, Seen};
use super::fault::{Fault, worst};
use super::janitor;
use super::request::Request;
use super::scope::Scope;
use super::search;
use super::session::Session;
use super::survey::{Stop, regions, stops_of};

/// Deletes what can be deleted now.
pub(super) async fn sweep(session: &Session<'_>) -> Result<Pass, CloudError> {
    let before = session.traffic();
    // Lost, should this pass be broken off: then the next one reads everything.
    let mut course = session.ibm.course.take();
    let regions = regions(session).await?;
    let mut sweep = Sweep::begin(session, &mut course, &regions).await?;
    sweep.pass_through().await;
    if sweep.is_clean() && sweep.relied_on_memory {
        // Nothing left, as far as it was looked at: now everything is.
        course.forget_all();
        sweep = Sweep::begin(session, &mut course, &regions).await?;
        sweep.pass_through().await;
    }
    sweep.ask_the_index().await;
    let Sweep {
        mut pass, faults, ..
    } = sweep;
    session.ibm.course.replace(course);
    pass.traffic = session.traffic_since(before);
    match worst(faults) {
        Some(error) => {
            session.ibm.tell_later(pass.deleted, pass.traffic);
            Err(error)
        }
        None => Ok(session.ibm.tell(pass)),
    }
}

impl Ibm {
    /// Leaves what was deleted to the next pass that ends well.
    pub(super) fn tell_later(&self, deleted: Vec<Leftover>, traffic: Traffic) {
        let mut untold = self.untold.borrow_mut();
        untold.deleted.extend(deleted);
        untold.traffic.requests += traffic.requests;
        untold.traffic.retries += traffic.retries;
    }

    /// Adds what was left to a pass.
    fn tell(&self, mut pass: Pass) -> Pass {
        let untold = self.untold.take();
        pass.deleted.splice(0..0, untold.deleted);
        pass.traffic.requests += untold.traffic.requests;
        pass.traffic.retries += untold.traffic.retries;
        pass
    }
}

/// A pass while it goes on.
struct Sweep<'s, 'a> {
    session: &'s Session<'a>,
    scope: Scope<'a>,
    course: &'s mut Course,
    regions: &'s [Region],
    now: Timestamp,
    pass: Pass,
    faults: Vec<Fault>,
    /// The collections that hold something, or may.
    unfinished: BTreeSet<&'static str>,
    /// The places where something is on its way out, and what: later stages wait for it.
    leaving: BTreeMap<Option<Region>, &'static str>,
    relied_on_memory: bool,
}

/// What came of a visit to one collection.
enum Visit {
    /// It was not looked at again.
    Remembered(Seen),
    Swept(Part),
    Failed(Fault),
}

/// What one collection holds after its items were asked to go.
#[derive(Default)]
struct Part {
    kept: Vec<KeptItem>,
    deleted: Vec<Leftover>,
    /// On its way out since an earlier pass.
    leaving: Vec<Leftover>,
    /// Not to go before something else has.
    waiting: Vec<Leftover>,
    stuck: Vec<Leftover>,
    /// Nothing was asked to go, since an earlier stage is not done.
    was_blocked: bool,
    /// What kept the rest of its items from being asked to go.
    fault: Option<Fault>,
}

impl<'s, 'a> Sweep<'s, 'a> {
    async fn begin(
        session: &'s Session<'a>,
        course: &'s mut Course,
        regions: &'s [Region],
    ) -> Result<Self, CloudError> {
        Ok(Self {
            session,
            scope: Scope::read(session).await?,
            course,
            regions,
            now: session.ibm.clock.now(),
            pass: Pass::default(),
            faults: Vec::new(),
            unfinished: BTreeSet::new(),
            leaving: BTreeMap::new(),
            relied_on_memory: false,
        })
    }

    fn is_clean(&self) -> bool {
        self.pass.is_clean() && self.faults.is_empty()
    }

    async fn pass_through(&mut self) {
        for stage in Stage::ALL {
            let stops: Vec<Stop> = stops_of(stage, self.session, self.regions).collect();
            if stage == Stage::Remainder
                && let Err(fault) = self.scope.learn_kept_tags(self.session).await
            {
                self.faults.push(fault);
                self.unfinished
                    .extend(stops.iter().map(|stop| stop.row.name));
                continue;
            }
            if stage == Stage::Entrances {
                self.restore_settings().await;
            }
            let visits = stops.iter().map(|stop| self.visit(stop));
            let visits = join_all(visits).await;
            let are_left = self.note(stage, stops.into_iter().zip(visits));
            if stage == Stage::Clusters && !are_left {
                // A service ID like any other from now on.
                self.session.ibm.janitor.lock().await.take();
            }
        }
    }

    /// Names what no collection explains as well, once nothing but refusals is left: a person is asked
    /// to look then, and should see everything.
    async fn ask_the_index(&mut self) {
        let only_refusals = self.pass.deleted.is_empty() && self.leaving.is_empty();
        if self.pass.is_clean() || !only_refusals || !self.faults.is_empty() {
            return;
        }
        match search::unexplained(self.session, &self.scope, self.regions).await {
            Ok(found) => self.pass.stuck.extend(found),
            Err(fault) => self.faults.push(fault),
        }
    }

    async fn restore_settings(&mut self) {
        let wanted = &self.scope.baseline().settings;
        match account_settings::restore(self.session, wanted).await {
            Ok(restored) => self.pass.deleted.extend(restored),
            Err(fault) => self.faults.push(fault),
        }
    }

    async fn visit(&self, stop: &Stop) -> Visit {
        let blocked = self.blocked_by(stop);
        if let Some(seen) = self.course.recall(stop, blocked.is_some(), self.now) {
            return Visit::Remembered(seen.clone());
        }
        match sweep_collection(stop, blocked, self.session, &self.scope).await {
            Ok(part) => Visit::Swept(part),
            Err(fault) => Visit::Failed(fault),
        }
    }

    /// Returns what has to be gone before anything at this stop can go.
    fn blocked_by(&self, stop: &Stop) -> Option<&'static str> {
        let mut after = stop.row.after.iter().copied();
        let blocker = after.find(|name| self.unfinished.contains(name));
        if blocker.is_some() || !stop.row.stage.waits() {
            return blocker;
        }
        let here = self.leaving.get(&place_of(stop));
        here.or_else(|| self.leaving.get(&None)).copied()
    }

    /// Takes in what came of the visits of a stage. Tells whether anything of it is left, or may be.
    fn note(&mut self, stage: Stage, visits: impl Iterator<Item = (Stop, Visit)>) -> bool {
        let mut are_left = false;
        let mut leaving = BTreeMap::new();
        for (stop, visit) in visits {
            let name = stop.row.name;
            let part = match visit {
                Visit::Failed(fault) => {
                    are_left = true;
                    self.course.forget(&stop);
                    self.unfinished.insert(name);
                    self.faults.push(fault);
                    continue;
                }
                Visit::Remembered(seen) => {
                    self.relied_on_memory = true;
                    seen.kept
                        .iter()
                        .for_each(|item| self.scope.note_again(item));
                    Part {
                        kept: seen.kept,
                        waiting: seen.waiting,
                        ..Part::default()
                    }
                }
                Visit::Swept(part) => {
                    self.remember(&stop, &part);
                    part
                }
            };
            if part.is_left() {
                are_left = true;
                self.unfinished.insert(name);
                self.pass.stage.get_or_insert(stage.name());
            }
            if !part.deleted.is_empty() || !part.leaving.is_empty() {
                leaving.entry(place_of(&stop)).or_insert(name);
            }
            let kept = part.kept.iter().map(|item| stop.kept(item));
            self.pass.kept.extend(kept);
            self.pass.deleted.extend(part.deleted);
            self.pass.leaving.extend(part.leaving);
            self.pass.waiting.extend(part.waiting);
            self.pass.stuck.extend(part.stuck);
            self.faults.extend(part.fault);
        }
        if stage.waits() {
            let waited_for = self.course.waits_for(stage, leaving, self.now);
            for (place, name) in waited_for {
                self.leaving.entry(place).or_insert(name);
            }
        }
        are_left
    }

    fn remember(&mut self, stop: &Stop, part: &Part) {
        if part.is_left() && !part.was_blocked {
            self.course.forget(stop);
            return;
        }
        let seen = Seen {
            kept: part.kept.clone(),
            waiting: part.waiting.clone(),
        };
        self.course.note(stop, seen, self.now);
    }
}

/// Returns the region in which later stages wait for this stop; none, if they wait everywhere.
fn place_of(stop: &Stop) -> Option<Region> {
    match stop.row.places {
        Where::Regions => stop.region.clone(),
        Where::Home | Where::Named(_) => None,
    }
}

impl Part {
    fn is_left(&self) -> bool {
        let lists = [&self.deleted, &self.leaving, &self.waiting, &self.stuck];
        self.fault.is_some() || lists.iter().any(|list| !list.is_empty())
    }
}

/// Sweeps one collection, or only reads it if it is `blocked` by another one.
async fn sweep_collection(
    stop: &Stop,
    blocked: Option<&'static str>,
    session: &Session<'_>,
    scope: &Scope<'_>,
) -> Result<Part, Fault> {
    let reading = stop.row.read(session, scope, stop.region.as_ref()).await?;
    let mut part = Part {
        kept: reading.kept,
        ..Part::default()
    };
    let mut unwanted = Vec::new();
    let mut clusters = BTreeSet::new();
    for item in reading.items {
        if let [region, group] = item.facts.as_slice() {
            clusters.insert((region.clone(), group.clone()));
        }
        match (&item.verdict, blocked) {
            (Verdict::Leaving(state), _) => {
                part.leaving.push(stop.leftover(&item, state.clone()));
            }
            (Verdict::Following(other), _) => {
                part.waiting.push(stop.leftover(&item, *other));
            }
            (Verdict::Immovable(reason), _) => {
                part.stuck.push(stop.leftover(&item, reason.clone()));
            }
            (_, Some(other)) => {
                part.was_blocked = true;
                let reason = format!("it waits for {other}");
                part.waiting.push(stop.leftover(&item, reason));
            }
            (_, None) => unwanted.push(item),
        }
    }
    part.was_blocked &= part.leaving.is_empty() && part.stuck.is_empty();
    if !clusters.is_empty()
        && let Err(fault) = janitor::take_over(session, clusters).await
    {
        let left = |item: &Item| stop.leftover(item, format!("it needs the janitor: {fault}"));
        let left = unwanted.iter().map(left);
        match fault {
            Fault::Refused(_) if !janitor::is_new(session).await => part.stuck.extend(left),
            Fault::Refused(_) => part.waiting.extend(left),
            _ => {
                part.waiting.extend(left);
                part.fault = Some(fault);
            }
        }
        return Ok(part);
    }
    let deletions = unwanted.into_iter().map(|item| async {
        let outcome = delete(stop.row, &item, session).await;
        (item, outcome)
    });
    let mut deletions = stream::iter(deletions).buffer_unordered(session.ibm.transport.width());
    while let Some((item, outcome)) = deletions.next().await {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(fault) => {
                part.fault = Some(fault);
                break;
            }
        };
        match outcome {
            Deletion::Accepted => {
                let item = stop.leftover(&item, "its deletion was accepted");
                log::debug!("account {}: {item}", session.account());
                part.deleted.push(item);
            }
            Deletion::Gone => {}
            Deletion::Waits(reason) => part.waiting.push(stop.leftover(&item, reason)),
            Deletion::Stuck(reason) => part.stuck.push(stop.leftover(&item, reason)),
        }
    }
    Ok(part)
}

/// How a deletion went.
enum Deletion {
    Accepted,
    Gone,
    Waits(String),
    Stuck(String),
}

async fn delete(row: &Collection, item: &Item, session: &Session<'_>) -> Result<Deletion, Fault> {
    if let Some(before) = &item.before {
        // Should this fail, the deletion is refused, and that refusal has the better words.
        settle(row, session, before).await?;
    }
    settle(row, session, &item.delete).await
}

/// Makes a call about one item. Only what concerns every other item as well is a fault.
async fn settle(
    row: &Collection,
    session: &Session<'_>,
    request: &Request,
) -> Result<Deletion, Fault> {
    match session.send(request).await {
        Ok(reply) => {
            let hidden = reply.body.as_ref().and_then(row.hidden_refusal);
            Ok(hidden.map_or(Deletion::Accepted, Deletion::Waits))
        }
        Err(Fault::Refused(refusal)) if refusal.status == 401 || refusal.status == 429 => {
            Err(Fault::Refused(refusal))
        }
        Err(Fault::Refused(refusal)) => Ok(match (row.refusal)(&refusal) {
            Outcome::Gone => Deletion::Gone,
            Outcome::Waits => Deletion::Waits(refusal.words()),
            Outcome::Stuck if refusal.status == 403 && session.ibm.is_restricted() => {
                Deletion::Waits(refusal.words())
            }
            Outcome::Stuck => Deletion::Stuck(refusal.words()),
        }),
        // Nobody knows whether it was done; the next pass reads.
        Err(fault @ (Fault::Silent { .. } | Fault::Unreadable { .. })) => {
            Ok(Deletion::Waits(fault.to_string()))
        }
        Err(fault) => Err(fault),
    }
}
