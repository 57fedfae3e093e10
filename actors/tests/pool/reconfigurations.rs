//! Another configuration while the pool is open: nothing that goes on ends by it.

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{
    AccountId, AccountType, Applied, AuditEntry, Detail, EndReason, Event, Job, News, Policy,
    Purpose, Reconfigure, RequestReservation, ReservationStatus, StateKind, Tick, TokenChanges,
};

use crate::stories::{cancel, credential, request, status};
use crate::world::{Answer, World, policy};

const MINUTE: Duration = Duration::from_mins(1);

fn named(accounts: &[(&str, &str)]) -> Vec<(AccountId, AccountType)> {
    let named = accounts.iter();
    named
        .map(|(id, label)| ((*id).into(), (*label).into()))
        .collect()
}

/// The same settings with these accounts.
fn reconfigure(world: &mut World, accounts: &[(&str, &str)]) {
    world.reconfigure(policy(), named(accounts), BTreeSet::new());
}

fn kind(world: &World, account: &str) -> StateKind {
    let account = world.pool.accounts().find(|a| a.id.as_str() == account);
    account.unwrap().kind()
}

fn ready() -> World {
    let mut world = World::new(2, 1);
    world.run_well();
    world
}

const ALL: [(&str, &str); 3] = [("free-0", "free"), ("free-1", "free"), ("lite-0", "lite")];

#[test]
fn an_account_that_is_added_is_cleaned_and_lent_to_whoever_waits() {
    let mut world = ready();
    let held = request(&mut world, "lite");
    let waits = request(&mut world, "lite");
    reconfigure(&mut world, &[&ALL[..], &[("lite-1", "lite")]].concat());
    assert_eq!(kind(&world, "lite-1"), StateKind::Cleaning);
    credential(&mut world, held);
    world.run_well();
    assert_eq!(kind(&world, "lite-1"), StateKind::Leased);
    credential(&mut world, waits);
}

#[test]
fn an_idle_account_that_is_removed_loses_its_credential_and_is_not_swept() {
    let mut world = ready();
    world.sent.clear();
    reconfigure(&mut world, &ALL[..2]);
    let jobs: Vec<_> = world.sent.iter().map(|sent| &sent.job).collect();
    assert!(matches!(jobs[..], [Job::Revoke(Some(_))]), "{jobs:?}");
    let waits = request(&mut world, "lite");
    world.run_well();
    assert_eq!(kind(&world, "lite-0"), StateKind::Drained);
    assert!(world.cloud[&"lite-0".into()].leases.is_empty());
    assert_eq!(world.sent.len(), 1, "{:?}", world.sent);
    assert_eq!(
        status(&mut world, waits),
        ReservationStatus::Pending { queue_position: 1 }
    );
}

#[test]
fn a_lease_of_an_account_that_is_removed_runs_on_and_the_account_is_drained_after_it() {
    let mut world = ready();
    let held = request(&mut world, "lite");
    let key = credential(&mut world, held);
    reconfigure(&mut world, &ALL[..2]);
    assert_eq!(credential(&mut world, held), key);
    cancel(&mut world, held);
    let next = request(&mut world, "lite");
    world.run_well();
    assert_eq!(kind(&world, "lite-0"), StateKind::Drained);
    assert!(matches!(
        status(&mut world, next),
        ReservationStatus::Pending { .. }
    ));
}

#[test]
fn a_cleaning_of_an_account_that_is_removed_is_finished() {
    let mut world = ready();
    let held = request(&mut world, "lite");
    credential(&mut world, held);
    cancel(&mut world, held);
    world.sent.clear();
    reconfigure(&mut world, &ALL[..2]);
    world.run_well();
    assert_eq!(kind(&world, "lite-0"), StateKind::Drained);
    let swept = world.sent.iter().any(|sent| sent.job == Job::Sweep);
    assert!(swept, "{:?}", world.sent);
}

#[test]
fn a_quarantined_account_that_is_removed_is_out() {
    let mut world = World::new(1, 1);
    let refused = |issued: &crate::world::Issued| issued.account == "lite-0".into();
    let at = world.open_jobs.iter().position(refused);
    world.apply(Tick);
    let at = at
        .or_else(|| world.open_jobs.iter().position(refused))
        .unwrap();
    let issued = world.open_jobs.remove(at);
    world.report(&issued, Err(CloudError::Refused("no".to_owned())));
    assert_eq!(kind(&world, "lite-0"), StateKind::Quarantined);
    reconfigure(&mut world, &[("free-0", "free")]);
    // A lease credential may exist, which is still tried to be taken away.
    assert_eq!(kind(&world, "lite-0"), StateKind::Quarantined);
    while kind(&world, "lite-0") == StateKind::Quarantined {
        if world.open_jobs.is_empty() {
            world.now = world.pool.next_deadline().unwrap();
            world.apply(Tick);
        } else {
            world.answer(0, Answer::Well);
        }
    }
    assert_eq!(kind(&world, "lite-0"), StateKind::Drained);
}

#[test]
fn an_account_that_comes_back_is_cleaned_and_its_fences_go_on() {
    let fence = |world: &World| {
        let mut accounts = world.pool.accounts();
        accounts.find(|a| a.id == "lite-0".into()).map(|a| a.fence)
    };
    for is_restarted in [false, true] {
        let mut world = ready();
        reconfigure(&mut world, &ALL[..2]);
        world.run_well();
        let before = fence(&world);
        if is_restarted {
            world.restart();
            assert_eq!(fence(&world), None, "a start leaves it out");
        }
        reconfigure(&mut world, &ALL);
        assert!(fence(&world) > before);
        world.run_well();
        assert_eq!(kind(&world, "lite-0"), StateKind::Ready);
    }
}

#[test]
fn an_account_comes_back_while_its_credential_is_taken_away() {
    let mut world = ready();
    reconfigure(&mut world, &ALL[..2]);
    let revocation = world.open_jobs[0].clone();
    reconfigure(&mut world, &ALL);
    assert!(world.is_stale(&revocation));
    world.run_well();
    assert_eq!(kind(&world, "lite-0"), StateKind::Ready);
}

#[test]
fn an_idle_account_of_another_type_is_cleaned_before_it_is_lent_as_such() {
    let mut world = ready();
    let waits = request(&mut world, "lite");
    let waits_too = request(&mut world, "lite");
    credential(&mut world, waits);
    reconfigure(
        &mut world,
        &[("free-0", "free"), ("free-1", "lite"), ("lite-0", "lite")],
    );
    assert_eq!(kind(&world, "free-1"), StateKind::Cleaning);
    world.run_well();
    assert_eq!(kind(&world, "free-1"), StateKind::Leased);
    credential(&mut world, waits_too);
}

#[test]
fn a_lease_goes_on_whatever_the_type_of_its_account_is_now() {
    let mut world = ready();
    let held = request(&mut world, "lite");
    let key = credential(&mut world, held);
    reconfigure(
        &mut world,
        &[("free-0", "free"), ("free-1", "free"), ("lite-0", "free")],
    );
    assert_eq!(credential(&mut world, held), key);
    cancel(&mut world, held);
    world.run_well();
    let ids = [(); 3].map(|()| request(&mut world, "free"));
    for id in ids {
        credential(&mut world, id);
    }
}

#[test]
fn what_was_cleaned_by_other_rules_is_cleaned_before_it_is_lent() {
    let mut world = ready();
    let held = request(&mut world, "free");
    credential(&mut world, held);
    let changed = ALL.map(|(id, _)| id.into()).into();
    world.reconfigure(policy(), named(&ALL), changed);
    let started = world.events.iter().filter(|event| {
        matches!(event, Event::CleaningStarted { purpose, .. } if *purpose == Purpose::Full)
    });
    assert_eq!(started.count(), 2);
    assert_eq!(kind(&world, "free-0"), StateKind::Leased);
}

#[test]
fn a_credential_that_would_not_outlive_a_longer_lease_is_made_anew_before_it_is_lent() {
    let mut world = ready();
    let mut longer = policy();
    for of_type in longer.types.values_mut() {
        of_type.max_duration = 60 * 24 * 30 * MINUTE;
    }
    world.reconfigure(longer, named(&ALL), BTreeSet::new());
    assert_eq!(kind(&world, "free-0"), StateKind::Cleaning);
    world.pool.assert_invariants();
    world.run_well();
    let id = world.fresh_id();
    let command = RequestReservation {
        duration: Some(60 * 24 * 30 * MINUTE),
        ..RequestReservation::new(id, "ci".into(), "free".into())
    };
    world.apply(command).unwrap();
    let key = credential(&mut world, id);
    assert!(key.expires_at >= world.now + 60 * 24 * 30 * MINUTE);
}

#[test]
fn those_who_wait_are_told_when_what_they_ask_for_is_no_more() {
    let mut world = World::new(2, 1);
    let several = world.fresh_id();
    let command = RequestReservation {
        count: 2,
        ..RequestReservation::new(several, "ci".into(), "free".into())
    };
    world.apply(command).unwrap();
    let one = request(&mut world, "free");
    let lite = request(&mut world, "lite");
    let mut fewer = policy();
    fewer.types.remove(&"lite".into());
    world.reconfigure(fewer, named(&ALL[..1]), BTreeSet::new());
    for gone in [several, lite] {
        assert!(matches!(
            status(&mut world, gone),
            ReservationStatus::Ended {
                reason: EndReason::Revoked,
                ..
            }
        ));
    }
    assert_eq!(
        status(&mut world, one),
        ReservationStatus::Pending { queue_position: 1 }
    );
}

#[test]
fn a_shorter_patience_counts_at_once() {
    let mut world = World::new(0, 1);
    let id = request(&mut world, "lite");
    world.advance(5 * MINUTE);
    let shorter = Policy {
        pending_timeout: 4 * MINUTE,
        ..policy()
    };
    world.reconfigure(shorter, named(&[("lite-0", "lite")]), BTreeSet::new());
    let ended = |event: &Event| {
        matches!(event, Event::ReservationEnded { reservation, reason, .. }
            if *reservation == id && *reason == EndReason::Abandoned)
    };
    assert!(world.events.iter().any(ended), "{:?}", world.events);
}

#[test]
fn whoever_reads_learns_of_types_that_come_and_go() {
    let mut world = ready();
    let mut types = policy().types;
    types.remove(&"lite".into());
    types.insert("gold".into(), types[&"free".into()]);
    let other = Policy { types, ..policy() };
    let accounts = named(&[("free-0", "free"), ("free-1", "free"), ("lite-0", "free")]);
    let Applied { changes, .. } = world.pool.apply(
        Reconfigure {
            policy: other,
            accounts: accounts.into_iter().collect(),
            changed: BTreeSet::new(),
            tokens: TokenChanges::default(),
        },
        world.now,
    );
    let (mut counted, mut gone) = (Vec::new(), Vec::new());
    for news in world.pool.publication(&changes).news {
        match news {
            News::Counts(label, counts) => counted.push((label, counts.total())),
            News::TypeGone(label) => gone.push(label),
            News::Reservation { .. } | News::Forgotten(_) => {}
        }
    }
    assert_eq!(counted, [("free".into(), 3), ("gold".into(), 0)]);
    assert_eq!(gone, ["lite".into()]);
}

#[test]
fn the_auditor_is_told_what_changed() {
    let mut world = ready();
    let Applied { events, .. } = world.pool.apply(
        Reconfigure {
            policy: policy(),
            accounts: named(&[("free-0", "free"), ("lite-0", "free"), ("lite-1", "lite")])
                .into_iter()
                .collect(),
            changed: BTreeSet::new(),
            tokens: TokenChanges {
                added: vec!["nightly".into()],
                ..TokenChanges::default()
            },
        },
        world.now,
    );
    let entries = AuditEntry::of_turn(&events, world.now);
    let told: Vec<_> = entries
        .iter()
        .filter(|entry| entry.event != "cleaning_started")
        .map(|entry| (entry.event, entry.account.as_ref().map(AccountId::as_str)))
        .collect();
    assert_eq!(
        told,
        [
            ("reconfigured", None),
            ("account_added", Some("lite-1")),
            ("account_changed", Some("lite-0")),
            ("account_removed", Some("free-1")),
        ]
    );
    let added = Detail::Texts(vec!["nightly".to_owned()]);
    assert!(entries[0].details.contains(&("tokens_added", added)));
    let line = events[0].to_string();
    let expected = "configuration: 1 account added, 1 account removed, 1 account changed, tokens added: nightly";
    assert_eq!(line, expected);
}
