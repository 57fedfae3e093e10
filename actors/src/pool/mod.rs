//! The pool: a pure state machine that owns every account and every reservation.
//!
//! It depends on nothing but time and ids, does no I/O, reads no clock and draws no random number:
//! callers pass `now`, and commands bring their own ids. The same commands at the same moments give
//! the same history.
//!
//! How it is used, in this order:
//! - [`Pool::open`] builds it from the configuration and what was written down.
//! - [`Pool::apply`] is the only mutation. It returns a reply, the events that happened, and the
//!   records that changed. Nothing of these may leave the process before the records are durable.
//! - [`Pool::next_deadline`] says when to come back with a [`Tick`] at the latest.
//!
//! A command costs O(log n) of what the pool holds, plus what falls due.

mod account;
mod audit;
mod cleaning;
mod command;
mod credentials;
mod event;
mod exhaustion;
mod findings;
mod ids;
mod index;
mod inspection;
mod invariants;
mod life;
mod observed;
mod operator;
mod policy;
mod progress;
mod publication;
mod queue;
mod receipt;
mod reconfiguration;
mod record;
mod renewal;
mod reservation;
mod rotation;
mod setbacks;
mod view;

use std::collections::{BTreeMap, BTreeSet};

pub use account::{Account, AccountState, Cleaning, Phase, Purpose, Quarantine, StateKind, Step};
pub use audit::{AuditEntry, Detail};
pub use command::{
    CancelReservation, Command, Done, GetReservation, GetStatistics, MAX_COUNT, NoteInterest,
    ReportCleaning, RequestError, RequestReservation, Tick, UnknownReservation,
};
pub use credentials::{Credential, KeyChange, ManagementKey, ManagementKeys};
pub use event::{Event, Job};
pub use findings::{CloudError, Leftover, Pass, Probe, Proof, Traffic, Verified};
pub use ids::{
    AccountId, AccountType, Epoch, Fence, Fingerprint, Generation, IdempotencyKey, ReservationId,
    Subject, Timestamp, TokenId, WebhookName, rfc3339,
};
use index::{AccountFile, Index, ReservationFile};
pub use inspection::{AccountView, AccountsPage, GetAccount, Holder, ListAccounts, QuarantineView};
use observed::Observed;
pub use operator::{
    ByOperator, CleanAccount, CleanRefused, DrainAccount, EnableAccount, Operator,
    QuarantineAccount, RevokeReservation, UnknownAccount,
};
pub use policy::{Policy, TokenLimits, TypePolicy};
pub use progress::{Lasting, Progress};
pub use publication::{News, Publication};
pub use receipt::{
    CollectionReceipt, FaultReceipt, Outcome, ProofReceipt, Receipt, ReceiptItem, ReceiptItems,
    ReceiptLine, ReceiptState, ReceiptStep,
};
pub use reconfiguration::{Reconfigure, Reconfigured, TokenChanges};
pub use record::{Change, Snapshot};
pub use renewal::{RenewError, RenewReservation};
pub use reservation::{EndReason, Repeatable, Reservation, ReservationState};
pub use rotation::{GetMasterKeys, NotNewer, RotateKey, UseMasterKey};
pub use view::{Lease, ReservationStatus, ReservationView, Statistics, TypeStatistics};

/// What a turn produced.
#[derive(Debug)]
pub struct Applied<R> {
    /// The answer to the command.
    pub reply: R,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The records that are not as they were: to be made durable before anything is said.
    pub changes: Vec<Change>,
    /// What the receipts of cleanings go on with, in order: to be made durable with the changes.
    pub lines: Vec<ReceiptLine>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Pool {
    policy: Policy,
    now: Timestamp,
    /// Raised for each reservation and each account that becomes ready.
    sequence: u64,
    accounts: BTreeMap<AccountId, Account>,
    /// The records of those that the start left out. Should one come back, its fences go on.
    left_out: BTreeMap<AccountId, Account>,
    reservations: BTreeMap<ReservationId, Reservation>,
    /// Those that some key may be derived from; the last is in use.
    master_keys: BTreeMap<Generation, Fingerprint>,
    /// The types for which somebody has waited for too long, and since when that is so.
    exhausted: BTreeMap<AccountType, Timestamp>,
    index: Index,
    observed: Observed,
    /// Of the present turn.
    events: Vec<Event>,
    /// Of the present turn; of the first one also what the start found unfinished.
    lines: Vec<ReceiptLine>,
    /// Of the present turn: what to write down.
    touched: BTreeSet<Subject>,
    /// Of the present turn: the reservations that are no more, with their places in the order of
    /// asking.
    forgotten: BTreeMap<ReservationId, u64>,
    /// Of the present turn.
    master_key_changes: Vec<Change>,
    /// Of the present turn: types whose counts are to be said, whether or not a record of theirs changed.
    recounted: BTreeSet<AccountType>,
}

impl Pool {
    /// Opens the pool on what was written down.
    ///
    /// Live leases go on, and what an operator set aside stays so. Every other account starts dirty:
    /// the first start and the recovery from a crash are the same path. An account that is no longer
    /// configured is drained as soon as its lease is over and it is clean, and left out from the next
    /// start on. Its record stays: should it come back, its fences go on, so that no lease key is ever
    /// derived twice. What the configuration no longer allows to those who wait is cut down: the
    /// longest duration, or the type as a whole, or more accounts at once than there are.
    #[must_use]
    pub fn open(
        policy: Policy,
        configured: impl IntoIterator<Item = (AccountId, AccountType)>,
        written: Snapshot,
        now: Timestamp,
    ) -> Self {
        let Snapshot {
            accounts: mut known,
            reservations,
            master_keys,
            exhausted,
            delivered: _,
        } = written;
        let mut pool = Self {
            index: Index::new(policy.types.keys()),
            observed: Observed::default(),
            policy,
            now,
            sequence: 0,
            accounts: BTreeMap::new(),
            left_out: BTreeMap::new(),
            reservations: BTreeMap::new(),
            master_keys,
            exhausted,
            events: Vec::new(),
            lines: Vec::new(),
            touched: BTreeSet::new(),
            forgotten: BTreeMap::new(),
            master_key_changes: Vec::new(),
            recounted: BTreeSet::new(),
        };
        for (id, account_type) in configured {
            let written = known.remove(&id);
            let account = pool.taken_in(id, account_type, written);
            pool.open_account(account);
        }
        let timeout = pool.policy.cleaning_timeout;
        for account in known.into_values() {
            let interrupted = account.interrupted(now);
            // The record of one that is left out altogether stays as it is.
            if let Some(account) = account.clone().left_out(now, timeout) {
                pool.lines.extend(interrupted);
                let account = pool.as_at_start(account);
                pool.open_account(account);
            } else {
                pool.left_out.insert(account.id.clone(), account);
            }
        }
        let mut in_order: Vec<Reservation> = reservations.into_values().collect();
        in_order.sort_by_key(|reservation| reservation.sequence);
        for reservation in in_order {
            pool.open_reservation(reservation);
        }
        pool.file_exhausted();
        pool.cut_down_pending();
        pool.note_relief();
        pool
    }

    /// Returns an account that the operator's file names as it joins the pool: a lease goes on, and so
    /// does what an operator has set aside; everything else begins dirty.
    fn taken_in(
        &mut self,
        id: AccountId,
        account_type: AccountType,
        known: Option<Account>,
    ) -> Account {
        let now = self.now;
        let mut account = known.unwrap_or_else(|| Account::unknown(id, account_type.clone(), now));
        account.account_type = account_type;
        account.configured = true;
        self.lines.extend(account.interrupted(now));
        self.drop_what_is_forgotten(&mut account);
        match &mut account.state {
            AccountState::Leased { .. } => {}
            AccountState::Quarantined(quarantine) if quarantine.set_aside => {
                quarantine.revoke = account.unrevoked.then_some(Step::Due(now));
            }
            _ => account.state = AccountState::Dirty { not_before: now },
        }
        self.as_at_start(account)
    }

    fn as_at_start(&self, mut account: Account) -> Account {
        if matches!(account.state, AccountState::Leased { .. }) {
            // The type, or what it may do, may be another one now: this credential is lent no more.
            account.remint_at = self.now;
        } else {
            if account.kind() != StateKind::Quarantined {
                account.since = self.now;
            }
            account.timeouts = 0;
        }
        account.rotate_at = self.rotation_by_policy(&account);
        account
    }

    fn open_account(&mut self, account: Account) {
        self.index.account_moved(&account, None);
        self.accounts.insert(account.id.clone(), account);
    }

    fn open_reservation(&mut self, mut reservation: Reservation) {
        reservation.silent_since = self.now;
        self.sequence = self.sequence.max(reservation.sequence);
        self.index
            .reservation_moved(&reservation, None, &self.policy);
        self.reservations.insert(reservation.id, reservation);
    }

    /// Carries out a command at a moment. The only mutation, always in the same steps.
    pub fn apply<C: Command>(&mut self, command: C, now: Timestamp) -> Applied<C::Reply> {
        self.now = self.now.max(now);
        self.recounted.clear();
        self.settle();
        let outcome = command.rule(self);
        self.grant();
        self.forget_master_keys();
        if cfg!(debug_assertions) {
            self.assert_invariants_of(&self.touched);
        }
        Applied {
            reply: C::reply(outcome, self),
            events: std::mem::take(&mut self.events),
            lines: std::mem::take(&mut self.lines),
            changes: self.take_changes(),
        }
    }

    /// Returns when something falls due next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.index.next_deadline()
    }

    /// Returns the settings.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Returns the reservations that can still be read.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.values()
    }

    /// Returns the types that are exhausted, and since when.
    pub fn exhausted(&self) -> impl Iterator<Item = (&AccountType, &Timestamp)> {
        self.exhausted.iter()
    }

    /// Ends what is over, starts what is due, and hands on what became free by it, so that every
    /// rule sees the world as it is now.
    fn settle(&mut self) {
        while let Some(subject) = self.index.due(self.now) {
            match subject {
                Subject::Reservation(id) => self.reservation_due(id),
                Subject::Account(id) => self.account_due(&id),
                Subject::Type(label) => self.line_due(label),
            }
        }
        self.grant();
    }

    fn reservation_due(&mut self, id: ReservationId) {
        let reservation = &self.reservations[&id];
        match reservation.state {
            ReservationState::Pending => self.end_reservation(id, EndReason::Abandoned),
            ReservationState::Active {
                granted_at,
                expiration,
                ..
            } => {
                let reason = if expiration <= self.now {
                    reservation.lapse(granted_at, expiration)
                } else {
                    EndReason::Abandoned
                };
                self.end_reservation(id, reason);
            }
            ReservationState::Ended { .. } => self.forget_reservation(id),
        }
    }

    /// Gives ready accounts to those who wait: oldest first, per type. Whoever asked for several takes
    /// none before all of them are ready, and is not overtaken meanwhile. A type that nobody waits for
    /// by then is exhausted no more.
    fn grant(&mut self) {
        while let Some((reservation, accounts)) = self.index.next_match() {
            let fences = accounts.iter().map(|account| {
                self.change_account(account, |account| {
                    account.fence = account.fence.next();
                    account.state = AccountState::Leased { reservation };
                    account.fence
                })
            });
            let fences: Vec<Fence> = fences.collect();
            let leases = accounts.iter().cloned().zip(fences).collect();
            let now = self.now;
            let (token, expiration) = self.change_reservation(reservation, |reservation| {
                let expiration = reservation.expiration(now, now);
                reservation.silent_since = now;
                reservation.state = ReservationState::Active {
                    accounts,
                    granted_at: now,
                    expiration,
                    claimed: false,
                };
                (reservation.token.clone(), expiration)
            });
            self.events.push(Event::ReservationGranted {
                reservation,
                token,
                leases,
                expiration,
            });
        }
        self.note_relief();
    }

    /// Ends a pending or active reservation; what it held goes back.
    fn end_reservation(&mut self, id: ReservationId, reason: EndReason) {
        let now = self.now;
        let held = self.reservations.get(&id);
        if let Some(Reservation {
            account_type,
            state: ReservationState::Active { granted_at, .. },
            ..
        }) = held
        {
            self.observed.lease_ended(account_type, *granted_at, now);
        }
        let (token, (accounts, claimed)) = self.change_reservation(id, |reservation| {
            let ended = ReservationState::Ended {
                reason,
                ended_at: now,
            };
            let held = match std::mem::replace(&mut reservation.state, ended) {
                ReservationState::Active {
                    accounts, claimed, ..
                } => (accounts, claimed),
                ReservationState::Pending | ReservationState::Ended { .. } => (Vec::new(), false),
            };
            (reservation.token.clone(), held)
        });
        self.events.push(Event::ReservationEnded {
            reservation: id,
            token,
            reason,
            accounts: accounts.clone(),
        });
        for account in accounts {
            self.take_back(&account, claimed.then_some(id));
        }
        self.forget_beyond_limit();
    }

    fn forget_beyond_limit(&mut self) {
        while let Some(oldest) = self.index.ended_beyond(self.policy.max_ended) {
            self.forget_reservation(oldest);
        }
    }

    fn forget_reservation(&mut self, id: ReservationId) {
        if let Some(reservation) = self.reservations.remove(&id) {
            let file = ReservationFile::of(&reservation, &self.policy);
            self.index.reservation_forgotten(&reservation, file);
            self.touched.insert(Subject::Reservation(id));
            self.forgotten.insert(id, reservation.sequence);
            self.events
                .push(Event::ReservationForgotten { reservation: id });
        }
    }

    /// Returns how many accounts of a type may be asked for at once.
    fn most_at_once(&self, account_type: &AccountType) -> usize {
        // One may be asked for although there is none yet.
        self.index.configured(account_type).clamp(1, MAX_COUNT)
    }

    fn add_reservation(&mut self, reservation: Reservation) {
        self.index
            .reservation_moved(&reservation, None, &self.policy);
        self.touched.insert(Subject::Reservation(reservation.id));
        self.reservations.insert(reservation.id, reservation);
    }

    /// Notes that somebody asks about a pending reservation. Not written down.
    fn note_interest(&mut self, id: ReservationId, until: Timestamp) {
        let reservation = self.reservations.get_mut(&id).expect("its owner named it");
        let before = ReservationFile::of(reservation, &self.policy);
        reservation.silent_since = reservation.silent_since.max(until);
        self.index
            .reservation_moved(reservation, Some(before), &self.policy);
    }

    fn change_reservation<T>(
        &mut self,
        id: ReservationId,
        change: impl FnOnce(&mut Reservation) -> T,
    ) -> T {
        let reservation = self.reservations.get_mut(&id).expect("named by an index");
        let before = ReservationFile::of(reservation, &self.policy);
        let result = change(reservation);
        self.index
            .reservation_moved(reservation, Some(before), &self.policy);
        self.touched.insert(Subject::Reservation(id));
        result
    }

    fn change_account<T>(&mut self, id: &AccountId, change: impl FnOnce(&mut Account) -> T) -> T {
        let account = self.accounts.get_mut(id).expect("named by an index");
        let (before, kind) = (AccountFile::of(account), account.kind());
        let result = change(account);
        if account.kind() != kind {
            account.since = self.now;
        }
        self.index.account_moved(account, Some(before));
        self.touched.insert(Subject::Account(id.clone()));
        result
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn take_changes(&mut self) -> Vec<Change> {
        let forgotten = std::mem::take(&mut self.forgotten);
        let records = std::mem::take(&mut self.touched)
            .into_iter()
            .map(|subject| match subject {
                Subject::Account(id) => Change::Account(self.accounts[&id].clone()),
                Subject::Reservation(id) => match self.reservations.get(&id) {
                    Some(reservation) => Change::Reservation(reservation.clone()),
                    None => Change::ReservationForgotten {
                        id,
                        sequence: forgotten[&id],
                    },
                },
                Subject::Type(label) => Change::Exhaustion {
                    since: self.exhausted.get(&label).copied(),
                    account_type: label,
                },
            });
        let master_keys = std::mem::take(&mut self.master_key_changes);
        master_keys.into_iter().chain(records).collect()
    }
}
