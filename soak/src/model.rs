//! A tiny independent model of the promises. It sees what an observer sees: commands with their
//! replies, events, and the answers of the cloud. It knows nothing of how the pool works.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use acctpool_actors::cloud::{CloudError, Leftover};
use acctpool_actors::pool::{
    AccountId, AccountType, Done, EndReason, Event, Job, Policy, Quarantine, ReservationId,
    ReservationStatus, ReservationView, StateKind, Timestamp,
};

use crate::world::{Issued, World, policy};

/// See the module.
#[derive(Clone, Default)]
pub struct Model {
    /// Who waits, for how many accounts, and since when.
    lines: BTreeMap<AccountType, VecDeque<(ReservationId, usize, Timestamp)>>,
    /// The types that were last said to be exhausted.
    exhausted: BTreeSet<AccountType>,
    /// Of every reservation that can still be read.
    types: BTreeMap<ReservationId, AccountType>,
    /// Of accounts that joined later, or are not of the type any more that their ids begin with.
    account_types: BTreeMap<AccountId, AccountType>,
    holders: BTreeMap<AccountId, Holder>,
    /// Of every reservation that holds something: when it was granted or last renewed.
    renewed: BTreeMap<ReservationId, Timestamp>,
    cleanliness: BTreeMap<AccountId, Cleanliness>,
    /// What the last pass or proof of the present cleaning left.
    leftovers: BTreeMap<AccountId, Vec<Leftover>>,
    ready: BTreeSet<AccountId>,
}

#[derive(Clone)]
struct Holder {
    reservation: ReservationId,
    expiration: Timestamp,
    shown: bool,
}

/// What has been seen since the account was last used: nothing counts that came before.
#[derive(Clone, Default)]
struct Cleanliness {
    proven: bool,
    /// When something was last there to be taken away.
    quiet_since: Option<Timestamp>,
    /// When the proofs were read that found nothing, in a row, after settling.
    proofs: Vec<Timestamp>,
}

impl Model {
    /// Takes the last turn in, and compares.
    pub fn observe(&mut self, world: &World) {
        self.observe_turn(&world.events, world.now);
        self.counts_agree(world);
    }

    /// Takes the events of one turn in.
    pub fn observe_turn(&mut self, events: &[Event], now: Timestamp) {
        for event in events {
            self.observe_event(event, events, now);
            self.observe_exhaustion(event);
        }
        if !events.is_empty() {
            self.no_idle_while_waiting();
        }
        self.nothing_is_overdue(now);
        self.exhaustion_is_told(now);
    }

    fn observe_event(&mut self, event: &Event, turn: &[Event], now: Timestamp) {
        match event {
            Event::ReservationRequested {
                reservation,
                account_type,
                count,
                ..
            } => {
                self.lines
                    .entry(account_type.clone())
                    .or_default()
                    .push_back((*reservation, *count, now));
                self.types.insert(*reservation, account_type.clone());
            }
            Event::ReservationGranted {
                reservation,
                leases,
                expiration,
                ..
            } => {
                let line = self.lines.get_mut(&self.types[reservation]);
                let next = line.and_then(VecDeque::pop_front);
                let wanted = (*reservation, leases.len());
                assert_eq!(
                    next.map(|(reservation, count, _)| (reservation, count)),
                    Some(wanted),
                    "first_come_first_served, all_or_nothing"
                );
                self.renewed.insert(*reservation, now);
                for (account, _) in leases {
                    self.lease_began(*reservation, account, *expiration);
                }
            }
            Event::CredentialShown { accounts, .. } => {
                for account in accounts {
                    self.holders
                        .get_mut(account)
                        .expect("shown what is held")
                        .shown = true;
                    // From now on it is used.
                    self.cleanliness
                        .insert(account.clone(), Cleanliness::default());
                }
            }
            Event::ReservationRenewed {
                reservation,
                expiration,
                ..
            } => {
                self.lease_renewed(*reservation, *expiration, now);
            }
            Event::ReservationEnded {
                reservation,
                accounts,
                reason,
                ..
            } => {
                let line = self.lines.get_mut(&self.types[reservation]);
                line.expect("its type has a line")
                    .retain(|(waiting, ..)| waiting != reservation);
                self.renewed.remove(reservation);
                for account in accounts {
                    self.lease_ended(*reservation, account, *reason, turn, now);
                }
            }
            Event::AccountReady { account } => {
                assert!(
                    self.cleanliness.get(account).is_some_and(|c| c.proven),
                    "never_lent_dirty: {account} is ready unproven"
                );
                self.ready.insert(account.clone());
            }
            Event::ReservationForgotten { reservation } => {
                self.types.remove(reservation);
            }
            Event::CleaningStarted { account, .. } => {
                self.ready.remove(account);
                self.leftovers.remove(account);
            }
            Event::AccountQuarantined {
                account,
                quarantine,
                ..
            } => {
                // What an operator sets aside may have been given up before, and not looked at since.
                if !quarantine.set_aside {
                    self.names_what_is_left(account, quarantine);
                }
                self.ready.remove(account);
                self.cleanliness
                    .insert(account.clone(), Cleanliness::default());
            }
            Event::AccountDrained { account } => {
                self.ready.remove(account);
                self.cleanliness
                    .insert(account.clone(), Cleanliness::default());
            }
            _ => self.observe_configuration(event),
        }
    }

    fn observe_exhaustion(&mut self, event: &Event) {
        match event {
            Event::PoolExhausted { account_type, .. } => {
                let is_news = self.exhausted.insert(account_type.clone());
                assert!(is_news, "{account_type} was exhausted already");
            }
            Event::PoolRecovered { account_type, .. } => {
                let was_exhausted = self.exhausted.remove(account_type);
                assert!(was_exhausted, "{account_type} was not exhausted");
            }
            _ => {}
        }
    }

    /// A type is said to be exhausted in the turn in which somebody has waited for too long, and to have
    /// recovered in the one in which nobody waits any more.
    fn exhaustion_is_told(&self, now: Timestamp) {
        for (account_type, line) in &self.lines {
            let is_exhausted = self.exhausted.contains(account_type);
            let Some((_, _, since)) = line.front() else {
                assert!(!is_exhausted, "nobody waits for {account_type}");
                continue;
            };
            let is_overdue = *since + policy().exhausted_after <= now;
            assert!(is_exhausted || !is_overdue, "{line:?} of {account_type}");
        }
    }

    fn observe_configuration(&mut self, event: &Event) {
        if let Event::AccountAdded {
            account,
            account_type,
        }
        | Event::AccountChanged {
            account,
            account_type,
        } = event
        {
            self.account_types
                .insert(account.clone(), account_type.clone());
            // One that is held was lent by the former rules.
            if !self.holders.contains_key(account) {
                self.cleanliness.remove(account);
            }
        }
    }

    fn lease_began(
        &mut self,
        reservation: ReservationId,
        account: &AccountId,
        expiration: Timestamp,
    ) {
        assert!(
            self.is_proven(account),
            "never_lent_dirty: {account} is granted unproven"
        );
        assert!(
            self.ready.remove(account),
            "granted {account} while it was not ready"
        );
        let holder = Holder {
            reservation,
            expiration,
            shown: false,
        };
        let held = self.holders.insert(account.clone(), holder);
        assert!(held.is_none(), "one_holder: {account} has two");
    }

    fn lease_renewed(&mut self, reservation: ReservationId, expiration: Timestamp, now: Timestamp) {
        self.renewed.insert(reservation, now);
        let held = self.holders.values_mut();
        for holder in held.filter(|holder| holder.reservation == reservation) {
            assert!(
                expiration >= holder.expiration,
                "never_shortened: {reservation} was to end at {}, and is renewed until {expiration}",
                holder.expiration
            );
            holder.expiration = expiration;
        }
    }

    fn lease_ended(
        &mut self,
        reservation: ReservationId,
        account: &AccountId,
        reason: EndReason,
        turn: &[Event],
        now: Timestamp,
    ) {
        let holder = self.holders.remove(account).expect("ended what was held");
        assert_eq!(holder.reservation, reservation, "one_holder");
        let has_lapsed = match reason {
            EndReason::Expired => true,
            EndReason::Abandoned => holder.shown,
            EndReason::Cancelled | EndReason::Revoked => false,
        };
        assert!(!has_lapsed || now >= holder.expiration, "ended too early");
        if holder.shown {
            assert!(
                turn.iter().any(|event| matches!(
                    event,
                    Event::JobIssued { account: a, job: Job::Revoke(Some(_)), .. } if a == account
                )),
                "deadline_holds: no revocation in the turn that ended the lease of {account}"
            );
        }
    }

    /// Takes an answer of the cloud in, before the turn that it leads to.
    pub fn answered(
        &mut self,
        issued: &Issued,
        result: &Result<Done, CloudError>,
        now: Timestamp,
        policy: &Policy,
    ) {
        self.left(issued, result);
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
            Ok(Done::Proved(proof)) if proof.is_clean() => {
                let settled = cleanliness.quiet_since.map(|at| at + policy.settle);
                if settled.is_some_and(|settled| issued.at >= settled) {
                    cleanliness.proofs.push(issued.at);
                }
                cleanliness.proven |= match cleanliness.proofs[..] {
                    [.., first, second] => second >= first + policy.proof_gap,
                    _ => false,
                };
            }
            Ok(Done::Proved(_)) => cleanliness.proofs.clear(),
            _ => {}
        }
    }

    fn left(&mut self, issued: &Issued, result: &Result<Done, CloudError>) {
        let found = match result {
            Ok(Done::Swept(pass)) => {
                [&pass.stuck[..], &pass.leaving, &pass.waiting, &pass.deleted].concat()
            }
            Ok(Done::Proved(proof)) if !proof.is_clean() => proof.leftovers.clone(),
            _ => return,
        };
        self.leftovers.insert(issued.account.clone(), found);
    }

    fn names_what_is_left(&self, account: &AccountId, quarantine: &Quarantine) {
        let left = self.leftovers.get(account).map_or(&[][..], Vec::as_slice);
        assert_eq!(
            quarantine.leftovers, left,
            "no_silent_leftover: {account} is quarantined for {}",
            quarantine.reason
        );
    }

    /// Checks what a consumer was told.
    pub fn told(&self, view: &ReservationView, now: Timestamp) {
        let ReservationStatus::Active {
            expiration, leases, ..
        } = &view.status
        else {
            return;
        };
        assert!(now < *expiration, "deadline_holds: shown at {now}");
        assert_eq!(leases.len(), view.count, "all_or_nothing: {view:?}");
        for lease in leases {
            let holder = &self.holders[&lease.account];
            assert_eq!(holder.reservation, view.id, "one_holder: shown to another");
            assert_eq!(holder.expiration, *expiration, "told of another end");
            assert!(
                lease.credential.is_none() || holder.shown,
                "a credential left the pool unrecorded"
            );
        }
    }

    /// Whether nobody has used the account since it was proven.
    #[must_use]
    pub fn is_proven(&self, account: &AccountId) -> bool {
        self.cleanliness.get(account).is_some_and(|c| c.proven)
    }

    /// Returns when the lease of a reservation began, or was last renewed.
    #[must_use]
    pub fn last_renewal(&self, reservation: ReservationId) -> Option<Timestamp> {
        self.renewed.get(&reservation).copied()
    }

    /// Returns who is next in each line.
    pub fn next_in_lines(&self) -> impl Iterator<Item = ReservationId> {
        let lines = self.lines.values();
        lines.filter_map(|line| line.front().map(|(next, ..)| *next))
    }

    /// Tells whether the reservation cannot be read any more.
    #[must_use]
    pub fn has_forgotten(&self, reservation: ReservationId) -> bool {
        !self.types.contains_key(&reservation)
    }

    /// Nothing survives the process but what was written down: what was idle is dirty again. The next
    /// one begins with the accounts that the operator's file names.
    pub fn restarted(&mut self, accounts: &[(AccountId, AccountType)]) {
        self.account_types.extend(accounts.iter().cloned());
        self.ready.clear();
        let held: BTreeSet<_> = self.holders.keys().cloned().collect();
        self.cleanliness.retain(|account, _| held.contains(account));
    }

    fn nothing_is_overdue(&self, now: Timestamp) {
        for (account, holder) in &self.holders {
            assert!(
                now < holder.expiration,
                "deadline_holds: {account} is held after its expiration"
            );
        }
    }

    fn no_idle_while_waiting(&self) {
        for (account_type, line) in &self.lines {
            let Some((_, wanted, _)) = line.front() else {
                continue;
            };
            let of_type = |account: &&AccountId| match self.account_types.get(*account) {
                Some(label) => label == account_type,
                None => account.as_str().starts_with(account_type.as_str()),
            };
            let idle: Vec<_> = self.ready.iter().filter(of_type).collect();
            assert!(
                idle.len() < *wanted,
                "no_idle_while_waiting: {idle:?} while {line:?} wait"
            );
        }
    }

    fn counts_agree(&self, world: &World) {
        let (mut ready, mut leased) = (0, 0);
        for account in world.pool.accounts() {
            match account.kind() {
                StateKind::Ready => {
                    ready += 1;
                    assert!(self.ready.contains(&account.id), "{} is ready", account.id);
                }
                StateKind::Leased => {
                    leased += 1;
                    let held = self.holders.contains_key(&account.id);
                    assert!(held, "one_holder: {} is leased to nobody", account.id);
                }
                _ => {}
            }
        }
        assert_eq!(ready, self.ready.len(), "ready are {:?}", self.ready);
        assert_eq!(leased, self.holders.len(), "one_holder");
    }
}
