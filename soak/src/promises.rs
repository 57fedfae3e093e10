//! The promises of `design.md` 2 that can be read off the pool, the cloud and the disk at any
//! moment. Those about what happens one after the other are the model's.

use std::collections::BTreeSet;

use acctpool_actors::pool::{Account, AccountState, Generation, Reservation, StateKind};

use crate::cloud::CloudAccount;
use crate::model::Model;
use crate::world::World;

/// Panics with the name of a promise that is broken anywhere.
pub fn check(world: &World, model: &Model) {
    world.pool.assert_invariants();
    if world.unsaved() == 0 {
        acknowledged_is_durable(world);
    }
    let configured = world.pool.accounts().filter(|a| a.configured).count();
    assert_eq!(configured, world.accounts.len());
    for account in world.pool.accounts() {
        let cloud = &world.cloud[&account.id];
        management_key_never_lost(account, cloud, &world.master_keys);
        no_orphan_credential(account, cloud);
        credential_can_be_shown(account, &world.master_keys);
        no_silent_leftover(account);
        if account.kind() == StateKind::Ready {
            assert!(
                model.is_proven(&account.id) && cloud.is_empty(),
                "never_lent_dirty: {} is ready, and at the cloud it is {cloud:?}",
                account.id
            );
        }
    }
}

/// P4: what is written down is what is.
fn acknowledged_is_durable(world: &World) {
    if let Some(account) = world.unwritten_accounts().next() {
        let written = world.written.accounts.get(&account.id);
        panic!("acknowledged_is_durable: {account:?} is written down as {written:?}");
    }
    assert!(
        world.pool.exhausted().eq(&world.written.exhausted),
        "acknowledged_is_durable: exhausted is written down as {:?}",
        world.written.exhausted
    );
    let written = &world.written.reservations;
    let mut readable = 0;
    for reservation in world.pool.reservations() {
        readable += 1;
        assert!(
            written
                .get(&reservation.id)
                .is_some_and(|written| are_the_same(reservation, written)),
            "acknowledged_is_durable: {reservation:?} is written down as {:?}",
            written.get(&reservation.id)
        );
    }
    assert_eq!(
        readable,
        written.len(),
        "acknowledged_is_durable: written down, and not known"
    );
}

/// Polls are not worth a write.
fn are_the_same(reservation: &Reservation, written: &Reservation) -> bool {
    reservation == written
        || *reservation
            == Reservation {
                silent_since: reservation.silent_since,
                ..written.clone()
            }
}

/// P6: a management key works that the pool knows of, and that can still be derived.
fn management_key_never_lost(
    account: &Account,
    cloud: &CloudAccount,
    master_keys: &BTreeSet<Generation>,
) {
    let keys = account.keys;
    let mut usable = keys
        .known()
        .filter(|key| !key.is_derived() || master_keys.contains(&key.generation));
    assert!(
        usable.any(|key| cloud.management.contains(&key)),
        "management_key_never_lost: {keys:?} of {:?}, from {master_keys:?}",
        cloud.management
    );
}

/// A lease's credential can be derived for as long as its holder may ask for it.
fn credential_can_be_shown(account: &Account, master_keys: &BTreeSet<Generation>) {
    if let Some(credential) = &account.credential {
        assert!(
            master_keys.contains(&credential.generation),
            "{} has {credential:?}, and the master keys are {master_keys:?}",
            account.id
        );
    }
}

/// P5: a credential at the cloud is in use, or on its way out.
fn no_orphan_credential(account: &Account, cloud: &CloudAccount) {
    let in_use = matches!(account.kind(), StateKind::Ready | StateKind::Leased);
    if in_use {
        let known = account.credential.as_ref().map(|c| c.fence);
        assert!(
            cloud.leases.len() == 1 && cloud.leases.first() == known.as_ref(),
            "no_orphan_credential: {} has {known:?}, and at the cloud are {:?}",
            account.id,
            cloud.leases
        );
    }
    let owed = match &account.state {
        AccountState::Quarantined(quarantine) => quarantine.revoke.is_some(),
        AccountState::Drained => false,
        _ => true,
    };
    assert!(
        owed || cloud.leases.is_empty(),
        "no_orphan_credential: {} is {:?}",
        account.id,
        account.kind()
    );
}

/// P12: who quarantines says why.
fn no_silent_leftover(account: &Account) {
    if let AccountState::Quarantined(quarantine) = &account.state {
        assert!(!quarantine.reason.is_empty(), "no_silent_leftover");
    }
}
