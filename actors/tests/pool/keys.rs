//! Stories of keys: of a new master key, of a rotation that somebody asked for, of a key that the
//! operator configured anew, and of accounts that are not configured any more.

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool_actors::cloud::Verified;
use acctpool_actors::pool::{
    Account, AccountState, Done, DrainAccount, Epoch, Event, Generation, GetMasterKeys, Job,
    ManagementKey, NotNewer, Phase, Pool, RotateKey, Snapshot, StateKind, UnknownAccount,
    UseMasterKey,
};

use crate::stories::{cancel, credential, request, run_to};
use crate::world::{Answer, World, policy};

const FIRST: Generation = Generation(0);
const SECOND: Generation = Generation(1);

fn account(world: &World) -> Account {
    world.pool.accounts().next().unwrap().clone()
}

fn key(epoch: u32, generation: Generation) -> ManagementKey {
    ManagementKey {
        epoch: Epoch(epoch),
        generation,
    }
}

/// A ready account that acctpool has rotated once, where it will not rotate by itself any more.
fn rotated() -> World {
    let mut world = World::new(1, 0);
    world.run_well();
    rotate(&mut world);
    world.run_well();
    stop_rotating(&mut world);
    assert_eq!(account(&world).keys.current, key(1, FIRST));
    world
}

/// A ready account of which acctpool uses the configured key.
fn never_rotated() -> World {
    let mut world = World::new(1, 0);
    world.run_well();
    stop_rotating(&mut world);
    world
}

fn stop_rotating(world: &mut World) {
    let mut p = policy();
    p.rotate_every = None;
    world.restart_with(p);
    world.run_well();
}

fn rotate(world: &mut World) {
    let account = "free-0".into();
    world.apply(RotateKey { account }).unwrap();
}

/// Which master keys there are, as the pool knows it and in the state directory.
fn master_keys(world: &mut World) -> Vec<u32> {
    let known = world.apply(GetMasterKeys);
    assert!(known.iter().eq(&world.master_keys), "{known:?}");
    known.into_iter().map(|generation| generation.0).collect()
}

#[test]
fn a_new_master_key_moves_an_idle_account_at_once_although_nothing_else_is_due() {
    let mut world = rotated();
    let before = account(&world).credential.unwrap();
    world.rotate_master_key();
    assert_eq!(world.open_jobs[0].job, Job::Rotate(key(2, SECOND)));
    assert_eq!(master_keys(&mut world), [0, 1]);
    world.run_well();
    assert_eq!(master_keys(&mut world), [1]);
    let after = account(&world);
    assert_eq!(after.keys.current, key(2, SECOND));
    assert_eq!(after.keys.previous, None);
    let lease = after.credential.unwrap();
    assert_eq!((before.generation, lease.generation), (FIRST, SECOND));
    assert_eq!(after.rotate_at, None, "it is not rotated again");
}

#[test]
fn a_configured_key_stays_and_its_lease_credential_is_made_anew() {
    let mut world = never_rotated();
    world.rotate_master_key();
    assert!(matches!(world.open_jobs[0].job, Job::Mint { generation, .. } if generation == SECOND));
    world.run_well();
    assert_eq!(master_keys(&mut world), [1]);
    assert_eq!(account(&world).keys.current, ManagementKey::CONFIGURED);
}

#[test]
fn a_lease_keeps_its_credential_and_the_master_key_of_it_until_it_ends() {
    for mut world in [rotated(), never_rotated()] {
        lease_through_a_new_master_key(&mut world);
    }
}

fn lease_through_a_new_master_key(world: &mut World) {
    let id = request(world, "free");
    let shown = credential(world, id);
    world.rotate_master_key();
    world.advance(Duration::from_mins(30));
    assert!(world.open_jobs.is_empty(), "{:?}", world.open_jobs);
    assert_eq!(credential(world, id), shown);
    assert_eq!(master_keys(world), [0, 1]);
    world.restart();
    assert_eq!(credential(world, id), shown);
    assert_eq!(master_keys(world), [0, 1]);
    cancel(world, id);
    world.run_well();
    assert_eq!(master_keys(world), [1]);
}

#[test]
fn a_lease_that_nobody_claimed_is_not_lent_with_its_old_credential_again() {
    let mut world = rotated();
    let id = request(&mut world, "free");
    world.rotate_master_key();
    cancel(&mut world, id);
    assert_eq!(account(&world).kind(), StateKind::Cleaning);
    world.run_well();
    assert_eq!(account(&world).oldest_generation(), Some(SECOND));
}

#[test]
fn what_was_begun_under_the_former_master_key_is_finished_and_then_done_again() {
    let mut world = rotated();
    rotate(&mut world);
    world.answer(0, Answer::LostReply);
    world.rotate_master_key();
    run_to(&mut world, Phase::Retire);
    let keys = world.open_jobs[0].keys;
    assert_eq!(
        (keys.current, keys.previous),
        (key(2, FIRST), Some(key(1, FIRST)))
    );
    world.answer(0, Answer::Well);
    assert_eq!(world.open_jobs[0].job, Job::Rotate(key(3, SECOND)));
    world.run_well();
    assert_eq!(master_keys(&mut world), [1]);
}

#[test]
fn an_account_that_leaves_moves_before_it_is_out() {
    let mut world = rotated();
    rotate(&mut world);
    world.answer(0, Answer::LostReply);
    let free = "free-0".into();
    world.apply(DrainAccount { account: free }).unwrap();
    world.restart();
    world.rotate_master_key();
    world.run_well();
    assert_eq!(account(&world).state, AccountState::Drained);
    assert_eq!(master_keys(&mut world), [1]);
}

#[test]
fn a_credential_whose_minting_was_overtaken_is_made_anew() {
    let mut world = rotated();
    world.now = account(&world).remint_at;
    run_to(&mut world, Phase::Mint);
    world.rotate_master_key();
    world.answer(0, Answer::Well);
    assert_eq!(account(&world).credential, None);
    assert!(matches!(world.open_jobs[0].job, Job::Mint { generation, .. } if generation == SECOND));
    world.run_well();
    assert_eq!(world.cloud[&"free-0".into()].leases.len(), 1);
}

#[test]
fn an_account_that_waits_for_a_person_keeps_its_master_key() {
    let mut world = rotated();
    world.advance(policy().verify_every);
    world.answer(0, Answer::Refused);
    world.answer(0, Answer::Well);
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    world.rotate_master_key();
    world.run_well();
    world.advance(Duration::from_hours(24));
    assert_eq!(master_keys(&mut world), [0, 1]);
    // It starts dirty, and the cloud is well.
    world.restart();
    world.run_well();
    assert_eq!(master_keys(&mut world), [1]);
}

#[test]
fn an_account_of_which_nothing_is_known_may_need_any_master_key() {
    let mut world = rotated();
    world.rotate_master_key();
    // The records are lost; both master keys are at hand.
    world.crash(0);
    world.written = Snapshot::default();
    let accounts = world.accounts.clone();
    world.pool = Pool::open(policy(), accounts, Snapshot::default(), world.now);
    for (generation, name) in [(FIRST, "master key 0"), (SECOND, "master key 1")] {
        let fingerprint = name.into();
        world
            .apply(UseMasterKey {
                generation,
                fingerprint,
            })
            .unwrap();
    }
    world.answer(0, Answer::Well);
    assert_eq!(master_keys(&mut world), [0, 1]);
    // A search finds which key works.
    let issued = world.open_jobs.remove(0);
    assert_eq!(issued.job, Job::Verify);
    let verified = Verified {
        current: key(1, FIRST),
        newest: Epoch(1),
    };
    world.report(&issued, Ok(Done::Verified(verified)));
    assert_eq!(master_keys(&mut world), [0, 1]);
    world.run_well();
    assert_eq!(account(&world).keys.current, key(2, SECOND));
    assert_eq!(master_keys(&mut world), [1]);
}

#[test]
fn a_master_key_has_its_number_for_ever() {
    let mut world = World::new(1, 0);
    let with = |generation, name: &str| UseMasterKey {
        generation,
        fingerprint: name.into(),
    };
    world.apply(with(SECOND, "second")).unwrap();
    world.events.clear();
    world.apply(with(SECOND, "second")).unwrap();
    assert!(!world.changed, "repeating it changes nothing");
    assert_eq!(world.apply(with(SECOND, "other")), Err(NotNewer));
    assert_eq!(world.apply(with(FIRST, "other")), Err(NotNewer));
}

#[test]
fn an_idle_account_is_rotated_at_once_on_demand() {
    let mut world = rotated();
    rotate(&mut world);
    assert_eq!(world.open_jobs[0].job, Job::Rotate(key(2, FIRST)));
    world.run_well();
    assert_eq!(account(&world).keys.current, key(2, FIRST));
    let nobody = "nobody".into();
    let refused = world.apply(RotateKey { account: nobody });
    assert_eq!(refused, Err(UnknownAccount));
}

#[test]
fn a_leased_account_is_rotated_on_demand_when_it_is_back_also_after_a_restart() {
    let mut world = rotated();
    let id = request(&mut world, "free");
    credential(&mut world, id);
    rotate(&mut world);
    assert!(world.open_jobs.is_empty(), "its holder is not disturbed");
    stop_rotating(&mut world);
    assert_eq!(account(&world).kind(), StateKind::Leased);
    cancel(&mut world, id);
    world.run_well();
    assert_eq!(account(&world).keys.current, key(2, FIRST));
    assert_eq!(account(&world).rotate_at, None);
}

#[test]
fn a_key_that_was_configured_anew_is_the_new_start_and_the_derived_one_is_retired() {
    let mut world = rotated();
    world
        .at_cloud(&"free-0".into())
        .management
        .insert(ManagementKey::CONFIGURED);
    world.restart();
    run_to(&mut world, Phase::Verify);
    let issued = world.open_jobs.remove(0);
    let verified = Verified {
        current: ManagementKey::CONFIGURED,
        newest: Epoch(1),
    };
    world.report(&issued, Ok(Done::Verified(verified)));
    run_to(&mut world, Phase::Retire);
    world.run_well();
    let keys = account(&world).keys;
    assert_eq!(
        (keys.current, keys.previous),
        (ManagementKey::CONFIGURED, None)
    );
    let cloud = &world.cloud[&"free-0".into()];
    assert!(cloud.management.iter().eq(&[ManagementKey::CONFIGURED]));
    rotate(&mut world);
    assert_eq!(world.open_jobs[0].job, Job::Rotate(key(2, FIRST)));
}

#[test]
fn an_account_that_is_out_holds_up_no_master_key_and_comes_back_with_a_new_key_of_its_owner() {
    let mut world = rotated();
    world.reconfigure(policy(), Vec::new(), BTreeSet::new());
    world.run_well();
    assert!(account(&world).is_out());
    world.rotate_master_key();
    assert_eq!(master_keys(&mut world), [1]);
    let accounts = vec![("free-0".into(), "free".into())];
    world.reconfigure(policy(), accounts, BTreeSet::new());
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Ready);
    let keys = account(&world).keys;
    assert_eq!(
        (keys.current, keys.newest),
        (ManagementKey::CONFIGURED, Epoch(1))
    );
    assert_eq!(master_keys(&mut world), [1]);
}

#[test]
fn a_rotation_that_was_begun_before_an_account_was_out_is_not_finished_with_a_key_that_is_gone() {
    let mut world = rotated();
    rotate(&mut world);
    world.reconfigure(policy(), Vec::new(), BTreeSet::new());
    world.run_well();
    assert_eq!(account(&world).keys.pending, Some(key(2, FIRST)));
    world.rotate_master_key();
    let accounts = vec![("free-0".into(), "free".into())];
    world.reconfigure(policy(), accounts, BTreeSet::new());
    assert_eq!(account(&world).keys.pending, None);
    rotate(&mut world);
    run_to(&mut world, Phase::Rotate);
    assert_eq!(world.open_jobs[0].job, Job::Rotate(key(3, SECOND)));
}

/// Takes the only account out of the operator's file, and starts anew.
fn leave_out(world: &mut World) {
    world.accounts.clear();
    world.restart();
}

#[test]
fn an_account_that_was_leased_when_it_was_left_out_is_cleaned_and_drained() {
    let mut world = rotated();
    let id = request(&mut world, "free");
    let shown = credential(&mut world, id);
    leave_out(&mut world);
    assert_eq!(credential(&mut world, id), shown);
    world.at_cloud(&"free-0".into()).resources = 3;
    cancel(&mut world, id);
    run_to(&mut world, Phase::ProveOnce);
    // A crash in the middle of it changes nothing.
    world.restart();
    run_to(&mut world, Phase::ProveTwice);
    world.answer(0, Answer::Well);
    let events = [
        Event::AccountProven {
            account: "free-0".into(),
        },
        Event::AccountDrained {
            account: "free-0".into(),
        },
    ];
    assert_eq!(world.events, events);
    let cloud = &world.cloud[&"free-0".into()];
    assert!(cloud.leases.is_empty() && cloud.is_empty());
    world.restart();
    assert_eq!(world.pool.accounts().count(), 0);
}

#[test]
fn an_idle_account_that_was_left_out_loses_its_lease_credential_and_is_not_swept() {
    let mut world = rotated();
    leave_out(&mut world);
    world.at_cloud(&"free-0".into()).resources = 3;
    world.run_well();
    assert_eq!(account(&world).state, AccountState::Drained);
    let cloud = &world.cloud[&"free-0".into()];
    assert!(cloud.leases.is_empty());
    assert_eq!(cloud.resources, 3, "its owner may use it otherwise by now");
    // Put back, it is an account like any other.
    world.accounts.push(("free-0".into(), "free".into()));
    world.restart();
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Ready);
}

#[test]
fn an_account_that_was_left_out_and_cannot_be_reached_says_so_and_can_be_put_back() {
    let mut world = World::new(1, 0);
    world.run_well();
    leave_out(&mut world);
    run_to(&mut world, Phase::Revoke);
    world.answer(0, Answer::Refused);
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    world.restart();
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    world.accounts.push(("free-0".into(), "free".into()));
    world.restart();
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Ready);
    // Once its credential has ended by itself, nothing remains to be done.
    leave_out(&mut world);
    world.now = account(&world).credential.unwrap().expires_at;
    world.restart();
    assert_eq!(world.pool.accounts().count(), 0);
}

#[test]
fn an_account_that_never_was_one_is_forgotten_when_it_is_left_out() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Verify);
    world.answer(0, Answer::Refused);
    leave_out(&mut world);
    assert_eq!(world.pool.accounts().count(), 0);
}

#[test]
fn an_account_that_comes_back_brings_no_credential_whose_master_key_is_gone() {
    let mut world = World::new(2, 0);
    let mut p = policy();
    p.rotate_every = None;
    world.restart_with(p);
    world.run_well();
    let all = world.accounts.clone();
    let old = account(&world).credential.unwrap();
    assert_eq!(old.generation, FIRST);
    // Nothing leads to it any more once it is out, and its credential ends by itself.
    world.accounts.remove(0);
    world.now = old.expires_at;
    world.restart();
    world.rotate_master_key();
    world.run_well();
    assert_eq!(world.apply(GetMasterKeys), [SECOND]);

    world.reconfigure(policy(), all, [].into());
    assert_eq!(account(&world).credential, None);
    assert!(account(&world).unrevoked, "it is looked for by name");
}
