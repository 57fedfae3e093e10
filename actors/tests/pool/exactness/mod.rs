//! Stories about exact bounds, counters and names. Each was missing until the pool was broken there on
//! purpose and nothing failed.

mod cleaning;
mod interventions;
mod reservations;
mod upkeep;

use std::time::Duration;

use acctpool_actors::pool::{
    Account, AccountState, DrainAccount, EnableAccount, Epoch, Generation, ManagementKey, Phase,
    StateKind,
};

use crate::world::World;

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
