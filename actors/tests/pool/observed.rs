//! How long leases and cleanings took lately, and how long one will wait by that.

use std::time::Duration;

use acctpool_actors::pool::{
    DrainAccount, EnableAccount, GetStatistics, Phase, StateKind, Tick, TypeStatistics,
};

use crate::stories::{cancel, credential, request, run_to, status};
use crate::world::{Answer, World, policy};

const MINUTE: Duration = Duration::from_mins(1);

fn free(world: &mut World) -> TypeStatistics {
    world.apply(GetStatistics).types[&"free".into()]
}

/// Lends an account for so long, and returns how long its cleaning took.
fn lend(world: &mut World, held: Duration) -> Duration {
    let id = request(world, "free");
    credential(world, id);
    world.advance(held);
    status(world, id);
    cancel(world, id);
    let ended = world.now;
    run_until_ready(world);
    (world.now - ended).unsigned_abs()
}

fn run_until_ready(world: &mut World) {
    let is_out = |world: &World| {
        let mut accounts = world.pool.accounts();
        accounts.any(|account| matches!(account.kind(), StateKind::Cleaning | StateKind::Dirty))
    };
    while is_out(world) {
        if world.open_jobs.is_empty() {
            world.now = world.pool.next_deadline().unwrap();
            world.apply(Tick);
        } else {
            world.answer(0, Answer::Well);
        }
    }
}

#[test]
fn nothing_is_known_before_it_was_seen() {
    let mut world = World::new(1, 0);
    run_until_ready(&mut world);
    // The first cleaning followed no lease.
    assert_eq!(
        (free(&mut world).mean_hold, free(&mut world).mean_clean),
        (None, None)
    );
    let id = request(&mut world, "free");
    credential(&mut world, id);
    world.advance(7 * MINUTE);
    cancel(&mut world, id);
    let counts = free(&mut world);
    assert_eq!(
        (counts.mean_hold, counts.mean_clean),
        (Some(7 * MINUTE), None)
    );
    assert_eq!(counts.estimated_wait(1), None);
    let ended = world.now;
    run_until_ready(&mut world);
    let cleaned = (world.now - ended).unsigned_abs();
    let counts = free(&mut world);
    assert_eq!(counts.mean_clean, Some(cleaned));
    assert_eq!(counts.estimated_wait(1), Some(7 * MINUTE + cleaned));
    assert_eq!(counts.estimated_wait(3), Some(3 * (7 * MINUTE + cleaned)));
    world.restart();
    assert_eq!(
        (free(&mut world).mean_hold, free(&mut world).mean_clean),
        (None, None)
    );
}

#[test]
fn what_was_seen_last_counts_most_and_what_came_before_fades() {
    let mut world = World::new(1, 0);
    run_until_ready(&mut world);
    lend(&mut world, 4 * MINUTE);
    lend(&mut world, 8 * MINUTE);
    assert_eq!(free(&mut world).mean_hold, Some(5 * MINUTE));
    for _ in 0..20 {
        lend(&mut world, 8 * MINUTE);
    }
    let mean = free(&mut world).mean_hold.unwrap();
    assert!(
        mean > 7 * MINUTE + MINUTE / 2 && mean <= 8 * MINUTE,
        "{mean:?}"
    );
}

#[test]
fn a_lease_that_nobody_used_is_a_hold_without_a_cleaning() {
    let mut world = World::new(1, 0);
    run_until_ready(&mut world);
    request(&mut world, "free");
    world.advance(policy().claim_timeout);
    let counts = free(&mut world);
    assert_eq!(
        (counts.mean_hold, counts.mean_clean),
        (Some(policy().claim_timeout), None)
    );
}

#[test]
fn only_accounts_that_can_come_back_shorten_the_wait() {
    let mut world = World::new(3, 0);
    run_until_ready(&mut world);
    let cleaned = lend(&mut world, 10 * MINUTE);
    let turn = 10 * MINUTE + cleaned;
    assert_eq!(free(&mut world).estimated_wait(3), Some(turn));
    for (left, account) in [(2, "free-0"), (1, "free-1"), (0, "free-2")] {
        let account = account.into();
        world.apply(DrainAccount { account }).unwrap();
        assert_eq!(free(&mut world).leaving, 1);
        let expected = (left > 0).then(|| 3 * turn / left.max(1));
        assert_eq!(free(&mut world).estimated_wait(3), expected);
        run_until_ready(&mut world);
        assert_eq!(free(&mut world).leaving, 0);
        assert_eq!(free(&mut world).estimated_wait(3), expected);
    }
}

#[test]
fn what_needed_a_person_is_no_observation() {
    let mut world = World::new(1, 0);
    run_until_ready(&mut world);
    let cleaned = lend(&mut world, MINUTE);
    let id = request(&mut world, "free");
    credential(&mut world, id);
    cancel(&mut world, id);
    run_to(&mut world, Phase::Sweep);
    world.answer(0, Answer::Refused);
    let account = || "free-0".into();
    assert_eq!(free(&mut world).quarantined, 1);
    world.advance(100 * MINUTE);
    world.apply(EnableAccount { account: account() }).unwrap();
    run_until_ready(&mut world);
    assert_eq!(free(&mut world).mean_clean, Some(cleaned));

    let id = request(&mut world, "free");
    credential(&mut world, id);
    world.apply(DrainAccount { account: account() }).unwrap();
    cancel(&mut world, id);
    run_until_ready(&mut world);
    assert_eq!(free(&mut world).drained, 1);
    world.advance(100 * MINUTE);
    world.apply(EnableAccount { account: account() }).unwrap();
    run_until_ready(&mut world);
    assert_eq!(free(&mut world).mean_clean, Some(cleaned));
}
