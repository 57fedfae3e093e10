//! What the pool looks things up by: lines per type, ready accounts, deadlines, counts.
//!
//! Everything here is derived from the accounts and the reservations. It changes only through
//! [`Index::account_moved`] and [`Index::reservation_moved`], which compare what a thing was filed
//! under with what it is to be filed under now.

use std::collections::{BTreeMap, BTreeSet};

use super::account::{Account, AccountState, StateKind};
use super::ids::{
    AccountId, AccountType, Generation, IdempotencyKey, ReservationId, Subject, Timestamp, TokenId,
};
use super::policy::Policy;
use super::queue::{Queue, Waiting};
use super::reservation::{Reservation, ReservationState};
use super::view::TypeStatistics;

/// What an account is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccountFile {
    kind: StateKind,
    configured: bool,
    leaving: bool,
    ready_order: Option<u64>,
    deadline: Option<Timestamp>,
    oldest_generation: Option<Generation>,
}

impl AccountFile {
    pub(super) fn of(account: &Account) -> Self {
        Self {
            kind: account.kind(),
            configured: account.configured,
            leaving: account.is_leaving(),
            ready_order: match account.state {
                AccountState::Ready { order } => Some(order),
                _ => None,
            },
            deadline: account.deadline(),
            oldest_generation: account.oldest_generation(),
        }
    }

    /// In use or at work, but not to be lent again.
    fn is_hopeless(self) -> bool {
        self.leaving && !matches!(self.kind, StateKind::Quarantined | StateKind::Drained)
    }
}

/// What a reservation is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReservationFile {
    kind: ReservationKind,
    deadline: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReservationKind {
    Pending,
    Active,
    Ended,
}

impl ReservationFile {
    pub(super) fn of(reservation: &Reservation, policy: &Policy) -> Self {
        let (kind, deadline) = match reservation.state {
            ReservationState::Pending => (
                ReservationKind::Pending,
                reservation.silent_since + policy.pending_timeout,
            ),
            ReservationState::Active {
                expiration,
                claimed,
                ..
            } => {
                let claim_by = reservation.silent_since + policy.claim_timeout;
                let deadline = if claimed {
                    expiration
                } else {
                    expiration.min(claim_by)
                };
                (ReservationKind::Active, deadline)
            }
            ReservationState::Ended { ended_at, .. } => {
                (ReservationKind::Ended, ended_at + policy.retain_ended)
            }
        };
        Self { kind, deadline }
    }
}

fn key_of(reservation: &Reservation) -> Option<(TokenId, IdempotencyKey)> {
    let repeatable = reservation.repeatable.as_ref()?;
    Some((reservation.token.clone(), repeatable.key.clone()))
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// What falls due when. Of two at the same moment, the reservation goes first, so that an account
    /// whose lease ends as something else is due is seen as it then is; and a type goes last, since who
    /// is served at that moment has not waited too long.
    deadlines: BTreeSet<(Timestamp, Subject)>,
    types: BTreeMap<AccountType, TypeIndex>,
    /// Types that have as much ready as the next one who waits has asked for.
    matches: BTreeSet<AccountType>,
    /// Exhausted types for which nobody waits any more.
    relieved: BTreeSet<AccountType>,
    tokens: BTreeMap<TokenId, TokenCounts>,
    pending: usize,
    /// The reservations whose requests may be repeated.
    by_key: BTreeMap<(TokenId, IdempotencyKey), ReservationId>,
    /// How many accounts need no older master key than this one.
    generations: BTreeMap<Generation, usize>,
    /// The reservations that are over, by when they are to be forgotten, and in the order of
    /// asking.
    ended: BTreeMap<(Timestamp, u64), ReservationId>,
}

/// What a token waits for and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TokenCounts {
    /// Its pending reservations.
    pending: usize,
    /// The accounts of its pending and active reservations.
    accounts: usize,
}

#[derive(Clone, Debug, Default)]
struct TypeIndex {
    queue: Queue,
    ready: BTreeMap<u64, AccountId>,
    counts: TypeStatistics,
    /// How many accounts the operator's file names.
    configured: usize,
    /// Whether somebody has waited for too long, and not everybody was served since.
    is_exhausted: bool,
    /// When the first in the line has waited for too long.
    exhausted_at: Option<Timestamp>,
}

impl Index {
    pub(super) fn new<'a>(types: impl Iterator<Item = &'a AccountType>) -> Self {
        Self {
            types: types.map(|t| (t.clone(), TypeIndex::default())).collect(),
            ..Self::default()
        }
    }

    /// Files an account anew. `before` is `None` for one that is added.
    pub(super) fn account_moved(&mut self, account: &Account, before: Option<AccountFile>) {
        let after = AccountFile::of(account);
        if before == Some(after) {
            return;
        }
        let subject = Subject::Account(account.id.clone());
        self.deadline_moved(subject, before.and_then(|b| b.deadline), after.deadline);
        let oldest = before.and_then(|b| b.oldest_generation);
        self.generation_moved(oldest, after.oldest_generation);

        let of_type = self.types.entry(account.account_type.clone()).or_default();
        if let Some(before) = before {
            *of_type.counts.accounts_mut(before.kind) -= 1;
            of_type.counts.leaving -= usize::from(before.is_hopeless());
            of_type.configured -= usize::from(before.configured);
            if let Some(order) = before.ready_order {
                of_type.ready.remove(&order);
            }
        }
        *of_type.counts.accounts_mut(after.kind) += 1;
        of_type.counts.leaving += usize::from(after.is_hopeless());
        of_type.configured += usize::from(after.configured);
        if let Some(order) = after.ready_order {
            of_type.ready.insert(order, account.id.clone());
        }
        self.match_type(&account.account_type);
    }

    /// Files a reservation anew. `before` is `None` for one that is added.
    pub(super) fn reservation_moved(
        &mut self,
        reservation: &Reservation,
        before: Option<ReservationFile>,
        policy: &Policy,
    ) {
        let after = ReservationFile::of(reservation, policy);
        let subject = Subject::Reservation(reservation.id);
        self.deadline_moved(subject, before.map(|b| b.deadline), Some(after.deadline));
        if before.map(|b| b.kind) == Some(after.kind) {
            return;
        }
        if let Some(before) = before {
            self.reservation_left(reservation, before);
        } else {
            let key = key_of(reservation).map(|key| (key, reservation.id));
            self.by_key.extend(key);
        }
        let of_type = self
            .types
            .entry(reservation.account_type.clone())
            .or_default();
        match after.kind {
            ReservationKind::Pending => {
                let waiting = Waiting {
                    id: reservation.id,
                    count: reservation.count,
                    since: reservation.created_at,
                };
                of_type.queue.push(reservation.sequence, waiting);
                of_type.counts.pending += 1;
                self.pending += 1;
            }
            ReservationKind::Active => of_type.counts.active += 1,
            ReservationKind::Ended => {
                let place = (after.deadline, reservation.sequence);
                self.ended.insert(place, reservation.id);
            }
        }
        if after.kind != ReservationKind::Ended {
            let of_token = self.tokens.entry(reservation.token.clone()).or_default();
            of_token.pending += usize::from(after.kind == ReservationKind::Pending);
            of_token.accounts += reservation.count;
        }
        self.match_type(&reservation.account_type);
        self.line_moved(&reservation.account_type, policy);
    }

    /// Notes that a type is exhausted, or is not any more.
    pub(super) fn exhaustion_moved(
        &mut self,
        label: &AccountType,
        is_exhausted: bool,
        policy: &Policy,
    ) {
        let of_type = self.types.entry(label.clone()).or_default();
        of_type.is_exhausted = is_exhausted;
        self.line_moved(label, policy);
    }

    /// Files a type by who is first in its line.
    fn line_moved(&mut self, label: &AccountType, policy: &Policy) {
        let of_type = self.types.entry(label.clone()).or_default();
        let first = of_type.queue.first();
        let after = match first {
            Some(waiting) if !of_type.is_exhausted => Some(waiting.since + policy.exhausted_after),
            _ => None,
        };
        let before = std::mem::replace(&mut of_type.exhausted_at, after);
        if of_type.is_exhausted && first.is_none() {
            self.relieved.insert(label.clone());
        } else {
            self.relieved.remove(label);
        }
        self.deadline_moved(Subject::Type(label.clone()), before, after);
    }

    /// Returns an exhausted type for which nobody waits any more.
    pub(super) fn relieved(&self) -> Option<AccountType> {
        self.relieved.first().cloned()
    }

    /// Returns since when somebody has waited for a type who has waited for too long by now.
    pub(super) fn overdue(&self, label: &AccountType, now: Timestamp) -> Option<Timestamp> {
        let of_type = self.types.get(label)?;
        let is_overdue = of_type.exhausted_at.is_some_and(|at| at <= now);
        let first = of_type.queue.first().filter(|_| is_overdue)?;
        Some(first.since)
    }

    /// Forgets a reservation that has ended.
    pub(super) fn reservation_forgotten(
        &mut self,
        reservation: &Reservation,
        file: ReservationFile,
    ) {
        let subject = Subject::Reservation(reservation.id);
        self.deadline_moved(subject, Some(file.deadline), None);
        if let Some(key) = key_of(reservation) {
            self.by_key.remove(&key);
        }
        self.reservation_left(reservation, file);
    }

    fn reservation_left(&mut self, reservation: &Reservation, file: ReservationFile) {
        let of_type = self
            .types
            .entry(reservation.account_type.clone())
            .or_default();
        match file.kind {
            ReservationKind::Pending => {
                of_type.queue.remove(reservation.sequence);
                of_type.counts.pending -= 1;
                self.pending -= 1;
            }
            ReservationKind::Active => of_type.counts.active -= 1,
            ReservationKind::Ended => {
                self.ended.remove(&(file.deadline, reservation.sequence));
            }
        }
        if file.kind != ReservationKind::Ended
            && let Some(of_token) = self.tokens.get_mut(&reservation.token)
        {
            of_token.pending -= usize::from(file.kind == ReservationKind::Pending);
            of_token.accounts -= reservation.count;
            if *of_token == TokenCounts::default() {
                self.tokens.remove(&reservation.token);
            }
        }
    }

    fn deadline_moved(
        &mut self,
        subject: Subject,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) {
        if before == after {
            return;
        }
        let mut entry = (Timestamp::UNIX_EPOCH, subject);
        if let Some(before) = before {
            entry.0 = before;
            self.deadlines.remove(&entry);
        }
        if let Some(after) = after {
            entry.0 = after;
            self.deadlines.insert(entry);
        }
    }

    fn generation_moved(&mut self, before: Option<Generation>, after: Option<Generation>) {
        if before == after {
            return;
        }
        if let Some(count) = before.and_then(|before| self.generations.get_mut(&before)) {
            *count -= 1;
        }
        self.generations.retain(|_, count| *count > 0);
        if let Some(after) = after {
            *self.generations.entry(after).or_default() += 1;
        }
    }

    fn match_type(&mut self, account_type: &AccountType) {
        let of_type = &self.types[account_type];
        let next = of_type.queue.first();
        if next.is_some_and(|next| next.count <= of_type.ready.len()) {
            self.matches.insert(account_type.clone());
        } else {
            self.matches.remove(account_type);
        }
    }

    /// Returns the oldest pending reservation that can be granted, with the accounts for it: those
    /// that have been ready for longest.
    pub(super) fn next_match(&self) -> Option<(ReservationId, Vec<AccountId>)> {
        let of_type = &self.types[self.matches.first()?];
        let next = of_type.queue.first()?;
        let accounts = of_type.ready.values().take(next.count).cloned().collect();
        Some((next.id, accounts))
    }

    /// Returns how many accounts of a type the operator's file names.
    pub(super) fn configured(&self, account_type: &AccountType) -> usize {
        self.types
            .get(account_type)
            .map_or(0, |of_type| of_type.configured)
    }

    /// Returns whose deadline has passed, the earliest first.
    pub(super) fn due(&self, now: Timestamp) -> Option<Subject> {
        let (at, subject) = self.deadlines.first()?;
        (*at <= now).then(|| subject.clone())
    }

    /// Returns the next deadline.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Returns the place of a pending reservation: 1 is next.
    pub(super) fn position(&self, reservation: &Reservation) -> u64 {
        self.types[&reservation.account_type]
            .queue
            .position(reservation.sequence)
    }

    /// Returns the reservation that a token has asked for with a key.
    pub(super) fn of_key(&self, token: &TokenId, key: &IdempotencyKey) -> Option<ReservationId> {
        self.by_key.get(&(token.clone(), key.clone())).copied()
    }

    /// Returns the oldest master key that some account needs.
    pub(super) fn oldest_generation(&self) -> Option<Generation> {
        self.generations
            .first_key_value()
            .map(|(oldest, _)| *oldest)
    }

    /// Returns the reservation that ended first, where more than `limit` are over.
    pub(super) fn ended_beyond(&self, limit: usize) -> Option<ReservationId> {
        let (_, id) = self.ended.first_key_value()?;
        (self.ended.len() > limit).then_some(*id)
    }

    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    pub(super) fn pending_of(&self, token: &TokenId) -> usize {
        self.tokens.get(token).map_or(0, |counts| counts.pending)
    }

    /// Returns how many accounts a token waits for and holds.
    pub(super) fn accounts_of(&self, token: &TokenId) -> usize {
        self.tokens.get(token).map_or(0, |counts| counts.accounts)
    }

    /// Tells whether there is or was such a type.
    pub(super) fn knows(&self, account_type: &AccountType) -> bool {
        self.types.contains_key(account_type)
    }

    /// Returns the types of accounts that there are or were.
    pub(super) fn types(&self) -> impl Iterator<Item = &AccountType> {
        self.types.keys()
    }

    /// Returns the counts of a type, without what was observed of it.
    pub(super) fn counts(&self, label: &AccountType) -> TypeStatistics {
        let Some(of_type) = self.types.get(label) else {
            return TypeStatistics::default();
        };
        TypeStatistics {
            next_count: of_type.queue.first().map_or(0, |next| next.count),
            ..of_type.counts
        }
    }
}

/// What a type's part of the index is derived from.
#[derive(Default)]
struct Derived<'a> {
    counts: TypeStatistics,
    ready: Vec<(u64, &'a AccountId)>,
    configured: usize,
    next: Option<(u64, Waiting)>,
}

impl Index {
    /// Panics unless it is what these accounts and reservations make it, and nothing of them is
    /// overdue.
    ///
    /// It is compared rather than made anew: simulations ask for this after every turn.
    pub(super) fn assert_derived<'a>(
        &self,
        accounts: impl Iterator<Item = &'a Account>,
        reservations: impl Iterator<Item = &'a Reservation>,
        exhausted: &BTreeMap<AccountType, Timestamp>,
        policy: &'a Policy,
        now: Timestamp,
    ) {
        let mut deadlines = Vec::with_capacity(self.deadlines.len());
        let mut types: BTreeMap<&AccountType, Derived<'_>> = BTreeMap::new();
        types.extend(policy.types.keys().map(|label| (label, Derived::default())));
        let (mut pending, mut ended) = (0, 0);
        let mut by_key = BTreeMap::new();
        let mut tokens: BTreeMap<TokenId, TokenCounts> = BTreeMap::new();
        let mut generations: BTreeMap<Generation, usize> = BTreeMap::new();
        for account in accounts {
            let file = AccountFile::of(account);
            if let Some(oldest) = file.oldest_generation {
                *generations.entry(oldest).or_default() += 1;
            }
            let of_type = types.entry(&account.account_type).or_default();
            *of_type.counts.accounts_mut(file.kind) += 1;
            of_type.counts.leaving += usize::from(file.is_hopeless());
            of_type.configured += usize::from(file.configured);
            let ready = file.ready_order.map(|order| (order, &account.id));
            of_type.ready.extend(ready);
            if let Some(at) = file.deadline {
                assert!(at > now, "{account:?} is overdue");
                deadlines.push((at, Subject::Account(account.id.clone())));
            }
        }
        for reservation in reservations {
            let file = ReservationFile::of(reservation, policy);
            let of_type = types.entry(&reservation.account_type).or_default();
            match file.kind {
                ReservationKind::Pending => {
                    let place = Waiting {
                        id: reservation.id,
                        count: reservation.count,
                        since: reservation.created_at,
                    };
                    let place = (reservation.sequence, place);
                    let next = of_type.next.filter(|next| next.0 < place.0);
                    of_type.next = Some(next.unwrap_or(place));
                    of_type.counts.pending += 1;
                    pending += 1;
                }
                ReservationKind::Active => of_type.counts.active += 1,
                ReservationKind::Ended => ended += 1,
            }
            if file.kind != ReservationKind::Ended {
                let of_token = tokens.entry(reservation.token.clone()).or_default();
                of_token.pending += usize::from(file.kind == ReservationKind::Pending);
                of_token.accounts += reservation.count;
            }
            by_key.extend(key_of(reservation).map(|key| (key, reservation.id)));
            assert!(file.deadline > now, "{reservation:?} is overdue");
            deadlines.push((file.deadline, Subject::Reservation(reservation.id)));
        }
        for (label, of_type) in &types {
            let is_exhausted = exhausted.contains_key(*label);
            assert_eq!(is_exhausted, self.types[*label].is_exhausted, "{label}");
            match of_type.next {
                Some((_, first)) if !is_exhausted => {
                    let at = first.since + policy.exhausted_after;
                    assert!(at > now, "nobody was told that {label} is exhausted");
                    deadlines.push((at, Subject::Type((*label).clone())));
                }
                Some(_) => {}
                None => assert!(!is_exhausted, "nobody waits for {label}: it has recovered"),
            }
        }
        assert!(self.relieved.is_empty());
        deadlines.sort_unstable();
        assert!(
            deadlines.iter().eq(&self.deadlines),
            "the deadlines are {deadlines:?}, and filed are {:?}",
            self.deadlines
        );
        assert_eq!((pending, ended), (self.pending, self.ended.len()));
        assert_eq!(generations, self.generations);
        assert_eq!(by_key, self.by_key);
        assert_eq!(tokens, self.tokens);
        // One that there was is not forgotten before everything is filed anew.
        types.extend(
            self.types
                .keys()
                .filter_map(|label| {
                    let is_gone = !types.contains_key(label);
                    is_gone.then(|| (label, Derived::default()))
                })
                .collect::<Vec<_>>(),
        );
        assert!(types.keys().copied().eq(self.types.keys()));
        for (label, mut derived) in types {
            let of_type = &self.types[label];
            assert_eq!(derived.counts, of_type.counts, "of {label}");
            derived.ready.sort_unstable();
            let ready = of_type.ready.iter().map(|(order, id)| (*order, id));
            assert!(ready.eq(derived.ready.iter().copied()), "ready of {label}");
            assert_eq!(derived.configured, of_type.configured, "of {label}");
            let next = derived.next.map(|(_, next)| next);
            assert_eq!(next, of_type.queue.first());
            assert_eq!(
                self.matches.contains(label),
                next.is_some_and(|next| next.count <= derived.ready.len()),
                "a match of {label}"
            );
        }
    }
}

impl TypeStatistics {
    fn accounts_mut(&mut self, kind: StateKind) -> &mut usize {
        match kind {
            StateKind::Dirty => &mut self.dirty,
            StateKind::Cleaning => &mut self.cleaning,
            StateKind::Ready => &mut self.ready,
            StateKind::Leased => &mut self.leased,
            StateKind::Quarantined => &mut self.quarantined,
            StateKind::Drained => &mut self.drained,
        }
    }
}
