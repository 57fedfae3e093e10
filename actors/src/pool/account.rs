//! A pooled account, and where it stands in its life (`design.md` 8).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::credentials::{Credential, ManagementKey, ManagementKeys};
use super::findings::Leftover;
use super::ids::{AccountId, AccountType, Fence, Generation, ReservationId, Timestamp};
use super::receipt::{Outcome, ReceiptLine, ReceiptStep};

/// A pooled account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id at IBM Cloud.
    pub id: AccountId,
    /// The operator's label.
    pub account_type: AccountType,
    /// What distinguishes reports that count from those that come too late.
    pub fence: Fence,
    /// Where it stands.
    pub state: AccountState,
    /// Since when it stands there.
    #[serde(with = "time::serde::rfc3339")]
    pub since: Timestamp,
    /// Which management keys may work.
    pub keys: ManagementKeys,
    /// The lease credential that is known to exist.
    pub credential: Option<Credential>,
    /// Whether any lease credential may exist: from the moment at which one is asked for until a
    /// revocation has ended well. Of an account that nothing is known about, one may.
    pub unrevoked: bool,
    /// When its management key was verified last.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub verified_at: Option<Timestamp>,
    /// When its management key became another one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub key_changed_at: Option<Timestamp>,
    /// When its management key is to be verified next.
    #[serde(with = "time::serde::rfc3339")]
    pub verify_at: Timestamp,
    /// When its lease credential has grown too old to be lent.
    #[serde(with = "time::serde::rfc3339")]
    pub remint_at: Timestamp,
    /// When its management key is to be rotated next.
    #[serde(with = "time::serde::rfc3339::option")]
    pub rotate_at: Option<Timestamp>,
    /// How many cleanings ran out of time. Reset when it is ready, enabled, or the program starts.
    pub timeouts: u32,
    /// The last reservation that used it, until the account was cleaned after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<ReservationId>,
    /// Whether the operator wants it out as soon as it is clean.
    pub draining: bool,
    /// Whether the operator's file names it. Not written down: each start sees for itself.
    #[serde(skip)]
    pub configured: bool,
}

/// Where an account stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AccountState {
    /// It waits for a cleaning.
    Dirty {
        /// When the cleaning may start.
        #[serde(with = "time::serde::rfc3339")]
        not_before: Timestamp,
    },
    /// A cleaner is at work, or pauses between two calls.
    Cleaning(Box<Cleaning>),
    /// It is proven clean, has a fresh credential, and can be granted.
    Ready {
        /// Its place among the ready ones: the one that has been ready for longest goes first.
        order: u64,
    },
    /// It is held.
    Leased {
        /// By which reservation.
        reservation: ReservationId,
    },
    /// A person must look. It is never lent.
    Quarantined(Quarantine),
    /// The operator took it out.
    Drained,
}

/// Why an account needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The reason, in words.
    pub reason: String,
    /// What could not be deleted.
    pub leftovers: Vec<Leftover>,
    /// When a lease credential may still exist: the next try to take it away. Nobody has to come for
    /// that.
    pub revoke: Option<Step>,
    /// Whether an operator set it aside. Then it stays so over a restart, which is else taken for the
    /// word that a person has looked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub set_aside: bool,
}

/// How far a cleaning has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaning {
    /// What it is for.
    pub purpose: Purpose,
    /// What is done now.
    pub phase: Phase,
    /// Whether a cleaner is at it.
    pub step: Step,
    /// When it has taken too long.
    #[serde(with = "time::serde::rfc3339")]
    pub deadline: Timestamp,
    /// Since when nothing was left to take away: tokens of identities that were deleted go on
    /// working for a while, those of the lease and those of any back door.
    #[serde(with = "time::serde::rfc3339::option")]
    pub settling_since: Option<Timestamp>,
    /// Transient faults in a row. Reset by any answer.
    pub faults: u32,
    /// Passes in a row that only met refusals. Reset by a pass that gets on.
    pub stuck_passes: u32,
    /// Proofs that found something. Never reset.
    pub failed_proofs: u32,
    /// What the last pass or proof left.
    pub remaining: Vec<Leftover>,
    /// The fence of its first job, by which its receipt is known. Only a full one has one, unless it
    /// was begun before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Fence>,
    /// How many passes it took so far.
    #[serde(default)]
    pub passes: u32,
    /// The first stage of the plan that still had something to do after the last pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Box<str>>,
    /// Since when it is in this stage, or in this phase.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub there_since: Option<Timestamp>,
    /// When the log last said where it is. Not written down: a restart begins another cleaning.
    #[serde(skip)]
    pub said_at: Option<Timestamp>,
}

impl Cleaning {
    /// Returns a cleaning that begins now with a phase.
    pub(super) fn begin(
        purpose: Purpose,
        phase: Phase,
        now: Timestamp,
        deadline: Timestamp,
    ) -> Self {
        Self {
            purpose,
            phase,
            step: Step::Due(now),
            deadline,
            settling_since: None,
            faults: 0,
            stuck_passes: 0,
            failed_proofs: 0,
            remaining: Vec::new(),
            receipt: None,
            passes: 0,
            stage: None,
            there_since: Some(now),
            said_at: None,
        }
    }

    /// Goes to another phase, or to another stage of a sweep.
    pub(super) fn enter(&mut self, phase: Phase, stage: Option<&'static str>, now: Timestamp) {
        if (self.phase, self.stage.as_deref()) != (phase, stage) {
            self.there_since = Some(now);
            self.phase = phase;
            self.stage = stage.map(Into::into);
        }
    }
}

/// What a cleaning is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The forceful cleanup: from revocation to a proven empty account with a fresh credential.
    Full,
    /// An idle account's recurring verification.
    Check,
    /// A fresh lease credential for an idle account.
    Remint,
    /// A fresh management key for an idle account.
    Rotate,
    /// Nothing but the end of the lease credential: of an idle account that is no longer configured.
    Revoke,
}

/// The phases of a cleaning, in the order of a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Takes the lease credential away: first, so that nothing delays it.
    Revoke,
    /// Makes sure that the account is what it should be, and that lists can be believed.
    Verify,
    /// Deletes, pass by pass.
    Sweep,
    /// Reads the whole account, for the first time after the settling time.
    ProveOnce,
    /// Reads it again.
    ProveTwice,
    /// Makes the next management key.
    Rotate,
    /// Takes the former management key away.
    Retire,
    /// Makes the next lease credential.
    Mint,
    /// Waits until the lease credential works.
    Probe,
}

/// Whether a cleaner is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The phase's next call is due then.
    Due(#[serde(with = "time::serde::rfc3339")] Timestamp),
    /// A cleaner was called; its answer counts until then.
    Running(#[serde(with = "time::serde::rfc3339")] Timestamp),
}

impl Step {
    fn moment(self) -> Timestamp {
        match self {
            Self::Due(at) | Self::Running(at) => at,
        }
    }
}

/// The kinds of states, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKind {
    /// See [`AccountState::Dirty`].
    Dirty,
    /// See [`AccountState::Cleaning`].
    Cleaning,
    /// See [`AccountState::Ready`].
    Ready,
    /// See [`AccountState::Leased`].
    Leased,
    /// See [`AccountState::Quarantined`].
    Quarantined,
    /// See [`AccountState::Drained`].
    Drained,
}

impl StateKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::Leased,
        Self::Dirty,
        Self::Cleaning,
        Self::Quarantined,
        Self::Drained,
    ];

    /// Returns the word that is used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dirty => "dirty",
            Self::Cleaning => "cleaning",
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Quarantined => "quarantined",
            Self::Drained => "drained",
        }
    }
}

impl Account {
    /// Returns an account that nothing is known about: dirty, to be cleaned at once.
    #[must_use]
    pub fn unknown(id: AccountId, account_type: AccountType, now: Timestamp) -> Self {
        Self {
            id,
            account_type,
            fence: Fence::default(),
            state: AccountState::Dirty { not_before: now },
            since: now,
            keys: ManagementKeys::default(),
            credential: None,
            unrevoked: true,
            verified_at: None,
            key_changed_at: None,
            verify_at: now,
            remint_at: now,
            rotate_at: None,
            timeouts: 0,
            used_by: None,
            draining: false,
            configured: true,
        }
    }

    /// Returns the account as it goes on when the operator's file does not name it any more; `None`
    /// where nothing remains to be done in it, or nothing can be.
    ///
    /// What was begun is finished: a lease, a cleaning. One that was idle is not swept, since the
    /// operator may use it otherwise by now; its lease credential is taken away. The configured key
    /// went with the file's entry, so where no management key is derived a person has to see to a
    /// credential that is known to work.
    pub(super) fn left_out(mut self, now: Timestamp, timeout: Duration) -> Option<Self> {
        self.configured = false;
        let reachable = self.keys.known().any(ManagementKey::is_derived);
        let works = |credential: &Credential| credential.expires_at > now;
        let owed = self.unrevoked && (reachable || self.credential.as_ref().is_some_and(works));
        self.state = match self.state {
            AccountState::Leased { .. } => self.state,
            AccountState::Dirty { .. } if reachable => self.state,
            AccountState::Cleaning(cleaning) if reachable && cleaning.purpose == Purpose::Full => {
                AccountState::Dirty { not_before: now }
            }
            AccountState::Quarantined(quarantine) if owed => {
                AccountState::Quarantined(Quarantine {
                    revoke: Some(Step::Due(now)),
                    ..quarantine
                })
            }
            AccountState::Drained => return None,
            _ if owed => {
                let cleaning = Cleaning::begin(Purpose::Revoke, Phase::Revoke, now, now + timeout);
                AccountState::Cleaning(cleaning.into())
            }
            _ => return None,
        };
        Some(self)
    }

    /// Returns the kind of its state.
    #[must_use]
    pub fn kind(&self) -> StateKind {
        match self.state {
            AccountState::Dirty { .. } => StateKind::Dirty,
            AccountState::Cleaning(_) => StateKind::Cleaning,
            AccountState::Ready { .. } => StateKind::Ready,
            AccountState::Leased { .. } => StateKind::Leased,
            AccountState::Quarantined(_) => StateKind::Quarantined,
            AccountState::Drained => StateKind::Drained,
        }
    }

    /// Returns when something is due for it. A lease's end is its reservation's business.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match &self.state {
            AccountState::Dirty { not_before } => Some(*not_before),
            AccountState::Cleaning(cleaning) => Some(cleaning.step.moment().min(cleaning.deadline)),
            AccountState::Ready { .. } => {
                let upkeep = self.verify_at.min(self.remint_at);
                Some(self.rotate_at.map_or(upkeep, |at| at.min(upkeep)))
            }
            AccountState::Quarantined(quarantine) => quarantine.revoke.map(Step::moment),
            AccountState::Leased { .. } | AccountState::Drained => None,
        }
    }

    /// Tells whether it is not to be lent again.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.draining || !self.configured
    }

    /// Notes that no lease credential is left.
    pub(super) fn revoked(&mut self) {
        self.credential = None;
        self.unrevoked = false;
    }

    /// Tells whether a rotation of the management key is due, or was begun and not finished: by a
    /// crash, or before the operator turned rotation off.
    pub(super) fn rotation_is_due(&self, now: Timestamp) -> bool {
        self.rotate_at.is_some_and(|at| at <= now)
            || self.keys.pending.is_some()
            || self.keys.previous.is_some()
    }

    /// Tells whether it has left the pool: the operator's file does not name it, and nothing remains to
    /// be done in it.
    #[must_use]
    pub fn is_out(&self) -> bool {
        !self.configured && matches!(self.state, AccountState::Drained)
    }

    /// Returns the oldest master key that one of its keys may be derived from; `None` also for one that
    /// is out, which does not move to a new master key. To take a lease credential away its value is not
    /// needed, so one that only may exist does not count.
    #[must_use]
    pub fn oldest_generation(&self) -> Option<Generation> {
        if self.is_out() {
            return None;
        }
        if !self.keys.verified {
            return Some(Generation::default());
        }
        let derived = self.keys.known().filter(|key| key.is_derived());
        let lease = self.credential.iter().map(|lease| lease.generation);
        derived.map(|key| key.generation).chain(lease).min()
    }

    /// Returns a line of the receipt of its cleaning, if that has one.
    pub(super) fn receipt_line(&self, step: ReceiptStep, at: Timestamp) -> Option<ReceiptLine> {
        let AccountState::Cleaning(cleaning) = &self.state else {
            return None;
        };
        Some(ReceiptLine {
            account: self.id.clone(),
            cleaning: cleaning.receipt?,
            reservation: self.used_by,
            at,
            step,
        })
    }

    /// Returns the last line of the receipt of its cleaning, with what is known to be left.
    pub(super) fn last_receipt_line(&self, outcome: Outcome, at: Timestamp) -> Option<ReceiptLine> {
        let AccountState::Cleaning(cleaning) = &self.state else {
            return None;
        };
        let leftovers = match outcome {
            Outcome::Ready | Outcome::Drained => Vec::new(),
            _ => cleaning.remaining.clone(),
        };
        self.receipt_line(ReceiptStep::Ended { outcome, leftovers }, at)
    }

    /// Returns the last line of the receipt of a cleaning that was under way when the program ended.
    pub(super) fn interrupted(&self, now: Timestamp) -> Option<ReceiptLine> {
        self.last_receipt_line(Outcome::Interrupted, now)
    }

    pub(super) fn cleaning_mut(&mut self) -> Option<&mut Cleaning> {
        match &mut self.state {
            AccountState::Cleaning(cleaning) => Some(cleaning),
            _ => None,
        }
    }
}
