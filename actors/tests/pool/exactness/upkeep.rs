//! What is done for accounts that nobody uses, and to their keys.

use std::time::Duration;

use acctpool_actors::cloud::Verified;
use acctpool_actors::pool::{
    AccountState, Done, Epoch, Generation, Job, Phase, Purpose, StateKind, Tick,
};

use super::{account, key, pause, phase, ready, wait};
use crate::stories::{cancel, credential, request, run_to};
use crate::world::{Answer, World, policy};

#[test]
fn a_credential_outlives_the_longest_lease_by_the_grace() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Mint);
    let p = policy();
    let longest = p.types[&"free".into()].max_duration;
    let expires_at = world.now + p.remint_every + longest + p.credential_grace;
    let generation = Generation(0);
    let minting = Job::Mint {
        generation,
        expires_at,
    };
    assert_eq!(world.open_jobs[0].job, minting);
}

#[test]
fn a_credential_that_is_gone_is_not_remembered() {
    let mut world = ready(1);
    world.now = account(&world).remint_at;
    world.apply(Tick);
    run_to(&mut world, Phase::Mint);
    assert_eq!(account(&world).credential, None);
    world.run_well();
    let id = request(&mut world, "free");
    credential(&mut world, id);
    cancel(&mut world, id);
    world.answer(0, Answer::Well);
    assert_eq!(
        (phase(&world), account(&world).credential),
        (Phase::Verify, None)
    );
}

#[test]
fn an_idle_account_is_verified_and_its_credential_tried_not_replaced() {
    let mut world = ready(1);
    let before = account(&world).credential;
    world.advance(policy().verify_every);
    world.answer(0, Answer::Well);
    assert!(matches!(world.open_jobs[0].job, Job::Probe(_)));
    world.answer(0, Answer::Well);
    assert_eq!(
        (account(&world).kind(), account(&world).credential),
        (StateKind::Ready, before)
    );
}

#[test]
fn a_probe_is_repeated_after_a_pause() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Probe);
    world.answer(0, Answer::Busy);
    assert_eq!(
        (phase(&world), pause(&world)),
        (Phase::Probe, policy().pass_interval)
    );
}

#[test]
fn a_rotation_names_both_keys_until_the_former_is_retired() {
    let mut p = policy();
    p.verify_every = Duration::from_hours(24 * 365);
    p.remint_every = p.verify_every;
    let mut world = World::new(1, 0);
    world.restart_with(p.clone());
    world.run_well();
    let credential = account(&world).credential;
    world.now = account(&world).rotate_at.unwrap();
    assert_eq!(world.pool.next_deadline(), Some(world.now));
    world.apply(Tick);
    assert_eq!(world.open_jobs[0].job, Job::Rotate(key(1)));
    world.answer(0, Answer::LostReply);
    wait(&mut world);
    assert_eq!(
        world.open_jobs[0].job,
        Job::Rotate(key(1)),
        "what was begun is finished"
    );
    world.answer(0, Answer::Well);
    assert_eq!(world.open_jobs[0].job, Job::Retire);
    let keys = world.open_jobs[0].keys;
    assert_eq!(
        (keys.current, keys.previous, keys.pending),
        (key(1), Some(key(0)), None)
    );
    world.answer(0, Answer::Well);
    assert_eq!(
        (account(&world).kind(), account(&world).credential),
        (StateKind::Ready, credential)
    );
    assert_eq!(
        account(&world).rotate_at,
        Some(world.now + p.rotate_every.unwrap())
    );
}

#[test]
fn a_credential_is_replaced_when_it_is_old_although_no_verification_is_due() {
    let mut p = policy();
    p.verify_every = Duration::from_hours(24 * 365);
    let mut world = World::new(1, 0);
    world.restart_with(p);
    world.run_well();
    let remint_at = account(&world).remint_at;
    assert_eq!(world.pool.next_deadline(), Some(remint_at));
    world.now = remint_at;
    world.apply(Tick);
    assert!(matches!(world.open_jobs[0].job, Job::Mint { .. }));
}

#[test]
fn a_key_that_turns_up_is_believed_and_no_epoch_is_used_twice() {
    let mut world = ready(1);
    world.now = account(&world).rotate_at.unwrap();
    world.apply(Tick);
    run_to(&mut world, Phase::Rotate);
    world.answer(0, Answer::Fault); // epoch 1 is intended
    world.restart();
    run_to(&mut world, Phase::Verify);
    let issued = world.open_jobs.remove(0);
    assert_eq!(issued.keys.pending, Some(key(1)));
    let verified = Verified {
        current: key(5),
        newest: Epoch(7),
    };
    world.report(&issued, Ok(Done::Verified(verified)));
    let keys = account(&world).keys;
    assert_eq!(
        (keys.current, keys.pending, keys.previous),
        (key(5), None, None)
    );
    assert_eq!(keys.newest, Epoch(7));
}

#[test]
fn a_rotation_that_was_begun_is_finished_before_the_account_is_lent() {
    let mut world = ready(1);
    world.now = account(&world).rotate_at.unwrap();
    world.apply(Tick);
    run_to(&mut world, Phase::Rotate);
    world.answer(0, Answer::Fault);
    world.restart();
    run_to(&mut world, Phase::Rotate);
    let AccountState::Cleaning(cleaning) = account(&world).state else {
        panic!()
    };
    assert_eq!(cleaning.purpose, Purpose::Full);
}
