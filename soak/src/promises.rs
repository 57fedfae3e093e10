//! The promises of `design.md` 2 that can be read off the pool, the cloud and the disk at any
//! moment. Those about what happens one after the other are the model's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool_actors::pool::{
    Account, AccountId, AccountState, Generation, ManagementKey, Reservation, ReservationState,
    StateKind, Timestamp, TokenId,
};

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
    let mut dead_man = BTreeMap::new();
    for account in world.pool.accounts() {
        let cloud = &world.cloud[&account.id];
        // One that is out does not move to a new master key.
        if !account.is_out() {
            management_key_never_lost(account, cloud, &world.master_keys);
        }
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
        if let (StateKind::Leased, Some(credential)) = (account.kind(), &account.credential) {
            dead_man.insert(&account.id, credential.expires_at);
        }
    }
    for reservation in world.pool.reservations() {
        lease_is_bounded(reservation, model, &dead_man);
    }
}

/// A lease lasts as long as was asked for and no longer; where nobody renews it, not even that; and
/// never longer than IBM Cloud accepts its credentials.
fn lease_is_bounded(
    reservation: &Reservation,
    model: &Model,
    dead_man: &BTreeMap<&AccountId, Timestamp>,
) {
    let ReservationState::Active {
        accounts,
        granted_at,
        expiration,
        ..
    } = &reservation.state
    else {
        return;
    };
    assert!(
        *expiration <= *granted_at + reservation.duration,
        "lease_ends_by_its_duration: {reservation:?}"
    );
    let last_renewal = model.last_renewal(reservation.id).unwrap_or(*granted_at);
    assert!(
        reservation
            .ttl
            .is_none_or(|ttl| *expiration <= last_renewal + ttl),
        "unrenewed_lease_ends: {reservation:?} was last renewed at {last_renewal}"
    );
    assert!(
        accounts
            .iter()
            .all(|account| *expiration <= dead_man[account]),
        "never_beyond_dead_man: {reservation:?}, and the credentials end at {dead_man:?}"
    );
}

/// A renewal never shortens, gives what was wished as far as that is allowed, and never more.
pub fn renewal_is_as_wished(world: &World, before: &Reservation, wished: Option<Duration>) {
    let after = world.reservation(before.id).expect("it was just renewed");
    let (
        ReservationState::Active {
            expiration: former, ..
        },
        ReservationState::Active {
            accounts,
            granted_at,
            expiration,
            ..
        },
    ) = (&before.state, &after.state)
    else {
        panic!("what is renewed holds something: {before:?}, then {after:?}");
    };
    assert!(
        expiration >= former && after.duration >= before.duration,
        "never_shortened: {before:?} became {after:?}"
    );
    let policy = world.pool.policy();
    let longest = policy.longest_lease_of(&after.token, &after.account_type);
    assert!(
        after.duration <= before.duration.max(longest),
        "never_beyond_maximum: {longest:?} is allowed, and {before:?} became {after:?}"
    );
    let by_credentials = accounts.iter().filter_map(|id| {
        let account = world.pool.accounts().find(|account| account.id == *id);
        let credential = account.and_then(|account| account.credential.as_ref());
        credential.map(|credential| credential.expires_at - policy.credential_grace)
    });
    let latest = by_credentials.fold(*granted_at + longest, Timestamp::min);
    let wished = wished.map_or(*granted_at, |wished| (world.now + wished).min(latest));
    let by_duration = wished.max(*granted_at + before.duration);
    let by_ttl = after.ttl.map(|ttl| world.now + ttl);
    let due = by_ttl.map_or(by_duration, |by_ttl| by_ttl.min(by_duration));
    // It is told in whole seconds.
    assert!(
        (Duration::ZERO..Duration::from_secs(1)).contains(&(due - *expiration)),
        "never_beyond_what_was_wished: until {due} at {}, and {before:?} became {after:?}",
        world.now
    );
}

/// No token waits for more accounts, and holds more, than it may.
pub fn keeps_within_limits(world: &World, token: &TokenId) {
    let Some(limit) = world.pool.policy().max_reservations_of(token) else {
        return;
    };
    let over = |state: &ReservationState| matches!(state, ReservationState::Ended { .. });
    let reservations = world.pool.reservations();
    let present: usize = reservations
        .filter(|reservation| reservation.token == *token && !over(&reservation.state))
        .map(|reservation| reservation.count)
        .sum();
    assert!(
        present <= limit,
        "max_reservations: {token} has {present}, and may have {limit}"
    );
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

/// P6: a management key works that the pool knows of, and that can still be derived, or is configured.
fn management_key_never_lost(
    account: &Account,
    cloud: &CloudAccount,
    master_keys: &BTreeSet<Generation>,
) {
    let keys = account.keys;
    let known = keys.known().chain([ManagementKey::CONFIGURED]);
    let mut usable = known.filter(|key| !key.is_derived() || master_keys.contains(&key.generation));
    assert!(
        usable.any(|key| cloud.management.contains(&key)),
        "management_key_never_lost: {}: {keys:?} of {:?}, from {master_keys:?}",
        account.id,
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
