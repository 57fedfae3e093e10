//! What operators do.

use std::time::Duration;

use acctpool_actors::pool::{
    DrainAccount, EnableAccount, EndReason, Job, ReservationStatus, RevokeReservation, StateKind,
    Tick, UnknownAccount, UnknownReservation,
};

use super::{account, drain, enable, ready, wait};
use crate::stories::{cancel, credential, request, status};
use crate::world::{Answer, World};

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
