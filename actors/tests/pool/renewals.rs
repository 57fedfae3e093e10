//! Renewal, and leases that end unless they are renewed.

use std::time::Duration;

use acctpool_actors::pool::{
    EndReason, Event, RenewError, RenewReservation, RequestReservation, ReservationId,
    ReservationStatus, ReservationView, StateKind, Tick, Timestamp, UnknownReservation,
};

use crate::exactness::just_before;
use crate::stories::{cancel, credential, request, status};
use crate::world::{World, policy};

const MINUTE: Duration = Duration::from_mins(1);
const JUST: Duration = Duration::from_nanos(1);

fn minutes(minutes: u32) -> Duration {
    MINUTE * minutes
}

fn ready() -> World {
    let mut world = World::new(1, 0);
    world.run_well();
    world
}

/// Asks for an account with a claimed lease of an hour.
fn lease(world: &mut World, ttl: Option<Duration>) -> ReservationId {
    let id = world.fresh_id();
    let command = RequestReservation {
        ttl,
        ..RequestReservation::new(id, "ci".into(), "free".into())
    };
    world.apply(command).unwrap();
    credential(world, id);
    id
}

fn renew(
    world: &mut World,
    id: ReservationId,
    duration: Option<Duration>,
) -> Result<ReservationView, RenewError> {
    let token = "ci".into();
    world.apply(RenewReservation {
        id,
        token,
        duration,
    })
}

fn expiration(view: &ReservationView) -> Timestamp {
    match view.status {
        ReservationStatus::Active { expiration, .. } => expiration,
        ref other => panic!("{other:?}"),
    }
}

fn end_reason(world: &mut World, id: ReservationId) -> Option<EndReason> {
    match status(world, id) {
        ReservationStatus::Ended { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn a_renewal_counts_from_its_own_moment() {
    let mut world = ready();
    let granted = world.now;
    let id = lease(&mut world, None);
    world.advance(minutes(30));
    let view = renew(&mut world, id, Some(minutes(60))).unwrap();
    assert_eq!(expiration(&view), granted + minutes(90));
    assert_eq!(view.duration, minutes(90));
    world.advance(just_before(minutes(60)));
    assert_eq!(end_reason(&mut world, id), None);
    world.advance(JUST);
    assert_eq!(end_reason(&mut world, id), Some(EndReason::Expired));
}

#[test]
fn a_renewal_never_shortens() {
    let mut world = ready();
    let granted = world.now;
    let id = lease(&mut world, None);
    for duration in [None, Some(minutes(1))] {
        let view = renew(&mut world, id, duration).unwrap();
        assert_eq!(expiration(&view), granted + minutes(60));
    }
    // Nor does one after a restart with another longest duration.
    let mut shorter = policy();
    shorter.types.get_mut(&"free".into()).unwrap().max_duration = minutes(20);
    world.restart_with(shorter);
    let view = renew(&mut world, id, Some(minutes(20))).unwrap();
    assert_eq!(expiration(&view), granted + minutes(60));
}

#[test]
fn a_lease_is_renewed_up_to_the_longest_of_its_type() {
    let mut world = ready();
    let granted = world.now;
    let id = lease(&mut world, None);
    world.advance(minutes(50));
    let view = renew(&mut world, id, Some(Duration::MAX)).unwrap();
    assert_eq!(expiration(&view), granted + minutes(120));
    world.advance(minutes(50));
    let view = renew(&mut world, id, Some(minutes(90))).unwrap();
    assert_eq!(expiration(&view), granted + minutes(120));
}

#[test]
fn no_renewal_outlives_the_credential() {
    let mut world = ready();
    // As old as a credential may be that is lent.
    let remint_at = world.pool.accounts().next().unwrap().remint_at;
    while world.now + minutes(5) < remint_at {
        let next = world.pool.next_deadline().unwrap();
        world.now = next.min(remint_at - minutes(5));
        world.apply(Tick);
        while !world.open_jobs.is_empty() {
            world.answer(0, crate::world::Answer::Well);
        }
    }
    let granted = world.now;
    let id = lease(&mut world, None);
    let expires_at = credential(&mut world, id).expires_at;
    let view = renew(&mut world, id, Some(minutes(120))).unwrap();
    assert_eq!(expiration(&view), granted + minutes(120));
    assert!(expires_at >= expiration(&view) + policy().credential_grace);

    // A longer maximum from the next start on does not make the key last longer.
    let mut longer = policy();
    longer.types.get_mut(&"free".into()).unwrap().max_duration = minutes(10_000);
    world.restart_with(longer);
    world.advance(minutes(60));
    let view = renew(&mut world, id, Some(minutes(10_000))).unwrap();
    let latest = expires_at - policy().credential_grace;
    assert_eq!(expiration(&view), latest.truncate_to_second());
    assert!(latest < granted + minutes(10_000));
}

#[test]
fn a_lease_that_is_not_renewed_in_time_is_abandoned() {
    let mut world = ready();
    let granted = world.now;
    let id = lease(&mut world, Some(minutes(2)));
    let view = renew(&mut world, id, None).unwrap();
    assert_eq!(expiration(&view), granted + minutes(2));
    world.advance(just_before(minutes(2)));
    assert_eq!(end_reason(&mut world, id), None);
    world.advance(JUST);
    assert_eq!(end_reason(&mut world, id), Some(EndReason::Abandoned));
    assert_eq!(
        world.pool.accounts().next().unwrap().kind(),
        StateKind::Cleaning
    );
}

#[test]
fn a_lease_that_is_kept_alive_ends_with_its_duration() {
    let mut world = ready();
    let granted = world.now;
    let id = lease(&mut world, Some(minutes(2)));
    for _ in 0..59 {
        world.advance(minutes(1));
        let view = renew(&mut world, id, None).unwrap();
        assert_eq!(
            expiration(&view),
            (world.now + minutes(2)).min(granted + minutes(60))
        );
        assert_eq!(view.duration, minutes(60));
    }
    world.advance(minutes(1));
    assert_eq!(end_reason(&mut world, id), Some(EndReason::Expired));
}

#[test]
fn a_time_without_renewals_that_is_longer_than_the_lease_changes_nothing() {
    let mut world = ready();
    let granted = world.now;
    let id = lease(&mut world, Some(Duration::MAX));
    let view = renew(&mut world, id, None).unwrap();
    assert_eq!(expiration(&view), granted + minutes(60));
    world.advance(minutes(60));
    assert_eq!(end_reason(&mut world, id), Some(EndReason::Expired));
}

#[test]
fn whoever_renews_is_not_silent() {
    let mut world = ready();
    let id = request(&mut world, "free");
    let half = policy().claim_timeout / 2;
    for _ in 0..3 {
        world.advance(half);
        renew(&mut world, id, None).unwrap();
    }
    world.advance(half + half);
    assert_eq!(end_reason(&mut world, id), Some(EndReason::Abandoned));
}

#[test]
fn only_ones_own_live_lease_can_be_renewed() {
    let mut world = ready();
    let id = lease(&mut world, None);
    let token = "stranger".into();
    let foreign = RenewReservation {
        id,
        token,
        duration: None,
    };
    assert_eq!(
        world.apply(foreign),
        Err(RenewError::Unknown(UnknownReservation))
    );
    let waiting = request(&mut world, "free");
    assert_eq!(renew(&mut world, waiting, None), Err(RenewError::Pending));
    cancel(&mut world, waiting);
    cancel(&mut world, id);
    assert_eq!(renew(&mut world, id, None), Err(RenewError::Ended));
    // One that has just lapsed is over too, whether anybody noticed or not.
    world.run_well();
    let id = lease(&mut world, Some(minutes(1)));
    world.now += minutes(1);
    assert_eq!(renew(&mut world, id, None), Err(RenewError::Ended));
}

#[test]
fn a_renewed_lease_outlives_a_restart() {
    let mut world = ready();
    let granted = world.now;
    let id = lease(&mut world, Some(minutes(5)));
    world.advance(minutes(4));
    renew(&mut world, id, Some(minutes(100))).unwrap();
    world.restart();
    world.advance(just_before(minutes(5)));
    let view = renew(&mut world, id, None).unwrap();
    assert_eq!(
        (view.ttl, view.duration),
        (Some(minutes(5)), minutes(104)),
        "granted at {granted}"
    );
    world.advance(minutes(5));
    assert_eq!(end_reason(&mut world, id), Some(EndReason::Abandoned));
}

#[test]
fn what_merely_keeps_a_lease_alive_is_not_told_as_a_longer_one() {
    let mut world = ready();
    let id = lease(&mut world, Some(minutes(5)));
    for (duration, is_longer) in [
        (None, false),
        (Some(minutes(60)), false),
        (Some(minutes(61)), true),
    ] {
        renew(&mut world, id, duration).unwrap();
        let told = world.events.iter().any(
            |event| matches!(event, Event::ReservationRenewed { is_longer: told, .. } if *told == is_longer),
        );
        assert!(told, "{duration:?}: {:?}", world.events);
    }
}
