//! Several accounts at once: all or none, in the order of asking.

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool_actors::pool::{
    Account, AccountId, DrainAccount, EnableAccount, EndReason, Event, GetStatistics, Job,
    MAX_COUNT, RequestError, RequestReservation, ReservationId, ReservationState,
    ReservationStatus, StateKind, Tick,
};

use crate::exactness::just_before;
use crate::stories::{cancel, credential, request, status};
use crate::world::{Answer, World, policy};

fn ready(n: usize) -> World {
    let mut world = World::new(n, 0);
    world.run_well();
    world
}

fn ask(world: &mut World, count: usize) -> Result<ReservationId, RequestError> {
    let id = world.fresh_id();
    let command = RequestReservation {
        count,
        ..RequestReservation::new(id, "ci".into(), "free".into())
    };
    world.apply(command).map(|view| view.id)
}

/// Returns what a reservation holds, without asking for it.
fn held(world: &World, id: ReservationId) -> Vec<AccountId> {
    let reservation = world.pool.reservations().find(|r| r.id == id).unwrap();
    match &reservation.state {
        ReservationState::Active { accounts, .. } => accounts.clone(),
        _ => Vec::new(),
    }
}

fn count(world: &World, kind: StateKind) -> usize {
    let accounts = world.pool.accounts();
    accounts.filter(|account| account.kind() == kind).count()
}

fn position(world: &mut World, id: ReservationId) -> u64 {
    match status(world, id) {
        ReservationStatus::Pending { queue_position } => queue_position,
        other => panic!("{other:?}"),
    }
}

/// Answers well until so many accounts are ready or held.
fn run_until(world: &mut World, usable: usize) {
    while count(world, StateKind::Ready) + count(world, StateKind::Leased) < usable {
        if world.open_jobs.is_empty() {
            world.now = world.pool.next_deadline().unwrap();
            world.apply(Tick);
        } else {
            world.answer(0, Answer::Well);
        }
    }
}

#[test]
fn several_accounts_are_lent_at_once_each_with_its_credential() {
    let mut world = ready(3);
    let id = ask(&mut world, 2).unwrap();
    let granted = world.events.iter().find_map(|event| match event {
        Event::ReservationGranted { leases, .. } => Some(leases.clone()),
        _ => None,
    });
    let granted: BTreeSet<AccountId> = granted.unwrap().into_iter().map(|(id, _)| id).collect();
    let ReservationStatus::Active { leases, .. } = status(&mut world, id) else {
        panic!("not granted");
    };
    let shown: BTreeSet<AccountId> = leases.iter().map(|lease| lease.account.clone()).collect();
    assert_eq!(shown, granted);
    assert_eq!(shown.len(), 2);
    assert!(leases.iter().all(|lease| lease.credential.is_some()));
    assert_eq!(count(&world, StateKind::Ready), 1);
}

#[test]
fn nothing_is_taken_before_everything_is_there() {
    let mut world = ready(3);
    let one = ask(&mut world, 1).unwrap();
    credential(&mut world, one);
    let three = ask(&mut world, 3).unwrap();
    assert_eq!(held(&world, three), []);
    assert_eq!(count(&world, StateKind::Ready), 2);
    cancel(&mut world, one);
    run_until(&mut world, 3);
    assert_eq!(held(&world, three).len(), 3);
}

#[test]
fn whoever_asks_for_many_is_not_overtaken_by_those_who_ask_for_few() {
    let mut world = ready(2);
    let first = ask(&mut world, 1).unwrap();
    credential(&mut world, first);
    let many = ask(&mut world, 2).unwrap();
    let few = ask(&mut world, 1).unwrap();
    // One is ready, and would do for the one behind.
    assert_eq!(count(&world, StateKind::Ready), 1);
    assert_eq!(
        (position(&mut world, many), position(&mut world, few)),
        (1, 2)
    );
    cancel(&mut world, first);
    run_until(&mut world, 2);
    assert_eq!((held(&world, many).len(), held(&world, few).len()), (2, 0));
    cancel(&mut world, many);
    assert_eq!(held(&world, few).len(), 1);
}

#[test]
fn when_whoever_asked_for_many_leaves_the_next_is_served_in_the_same_turn() {
    let mut world = ready(2);
    let first = ask(&mut world, 1).unwrap();
    credential(&mut world, first);
    let many = ask(&mut world, 2).unwrap();
    let few = ask(&mut world, 1).unwrap();
    cancel(&mut world, many);
    assert_eq!(held(&world, few).len(), 1);
}

#[test]
fn a_line_is_degraded_and_has_no_estimate_while_more_is_waited_for_than_can_come_back() {
    let mut world = ready(3);
    // So that there is something to estimate from.
    let used = ask(&mut world, 1).unwrap();
    credential(&mut world, used);
    cancel(&mut world, used);
    run_until(&mut world, 3);
    let held = ask(&mut world, 1).unwrap();
    credential(&mut world, held);
    ask(&mut world, 3).unwrap();
    let seen = |world: &mut World| {
        let statistics = world.apply(GetStatistics);
        let free = &statistics.types[&"free".into()];
        let estimate = free.estimated_wait(1).is_some();
        (free.next_count, statistics.is_degraded(), estimate)
    };
    assert_eq!(seen(&mut world), (3, false, true));
    let leased = |account: &&Account| account.kind() == StateKind::Leased;
    let account = world.pool.accounts().find(leased).unwrap().id.clone();
    // It comes back, and not into the line.
    let drain = DrainAccount {
        account: account.clone(),
    };
    world.apply(drain).unwrap();
    assert_eq!(seen(&mut world), (3, true, false));
    world.apply(EnableAccount { account }).unwrap();
    assert_eq!(seen(&mut world), (3, false, true));
}

#[test]
fn all_of_them_come_back_and_every_credential_that_was_shown_is_revoked() {
    let mut world = ready(3);
    let id = ask(&mut world, 3).unwrap();
    status(&mut world, id);
    world.advance(policy().types[&"free".into()].default_duration);
    let revoked = world.open_jobs.iter();
    let revoked = revoked.filter(|open| matches!(open.job, Job::Revoke(Some(_))));
    assert_eq!(revoked.count(), 3);
    assert_eq!(count(&world, StateKind::Cleaning), 3);
    let ended = world.events.iter().find_map(|event| match event {
        Event::ReservationEnded {
            accounts, reason, ..
        } => Some((accounts.len(), *reason)),
        _ => None,
    });
    assert_eq!(ended, Some((3, EndReason::Expired)));
}

#[test]
fn several_that_nobody_fetched_are_as_ready_as_before() {
    let mut world = ready(3);
    ask(&mut world, 2).unwrap();
    world.advance(policy().claim_timeout);
    assert_eq!(count(&world, StateKind::Ready), 3);
}

#[test]
fn no_more_can_be_asked_for_than_there_are() {
    let mut world = ready(2);
    for asked in [0, 3, usize::MAX] {
        let refused = RequestError::CountOutOfRange { max: 2 };
        assert_eq!(ask(&mut world, asked), Err(refused));
    }
    // Those that are out may come back; one may be asked for in any case.
    for account in ["free-0", "free-1"] {
        let account = account.into();
        world.apply(DrainAccount { account }).unwrap();
    }
    world.run_well();
    ask(&mut world, 2).unwrap();
    let mut empty = World::new(0, 1);
    ask(&mut empty, 1).unwrap();
    let refused = RequestError::CountOutOfRange { max: 1 };
    assert_eq!(ask(&mut empty, 2), Err(refused));
}

#[test]
fn a_large_pool_does_not_lend_without_limit() {
    let mut world = World::new(MAX_COUNT + 1, 0);
    let refused = RequestError::CountOutOfRange { max: MAX_COUNT };
    assert_eq!(ask(&mut world, MAX_COUNT + 1), Err(refused));
    ask(&mut world, MAX_COUNT).unwrap();
}

#[test]
fn an_account_of_several_that_is_drained_goes_out_after_the_lease_and_the_others_stay() {
    let mut world = ready(2);
    let id = ask(&mut world, 2).unwrap();
    status(&mut world, id);
    let account = AccountId::from("free-0");
    let command = DrainAccount {
        account: account.clone(),
    };
    world.apply(command).unwrap();
    assert_eq!(held(&world, id).len(), 2);
    cancel(&mut world, id);
    world.run_well();
    assert_eq!(count(&world, StateKind::Drained), 1);
    assert_eq!(count(&world, StateKind::Ready), 1);
    // Whoever needs both waits, and gets them when the operator brings it back.
    let waiting = ask(&mut world, 2).unwrap();
    assert_eq!(position(&mut world, waiting), 1);
    world.apply(EnableAccount { account }).unwrap();
    world.run_well();
    assert_eq!(held(&world, waiting).len(), 2);
}

#[test]
fn whoever_waits_for_more_than_there_are_any_more_is_told() {
    let mut world = ready(2);
    let first = request(&mut world, "free");
    credential(&mut world, first);
    let id = ask(&mut world, 2).unwrap();
    let next = ask(&mut world, 1).unwrap();
    world
        .accounts
        .retain(|(account, _)| account.as_str() != "free-1");
    world.restart();
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Ended {
            reason: EndReason::Revoked,
            ..
        }
    ));
    assert_eq!(position(&mut world, next), 1);
}

#[test]
fn a_lease_of_several_outlives_a_restart() {
    let mut world = ready(3);
    let id = ask(&mut world, 2).unwrap();
    let before = status(&mut world, id);
    world.restart();
    assert_eq!(status(&mut world, id), before);
    let duration = policy().types[&"free".into()].default_duration;
    world.advance(just_before(duration));
    assert_eq!(status(&mut world, id), before);
    world.advance(Duration::from_nanos(1));
    assert_eq!(count(&world, StateKind::Leased), 0);
}
