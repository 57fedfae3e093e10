//! How a cleaning goes on, and when it does not.

use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Pass, Proof};
use acctpool_actors::pool::{AccountState, Done, Job, Phase, StateKind, Tick};

use super::{account, enable, pause, phase, ready, time_out, wait};
use crate::stories::{cancel, credential, request, run_to};
use crate::world::{Answer, World, leftover, policy};

#[test]
fn a_report_that_comes_twice_counts_once() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::ProveOnce);
    let issued = world.open_jobs.remove(0);
    world.report(&issued, Ok(Done::Proved(Proof::default())));
    world.report(&issued, Ok(Done::Proved(Proof::default())));
    assert!(world.events.is_empty());
    assert_eq!(
        (phase(&world), pause(&world)),
        (Phase::ProveTwice, policy().proof_gap)
    );
}

#[test]
fn a_late_answer_does_not_stand_for_the_next_try() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::ProveTwice);
    let late = world.open_jobs[0].clone();
    world.advance(policy().pass_timeout);
    wait(&mut world);
    assert_eq!(world.open_jobs[0].job, Job::Prove);
    world.report(&late, Ok(Done::Proved(Proof::default())));
    assert!(world.events.is_empty(), "{:?}", world.events);
}

#[test]
fn every_lease_and_every_cleaning_raises_the_fence() {
    let mut world = ready(1);
    let before = account(&world).fence;
    let id = request(&mut world, "free");
    let lent = account(&world).fence;
    assert!(lent > before);
    credential(&mut world, id);
    cancel(&mut world, id);
    let cleaned = account(&world).fence;
    assert!(cleaned > lent);
    world.run_well();
    let before = account(&world).fence;
    world.advance(policy().verify_every);
    assert!(account(&world).fence > before);
}

#[test]
fn only_cleanings_that_time_out_in_a_row_quarantine() {
    let mut world = World::new(1, 0);
    world.apply(Tick);
    let started = world.now;
    for _ in 0..2 {
        time_out(&mut world);
        assert_eq!(account(&world).kind(), StateKind::Dirty);
        assert_eq!(pause(&world), policy().backoff_max);
    }
    assert_eq!(
        world.now,
        started + 2 * policy().cleaning_timeout + policy().backoff_max
    );
    wait(&mut world);
    world.run_well();
    for _ in 0..2 {
        world.now = account(&world).verify_at.max(world.now);
        world.apply(Tick);
        time_out(&mut world);
        assert_eq!(account(&world).kind(), StateKind::Dirty);
    }
    world.restart();
    time_out(&mut world);
    time_out(&mut world);
    assert_eq!(account(&world).kind(), StateKind::Dirty);
    time_out(&mut world);
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    enable(&mut world);
    time_out(&mut world);
    assert_eq!(account(&world).kind(), StateKind::Dirty);
}

#[test]
fn a_cleaning_ends_in_time_although_a_call_is_put_off_for_longer() {
    let mut world = World::new(1, 0);
    world.apply(Tick);
    let issued = world.open_jobs.remove(0);
    let detail = String::new();
    let retry_after = 10 * policy().cleaning_timeout;
    world.report(
        &issued,
        Err(CloudError::Throttled {
            retry_after,
            detail,
        }),
    );
    assert_eq!(pause(&world), policy().cleaning_timeout);
    wait(&mut world);
    assert_eq!(account(&world).kind(), StateKind::Dirty);
}

#[test]
fn an_answer_ends_the_growing_patience_which_has_a_limit() {
    let mut world = World::new(1, 0);
    world.apply(Tick);
    let fault = |world: &mut World| {
        world.answer(0, Answer::Fault);
        let pause = pause(world);
        wait(world);
        pause
    };
    let second = Duration::from_secs(1);
    assert_eq!([fault(&mut world), fault(&mut world)], [second, 2 * second]);
    world.answer(0, Answer::Well);
    assert_eq!(fault(&mut world), second);
    let longest = (0..12).map(|_| fault(&mut world)).max();
    assert_eq!(longest, Some(policy().backoff_max));
}

#[test]
fn a_refusal_needs_a_person() {
    let refusals: [fn(String) -> CloudError; 3] = [
        CloudError::Refused,
        CloudError::Unauthorised,
        CloudError::WrongAccount,
    ];
    for refusal in refusals {
        let mut world = World::new(1, 0);
        run_to(&mut world, Phase::Verify);
        let issued = world.open_jobs.remove(0);
        world.report(&issued, Err(refusal("these words".to_owned())));
        let AccountState::Quarantined(quarantine) = world.state("free-0") else {
            panic!()
        };
        assert_eq!(quarantine.reason, "verify: these words");
    }
}

#[test]
fn settling_is_counted_from_the_last_deletion() {
    let mut world = World::new(1, 0);
    world.apply(Tick);
    world.answer(0, Answer::Well);
    let mut settled = world.now + policy().settle;
    run_to(&mut world, Phase::Sweep);
    for _ in 0..12 {
        // A back door that was deleted now may go on working for as long as the lease's key.
        world.answer(0, Answer::Busy);
        settled = world.now + policy().settle;
        wait(&mut world);
    }
    world.answer(0, Answer::Well);
    assert_eq!(
        (phase(&world), world.now + pause(&world)),
        (Phase::ProveOnce, settled)
    );
}

#[test]
fn only_refusals_in_a_row_quarantine_with_growing_pauses() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Sweep);
    let leaving = Pass {
        leaving: vec![leftover()],
        stuck: vec![leftover()],
        ..Pass::default()
    };
    let mut pauses = Vec::new();
    for busy in [None, None, Some(false), None, None, Some(true), None, None] {
        match busy {
            None => world.answer(0, Answer::Stuck),
            Some(false) => world.answer(0, Answer::Busy),
            Some(true) => {
                let issued = world.open_jobs.remove(0);
                world.report(&issued, Ok(Done::Swept(leaving.clone())));
            }
        }
        pauses.push(pause(&world).as_secs());
        wait(&mut world);
    }
    assert_eq!(pauses, [10, 20, 10, 10, 20, 10, 10, 20]);
    world.answer(0, Answer::Stuck);
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
}

#[test]
fn what_waits_behind_a_refusal_has_a_quarter_of_an_hour_to_go() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Sweep);
    let refused = Pass {
        waiting: vec![leftover()],
        stuck: vec![leftover()],
        ..Pass::default()
    };
    let since = world.now;
    loop {
        let issued = world.open_jobs.remove(0);
        world.report(&issued, Ok(Done::Swept(refused.clone())));
        if account(&world).kind() == StateKind::Quarantined {
            break;
        }
        wait(&mut world);
    }
    let minutes = (world.now - since).whole_minutes();
    assert!((10..20).contains(&minutes), "{minutes} min");
}

#[test]
fn a_failed_proof_is_followed_by_a_sweep_with_growing_pauses_and_names_what_it_found() {
    let mut world = World::new(1, 0);
    let mut pauses = Vec::new();
    for _ in 0..3 {
        run_to(&mut world, Phase::ProveOnce);
        world.answer(0, Answer::Busy);
        assert_eq!(phase(&world), Phase::Sweep);
        pauses.push(pause(&world).as_secs() / policy().proof_gap.as_secs());
    }
    assert_eq!(pauses, [2, 4, 8]);
    run_to(&mut world, Phase::ProveOnce);
    world.answer(0, Answer::Busy);
    let AccountState::Quarantined(quarantine) = world.state("free-0") else {
        panic!()
    };
    assert_eq!(quarantine.leftovers, [leftover()]);
}

#[test]
fn what_is_still_on_its_way_out_at_the_end_is_named() {
    let mut world = World::new(1, 0);
    for _ in 0..policy().cleaning_attempts {
        run_to(&mut world, Phase::Sweep);
        let AccountState::Cleaning(cleaning) = account(&world).state else {
            panic!()
        };
        while world.now < cleaning.deadline {
            if world.open_jobs.is_empty() {
                wait(&mut world);
                continue;
            }
            let issued = world.open_jobs.remove(0);
            let pass = Pass {
                leaving: vec![leftover()],
                ..Pass::default()
            };
            world.report(&issued, Ok(Done::Swept(pass)));
        }
    }
    let AccountState::Quarantined(quarantine) = world.state("free-0") else {
        panic!()
    };
    assert_eq!(quarantine.leftovers, [leftover()]);
}
