//! Who waits, who holds, and what is told of it.

use std::time::Duration;

use acctpool_actors::pool::{
    EndReason, Event, GetStatistics, RequestReservation, ReservationId, ReservationStatus,
};

use super::{account, just_before, ready};
use crate::stories::{cancel, credential, request, status};
use crate::world::{World, policy};

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
