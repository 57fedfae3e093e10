//! A tiny independent model of the promises. It sees what an observer sees: commands with their
//! replies, events, and the answers of the cloud. It knows nothing of how the pool works.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{
    AccountId, AccountType, Done, EndReason, Event, Job, ReservationId, ReservationStatus,
    ReservationView, StateKind, Timestamp,
};

use crate::world::{Issued, World, policy};

#[derive(Default)]
pub(crate) struct Model {
    lines: BTreeMap<AccountType, VecDeque<ReservationId>>,
    types: BTreeMap<ReservationId, AccountType>,
    holders: BTreeMap<AccountId, Holder>,
    cleanliness: BTreeMap<AccountId, Cleanliness>,
    ready: BTreeSet<AccountId>,
}

struct Holder {
    reservation: ReservationId,
    expiration: Timestamp,
    shown: bool,
}

/// What has been seen since the account was last used: nothing counts that came before.
#[derive(Default)]
struct Cleanliness {
    proven: bool,
    /// When something was last there to be taken away.
    quiet_since: Option<Timestamp>,
    /// When the proofs were read that found nothing, in a row, after settling.
    proofs: Vec<Timestamp>,
}

impl Model {
    /// Takes the events of one turn in.
    pub(crate) fn observe(&mut self, world: &World) {
        for event in &world.events {
            self.observe_event(event, world);
        }
        self.nothing_is_overdue(world);
        self.no_idle_while_waiting();
        self.counts_agree(world);
    }

    fn observe_event(&mut self, event: &Event, world: &World) {
        match event {
            Event::ReservationRequested {
                reservation,
                account_type,
                ..
            } => {
                self.lines
                    .entry(account_type.clone())
                    .or_default()
                    .push_back(*reservation);
                self.types.insert(*reservation, account_type.clone());
            }
            Event::ReservationGranted {
                reservation,
                account,
                expiration,
                ..
            } => {
                let account_type = &self.types[reservation];
                let next = self
                    .lines
                    .get_mut(account_type)
                    .and_then(VecDeque::pop_front);
                assert_eq!(next, Some(*reservation), "first_come_first_served");
                assert!(
                    self.cleanliness.get(account).is_some_and(|c| c.proven),
                    "never_lent_dirty: {account} is granted unproven"
                );
                assert!(
                    self.ready.remove(account),
                    "granted {account} while it was not ready"
                );
                let held = self.holders.insert(
                    account.clone(),
                    Holder {
                        reservation: *reservation,
                        expiration: *expiration,
                        shown: false,
                    },
                );
                assert!(held.is_none(), "one_holder: {account} has two");
            }
            Event::CredentialShown { account, .. } => {
                self.holders
                    .get_mut(account)
                    .expect("shown what is held")
                    .shown = true;
                // From now on it is used.
                self.cleanliness
                    .insert(account.clone(), Cleanliness::default());
            }
            Event::ReservationEnded {
                reservation,
                account,
                reason,
            } => {
                let line = self.lines.get_mut(&self.types[reservation]).unwrap();
                line.retain(|waiting| waiting != reservation);
                if let Some(account) = account {
                    let holder = self.holders.remove(account).expect("ended what was held");
                    assert_eq!(holder.reservation, *reservation, "one_holder");
                    if *reason == EndReason::Expired {
                        assert!(world.now >= holder.expiration, "ended too early");
                    }
                    if holder.shown {
                        assert!(
                            world.events.iter().any(|event| matches!(
                                event,
                                Event::JobIssued { account: a, job: Job::Revoke(Some(_)), .. } if a == account
                            )),
                            "deadline_holds: no revocation in the turn that ended the lease of {account}"
                        );
                    }
                }
            }
            Event::AccountReady { account } => {
                assert!(
                    self.cleanliness.get(account).is_some_and(|c| c.proven),
                    "never_lent_dirty: {account} is ready unproven"
                );
                self.ready.insert(account.clone());
            }
            Event::CleaningStarted { account, .. } => {
                self.ready.remove(account);
            }
            Event::AccountQuarantined { account, .. } | Event::AccountDrained { account } => {
                self.ready.remove(account);
                self.cleanliness
                    .insert(account.clone(), Cleanliness::default());
            }
            _ => {}
        }
    }

    /// Takes an answer of the cloud in, before the turn that it leads to.
    pub(crate) fn answered(
        &mut self,
        issued: &Issued,
        result: &Result<Done, CloudError>,
        now: Timestamp,
    ) {
        let cleanliness = self.cleanliness.entry(issued.account.clone()).or_default();
        match result {
            Ok(Done::Revoked) => {
                *cleanliness = Cleanliness {
                    quiet_since: Some(now),
                    ..Cleanliness::default()
                };
            }
            Ok(Done::Swept(pass)) if !pass.is_clean() => {
                cleanliness.proofs.clear();
                cleanliness.quiet_since = Some(now);
            }
            Ok(Done::Proved(leftovers)) if leftovers.is_empty() => {
                let settled = cleanliness.quiet_since.map(|at| at + policy().settle);
                if settled.is_some_and(|settled| issued.at >= settled) {
                    cleanliness.proofs.push(issued.at);
                }
                cleanliness.proven |= match cleanliness.proofs[..] {
                    [.., first, second] => second >= first + policy().proof_gap,
                    _ => false,
                };
            }
            Ok(Done::Proved(_)) => cleanliness.proofs.clear(),
            _ => {}
        }
    }

    /// Checks what a consumer was told.
    pub(crate) fn told(&self, view: &ReservationView, now: Timestamp) {
        let ReservationStatus::Active {
            expiration,
            account,
            credential,
        } = &view.status
        else {
            return;
        };
        assert!(now < *expiration, "deadline_holds: shown at {now}");
        let holder = &self.holders[account];
        assert_eq!(holder.reservation, view.id, "one_holder: shown to another");
        assert!(
            credential.is_none() || holder.shown,
            "a credential left the pool unrecorded"
        );
    }

    /// Whether nobody has used the account since it was proven.
    pub(crate) fn is_proven(&self, account: &AccountId) -> bool {
        self.cleanliness.get(account).is_some_and(|c| c.proven)
    }

    /// Nothing survives the process but what was written down: what was idle is dirty again.
    pub(crate) fn restarted(&mut self) {
        self.ready.clear();
        let held: BTreeSet<_> = self.holders.keys().cloned().collect();
        self.cleanliness.retain(|account, _| held.contains(account));
    }

    fn nothing_is_overdue(&self, world: &World) {
        for (account, holder) in &self.holders {
            assert!(
                world.now < holder.expiration,
                "deadline_holds: {account} is held after its expiration"
            );
        }
    }

    fn no_idle_while_waiting(&self) {
        for (account_type, line) in &self.lines {
            let idle = self
                .ready
                .iter()
                .find(|account| account.as_str().starts_with(account_type.as_str()));
            assert!(
                line.is_empty() || idle.is_none(),
                "no_idle_while_waiting: {idle:?} while {line:?} wait"
            );
        }
    }

    fn counts_agree(&self, world: &World) {
        let of_kind = |kind| {
            let accounts = world.pool.accounts().filter(move |a| a.kind() == kind);
            accounts.map(|a| a.id.clone()).collect::<BTreeSet<_>>()
        };
        assert_eq!(of_kind(StateKind::Ready), self.ready);
        assert_eq!(
            of_kind(StateKind::Leased),
            self.holders.keys().cloned().collect()
        );
    }
}
