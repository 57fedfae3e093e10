//! Stories of what once went wrong: each failed before the pool was mended.

use std::time::Duration;

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{
    Account, AccountState, DrainAccount, EndReason, Event, GetStatistics, Job, Phase, RequestError,
    RequestReservation, ReservationStatus, StateKind, Tick,
};

use crate::stories::{cancel, credential, request, run_to, status};
use crate::world::{Answer, World, policy};

fn account(world: &World) -> Account {
    world.pool.accounts().next().unwrap().clone()
}

fn ready(accounts: usize) -> World {
    let mut world = World::new(accounts, 0);
    world.run_well();
    world
}

fn drain(world: &mut World) {
    let account = "free-0".into();
    world.apply(DrainAccount { account }).unwrap();
}

/// Answers well whenever something is asked, for a while.
fn live_on(world: &mut World, time: Duration) {
    let until = world.now + time;
    while world.now < until {
        world.advance(Duration::from_mins(1));
        while !world.open_jobs.is_empty() {
            world.answer(0, Answer::Well);
        }
    }
}

#[test]
fn a_lost_credential_is_replaced_once_and_then_waited_for() {
    let mut world = ready(1);
    world.advance(policy().verify_every);
    world.answer(0, Answer::Well);
    world.answer(0, Answer::Busy);
    assert!(matches!(world.open_jobs[0].job, Job::Mint { .. }));
    world.answer(0, Answer::Well);
    // Fresh ones take their time to work.
    world.answer(0, Answer::Busy);
    assert!(world.open_jobs.is_empty(), "{:?}", world.open_jobs);
    world.advance(policy().pass_interval);
    assert!(matches!(world.open_jobs[0].job, Job::Probe(_)));
}

#[test]
fn a_credential_outlives_its_lease_however_long_its_minting_took() {
    let mut p = policy();
    p.credential_grace = Duration::from_secs(1);
    let mut world = World::new(1, 0);
    world.restart_with(p);
    run_to(&mut world, Phase::Mint);
    world.now += Duration::from_secs(20);
    world.run_well();
    let account = account(&world);
    let expires_at = account.credential.unwrap().expires_at;
    let longest = policy().types[&"free".into()].max_duration;
    assert!(expires_at >= account.remint_at + longest);
}

#[test]
fn a_credential_of_another_type_is_not_lent_after_a_restart() {
    let mut world = ready(1);
    request(&mut world, "free");
    let old = account(&world).credential;
    // The operator calls the account otherwise now, and other types have other rights.
    world.accounts[0].1 = "lite".into();
    world.restart();
    world.advance(policy().claim_timeout);
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Ready);
    assert_ne!(account(&world).credential, old);
}

#[test]
fn who_waits_for_longer_than_is_allowed_now_gets_what_is_allowed() {
    let mut p = policy();
    let month = Duration::from_hours(24 * 30);
    p.types.get_mut(&"free".into()).unwrap().max_duration = month;
    let mut world = World::new(1, 0);
    world.restart_with(p);
    let id = world.fresh_id();
    let asked = RequestReservation {
        duration: Some(month),
        ..RequestReservation::new(id, "ci".into(), "free".into())
    };
    world.apply(asked).unwrap();
    world.restart();
    world.run_well();
    let granted = world.now + policy().types[&"free".into()].max_duration;
    assert!(
        matches!(status(&mut world, id), ReservationStatus::Active { expiration, .. } if expiration == granted)
    );
}

#[test]
fn who_waits_for_a_type_that_is_no_more_is_told() {
    let mut world = World::new(1, 0);
    let id = request(&mut world, "lite");
    let mut p = policy();
    p.types.remove(&"lite".into());
    world.restart_with(p);
    let said = world.events.iter();
    let ended = said.filter(|event| matches!(event, Event::ReservationEnded { .. }));
    assert_eq!(ended.count(), 1, "also to the auditor");
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Ended {
            reason: EndReason::Revoked,
            ..
        }
    ));
}

#[test]
fn a_refused_revocation_is_tried_again_although_a_person_is_needed() {
    let mut world = ready(1);
    let id = request(&mut world, "free");
    credential(&mut world, id);
    cancel(&mut world, id);
    world.answer(0, Answer::Refused);
    let AccountState::Quarantined(quarantine) = world.state("free-0") else {
        panic!("a refusal needs a person");
    };
    assert!(quarantine.to_string().contains("may still work"));
    world.advance(policy().backoff_max);
    assert!(matches!(world.open_jobs[0].job, Job::Revoke(Some(_))));
    world.answer(0, Answer::Fault);
    world.advance(policy().backoff_max);
    // An answer that never comes is not waited for either.
    world.advance(policy().pass_timeout);
    world.advance(policy().backoff_max);
    world.answer(0, Answer::Well);
    assert!(world.cloud[&"free-0".into()].leases.is_empty());
    assert_eq!(account(&world).credential, None);
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    live_on(&mut world, Duration::from_hours(1));
    assert!(world.open_jobs.is_empty());
}

#[test]
fn a_quarantined_account_that_is_drained_leaves_no_credential() {
    let mut world = ready(1);
    world.advance(policy().verify_every);
    world.answer(0, Answer::Refused);
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    drain(&mut world);
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    live_on(&mut world, Duration::from_mins(1));
    assert_eq!(account(&world).kind(), StateKind::Drained);
    assert!(world.cloud[&"free-0".into()].leases.is_empty());
}

#[test]
fn a_minting_that_runs_into_quarantine_leaves_no_credential() {
    let mut world = World::new(1, 0);
    for _ in 0..policy().cleaning_attempts {
        run_to(&mut world, Phase::Mint);
        let AccountState::Cleaning(cleaning) = world.state("free-0") else {
            panic!("it is being cleaned");
        };
        while world.now < cleaning.deadline {
            world.now = world.pool.next_deadline().unwrap();
            world.apply(Tick);
        }
    }
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    // It replaces what the cleaner may still be at.
    assert_eq!(world.open_jobs[0].job, Job::Revoke(None));
}

#[test]
fn a_drained_account_stays_out_after_a_restart() {
    let mut world = ready(1);
    drain(&mut world);
    world.run_well();
    world.restart();
    world.run_well();
    assert_eq!(world.state("free-0"), AccountState::Drained);
}

#[test]
fn an_account_that_is_configured_again_counts_on() {
    let mut world = ready(1);
    let before = account(&world);
    let configured = std::mem::take(&mut world.accounts);
    world.restart();
    run_to(&mut world, Phase::Revoke);
    world.answer(0, Answer::Well);
    assert_eq!(world.state("free-0"), AccountState::Drained);
    assert!(world.cloud[&"free-0".into()].leases.is_empty());
    world.restart();
    assert_eq!(world.pool.accounts().count(), 0);
    world.accounts = configured;
    world.restart();
    // With its fences anew it would get the same lease keys again.
    assert!(account(&world).fence > before.fence);
    assert_eq!(account(&world).keys, before.keys);
}

#[test]
fn rotation_follows_the_configuration() {
    let mut world = ready(1);
    let mut p = policy();
    p.rotate_every = None;
    world.restart_with(p.clone());
    assert_eq!(account(&world).rotate_at, None);
    world.restart();
    assert_eq!(
        account(&world).rotate_at,
        Some(world.now + policy().rotate_every.unwrap())
    );
    p.rotate_every = Some(Duration::from_hours(1));
    world.restart_with(p);
    assert_eq!(
        account(&world).rotate_at,
        Some(world.now + Duration::from_hours(1))
    );
}

#[test]
fn no_patience_outlasts_a_cleaning() {
    let mut world = World::new(1, 0);
    world.apply(Tick);
    let issued = world.open_jobs.remove(0);
    let throttled = CloudError::Throttled {
        retry_after: Duration::MAX,
        detail: String::new(),
    };
    world.report(&issued, Err(throttled));
    let next = world.pool.next_deadline().unwrap();
    assert_eq!(next, world.now + policy().cleaning_timeout);
}

#[test]
fn a_grant_survives_a_downtime() {
    let mut world = World::new(1, 0);
    let id = request(&mut world, "free");
    world.run_well();
    world.now += policy().claim_timeout;
    world.restart();
    credential(&mut world, id);
}

#[test]
fn a_refusal_in_a_sweep_names_what_is_left() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Sweep);
    world.answer(0, Answer::Stuck);
    world.advance(policy().pass_interval);
    world.answer(0, Answer::Refused);
    let AccountState::Quarantined(quarantine) = world.state("free-0") else {
        panic!("a refusal needs a person");
    };
    assert_eq!(quarantine.leftovers, [crate::world::leftover()]);
}

#[test]
fn what_is_over_takes_a_bounded_place() {
    let mut world = World::new(0, 1);
    let first = request(&mut world, "lite");
    cancel(&mut world, first);
    for _ in 0..policy().max_ended {
        let id = request(&mut world, "lite");
        cancel(&mut world, id);
    }
    assert_eq!(world.pool.reservations().count(), policy().max_ended);
    assert!(world.pool.reservations().all(|r| r.id != first));
    world.pool.assert_invariants();
}

#[test]
fn an_account_on_its_way_out_is_no_hope() {
    let mut world = ready(1);
    request(&mut world, "free");
    drain(&mut world);
    assert!(!world.apply(GetStatistics).is_degraded());
    request(&mut world, "free");
    assert!(world.apply(GetStatistics).is_degraded());
}

#[test]
fn an_id_is_taken_once() {
    let mut world = World::new(0, 1);
    let id = request(&mut world, "lite");
    let again = RequestReservation::new(id, "ci".into(), "lite".into());
    assert_eq!(world.apply(again), Err(RequestError::IdTaken));
    world.pool.assert_invariants();
}

#[test]
fn a_credential_of_a_minting_that_was_given_up_is_revoked_in_quarantine() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Mint);
    world.advance(policy().pass_timeout);
    // The call went through after all, when nobody waited for it any more.
    world.answer(0, Answer::Well);
    while account(&world).kind() != StateKind::Quarantined {
        world.now = world.pool.next_deadline().unwrap();
        world.apply(Tick);
    }
    assert!(!world.cloud[&"free-0".into()].leases.is_empty());
    live_on(&mut world, policy().backoff_max + Duration::from_mins(1));
    assert!(world.cloud[&"free-0".into()].leases.is_empty());
}

#[test]
fn a_lease_ends_on_the_second_that_its_owner_is_told() {
    let mut world = ready(1);
    world.now += Duration::from_millis(1_700);
    let granted = world.now;
    let id = request(&mut world, "free");
    let ReservationStatus::Active { expiration, .. } = status(&mut world, id) else {
        panic!("an account is ready");
    };
    assert_eq!(expiration.nanosecond(), 0);
    let duration = policy().types[&"free".into()].default_duration;
    assert!(granted + duration >= expiration);
    assert!(granted + duration < expiration + Duration::from_secs(1));
}
