//! Stories of types that are exhausted, and of what operators hear of it.

use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Verified};
use acctpool_actors::pool::{
    AuditEntry, Detail, Done, Epoch, Event, Generation, KeyChange, Lasting, ManagementKey, Phase,
    Policy, ReservationId, RotateKey,
};

use crate::stories::{cancel, credential, request, run_to};
use crate::world::{Answer, World, policy};

/// One account, held, and somebody who waits for it.
fn waited_for() -> (World, [ReservationId; 2]) {
    let mut world = World::new(1, 0);
    world.run_well();
    let held = request(&mut world, "free");
    credential(&mut world, held);
    let waits = request(&mut world, "free");
    (world, [held, waits])
}

fn exhausted(world: &World) -> usize {
    let is_it = |event: &&Event| matches!(event, Event::PoolExhausted { .. });
    world.events.iter().filter(is_it).count()
}

/// How long it lasted, where it ended in the last turn.
fn recovered(world: &World) -> Option<Duration> {
    world.events.iter().find_map(|event| match event {
        Event::PoolRecovered {
            lasted: Lasting(lasted),
            ..
        } => Some(*lasted),
        _ => None,
    })
}

fn otherwise(exhausted_after: Duration) -> Policy {
    Policy {
        exhausted_after,
        ..policy()
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_type_is_exhausted_when_somebody_has_waited_for_too_long_until_nobody_waits() {
    let (mut world, [_, first]) = waited_for();
    world.advance(59 * SECOND);
    assert_eq!(exhausted(&world), 0);
    world.advance(SECOND);
    assert_eq!(exhausted(&world), 1);
    let second = request(&mut world, "free");
    world.advance(2 * MINUTE);
    assert_eq!(exhausted(&world), 0, "once");

    cancel(&mut world, first);
    assert_eq!((exhausted(&world), recovered(&world)), (0, None));
    cancel(&mut world, second);
    assert_eq!(recovered(&world), Some(2 * MINUTE));

    // Then it may be so again.
    request(&mut world, "free");
    world.advance(MINUTE);
    assert_eq!(exhausted(&world), 1);
}

#[test]
fn a_type_recovers_when_those_who_waited_are_served() {
    let (mut world, [held, _]) = waited_for();
    world.advance(MINUTE);
    assert_eq!(exhausted(&world), 1);
    cancel(&mut world, held);
    world.run_well();
    assert!(recovered(&world).is_some());
}

#[test]
fn whoever_is_served_at_the_very_moment_has_not_waited_too_long() {
    let mut world = World::new(1, 0);
    world.run_well();
    request(&mut world, "free");
    // The lease that nobody fetches comes back when the next in the line has waited for a minute.
    world.advance(9 * MINUTE);
    request(&mut world, "free");
    world.advance(MINUTE);
    let granted = |event: &Event| matches!(event, Event::ReservationGranted { .. });
    assert!(world.events.iter().any(granted), "{:?}", world.events);
    assert_eq!((exhausted(&world), recovered(&world)), (0, None));
}

#[test]
fn what_is_exhausted_is_said_once_and_recovers_over_restarts() {
    let (mut world, [_, waits]) = waited_for();
    world.advance(MINUTE);
    let behind = request(&mut world, "free");
    // From now on nobody who waits has waited for too long.
    cancel(&mut world, waits);
    world.restart();
    assert_eq!((exhausted(&world), recovered(&world)), (0, None));
    world.advance(10 * MINUTE);
    assert_eq!(exhausted(&world), 0);
    cancel(&mut world, behind);
    assert_eq!(recovered(&world), Some(10 * MINUTE));
}

#[test]
fn a_type_that_is_no_more_after_a_restart_recovers() {
    let mut world = World::new(1, 0);
    request(&mut world, "lite");
    world.advance(MINUTE);
    assert_eq!(exhausted(&world), 1);
    let mut p = policy();
    p.types.remove(&"lite".into());
    world.restart_with(p);
    assert_eq!(recovered(&world), Some(Duration::ZERO));
    assert!(world.written.exhausted.is_empty());
}

#[test]
fn those_who_are_abandoned_after_a_restart_leave_no_exhausted_type_behind() {
    let (mut world, _) = waited_for();
    world.advance(MINUTE);
    world.restart();
    world.advance(policy().pending_timeout);
    assert_eq!(recovered(&world), Some(policy().pending_timeout));
}

#[test]
fn another_patience_holds_for_those_who_wait_and_takes_nothing_back() {
    let (mut world, [_, waits]) = waited_for();
    let accounts = world.accounts.clone();
    world.advance(30 * SECOND);
    world.reconfigure(otherwise(30 * SECOND), accounts.clone(), [].into());
    assert_eq!(exhausted(&world), 1, "{:?}", world.events);
    world.reconfigure(otherwise(10 * MINUTE), accounts, [].into());
    assert_eq!((exhausted(&world), recovered(&world)), (0, None));
    cancel(&mut world, waits);
    assert_eq!(recovered(&world), Some(Duration::ZERO));
}

#[test]
fn the_auditor_is_told_how_it_stands() {
    let (mut world, _) = waited_for();
    world.advance(MINUTE);
    let [entry] = &AuditEntry::of_turn(&world.events, world.now)[..] else {
        panic!("{:?}", world.events);
    };
    assert_eq!((entry.event, &entry.account), ("pool_exhausted", &None));
    let waiting = entry.details.iter().find(|(name, _)| *name == "waiting");
    assert_eq!(waiting, Some(&("waiting", Detail::Number(1))));
}

fn key_change(world: &World) -> Option<KeyChange> {
    world.events.iter().find_map(|event| match event {
        Event::KeyChanged { cause, .. } => Some(*cause),
        _ => None,
    })
}

#[test]
fn a_rotation_is_told_from_a_key_that_the_operator_configured() {
    let mut world = World::new(1, 0);
    world.run_well();
    let account = "free-0".into();
    world.apply(RotateKey { account }).unwrap();
    world.answer(0, Answer::Well);
    assert_eq!(key_change(&world), Some(KeyChange::Rotation));
    world.run_well();

    world.restart();
    run_to(&mut world, Phase::Verify);
    let asked = world.open_jobs.remove(0);
    let adopted = Verified {
        current: ManagementKey::CONFIGURED,
        newest: Epoch(1),
    };
    world.report(&asked, Ok(Done::Verified(adopted)));
    assert_eq!(key_change(&world), Some(KeyChange::Adoption));

    world.restart();
    run_to(&mut world, Phase::Verify);
    let asked = world.open_jobs.remove(0);
    let found = Verified {
        current: ManagementKey {
            epoch: Epoch(1),
            generation: Generation(0),
        },
        newest: Epoch(1),
    };
    world.report(&asked, Ok(Done::Verified(found)));
    assert_eq!(key_change(&world), Some(KeyChange::Discovery));
}

#[test]
fn a_verification_that_fails_for_good_is_told_and_one_that_met_a_fault_is_not() {
    let mut world = World::new(1, 0);
    world.run_well();
    world.advance(policy().verify_every);
    let asked = world.open_jobs.remove(0);
    let fault = CloudError::Transient("no route".to_owned());
    world.report(&asked, Err(fault));
    let failed = |event: &&Event| matches!(event, Event::VerificationFailed { .. });
    assert_eq!(world.events.iter().find(failed), None);

    world.advance(policy().backoff_min);
    let asked = world.open_jobs.remove(0);
    let reason = "the key is another account's".to_owned();
    world.report(&asked, Err(CloudError::WrongAccount(reason.clone())));
    let told = Event::VerificationFailed {
        account: "free-0".into(),
        account_type: "free".into(),
        reason,
    };
    assert_eq!(world.events.first(), Some(&told), "{:?}", world.events);
}
