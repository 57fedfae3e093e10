//! Requests that may be repeated: the same one leads to the same reservation.

use std::time::Duration;

use acctpool_actors::pool::{
    NoteInterest, RequestError, RequestReservation, ReservationStatus, ReservationView,
};

use crate::exactness::just_before;
use crate::stories::{cancel, credential, status};
use crate::world::{World, policy};

const MINUTE: Duration = Duration::from_mins(1);

/// Asks with a key, as `ci`, for something else where `wish` says so.
fn ask(
    world: &mut World,
    wish: impl FnOnce(&mut RequestReservation),
) -> Result<ReservationView, RequestError> {
    let id = world.fresh_id();
    let mut command = RequestReservation {
        ttl: Some(5 * MINUTE),
        purpose: Some("nightly".into()),
        link: Some("https://ci.example/7".into()),
        key: Some("a-key".into()),
        ..RequestReservation::new(id, "ci".into(), "free".into())
    };
    wish(&mut command);
    world.apply(command)
}

fn ready() -> World {
    let mut world = World::new(2, 1);
    world.run_well();
    world
}

#[test]
fn a_repeated_request_is_answered_with_the_reservation_as_it_stands_now() {
    let mut world = ready();
    let first = ask(&mut world, |_| ()).unwrap();
    assert_eq!(first.purpose.as_deref(), Some("nightly"));
    assert_eq!(first.link.as_deref(), Some("https://ci.example/7"));
    let again = ask(&mut world, |_| ()).unwrap();
    assert_eq!(again, first);
    assert!(world.events.is_empty(), "{:?}", world.events);
    credential(&mut world, first.id);
    cancel(&mut world, first.id);
    let ended = ask(&mut world, |_| ()).unwrap();
    assert_eq!(ended.id, first.id);
    assert!(matches!(ended.status, ReservationStatus::Ended { .. }));
}

#[test]
fn the_same_key_with_another_request_is_refused() {
    let mut world = ready();
    ask(&mut world, |_| ()).unwrap();
    let wishes: [fn(&mut RequestReservation); 6] = [
        |command| command.account_type = "lite".into(),
        |command| command.count = 2,
        // What the default is, but said.
        |command| command.duration = Some(60 * MINUTE),
        |command| command.ttl = None,
        |command| command.purpose = None,
        |command| command.link = Some("https://ci.example/8".into()),
    ];
    for (number, wish) in wishes.into_iter().enumerate() {
        assert_eq!(
            ask(&mut world, wish),
            Err(RequestError::KeyReused),
            "{number}"
        );
    }
    assert_eq!(world.pool.reservations().count(), 1);
}

#[test]
fn a_key_is_its_tokens_own() {
    let mut world = ready();
    let first = ask(&mut world, |_| ()).unwrap();
    let other = ask(&mut world, |command| {
        command.token = "nightly".into();
        command.count = 1;
    });
    assert_ne!(other.unwrap().id, first.id);
    let another_key = ask(&mut world, |command| command.key = Some("b-key".into()));
    assert_ne!(another_key.unwrap().id, first.id);
    let no_key = ask(&mut world, |command| command.key = None);
    assert_ne!(no_key.unwrap().id, first.id);
}

#[test]
fn a_key_outlives_a_restart_and_lasts_as_long_as_its_reservation() {
    let mut world = ready();
    let first = ask(&mut world, |_| ()).unwrap();
    // What the default is now was not asked for then either.
    let mut shorter = policy();
    let of_type = shorter.types.get_mut(&"free".into()).unwrap();
    of_type.default_duration = 10 * MINUTE;
    world.restart_with(shorter);
    assert_eq!(ask(&mut world, |_| ()).unwrap().id, first.id);
    cancel(&mut world, first.id);
    world.advance(just_before(policy().retain_ended));
    assert_eq!(ask(&mut world, |_| ()).unwrap().id, first.id);
    world.advance(Duration::from_nanos(1));
    assert_ne!(ask(&mut world, |_| ()).unwrap().id, first.id);
}

#[test]
fn whoever_repeats_a_request_is_not_silent() {
    let mut world = World::new(1, 0);
    let first = ask(&mut world, |_| ()).unwrap();
    for _ in 0..3 {
        world.advance(policy().pending_timeout / 2);
        ask(&mut world, |_| ()).unwrap();
    }
    assert!(matches!(
        status(&mut world, first.id),
        ReservationStatus::Pending { .. }
    ));
    let until = world.now;
    world.apply(NoteInterest {
        id: first.id,
        until,
    });
    world.advance(policy().pending_timeout);
    let late = ask(&mut world, |_| ()).unwrap();
    assert!(matches!(late.status, ReservationStatus::Ended { .. }));
}
