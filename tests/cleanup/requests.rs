//! How many requests the cleaning of a large account takes, and that a plan of it says what it will do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool::simulator::Mess;
use acctpool_actors::cloud::{Cloud, Leftover};
use acctpool_actors::pool::ManagementKeys;

use crate::arena::{Arena, run};

/// How large it is (issue 4).
const ITEMS: usize = 5000;

/// How much may be sent of what has to be (issue 4).
const MOST: f64 = 1.2;

const PAGE: usize = 100;

fn large() -> Mess {
    Mess {
        seed: 5,
        // Of what an inventory has, a third is part of something else.
        size: ITEMS * 3 / 2,
        undeletable: 0,
        networking: true,
        services: true,
    }
}

/// What has to be sent to clean what was planned, given how often something was on its way out when
/// it was looked at: each list once for each hundred items and once more to see it empty, a deletion for
/// each item, a look at each thing that goes slowly in each interval.
#[derive(Debug, Default)]
struct Least {
    pages: usize,
    deletions: usize,
    polls: usize,
}

#[test]
#[expect(clippy::print_stdout, reason = "the count is what the test is for")]
fn five_thousand_items_take_few_more_requests_than_they_must() {
    run(async {
        let arena = Arena::new(5);
        let made = arena.cloud.mess(&arena.spec.id, &large());
        assert_eq!(made.undeletable, Vec::<String>::new());
        let ibm = arena.ibm();
        let keys = ManagementKeys::default();
        let plan = ibm.plan(keys).await.unwrap();
        assert!(plan.items().count() >= ITEMS, "{}", plan.items().count());
        let lists = lists_of(&arena);
        assert_eq!(
            arena.requests.writes(),
            Vec::<String>::new(),
            "a plan writes nothing"
        );

        arena.requests.sent.borrow_mut().clear();
        let mut least = Least::default();
        let planned = |step: &&acctpool::ibm::PlannedStep| step.delete.len() + step.wait.len();
        least.pages = lists
            + plan
                .steps
                .iter()
                .map(|step| planned(&step).div_ceil(PAGE))
                .sum::<usize>();
        let mut deleted: Vec<Leftover> = Vec::new();
        let mut passes = 0;
        loop {
            let pass = ibm.sweep(keys).await.unwrap();
            passes += 1;
            // An instance that was deleted waits for its reclamation, which takes its time as well.
            let is_reclaimed = |item: &&Leftover| item.collection == "resource instances";
            least.polls += pass.leaving.len() + pass.waiting.iter().filter(is_reclaimed).count();
            deleted.extend(pass.deleted.iter().cloned());
            if pass.is_clean() {
                break;
            }
            arena.wait(Duration::from_secs(10)).await;
        }
        least.deletions = deleted.len();
        let sent = arena.requests.sent.borrow().len();
        let must = least.pages + least.deletions + least.polls;
        #[expect(clippy::cast_precision_loss, reason = "it is a few thousand")]
        let ratio = sent as f64 / must as f64;
        println!(
            "{} items: {sent} requests in {passes} passes, {must} at least ({least:?}): {ratio:.2}",
            plan.items().count()
        );
        assert!(ratio <= MOST, "{ratio}");
        assert_eq!(ibm.prove(keys).await.unwrap().leftovers, []);
        assert_planned(&plan, &deleted);
    });
}

/// Compares what was planned with what was deleted: what was not planned came of a deletion, and what
/// was not deleted went with something else.
fn assert_planned(plan: &acctpool::ibm::Plan, deleted: &[Leftover]) {
    let name = |item: &Leftover| {
        (
            item.collection.clone(),
            item.region.clone(),
            item.id.clone(),
        )
    };
    let planned: BTreeSet<_> = plan.items().map(name).collect();
    // The janitor is made and deleted by the cleaning itself.
    let is_janitor = |item: &&Leftover| item.name.as_deref() == Some("acctpool-janitor");
    let others = deleted.iter().filter(|item| !is_janitor(item));
    let done: BTreeSet<_> = others.map(name).collect();
    let unplanned: Vec<_> = done
        .difference(&planned)
        // Of what was deleted; a tag shows when nothing carries it any more.
        .filter(|(collection, ..)| {
            !matches!(
                collection.as_str(),
                "reclamations" | "user tags" | "access tags"
            )
        })
        .collect();
    assert!(
        unplanned.is_empty(),
        "deleted without a plan: {unplanned:#?}"
    );
    let mut along: BTreeMap<&str, usize> = BTreeMap::new();
    // A project of Code Engine is a resource instance as well, and deleted as a project.
    let is_project = |id: &str| id.contains(":codeengine:");
    let spared = planned
        .difference(&done)
        .filter(|(_, _, id)| !is_project(id));
    for (collection, ..) in spared {
        *along.entry(collection).or_default() += 1;
    }
    // They go with what they belong to.
    let part = [
        "API keys of service IDs",
        "policies",
        "volumes",
        "VPC instances",
        "virtual network interfaces",
        "VPC routes",
        "snapshots",
        "public gateways",
        "DNS zones",
        "floating IPs",
        "flow log collectors",
        "resource keys",
    ];
    let left_out: Vec<_> = along.keys().filter(|name| !part.contains(name)).collect();
    assert!(
        left_out.is_empty(),
        "planned and not deleted: {left_out:?} of {along:?}"
    );
}

/// How many lists the adapter reads to see everything: those that it has just read, without the pages
/// after the first.
fn lists_of(arena: &Arena) -> usize {
    let sent = arena.requests.sent.borrow();
    let lists: BTreeSet<&str> = sent
        .iter()
        .filter(|(method, _)| method == "GET")
        .map(|(_, target)| target.split("&start=").next().unwrap())
        .map(|target| target.split("&offset=").next().unwrap())
        .map(|target| target.split("&pagetoken=").next().unwrap())
        .collect();
    lists.len()
}
