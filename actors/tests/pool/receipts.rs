//! Receipts: what each full cleaning says of itself, line by line, and what the lines make.

use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Leftover, Pass, Proof, Traffic};
use acctpool_actors::pool::{
    AccountState, Done, DrainAccount, EnableAccount, Event, Job, Phase, Receipt, ReceiptLine,
    ReceiptState, ReceiptStep, ReservationId,
};

use crate::stories::{cancel, credential, request, run_to};
use crate::world::{Answer, World, policy};

fn item(collection: &str, id: &str) -> Leftover {
    Leftover {
        collection: collection.to_owned(),
        id: id.to_owned(),
        name: Some(format!("my {id}")),
        region: Some("eu-de".to_owned()),
        reason: "it is still there".to_owned(),
    }
}

fn kept() -> Leftover {
    Leftover {
        reason: "the operator keeps it".to_owned(),
        ..item("resource groups", "keepers")
    }
}

fn traffic(requests: u32, retries: u32) -> Traffic {
    Traffic { requests, retries }
}

/// Answers the open job, which is a sweep.
fn sweep(world: &mut World, pass: Pass) {
    let open = world.open_jobs.remove(0);
    assert_eq!(open.job, Job::Sweep);
    world.report(&open, Ok(Done::Swept(pass)));
}

fn prove(world: &mut World, leftovers: Vec<Leftover>) {
    let open = world.open_jobs.remove(0);
    assert_eq!(open.job, Job::Prove);
    let proof = Proof {
        leftovers,
        kept: vec![kept()],
        traffic: traffic(5, 1),
    };
    world.report(&open, Ok(Done::Proved(proof)));
}

fn receipts(world: &World) -> Vec<Receipt> {
    Receipt::all(world.lines.clone())
}

/// A world whose only account was used and given back a moment ago, and the lease's reservation. Only
/// what followed has lines.
fn used() -> (World, ReservationId) {
    let mut world = World::new(1, 0);
    world.run_well();
    world.lines.clear();
    let id = request(&mut world, "free");
    credential(&mut world, id);
    cancel(&mut world, id);
    (world, id)
}

/// The first pass over a mess: one goes, one refuses, one waits.
fn sweep_a_mess(world: &mut World) {
    run_to(world, Phase::Sweep);
    sweep(
        world,
        Pass {
            deleted: vec![item("instances", "i1")],
            stuck: vec![item("volumes", "v1")],
            waiting: vec![item("subnets", "s1")],
            leaving: Vec::new(),
            kept: vec![kept()],
            stage: Some("compute"),
            traffic: traffic(10, 2),
        },
    );
}

/// Everything that follows, to a ready account.
fn clean_up(world: &mut World) {
    world.advance(policy().pass_interval);
    // What was refused is accepted, what waited goes by itself.
    sweep(
        world,
        Pass {
            deleted: vec![item("volumes", "v1")],
            kept: vec![kept()],
            traffic: traffic(10, 0),
            ..Pass::default()
        },
    );
    world.advance(policy().pass_interval);
    sweep(
        world,
        Pass {
            kept: vec![kept()],
            traffic: traffic(10, 0),
            ..Pass::default()
        },
    );
    run_to(world, Phase::ProveOnce);
    prove(world, vec![item("tags", "t1")]);
    run_to(world, Phase::Sweep);
    sweep(world, Pass::default());
    run_to(world, Phase::ProveOnce);
    prove(world, Vec::new());
    run_to(world, Phase::ProveTwice);
    prove(world, Vec::new());
    world.run_well();
}

#[test]
fn a_receipt_says_where_its_cleaning_is() {
    let (mut world, _) = used();
    let begun = &receipts(&world)[0];
    assert_eq!(begun.state, ReceiptState::Cleaning);
    assert_eq!(begun.progress.as_ref().unwrap().phase, Phase::Revoke);
    sweep_a_mess(&mut world);
    let going_on = &receipts(&world)[0];
    let progress = going_on.progress.as_ref().unwrap();
    assert_eq!(
        (
            progress.phase,
            progress.stage.as_deref(),
            progress.remaining
        ),
        (Phase::Sweep, Some("compute"), 3)
    );
    let account = world.pool.accounts().next().unwrap();
    assert_eq!(account.progress().as_ref(), Some(progress));
}

#[test]
fn a_cleaning_after_a_lease_tells_what_it_found_and_what_became_of_it() {
    let (mut world, id) = used();
    let started_at = world.now;
    sweep_a_mess(&mut world);
    clean_up(&mut world);

    let [receipt] = &receipts(&world)[..] else {
        panic!("{:?}", world.lines);
    };
    assert_eq!(receipt.state, ReceiptState::Ready);
    assert_eq!(receipt.reservation, Some(id));
    assert_eq!(
        (receipt.started_at, receipt.progress.as_ref()),
        (started_at, None)
    );
    let took = receipt.ended_at.unwrap() - started_at;
    assert_eq!(receipt.duration, u64::try_from(took.whole_seconds()).ok());
    assert!(took > policy().settle + policy().proof_gap);
    assert_eq!(
        (receipt.passes, receipt.requests, receipt.retries),
        (4, 45, 5)
    );
    let rounds: Vec<_> = receipt
        .proofs
        .iter()
        .map(|proof| (proof.round, proof.leftovers, proof.kept))
        .collect();
    assert_eq!(rounds, [(1, 1, 1), (1, 0, 1), (2, 0, 1)]);
    let interval = policy().pass_interval.as_secs();
    let collections: Vec<_> = receipt
        .collections
        .iter()
        .map(|found| {
            let counts = [
                found.found,
                found.deleted,
                found.kept,
                found.waiting,
                found.stuck,
            ];
            (found.collection.as_str(), counts, found.duration)
        })
        .collect();
    let tags = collections[4].2;
    assert_eq!(
        collections,
        [
            ("resource groups", [1, 0, 1, 0, 0], None),
            ("subnets", [1, 0, 0, 0, 0], Some(interval)),
            ("instances", [1, 1, 0, 0, 0], Some(interval)),
            ("volumes", [1, 1, 0, 0, 0], Some(2 * interval)),
            ("tags", [1, 0, 0, 0, 0], tags),
        ]
    );
    assert!(tags.is_some(), "it is gone");
    let volume = &receipt.collections[3].items.deleted[0];
    assert_eq!(volume.to_string(), "v1 (my v1) in eu-de");
    let keeper = &receipt.collections[0].items.kept[0];
    assert_eq!(
        keeper.to_string(),
        "keepers (my keepers) in eu-de: the operator keeps it"
    );
}

#[test]
fn a_borrower_is_not_told_what_the_operator_keeps_nor_what_is_said_about_their_access() {
    let (mut world, _) = used();
    run_to(&mut world, Phase::Sweep);
    let open = world.open_jobs.remove(0);
    let fault = CloudError::Transient("the management key's call failed".to_owned());
    world.report(&open, Err(fault));
    run_to(&mut world, Phase::Sweep);
    sweep(
        &mut world,
        Pass {
            deleted: vec![item("instances", "i1")],
            kept: vec![kept()],
            ..Pass::default()
        },
    );
    run_to(&mut world, Phase::Sweep);
    let open = world.open_jobs.remove(0);
    let refusal = CloudError::Unauthorised("the management key is not liked".to_owned());
    world.report(&open, Err(refusal));

    let receipt = receipts(&world).remove(0);
    assert_eq!(receipt.state, ReceiptState::Quarantined);
    let told = format!("{receipt:?}");
    for word in ["keepers", "management key's call", "is not liked"] {
        assert!(told.contains(word), "the operator is told: {told}");
    }
    let receipt = receipt.for_borrower();
    let told = format!("{receipt:?}");
    for word in ["keepers", "management key's call", "is not liked"] {
        assert!(!told.contains(word), "{told}");
    }
    assert_eq!(receipt.collections[0].kept, 1);
    // It was accepted, and nobody saw it gone.
    assert_eq!(receipt.collections[1].items.waiting.len(), 1);
    assert_eq!(receipt.faults.len(), 1);
}

#[test]
fn a_quarantine_names_what_is_stuck_and_what_waits() {
    let (mut world, id) = used();
    for _ in 0..policy().stuck_passes {
        run_to(&mut world, Phase::Sweep);
        sweep(
            &mut world,
            Pass {
                stuck: vec![item("volumes", "v1")],
                ..Pass::default()
            },
        );
    }
    let receipt = receipts(&world).remove(0);
    assert_eq!(receipt.state, ReceiptState::Quarantined);
    assert_eq!(receipt.reason.as_deref(), Some("sweep: cannot be deleted"));
    let [volumes] = &receipt.collections[..] else {
        panic!("{receipt:?}");
    };
    assert_eq!(
        (volumes.found, volumes.stuck, volumes.gone_at),
        (1, 1, None)
    );
    assert_eq!(volumes.items.stuck[0].id, "v1");

    // The operator takes it away and brings the account back: that is what the consumer asks about.
    world
        .apply(EnableAccount {
            account: "free-0".into(),
        })
        .unwrap();
    world.run_well();
    let states: Vec<_> = receipts(&world)
        .iter()
        .map(|receipt| (receipt.state, receipt.reservation))
        .collect();
    assert_eq!(
        states,
        [
            (ReceiptState::Ready, Some(id)),
            (ReceiptState::Quarantined, Some(id))
        ]
    );
}

#[test]
fn what_only_the_proof_sees_is_stuck_at_the_end() {
    let (mut world, _) = used();
    for _ in 0..=policy().stuck_passes {
        run_to(&mut world, Phase::ProveOnce);
        prove(&mut world, vec![item("search", "crn:1")]);
    }
    let receipt = receipts(&world).remove(0);
    assert_eq!(receipt.state, ReceiptState::Quarantined);
    let search = receipt
        .collections
        .iter()
        .find(|c| c.collection == "search");
    assert_eq!(search.unwrap().items.stuck[0].id, "crn:1");
}

#[test]
fn a_cleaning_that_runs_out_of_time_names_what_waited() {
    let (mut world, _) = used();
    while receipts(&world)[0].state == ReceiptState::Cleaning {
        run_to(&mut world, Phase::Sweep);
        sweep(
            &mut world,
            Pass {
                waiting: vec![item("databases", "d1")],
                ..Pass::default()
            },
        );
        world.advance(Duration::from_mins(10));
    }
    let lines = world.lines.clone();
    let receipt = Receipt::from_lines(lines).unwrap();
    assert_eq!(receipt.state, ReceiptState::TimedOut);
    let databases = &receipt.collections[0];
    assert_eq!((databases.found, databases.waiting), (1, 1));
    assert_eq!(databases.items.waiting[0].id, "d1");
    assert!(databases.items.stuck.is_empty());
}

#[test]
fn a_cleaning_that_a_crash_breaks_off_says_so_and_the_next_one_is_another_for_the_same_lease() {
    let (mut world, id) = used();
    run_to(&mut world, Phase::Sweep);
    sweep(
        &mut world,
        Pass {
            deleted: vec![item("instances", "i1")],
            ..Pass::default()
        },
    );
    world.now += Duration::from_mins(1);
    world.restart();
    world.run_well();
    let receipts = receipts(&world);
    let [after, before] = &receipts[..] else {
        panic!("{receipts:?}");
    };
    assert_eq!(before.state, ReceiptState::Interrupted);
    assert_eq!(before.duration, Some(60));
    assert_eq!(after.state, ReceiptState::Ready);
    assert!(after.cleaning > before.cleaning);
    assert_eq!(
        (before.reservation, after.reservation),
        (Some(id), Some(id))
    );

    // What follows was not this lease's doing.
    world.lines.clear();
    world.restart();
    world.run_well();
    assert!(world.lines.iter().all(|line| line.reservation.is_none()));
}

#[test]
fn a_lease_that_ends_while_the_program_is_down_is_followed_by_its_receipt() {
    let mut world = World::new(1, 0);
    world.run_well();
    let id = request(&mut world, "free");
    credential(&mut world, id);
    world.lines.clear();
    world.now += Duration::from_hours(3);
    world.restart();
    world.run_well();
    let [receipt] = &receipts(&world)[..] else {
        panic!("{:?}", world.lines);
    };
    assert_eq!(
        (receipt.reservation, receipt.state),
        (Some(id), ReceiptState::Ready)
    );
}

#[test]
fn upkeep_and_leases_that_nobody_used_have_no_receipts() {
    let mut world = World::new(1, 0);
    world.run_well();
    world.lines.clear();
    // Verification, a fresh lease credential and a rotation fall due.
    for _ in 0..10 {
        world.advance(policy().remint_every);
        world.run_well();
    }
    let unclaimed = request(&mut world, "free");
    cancel(&mut world, unclaimed);
    world.run_well();
    assert_eq!(world.lines, [] as [ReceiptLine; 0]);
}

#[test]
fn a_drained_account_is_proven_empty_first() {
    let (mut world, _) = used();
    let account = "free-0".into();
    world.apply(DrainAccount { account }).unwrap();
    world.run_well();
    assert_eq!(receipts(&world)[0].state, ReceiptState::Drained);
    assert_eq!(world.state("free-0"), AccountState::Drained);
}

#[test]
fn a_line_is_as_long_as_what_happened_in_its_pass() {
    let (mut world, _) = used();
    run_to(&mut world, Phase::Sweep);
    let many = |count: usize| {
        let items = (0..count).map(|n| item("instances", &n.to_string()));
        items.collect::<Vec<_>>()
    };
    for pass in 0..2 {
        sweep(
            &mut world,
            Pass {
                waiting: many(5000),
                kept: vec![kept()],
                ..Pass::default()
            },
        );
        let Some(ReceiptStep::Swept { waiting, kept, .. }) =
            world.lines.last().map(|line| &line.step)
        else {
            panic!("{:?}", world.lines);
        };
        assert_eq!((waiting["instances"], kept.len()), (5000, 1 - pass));
        world.advance(policy().pass_interval);
    }
}

#[test]
fn the_log_says_where_a_sweep_is_when_that_changes_and_once_a_minute() {
    let (mut world, _) = used();
    run_to(&mut world, Phase::Sweep);
    let pass = |world: &mut World, stage, count: usize| {
        let waiting = (0..count).map(|n| item("subnets", &n.to_string()));
        sweep(
            world,
            Pass {
                waiting: waiting.chain([item("vpcs", "1")]).collect(),
                stage: Some(stage),
                ..Pass::default()
            },
        );
        let said = world.events.iter().find_map(|event| match event {
            Event::PassEnded { is_news, .. } => Some((event.to_string(), *is_news)),
            _ => None,
        });
        world.advance(policy().pass_interval);
        said.unwrap()
    };
    let news: Vec<_> = [("a", 3), ("a", 3), ("a", 2), ("b", 2), ("b", 2)]
        .map(|(stage, count)| pass(&mut world, stage, count).1)
        .into();
    assert_eq!(news, [true, false, true, true, false]);
    let mut later = (0..6).map(|_| pass(&mut world, "b", 2)).collect::<Vec<_>>();
    let news: Vec<_> = later.iter().map(|(_, is_news)| *is_news).collect();
    assert_eq!(news, [false, false, false, false, true, false]);
    assert_eq!(
        later.remove(4).0,
        "account free-0: sweep, stage b: 3 remaining (2 subnets, 1 vpcs), pass 10, for 1 min"
    );
    let account = world.pool.accounts().next().unwrap();
    let progress = account.progress().unwrap();
    assert_eq!(progress.collection.as_deref(), Some("subnets"));
}

#[test]
fn a_cleaning_that_an_older_version_began_has_no_receipt() {
    let (mut world, _) = used();
    let account = world.written.accounts.get_mut(&"free-0".into()).unwrap();
    let AccountState::Cleaning(cleaning) = &mut account.state else {
        panic!("{account:?}");
    };
    cleaning.receipt = None;
    world.lines.clear();
    world.restart();
    world.answer(0, Answer::Well);
    assert_eq!(receipts(&world).len(), 1, "that of the next one");
}
