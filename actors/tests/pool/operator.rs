//! What an operator does to accounts and reservations, and what is kept of it.

use std::time::Duration;

use acctpool_actors::cloud::Pass;
use acctpool_actors::pool::{
    Account, AccountState, AuditEntry, ByOperator, CleanAccount, CleanRefused, Detail, Done,
    DrainAccount, EnableAccount, EndReason, Event, GetAccount, Job, ListAccounts, Operator, Phase,
    QuarantineAccount, Receipt, ReceiptState, ReservationStatus, RevokeReservation, StateKind,
    Step, Subject, UnknownAccount,
};

use crate::stories::{credential, request, run_to, status};
use crate::world::World;

const FREE: &str = "free-0";

fn ready(n: usize) -> World {
    let mut world = World::new(n, 0);
    world.run_well();
    world
}

fn account(world: &World) -> Account {
    world.pool.accounts().next().unwrap().clone()
}

fn by_ops<C>(command: C) -> ByOperator<C> {
    ByOperator {
        operator: Operator {
            token: "ops".into(),
            reason: "looks odd".to_owned(),
            from: Some([192, 0, 2, 7].into()),
        },
        command,
    }
}

fn clean(world: &mut World) -> Result<(), CleanRefused> {
    world.apply(CleanAccount {
        account: FREE.into(),
    })
}

fn quarantine(world: &mut World) {
    world
        .apply(by_ops(QuarantineAccount {
            account: FREE.into(),
        }))
        .unwrap();
}

/// The last revocation of a lease credential that was sent out and is not answered.
fn is_being_revoked(world: &World) -> bool {
    let last = world.open_jobs.last();
    last.is_some_and(|issued| matches!(issued.job, Job::Revoke(_)) && !world.is_stale(issued))
}

#[test]
fn an_account_that_nobody_holds_is_cleaned_on_demand() {
    let mut world = ready(1);
    clean(&mut world).unwrap();
    let AccountState::Cleaning(cleaning) = account(&world).state else {
        panic!("{:?}", account(&world).state);
    };
    assert_eq!(cleaning.phase, Phase::Revoke);
    assert!(is_being_revoked(&world));
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Ready);
}

#[test]
fn an_account_that_is_leased_is_not_cleaned() {
    let mut world = ready(1);
    let id = request(&mut world, "free");
    assert_eq!(clean(&mut world), Err(CleanRefused::Leased));
    assert!(world.events.is_empty(), "{:?}", world.events);
    assert!(matches!(
        status(&mut world, id),
        ReservationStatus::Active { .. }
    ));
}

#[test]
fn who_tried_in_vain_is_kept_and_nothing_else_happens() {
    let mut world = ready(1);
    request(&mut world, "free");
    let accounts = world.pool.accounts().cloned().collect::<Vec<_>>();
    let refused = world.apply(by_ops(CleanAccount {
        account: FREE.into(),
    }));
    assert_eq!(refused, Err(CleanRefused::Leased));
    let by = by_ops(()).operator;
    let tried = |intervention, subject, refusal: &str| Event::InterventionRefused {
        intervention,
        subject,
        refusal: refusal.to_owned(),
        by: by.clone(),
    };
    let account = Some(Subject::Account(FREE.into()));
    let expected = tried("clean", account, "the account is leased");
    assert_eq!(world.events, [expected]);
    let unknown = world.apply(by_ops(EnableAccount {
        account: "nobody".into(),
    }));
    assert_eq!(unknown, Err(UnknownAccount));
    let expected = tried("enable", None, "unknown account");
    assert_eq!(world.events, [expected]);
    assert!(world.pool.accounts().eq(&accounts));
    // Whoever runs the program is not asked who they are.
    let unknown = world.apply(EnableAccount {
        account: "nobody".into(),
    });
    assert_eq!(unknown, Err(UnknownAccount));
    assert!(world.events.is_empty(), "{:?}", world.events);
}

#[test]
fn a_cleaning_that_is_under_way_goes_on() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Sweep);
    let fence = account(&world).fence;
    clean(&mut world).unwrap();
    assert_eq!(account(&world).fence, fence);
}

#[test]
fn what_is_out_is_cleaned_and_out_again() {
    let mut world = ready(1);
    let drain = DrainAccount {
        account: FREE.into(),
    };
    world.apply(drain).unwrap();
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Drained);
    clean(&mut world).unwrap();
    assert_eq!(account(&world).kind(), StateKind::Cleaning);
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Drained);
}

#[test]
fn a_quarantined_account_is_lent_again_after_a_cleaning_on_demand() {
    let mut world = ready(1);
    quarantine(&mut world);
    world.run_well();
    clean(&mut world).unwrap();
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Ready);
}

#[test]
fn a_lease_on_an_account_that_is_quarantined_ends_and_its_credential_with_it() {
    for claimed in [false, true] {
        let mut world = ready(2);
        let id = request(&mut world, "free");
        if claimed {
            credential(&mut world, id);
        }
        quarantine(&mut world);
        assert!(matches!(
            status(&mut world, id),
            ReservationStatus::Ended {
                reason: EndReason::Revoked,
                ..
            }
        ));
        let set_aside = account(&world);
        let AccountState::Quarantined(why) = &set_aside.state else {
            panic!("{:?}", set_aside.state);
        };
        assert_eq!(why.reason, "operator ops: looks odd");
        assert!(matches!(why.revoke, Some(Step::Running(_))));
        assert!(is_being_revoked(&world));
        world.run_well();
        assert!(world.cloud[&FREE.into()].leases.is_empty());
        assert_eq!(account(&world).kind(), StateKind::Quarantined);
        // The receipt of the lease says so, where there is one.
        let receipts = Receipt::all(
            (world.lines.iter())
                .filter(|line| line.reservation == Some(id))
                .cloned()
                .collect(),
        );
        let states: Vec<_> = receipts.iter().map(|receipt| receipt.state).collect();
        let expected: &[_] = if claimed {
            &[ReceiptState::Quarantined]
        } else {
            &[]
        };
        assert_eq!(states, expected);
    }
}

#[test]
fn a_sweep_of_an_account_that_is_quarantined_stops_and_its_answer_counts_no_more() {
    let mut world = World::new(1, 0);
    run_to(&mut world, Phase::Sweep);
    let sweep = world.open_jobs.pop().unwrap();
    assert!(matches!(sweep.job, Job::Sweep));
    assert!(!account(&world).unrevoked, "nothing is left to be revoked");
    quarantine(&mut world);
    assert!(is_being_revoked(&world), "a cleaner stops for another call");
    let before = account(&world);
    world.report(&sweep, Ok(Done::Swept(Pass::default())));
    assert_eq!(account(&world), before);
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
}

#[test]
fn what_an_operator_set_aside_stays_so_over_a_restart() {
    let mut world = ready(1);
    quarantine(&mut world);
    let since = account(&world).since;
    world.advance(Duration::from_secs(1));
    world.restart();
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
    assert_eq!(account(&world).since, since);
    assert!(world.cloud[&FREE.into()].leases.is_empty());
    let enable = EnableAccount {
        account: FREE.into(),
    };
    world.apply(enable).unwrap();
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Ready);
}

#[test]
fn quarantine_has_the_last_word_over_a_drain() {
    let mut world = ready(1);
    let drain = DrainAccount {
        account: FREE.into(),
    };
    world.apply(drain).unwrap();
    quarantine(&mut world);
    world.run_well();
    assert_eq!(account(&world).kind(), StateKind::Quarantined);
}

#[test]
fn the_auditor_learns_who_wanted_it_why_and_from_where() {
    let mut world = ready(1);
    let id = request(&mut world, "free");
    world.apply(by_ops(RevokeReservation { id })).unwrap();
    let entries = AuditEntry::of_turn(&world.events, world.now);
    let asked = &entries[0];
    assert_eq!(asked.event, "revocation_requested");
    assert_eq!(asked.consumer, Some("ops".into()));
    assert_eq!(asked.reservation, Some(id));
    assert_eq!(
        asked.details,
        [
            ("reason", Detail::Text("looks odd".to_owned())),
            ("from", Detail::Text("192.0.2.7".to_owned())),
        ]
    );
    // Whose reservation it was, the end itself says.
    assert_eq!(entries[1].event, "reservation_ended");
    assert_ne!(entries[1].consumer, asked.consumer);
}

#[test]
fn an_account_is_shown_with_who_holds_it() {
    let mut world = ready(1);
    let get = || GetAccount {
        account: FREE.into(),
    };
    let idle = world.apply(get()).unwrap();
    assert_eq!((idle.state, idle.holder), (StateKind::Ready, None));
    assert!(idle.verified_at.is_some());
    let id = request(&mut world, "free");
    let held = world.apply(get()).unwrap();
    assert_eq!(held.holder.unwrap().reservation, id);
    let unknown = GetAccount {
        account: "nobody".into(),
    };
    assert_eq!(world.apply(unknown), Err(UnknownAccount));
}

#[test]
fn pages_of_accounts_tell_of_each_once_and_look_at_few() {
    let mut world = World::new(70, 30);
    let mut seen = Vec::new();
    let mut lite = Vec::new();
    for (label, found) in [(None, &mut seen), (Some("lite"), &mut lite)] {
        let mut asked = ListAccounts {
            account_type: label.map(Into::into),
            limit: 20,
            ..ListAccounts::default()
        };
        loop {
            let page = world.apply(asked.clone());
            assert!(page.accounts.len() <= 20);
            found.extend(page.accounts.into_iter().map(|account| account.id));
            asked.after = page.next;
            if asked.after.is_none() {
                break;
            }
        }
    }
    let all: Vec<_> = world.pool.accounts().map(|a| a.id.clone()).collect();
    assert_eq!(seen, all);
    assert_eq!(lite.len(), 30);
    let nothing = world.apply(ListAccounts {
        account_type: Some("lite".into()),
        limit: 1,
        ..ListAccounts::default()
    });
    assert!(nothing.accounts.is_empty() && nothing.next.is_some());
}
