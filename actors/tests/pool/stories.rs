//! Small stories, each about one promise.

use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Pass, Proof};
use acctpool_actors::pool::{
    AccountState, CancelReservation, Credential, Done, EndReason, Event, GetReservation,
    GetStatistics, Job, Phase, RequestError, RequestReservation, ReservationId, ReservationStatus,
    StateKind, Tick, UnknownReservation,
};

use crate::world::{Answer, START, World, leftover, policy};

pub(crate) fn request(world: &mut World, account_type: &str) -> ReservationId {
    let id = world.fresh_id();
    let reply = world.apply(RequestReservation::new(
        id,
        "ci".into(),
        account_type.into(),
    ));
    reply.unwrap().id
}

pub(crate) fn status(world: &mut World, id: ReservationId) -> ReservationStatus {
    let reply = world.apply(GetReservation {
        id,
        token: "ci".into(),
    });
    reply.unwrap().status
}

pub(crate) fn credential(world: &mut World, id: ReservationId) -> Credential {
    match status(world, id) {
        ReservationStatus::Active { mut leases, .. } if leases.len() == 1 => {
            let lease = leases.remove(0);
            lease.credential.unwrap()
        }
        other => panic!("not active: {other:?}"),
    }
}

pub(crate) fn cancel(world: &mut World, id: ReservationId) {
    let token = "ci".into();
    world.apply(CancelReservation { id, token }).unwrap();
}

/// Answers until the account is in the phase, with a job open.
pub(crate) fn run_to(world: &mut World, phase: Phase) {
    for _ in 0..1000 {
        let there = world
            .pool
            .accounts()
            .any(|a| matches!(&a.state, AccountState::Cleaning(c) if c.phase == phase));
        if there && !world.open_jobs.is_empty() {
            return;
        }
        if world.open_jobs.is_empty() {
            world.now = world.now.max(world.pool.next_deadline().unwrap());
            world.apply(Tick);
        } else {
            world.answer(0, Answer::Well);
        }
    }
    panic!("never in {phase:?}");
}

#[test]
fn nothing_is_lent_before_it_was_cleaned() {
    let mut world = World::new(1, 0);
    let id = request(&mut world, "free");
    assert_eq!(
        status(&mut world, id),
        ReservationStatus::Pending { queue_position: 1 }
    );
    world.run_well();
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Active { .. }
    ));
    assert!(world.now >= START + policy().settle + policy().proof_gap);
}

#[test]
fn the_next_holder_gets_another_credential() {
    let mut world = World::new(1, 0);
    world.run_well();
    let first = request(&mut world, "free");
    let before = credential(&mut world, first);
    cancel(&mut world, first);
    let second = request(&mut world, "free");
    world.run_well();
    let after = credential(&mut world, second);
    assert_ne!(before.fence, after.fence);
}

#[test]
fn revocation_is_the_first_thing_after_a_lease() {
    let mut world = World::new(1, 0);
    world.run_well();
    let id = request(&mut world, "free");
    let shown = credential(&mut world, id);
    cancel(&mut world, id);
    assert_eq!(world.open_jobs.len(), 1);
    assert_eq!(world.open_jobs[0].job, Job::Revoke(Some(shown)));
}

#[test]
fn a_late_tick_never_shows_an_expired_credential() {
    let mut world = World::new(1, 0);
    world.run_well();
    let id = request(&mut world, "free");
    credential(&mut world, id);
    // No tick comes: the question itself is what makes time pass.
    world.now += policy().types[&"free".into()].default_duration;
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Ended {
            reason: EndReason::Expired,
            ..
        }
    ));
    assert!(matches!(world.open_jobs[0].job, Job::Revoke(Some(_))));
}

#[test]
fn time_never_runs_backwards() {
    let mut world = World::new(1, 0);
    world.run_well();
    let id = request(&mut world, "free");
    credential(&mut world, id);
    world.advance(policy().types[&"free".into()].default_duration);
    world.now = START;
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Ended { .. }
    ));
}

#[test]
fn an_unclaimed_account_is_ready_again_untouched() {
    let mut world = World::new(1, 0);
    world.run_well();
    let id = request(&mut world, "free");
    let lent = world.pool.accounts().next().unwrap().clone();
    world.advance(policy().claim_timeout);
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Ended {
            reason: EndReason::Abandoned,
            ..
        }
    ));
    let account = world.pool.accounts().next().unwrap();
    assert_eq!(account.kind(), StateKind::Ready);
    assert_eq!(account.credential, lent.credential);
    assert!(world.open_jobs.is_empty());
}

#[test]
fn who_polls_is_not_abandoned() {
    let mut world = World::new(0, 1);
    let polled = request(&mut world, "lite");
    let silent = request(&mut world, "lite");
    for _ in 0..4 {
        world.advance(policy().pending_timeout / 2);
        assert!(matches!(
            status(&mut world, polled),
            ReservationStatus::Pending { .. }
        ));
    }
    assert!(matches!(
        status(&mut world, silent),
        ReservationStatus::Ended {
            reason: EndReason::Abandoned,
            ..
        }
    ));
}

#[test]
fn a_leftover_that_refuses_to_go_quarantines_and_is_named() {
    let mut world = World::new(2, 0);
    world.run_well();
    let id = request(&mut world, "free");
    credential(&mut world, id);
    cancel(&mut world, id);
    for _ in 0..200 {
        let sweeping = |job: &Job| matches!(job, Job::Sweep);
        match world.open_jobs.first().map(|open| sweeping(&open.job)) {
            Some(true) => world.answer(0, Answer::Stuck),
            Some(false) => world.answer(0, Answer::Well),
            None => world.advance(Duration::from_secs(10)),
        }
    }
    let AccountState::Quarantined(quarantine) = world.state("free-0") else {
        panic!("not quarantined: {:?}", world.state("free-0"));
    };
    assert_eq!(quarantine.leftovers, [leftover()]);
    assert!(quarantine.to_string().contains("crn:v1:immortal"));
    assert!(world.apply(GetStatistics).is_degraded());
    let next = request(&mut world, "free");
    assert!(
        matches!(status(&mut world, next), ReservationStatus::Active { leases, .. } if leases[0].account.as_str() == "free-1")
    );
}

#[test]
fn a_leftover_that_only_the_proof_sees_quarantines() {
    let mut world = World::new(1, 0);
    for _ in 0..3000 {
        match world.open_jobs.first().map(|open| open.job == Job::Prove) {
            Some(true) => world.answer(0, Answer::Busy),
            Some(false) => world.answer(0, Answer::Well),
            None => world.advance(Duration::from_secs(10)),
        }
    }
    assert!(matches!(
        world.state("free-0"),
        AccountState::Quarantined(_)
    ));
}

#[test]
fn a_second_proof_that_finds_something_starts_over() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::ProveTwice);
    world.answer(0, Answer::Busy);
    run_to(&mut world, Phase::ProveOnce);
    world.run_well();
    assert!(matches!(world.state("free-0"), AccountState::Ready { .. }));
}

#[test]
fn one_cleaner_that_never_answers_blocks_nobody() {
    let mut world = World::new(2, 0);
    world.apply(Tick);
    for _ in 0..2000 {
        match world
            .open_jobs
            .iter()
            .position(|open| open.account.as_str() == "free-1")
        {
            Some(pick) => world.answer(pick, Answer::Well),
            None => world.advance(Duration::from_secs(30)),
        }
    }
    assert!(matches!(world.state("free-1"), AccountState::Ready { .. }));
    // It is given up at last, and says so.
    let AccountState::Quarantined(quarantine) = world.state("free-0") else {
        panic!("{:?}", world.state("free-0"));
    };
    assert_eq!(quarantine.reason, "revoke: no cleaning ended in time");
}

#[test]
fn an_answer_that_comes_after_its_time_is_stale() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::ProveTwice);
    let late = world.open_jobs[0].clone();
    world.advance(policy().pass_timeout);
    world.report(&late, Ok(Done::Proved(Proof::default())));
    assert!(world.events.is_empty());
    assert!(matches!(world.state("free-0"), AccountState::Cleaning(_)));
}

#[test]
fn faults_are_met_with_growing_patience() {
    let mut world = World::new(1, 0);
    world.apply(Tick);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        world.answer(0, Answer::Fault);
        let next = world.pool.next_deadline().unwrap();
        pauses.push((next - world.now).whole_seconds());
        world.now = next;
        world.apply(Tick);
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
    let throttled = world.open_jobs[0].clone();
    world.report(
        &throttled,
        Err(CloudError::Throttled {
            retry_after: Duration::from_secs(77),
            detail: String::new(),
        }),
    );
    let pause = world.pool.next_deadline().unwrap() - world.now;
    assert_eq!(pause.whole_seconds(), 77);
}

#[test]
fn a_mint_whose_reply_was_lost_gets_another_fence() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Mint);
    let first = world.open_jobs[0].fence;
    world.answer(0, Answer::LostReply);
    run_to(&mut world, Phase::Mint);
    assert!(world.open_jobs[0].fence > first);
}

#[test]
fn idle_accounts_are_verified_reminted_and_rotated() {
    let mut world = World::new(1, 0);
    world.run_well();
    let mut seen = std::collections::BTreeMap::new();
    let until = world.now + Duration::from_hours(8 * 24);
    while world.now < until {
        world.now = world.pool.next_deadline().unwrap();
        world.apply(Tick);
        while let Some(open) = world.open_jobs.first() {
            let name = match open.job {
                Job::Verify => "verify",
                Job::Mint { .. } => "mint",
                Job::Rotate(_) => "rotate",
                Job::Retire => "retire",
                Job::Probe(_) => "probe",
                _ => "other",
            };
            *seen.entry(name).or_insert(0) += 1;
            world.answer(0, Answer::Well);
        }
    }
    assert!(seen["verify"] >= 24, "{seen:?}");
    assert!(seen["mint"] >= 7, "{seen:?}");
    assert_eq!((seen["rotate"], seen["retire"]), (1, 1), "{seen:?}");
    assert!(!seen.contains_key("other"), "{seen:?}");
}

#[test]
fn a_rotation_whose_reply_was_lost_is_finished_once() {
    let mut world = World::new(1, 0);
    world.run_well();
    world.advance(policy().rotate_every.unwrap());
    run_to(&mut world, Phase::Rotate);
    world.answer(0, Answer::LostReply);
    // The process ends before it is tried again.
    world.restart();
    world.run_well();
    let account = world.pool.accounts().next().unwrap();
    assert_eq!(account.keys.current.epoch.0, 1);
    assert_eq!((account.keys.pending, account.keys.previous), (None, None));
    let left: Vec<_> = world.cloud[&account.id].management.iter().collect();
    assert_eq!(left, [&account.keys.current]);
}

#[test]
fn leases_outlive_a_restart_and_keep_their_deadline() {
    let mut world = World::new(2, 0);
    world.run_well();
    let id = request(&mut world, "free");
    let before = status(&mut world, id);
    world.restart();
    assert_eq!(status(&mut world, id), before);
    let dirty = world.apply(GetStatistics).types[&"free".into()];
    assert_eq!((dirty.leased, dirty.cleaning), (1, 1));
    world.advance(policy().types[&"free".into()].default_duration);
    assert!(world.events.iter().any(|event| matches!(
        event,
        Event::JobIssued {
            job: Job::Revoke(Some(_)),
            ..
        }
    )));
}

#[test]
fn an_account_that_is_no_longer_configured_is_drained_after_its_lease() {
    let mut world = World::new(1, 0);
    world.run_well();
    let id = request(&mut world, "free");
    credential(&mut world, id);
    world.accounts.clear();
    world.restart();
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Active { .. }
    ));
    cancel(&mut world, id);
    world.run_well();
    assert_eq!(world.state("free-0"), AccountState::Drained);
}

#[test]
fn quotas_and_limits_say_what_is_allowed() {
    let mut world = World::new(0, 1);
    let mut ask = |token: &str, account_type: &str, seconds| {
        let id = world.fresh_id();
        let reply = world.apply(RequestReservation {
            duration: Some(Duration::from_secs(seconds)),
            ..RequestReservation::new(id, token.into(), account_type.into())
        });
        reply.map(|_| ())
    };
    assert_eq!(
        ask("a", "gold", 60),
        Err(RequestError::UnknownType {
            known: vec!["free".into(), "lite".into()]
        })
    );
    let max = Duration::from_hours(2);
    assert_eq!(
        ask("a", "lite", 0),
        Err(RequestError::DurationOutOfRange { max })
    );
    assert_eq!(
        ask("a", "lite", 7201),
        Err(RequestError::DurationOutOfRange { max })
    );
    for token in ["a", "b"] {
        for _ in 0..5 {
            assert_eq!(ask(token, "lite", 60), Ok(()));
        }
    }
    assert_eq!(
        ask("a", "lite", 60),
        Err(RequestError::TooManyPendingOfToken { limit: 5 })
    );
    assert_eq!(ask("c", "lite", 60), Ok(()));
    assert_eq!(ask("c", "lite", 60), Ok(()));
    assert_eq!(
        ask("c", "lite", 60),
        Err(RequestError::TooManyPending { limit: 12 })
    );
}

#[test]
fn a_stranger_cannot_tell_a_foreign_reservation_from_none() {
    let mut world = World::new(1, 0);
    let id = request(&mut world, "free");
    let nobody = world.fresh_id();
    for id in [id, nobody] {
        let token = || "stranger".into();
        assert_eq!(
            world.apply(GetReservation { id, token: token() }),
            Err(UnknownReservation)
        );
        assert_eq!(
            world.apply(CancelReservation { id, token: token() }),
            Err(UnknownReservation)
        );
    }
}

#[test]
fn ended_reservations_are_forgotten_in_time() {
    let mut world = World::new(1, 0);
    let id = request(&mut world, "free");
    cancel(&mut world, id);
    cancel(&mut world, id);
    world.advance(policy().retain_ended);
    assert_eq!(world.pool.reservations().count(), 0);
    assert!(world.written.reservations.is_empty());
}

#[test]
fn a_pass_that_deletes_is_followed_by_another() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Sweep);
    let open = world.open_jobs.remove(0);
    let pass = Pass {
        deleted: vec![leftover()],
        ..Pass::default()
    };
    world.report(&open, Ok(Done::Swept(pass)));
    world.advance(policy().pass_interval);
    assert_eq!(world.open_jobs[0].job, Job::Sweep);
}

#[test]
fn a_copy_that_takes_over_ends_its_leases_and_cleans_every_account_first() {
    let mut world = World::new(2, 0);
    world.run_well();
    let held = request(&mut world, "free");
    let also_held = request(&mut world, "free");
    let waiting = request(&mut world, "free");
    credential(&mut world, held);
    let mut copy = world.written.clone();
    // What the copy does not know: its leases were given back, and somebody else has an account.
    cancel(&mut world, also_held);
    credential(&mut world, waiting);
    cancel(&mut world, held);
    world.run_well();

    let (changes, events) = copy.disown(world.now);
    assert_eq!(events.len(), 2);
    for change in changes {
        copy.write(change);
    }
    world.written = copy;
    world.restart();
    for id in [held, also_held] {
        let ended = status(&mut world, id);
        let reason = EndReason::Revoked;
        assert!(matches!(ended, ReservationStatus::Ended { reason: r, .. } if r == reason));
    }
    assert_eq!(world.open_jobs.len(), 2);
    assert!(
        world
            .open_jobs
            .iter()
            .all(|issued| matches!(issued.job, Job::Revoke(_)))
    );
    assert!(matches!(
        status(&mut world, waiting),
        ReservationStatus::Pending { .. }
    ));
    world.run_well();
    assert!(matches!(
        status(&mut world, waiting),
        ReservationStatus::Active { .. }
    ));
    for account in ["free-0", "free-1"] {
        assert_eq!(world.cloud[&account.into()].leases.len(), 1, "{account}");
    }
}
