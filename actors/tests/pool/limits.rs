//! What single tokens may not do.

use std::time::Duration;

use acctpool_actors::pool::{
    EndReason, Policy, RenewReservation, RequestError, RequestReservation, ReservationId,
    ReservationStatus, TokenLimits,
};

use crate::stories::{cancel, credential, request, status};
use crate::world::{World, policy};

const MINUTE: Duration = Duration::from_mins(1);

fn limited(limits: TokenLimits) -> Policy {
    Policy {
        tokens: [("ci".into(), limits)].into(),
        ..policy()
    }
}

fn world(limits: TokenLimits) -> World {
    let mut world = World::new(2, 2);
    world.restart_with(limited(limits));
    world.run_well();
    world
}

fn ask(
    world: &mut World,
    token: &str,
    label: &str,
    count: usize,
    duration: Option<Duration>,
) -> Result<ReservationId, RequestError> {
    let id = world.fresh_id();
    let command = RequestReservation {
        count,
        duration,
        ..RequestReservation::new(id, token.into(), label.into())
    };
    world.apply(command).map(|view| view.id)
}

fn only_free() -> TokenLimits {
    TokenLimits {
        types: Some(["free".into()].into()),
        ..TokenLimits::default()
    }
}

#[test]
fn a_token_asks_for_its_types_only() {
    let mut world = world(only_free());
    let allowed = vec!["free".into()];
    assert_eq!(
        ask(&mut world, "ci", "lite", 1, None),
        Err(RequestError::TypeNotAllowed {
            allowed: allowed.clone()
        })
    );
    assert_eq!(
        ask(&mut world, "ci", "gold", 1, None),
        Err(RequestError::UnknownType { known: allowed })
    );
    ask(&mut world, "ci", "free", 1, None).unwrap();
    ask(&mut world, "nightly", "lite", 1, None).unwrap();
    let known = vec!["free".into(), "lite".into()];
    assert_eq!(
        ask(&mut world, "nightly", "gold", 1, None),
        Err(RequestError::UnknownType { known })
    );
}

#[test]
fn a_token_asks_for_no_longer_than_it_may() {
    let mut world = world(TokenLimits {
        max_duration: Some(30 * MINUTE),
        ..TokenLimits::default()
    });
    let max = 30 * MINUTE;
    assert_eq!(
        ask(&mut world, "ci", "free", 1, Some(31 * MINUTE)),
        Err(RequestError::DurationOutOfRange { max })
    );
    let granted = world.now;
    let expiration = |world: &mut World, id| match status(world, id) {
        ReservationStatus::Active { expiration, .. } => expiration,
        other => panic!("{other:?}"),
    };
    // The type's default is longer.
    let id = ask(&mut world, "ci", "free", 1, None).unwrap();
    assert_eq!(expiration(&mut world, id), granted + max);
    world.advance(20 * MINUTE);
    let token = "ci".into();
    let renewal = RenewReservation {
        id,
        token,
        duration: Some(30 * MINUTE),
    };
    world.apply(renewal).unwrap();
    assert_eq!(expiration(&mut world, id), granted + max);
    ask(&mut world, "nightly", "free", 1, Some(120 * MINUTE)).unwrap();
}

#[test]
fn a_token_that_may_longer_than_its_type_asks_for_no_longer_than_that() {
    let mut world = world(TokenLimits {
        max_duration: Some(1000 * MINUTE),
        ..TokenLimits::default()
    });
    let max = 120 * MINUTE;
    assert_eq!(
        ask(&mut world, "ci", "free", 1, Some(121 * MINUTE)),
        Err(RequestError::DurationOutOfRange { max })
    );
}

#[test]
fn a_token_waits_for_and_holds_no_more_than_it_may() {
    let mut world = world(TokenLimits {
        max_reservations: Some(3),
        ..TokenLimits::default()
    });
    let limit = 3;
    let refused = Err(RequestError::TooManyReservations { limit });
    let max = 1;
    world.restart_with(limited(TokenLimits {
        max_reservations: Some(1),
        ..TokenLimits::default()
    }));
    let never = Err(RequestError::CountOutOfRange { max });
    assert_eq!(ask(&mut world, "ci", "free", 2, None), never);
    world.restart_with(limited(TokenLimits {
        max_reservations: Some(3),
        ..TokenLimits::default()
    }));
    world.run_well();
    let two = ask(&mut world, "ci", "free", 2, None).unwrap();
    let one = request(&mut world, "lite");
    credential(&mut world, one);
    assert_eq!(ask(&mut world, "ci", "lite", 1, None), refused);
    ask(&mut world, "nightly", "free", 1, None).unwrap();
    cancel(&mut world, two);
    // Waits, and counts.
    ask(&mut world, "ci", "free", 1, None).unwrap();
    assert_eq!(ask(&mut world, "ci", "free", 2, None), refused);
    ask(&mut world, "ci", "free", 1, None).unwrap();
    assert_eq!(ask(&mut world, "ci", "free", 1, None), refused);
    world.restart_with(limited(TokenLimits {
        max_reservations: Some(3),
        ..TokenLimits::default()
    }));
    assert_eq!(ask(&mut world, "ci", "free", 1, None), refused);
}

#[test]
fn whoever_waits_for_a_type_that_is_not_for_it_any_more_is_told() {
    let mut world = World::new(0, 1);
    let id = request(&mut world, "lite");
    world.restart_with(limited(only_free()));
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Ended {
            reason: EndReason::Revoked,
            ..
        }
    ));
}
