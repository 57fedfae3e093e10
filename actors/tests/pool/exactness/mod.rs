//! Stories about exact bounds, counters and names. Each was missing until the pool was broken there on
//! purpose and nothing failed.

use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Pass, Proof, Verified};
use acctpool_actors::pool::{
    Account, AccountState, Done, DrainAccount, EnableAccount, EndReason, Epoch, Event, Generation,
    GetStatistics, Job, ManagementKey, Phase, Purpose, RequestReservation, ReservationId,
    ReservationStatus, RevokeReservation, StateKind, Tick, UnknownAccount, UnknownReservation,
};

use crate::stories::{cancel, credential, request, run_to, status};
use crate::world::{Answer, World, leftover, policy};

fn account(world: &World) -> Account {
    world.pool.accounts().next().unwrap().clone()
}

/// The key of an epoch, derived from the first master key.
fn key(epoch: u32) -> ManagementKey {
    ManagementKey {
        epoch: Epoch(epoch),
        generation: Generation(0),
    }
}

fn phase(world: &World) -> Phase {
    match account(world).state {
        AccountState::Cleaning(cleaning) => cleaning.phase,
        other => panic!("{other:?}"),
    }
}

fn pause(world: &World) -> Duration {
    (world.pool.next_deadline().unwrap() - world.now)
        .try_into()
        .unwrap()
}

/// Lets time pass to the next deadline.
fn wait(world: &mut World) {
    world.advance(pause(world));
}

fn ready(n: usize) -> World {
    let mut world = World::new(n, 0);
    world.run_well();
    world
}

/// Lets a cleaning run out of time, in any phase.
fn time_out(world: &mut World) {
    if account(world).kind() == StateKind::Dirty {
        wait(world);
    }
    let AccountState::Cleaning(cleaning) = account(world).state else {
        panic!()
    };
    while world.now < cleaning.deadline {
        wait(world);
    }
}

pub(crate) fn just_before(duration: Duration) -> Duration {
    duration.checked_sub(Duration::from_nanos(1)).unwrap()
}

fn drain(world: &mut World) {
    world
        .apply(DrainAccount {
            account: "free-0".into(),
        })
        .unwrap();
}

fn enable(world: &mut World) {
    world
        .apply(EnableAccount {
            account: "free-0".into(),
        })
        .unwrap();
}

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
fn a_drained_account_is_cleaned_first_and_comes_back_only_when_enabled() {
    let mut world = ready(1);
    drain(&mut world);
    assert_eq!(account(&world).kind(), StateKind::Cleaning);
    assert!(matches!(world.open_jobs[0].job, Job::Revoke(Some(_))));
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Drained);
    assert!(world.cloud[&"free-0".into()].leases.is_empty());
    let id = request(&mut world, "free");
    world.advance(Duration::from_mins(1));
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Pending { .. }
    ));
    enable(&mut world);
    assert_eq!(account(&world).kind(), StateKind::Cleaning);
    world.run_well();
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Active { .. }
    ));
}

#[test]
fn an_account_that_is_drained_while_it_is_lent_stays_with_its_holder() {
    for claimed in [false, true] {
        let mut world = ready(1);
        let id = request(&mut world, "free");
        if claimed {
            credential(&mut world, id);
        }
        drain(&mut world);
        assert_eq!(account(&world).kind(), StateKind::Leased);
        cancel(&mut world, id);
        world.run_well();
        assert_eq!(
            account(&world).kind(),
            StateKind::Drained,
            "claimed: {claimed}"
        );
    }
}

#[test]
fn an_operator_brings_a_quarantined_account_back_or_takes_it_out() {
    let mut world = World::new(1, 0);
    world.apply(Tick);
    world.answer(0, Answer::Refused);
    enable(&mut world);
    assert!(matches!(world.open_jobs[0].job, Job::Revoke(_)));
    world.answer(0, Answer::Refused);
    drain(&mut world);
    // A credential of an earlier time may still be there.
    wait(&mut world);
    world.answer(0, Answer::Well);
    assert_eq!(account(&world).kind(), StateKind::Drained);
}

#[test]
fn unknown_names_are_refused() {
    let mut world = World::new(1, 0);
    let account = || "nobody".into();
    assert_eq!(
        world.apply(DrainAccount { account: account() }),
        Err(UnknownAccount)
    );
    assert_eq!(
        world.apply(EnableAccount { account: account() }),
        Err(UnknownAccount)
    );
    let id = world.fresh_id();
    assert_eq!(
        world.apply(RevokeReservation { id }),
        Err(UnknownReservation)
    );
}

#[test]
fn an_operator_revokes_and_the_first_reason_stays() {
    let mut world = ready(1);
    let id = request(&mut world, "free");
    credential(&mut world, id);
    world.apply(RevokeReservation { id }).unwrap();
    let ended = status(&mut world, id);
    assert!(matches!(
        ended,
        ReservationStatus::Ended {
            reason: EndReason::Revoked,
            ..
        }
    ));
    world.advance(Duration::from_secs(1));
    cancel(&mut world, id);
    assert!(world.events.is_empty());
    assert_eq!(status(&mut world, id), ended);
}

#[test]
fn a_claimed_lease_lasts_until_its_expiration() {
    let mut world = ready(1);
    let id = request(&mut world, "free");
    credential(&mut world, id);
    assert_eq!(world.events.len(), 1);
    world.advance(just_before(policy().types[&"free".into()].default_duration));
    credential(&mut world, id);
    assert!(world.events.is_empty(), "shown once is shown");
}

#[test]
fn a_reservation_that_nobody_polls_is_abandoned_exactly_in_time() {
    let mut world = World::new(0, 1);
    let id = request(&mut world, "lite");
    world.advance(just_before(policy().pending_timeout));
    assert!(
        !world
            .events
            .iter()
            .any(|e| matches!(e, Event::ReservationEnded { .. }))
    );
    world.advance(Duration::from_nanos(1));
    assert!(world.events.contains(&Event::ReservationEnded {
        reservation: id,
        token: "ci".into(),
        reason: EndReason::Abandoned,
        accounts: Vec::new()
    }));
}

#[test]
fn who_waits_through_a_restart_has_time_to_ask_again_and_keeps_the_place() {
    let mut world = World::new(0, 1);
    let mut ids: Vec<ReservationId> = (1..4_u128)
        .rev()
        .map(|n| uuid::Uuid::from_u128(n).into())
        .collect();
    for id in &ids {
        let token = "ci".into();
        let account_type = "lite".into();
        world
            .apply(RequestReservation::new(*id, token, account_type))
            .unwrap();
    }
    world.now += 2 * policy().pending_timeout;
    world.restart();
    for (ahead, id) in ids.drain(..).enumerate() {
        let queue_position = ahead as u64 + 1;
        assert_eq!(
            status(&mut world, id),
            ReservationStatus::Pending { queue_position }
        );
    }
}

#[test]
fn a_clock_that_is_set_back_lengthens_no_lease() {
    let mut world = ready(1);
    let late = world.now;
    world.now -= Duration::from_hours(1);
    let id = request(&mut world, "free");
    let ReservationStatus::Active { expiration, .. } = status(&mut world, id) else {
        panic!()
    };
    assert_eq!(
        expiration,
        late + policy().types[&"free".into()].default_duration
    );
}

#[test]
fn who_asks_in_the_turn_in_which_an_account_comes_back_is_shown_its_credential() {
    let mut world = ready(1);
    let _unclaimed = request(&mut world, "free");
    let next = request(&mut world, "free");
    world.now += policy().claim_timeout;
    credential(&mut world, next);
}

#[test]
fn an_account_knows_since_when_it_is_what_it_is() {
    let mut world = ready(1);
    world.advance(Duration::from_secs(5));
    request(&mut world, "free");
    assert_eq!(account(&world).since, world.now);
}

#[test]
fn an_account_follows_its_type_in_the_configuration() {
    let mut world = ready(1);
    world.accounts[0].1 = "lite".into();
    world.restart();
    assert_eq!(world.apply(GetStatistics).types[&"lite".into()].total(), 1);
}

#[test]
fn what_is_no_longer_pending_does_not_count_against_its_token() {
    let mut world = World::new(0, 1);
    for _ in 0..3 * policy().max_pending_per_token {
        let id = world.fresh_id();
        let (token, account_type) = ("ci".into(), "lite".into());
        let duration = Some(policy().types[&"lite".into()].max_duration);
        world
            .apply(RequestReservation {
                duration,
                ..RequestReservation::new(id, token, account_type)
            })
            .unwrap();
        cancel(&mut world, id);
    }
}

#[test]
fn a_type_with_waiters_and_no_hope_is_degraded() {
    let mut world = World::new(1, 0);
    request(&mut world, "free");
    assert!(
        !world.apply(GetStatistics).is_degraded(),
        "it is being cleaned"
    );
    request(&mut world, "lite");
    assert!(world.apply(GetStatistics).is_degraded());
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
