//! What was made durable, and the promises of `design.md` 2 that can be read off it. It sees the
//! records and the calls of the cleaners, and knows nothing of how the pool works.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool_actors::pool::{
    Account, AccountId, AccountState, AccountType, Change, EndReason, ManagementKeys, Policy,
    Quarantine, Reservation, ReservationId, ReservationState, Snapshot, Timestamp,
};
use acctpool_soak::consumers::Told;

use crate::cloud::Cloud;

/// How late the revocation of a lease may begin (P3).
const PROMPT: Duration = Duration::from_secs(1);

/// Virtual timers fire at whole milliseconds.
const GRAIN: Duration = Duration::from_millis(5);

/// See the module.
pub(crate) struct Witness {
    records: Snapshot,
    /// Accounts whose records are older than the process: it began with another state of them.
    outdated: BTreeSet<AccountId>,
    forgotten: BTreeSet<ReservationId>,
    /// The shown leases, by when they end.
    leases: BTreeSet<(Timestamp, ReservationId)>,
    /// Accounts whose lease is over and whose revocation has not begun, and since when it is due.
    owed: BTreeMap<AccountId, Timestamp>,
    /// Since when the process has been able to keep its deadlines.
    up_since: Option<Timestamp>,
}

/// What a batch brought about that the truth has to be compared with.
#[derive(Debug)]
pub(crate) enum Fact {
    /// The account can be lent.
    Ready(AccountId),
    /// The account needs a person.
    Quarantined(AccountId),
    /// A lease whose credential was shown is over.
    LeaseEnded(AccountId),
    /// A lease is over because nobody renewed it.
    Lapsed,
}

impl Witness {
    /// Returns the witness of a world in which nothing has been written down.
    pub(crate) fn new() -> Self {
        Self {
            records: Snapshot::default(),
            outdated: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            leases: BTreeSet::new(),
            owed: BTreeMap::new(),
            up_since: None,
        }
    }

    /// A process was started.
    pub(crate) fn started(&mut self, now: Timestamp) {
        self.outdated = self.records.accounts.keys().cloned().collect();
        self.up_since(Some(now));
    }

    /// The process is able to keep its deadlines from `moment` on, or is not.
    pub(crate) fn up_since(&mut self, moment: Option<Timestamp>) {
        self.up_since = moment;
        if let Some(moment) = moment {
            for due in self.owed.values_mut() {
                *due = (*due).max(moment);
            }
        }
    }

    /// Tells whether the process is able to keep its deadlines.
    pub(crate) fn is_up(&self) -> bool {
        self.up_since.is_some()
    }

    /// Returns the record of an account.
    pub(crate) fn account(&self, id: &AccountId) -> Option<&Account> {
        self.records.accounts.get(id)
    }

    /// Returns the records of all accounts.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.records.accounts.values()
    }

    /// Returns the record of a reservation.
    pub(crate) fn reservation(&self, id: ReservationId) -> Option<&Reservation> {
        self.records.reservations.get(&id)
    }

    /// Returns the records of all reservations.
    pub(crate) fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.records.reservations.values()
    }

    /// Tells whether a reservation was there and cannot be read any more.
    pub(crate) fn has_forgotten(&self, id: ReservationId) -> bool {
        self.forgotten.contains(&id)
    }

    /// Forgets about reservations that nobody asks about.
    pub(crate) fn forget_all_but(&mut self, asked_about: impl Fn(&ReservationId) -> bool) {
        self.forgotten.retain(asked_about);
    }

    /// Returns the management keys that acctpool knows of.
    pub(crate) fn keys(&self, id: &AccountId) -> ManagementKeys {
        self.account(id)
            .map_or_else(ManagementKeys::default, |account| account.keys)
    }

    /// Takes in what one commit made durable, and checks the records.
    pub(crate) fn committed(
        &mut self,
        changes: Vec<Change>,
        policy: &Policy,
        now: Timestamp,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut granted = Vec::new();
        for change in changes {
            match &change {
                Change::Account(account) => {
                    self.outdated.remove(&account.id);
                    match account.state {
                        AccountState::Ready { .. } => {
                            facts.push(Fact::Ready(account.id.clone()));
                        }
                        AccountState::Quarantined(_) if !self.is_quarantined(&account.id) => {
                            facts.push(Fact::Quarantined(account.id.clone()));
                        }
                        _ => {}
                    }
                }
                Change::Reservation(reservation) => {
                    let before = self.records.reservations.get(&reservation.id).cloned();
                    granted.extend(self.holds(before.as_ref(), reservation, policy, now));
                    let ended = self.ended(before.as_ref(), reservation, now);
                    if !ended.is_empty() && is_abandoned(reservation) {
                        facts.push(Fact::Lapsed);
                    }
                    facts.extend(ended.into_iter().map(Fact::LeaseEnded));
                }
                Change::ReservationForgotten { id, .. } => {
                    self.forgotten.insert(*id);
                    // Where many end at once, some are forgotten in the turn that ends them.
                    let before = self.records.reservations.get(id).cloned();
                    let ended = before.map(|before| self.let_go(&before, now));
                    facts.extend(ended.into_iter().flatten().map(Fact::LeaseEnded));
                }
                Change::Exhaustion { .. } => {}
                Change::Delivered { .. } => panic!("there is no webhook: {change:?}"),
                Change::MasterKey { .. } | Change::MasterKeyForgotten(_) => {
                    panic!("there is one master key: {change:?}")
                }
            }
            self.records.write(change);
        }
        self.one_holder();
        for reservation in granted {
            self.first_come_first_served(reservation);
        }
        self.no_idle_while_waiting();
        facts
    }

    fn is_quarantined(&self, id: &AccountId) -> bool {
        let account = self.account(id);
        account.is_some_and(|account| matches!(account.state, AccountState::Quarantined(_)))
    }

    /// Checks what a reservation holds, if it does; tells whether that was granted just now.
    fn holds(
        &mut self,
        before: Option<&Reservation>,
        after: &Reservation,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<ReservationId> {
        let ReservationState::Active {
            accounts,
            granted_at,
            expiration,
            claimed,
        } = &after.state
        else {
            return None;
        };
        let distinct: BTreeSet<&AccountId> = accounts.iter().collect();
        assert_eq!(distinct.len(), after.count, "all_or_nothing: {after:?}");
        let former = before.and_then(|before| match before.state {
            ReservationState::Active { expiration, .. } => Some((before.duration, expiration)),
            _ => None,
        });
        if let Some((duration, former)) = former {
            assert!(
                *expiration >= former && after.duration >= duration,
                "never_shortened: {before:?} became {after:?}"
            );
            let longest = policy.longest_lease_of(&after.token, &after.account_type);
            assert!(
                after.duration <= duration.max(longest),
                "never_beyond_maximum: {longest:?} is allowed, and {before:?} became {after:?}"
            );
            self.leases.remove(&(former, after.id));
        }
        let end = *granted_at + after.duration;
        // It is told in whole seconds.
        let is_in_full = end - *expiration < time::Duration::SECOND;
        assert!(
            *expiration <= end && (is_in_full || after.ttl.is_some()),
            "the lease of {} was to last {:?}: {after:?}",
            after.id,
            after.duration
        );
        assert!(
            after.ttl.is_none_or(|ttl| *expiration <= now + ttl),
            "unrenewed_lease_ends: at {now}, {after:?}"
        );
        if *claimed {
            self.leases.insert((*expiration, after.id));
        }
        former.is_none().then_some(after.id)
    }

    /// Returns the accounts of a lease that is over, where its credentials were shown.
    fn ended(
        &mut self,
        before: Option<&Reservation>,
        after: &Reservation,
        now: Timestamp,
    ) -> Vec<AccountId> {
        let ReservationState::Ended { reason, ended_at } = after.state else {
            return Vec::new();
        };
        let Some(before) = before else {
            return Vec::new();
        };
        let ReservationState::Active {
            accounts,
            expiration,
            claimed: true,
            ..
        } = &before.state
        else {
            return Vec::new();
        };
        let has_lapsed = matches!(reason, EndReason::Expired | EndReason::Abandoned);
        let early = has_lapsed && ended_at < *expiration;
        assert!(
            !early,
            "the lease of {} ended too early: {ended_at}",
            after.id
        );
        if let Some(up) = self.up_since {
            let latest = (*expiration).max(up) + PROMPT + GRAIN;
            assert!(
                ended_at <= latest,
                "deadline_holds: the lease of {accounts:?} ended at {ended_at}, and was to at {expiration}"
            );
        }
        self.let_go(before, now)
    }

    /// Notes that the lease of a reservation, if it was shown one, is over. Returns its accounts.
    fn let_go(&mut self, before: &Reservation, now: Timestamp) -> Vec<AccountId> {
        let ReservationState::Active {
            accounts,
            expiration,
            claimed: true,
            ..
        } = &before.state
        else {
            return Vec::new();
        };
        self.leases.remove(&(*expiration, before.id));
        let owed = accounts.iter().map(|account| (account.clone(), now));
        self.owed.extend(owed);
        accounts.clone()
    }

    /// A cleaner was called to take the credential of an account away.
    pub(crate) fn revocation_began(&mut self, account: &AccountId) {
        self.owed.remove(account);
    }

    /// P3: every lease ends when it must, and its revocation begins at once.
    pub(crate) fn deadline_holds(&self, now: Timestamp) {
        let Some(up) = self.up_since else {
            return;
        };
        if let Some((expiration, id)) = self.leases.first() {
            assert!(
                now <= (*expiration).max(up) + PROMPT + GRAIN,
                "deadline_holds: {id} was to end at {expiration}, and it is {now}"
            );
        }
        for (account, due) in &self.owed {
            assert!(
                now <= *due + PROMPT + GRAIN,
                "deadline_holds: no revocation of {account} has begun since {due}, and it is {now}"
            );
        }
    }

    /// P1: an account that is held is held by one, and no longer than its credential lives.
    fn one_holder(&self) {
        let mut holders: BTreeMap<&AccountId, ReservationId> = BTreeMap::new();
        for reservation in self.records.reservations.values() {
            let ReservationState::Active {
                accounts,
                expiration,
                ..
            } = &reservation.state
            else {
                continue;
            };
            let id = reservation.id;
            for account in accounts {
                let credential = self.records.accounts[account].credential.as_ref();
                assert!(
                    credential.is_some_and(|credential| *expiration <= credential.expires_at),
                    "never_beyond_dead_man: {id} holds {account} until {expiration}, with \
                     {credential:?}"
                );
                if let Some(other) = holders.insert(account, id) {
                    panic!("one_holder: {account} is held by {other} and by {id}");
                }
                let state = &self.records.accounts[account].state;
                assert!(
                    *state == AccountState::Leased { reservation: id },
                    "one_holder: {id} holds {account}, which is {state:?}"
                );
            }
        }
    }

    /// P7: nobody who asked earlier for the same type still waits.
    fn first_come_first_served(&self, id: ReservationId) {
        let granted = &self.records.reservations[&id];
        let earlier = self.records.reservations.values().find(|other| {
            other.state == ReservationState::Pending
                && other.account_type == granted.account_type
                && other.sequence < granted.sequence
        });
        assert!(
            earlier.is_none(),
            "first_come_first_served: {granted:?} before {earlier:?}"
        );
    }

    /// P8: nobody is next while as many accounts can be lent as were asked for.
    fn no_idle_while_waiting(&self) {
        for (account_type, next) in self.next_in_lines() {
            let ready = self.records.accounts.values().filter(|account| {
                matches!(account.state, AccountState::Ready { .. })
                    && account.account_type == *account_type
                    && !self.outdated.contains(&account.id)
            });
            let ready: Vec<&AccountId> = ready.map(|account| &account.id).collect();
            assert!(
                ready.len() < next.count,
                "no_idle_while_waiting: {ready:?} while {next:?} waits"
            );
        }
    }

    /// Returns who is next in each line.
    pub(crate) fn next_in_lines(&self) -> BTreeMap<&AccountType, &Reservation> {
        let mut next: BTreeMap<&AccountType, &Reservation> = BTreeMap::new();
        for reservation in self.records.reservations.values() {
            if reservation.state == ReservationState::Pending {
                let first = next.entry(&reservation.account_type).or_insert(reservation);
                if reservation.sequence < first.sequence {
                    *first = reservation;
                }
            }
        }
        next
    }

    /// P4: what a consumer was told is what is.
    pub(crate) fn assert_told(&self, id: ReservationId, told: &Told) {
        let record = self.reservation(id);
        assert!(
            record.is_some() || *told == Told::Nothing || self.has_forgotten(id),
            "acknowledged_is_durable: {id} was told {told:?}, and is not known"
        );
        told.assert_true(id, record);
    }

    /// P2 and P5: an account that can be lent holds nothing but its fresh credential, which works, and
    /// the management keys that are known.
    pub(crate) fn assert_ready(&self, id: &AccountId, cloud: &Cloud) {
        let account = &self.records.accounts[id];
        let excess = cloud.excess(id, account.keys, account.credential.as_ref());
        assert!(
            excess.is_empty(),
            "never_lent_dirty: {id} is ready, and holds {excess:?}"
        );
        let Some(credential) = &account.credential else {
            panic!("{id} is ready without a credential");
        };
        assert_eq!(
            cloud.lease_key(id, credential.fence).as_ref(),
            Some(&credential.key_id),
            "the credential of {id}, which is ready, does not work"
        );
        let undeletable = cloud.undeletable(id);
        assert!(
            undeletable.is_empty(),
            "no_silent_leftover: {id} is ready, and {undeletable:?} cannot be deleted"
        );
    }

    /// P12: who quarantines says why, and names what cannot be deleted.
    pub(crate) fn no_silent_leftover(&self, id: &AccountId, cloud: &Cloud) {
        let AccountState::Quarantined(quarantine) = &self.records.accounts[id].state else {
            return;
        };
        let Quarantine {
            reason, leftovers, ..
        } = quarantine;
        let undeletable = cloud.undeletable(id);
        let named = leftovers
            .iter()
            .any(|left| undeletable.iter().any(|guid| left.id.contains(guid)));
        assert!(
            !reason.is_empty() && (leftovers.is_empty() || undeletable.is_empty() || named),
            "no_silent_leftover: {id} holds {undeletable:?}, and is {quarantine:?}"
        );
    }

    /// P6: a management key works that acctpool knows of.
    pub(crate) fn management_key_never_lost(&self, id: &AccountId, cloud: &Cloud) {
        let keys = self.keys(id);
        assert!(
            keys.known()
                .any(|key| cloud.management_key_works(id, key.epoch)),
            "management_key_never_lost: none of {keys:?} opens {id}"
        );
    }
}

fn is_abandoned(reservation: &Reservation) -> bool {
    let ReservationState::Ended { reason, .. } = reservation.state else {
        return false;
    };
    reason == EndReason::Abandoned
}
