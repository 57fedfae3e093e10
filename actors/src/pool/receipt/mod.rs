//! What a cleaning did, in one document: the fold of its lines.
//!
//! The pool keeps no receipt in memory: it hands [`ReceiptLine`]s out, which the store appends, and
//! whoever wants to see a receipt folds them. None carries a secret.

mod collection;
mod line;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::collection::{CollectionReceipt, ReceiptItem, ReceiptItems};
pub use self::line::{Outcome, ReceiptLine, ReceiptStep};
use super::account::Phase;
use super::findings::{Leftover, Traffic};
use super::ids::{AccountId, Epoch, Fence, ReservationId, Timestamp};
use super::progress::{Progress, count, whole_seconds};
use collection::Collections;

/// What a cleaning did, so far or in all. Times are whole seconds, durations are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The account.
    pub account: AccountId,
    /// What distinguishes the cleaning from others of the account; later ones have higher ones.
    pub cleaning: Fence,
    /// The reservation whose lease it followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation: Option<ReservationId>,
    /// How it ended; `cleaning` until then.
    pub state: ReceiptState,
    /// Why a person has to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it is, until it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// When it began.
    #[serde(serialize_with = "whole_seconds")]
    pub started_at: Timestamp,
    /// When no lease credential was left.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    pub revoked_at: Option<Timestamp>,
    /// When it ended.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    pub ended_at: Option<Timestamp>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// How many passes it took.
    pub passes: u32,
    /// How many requests the passes and the proofs took, retries included.
    pub requests: u64,
    /// How many of those repeated one that was not answered, or not well.
    pub retries: u64,
    /// What was there, collection by collection, in the order in which they were met.
    pub collections: Vec<CollectionReceipt>,
    /// The readings of the whole account, also those that found something.
    pub proofs: Vec<ProofReceipt>,
    /// The epoch of the management key that came into use meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_changed: Option<Epoch>,
    /// What went wrong and was tried again.
    pub faults: Vec<FaultReceipt>,
}

/// How a cleaning ended, or that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// It goes on.
    Cleaning,
    /// See [`Outcome::Ready`].
    Ready,
    /// See [`Outcome::Drained`].
    Drained,
    /// See [`Outcome::Quarantined`].
    Quarantined,
    /// See [`Outcome::TimedOut`].
    TimedOut,
    /// See [`Outcome::Interrupted`].
    Interrupted,
}

impl ReceiptState {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Cleaning,
        Self::Ready,
        Self::Drained,
        Self::Quarantined,
        Self::TimedOut,
        Self::Interrupted,
    ];

    /// Returns its words.
    #[must_use]
    pub fn as_sentence(self) -> &'static str {
        match self {
            Self::Cleaning => "goes on",
            Self::Ready => "proven empty, ready",
            Self::Drained => "proven empty, drained",
            Self::Quarantined => "quarantined",
            Self::TimedOut => "ran out of time",
            Self::Interrupted => "interrupted by a restart",
        }
    }
}

/// One reading of the whole account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofReceipt {
    /// 1, or 2 for the reading after one that found nothing.
    pub round: u8,
    /// When it ended.
    #[serde(serialize_with = "whole_seconds")]
    pub at: Timestamp,
    /// How many items should not have been there.
    pub leftovers: usize,
    /// How many the operator keeps.
    pub kept: usize,
    /// How many requests it took.
    pub requests: u32,
}

/// One thing that went wrong and was tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultReceipt {
    /// When.
    #[serde(serialize_with = "whole_seconds")]
    pub at: Timestamp,
    /// What was being done.
    pub phase: Phase,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Receipt {
    /// Returns the receipts that lines make, the newest first. The lines are of one account, in the
    /// order in which they were written.
    #[must_use]
    pub fn all(lines: Vec<ReceiptLine>) -> Vec<Self> {
        let mut cleanings: BTreeMap<Fence, Vec<ReceiptLine>> = BTreeMap::new();
        for line in lines {
            cleanings.entry(line.cleaning).or_default().push(line);
        }
        let newest_first = cleanings.into_values().rev();
        newest_first.filter_map(Self::from_lines).collect()
    }

    /// Returns the receipts that lines make, by account. The lines are of one cleaning of each, in the
    /// order in which they were written.
    #[must_use]
    pub fn of_each_account(lines: Vec<ReceiptLine>) -> Vec<Self> {
        let mut accounts: BTreeMap<AccountId, Vec<ReceiptLine>> = BTreeMap::new();
        for line in lines {
            accounts.entry(line.account.clone()).or_default().push(line);
        }
        let each = accounts.into_values();
        each.filter_map(Self::from_lines).collect()
    }

    /// Returns the receipt of one cleaning, whose lines these are; `None` where there are none.
    #[must_use]
    pub fn from_lines(lines: Vec<ReceiptLine>) -> Option<Self> {
        let mut lines = lines.into_iter().peekable();
        let mut fold = Fold::begin(lines.peek()?);
        lines.for_each(|line| fold.take(line));
        Some(fold.end())
    }

    /// Returns what whoever had the account may see: what they left in it, and what became of that.
    /// What the operator keeps there is counted only, and of faults and quarantines, the words of
    /// which are about the operator's own access, only is said that they were.
    #[must_use]
    pub fn for_borrower(mut self) -> Self {
        self.reason = None;
        self.key_changed = None;
        for fault in &mut self.faults {
            fault.error = None;
        }
        for collection in &mut self.collections {
            collection.items.kept.clear();
        }
        self
    }
}

/// A receipt in the making.
struct Fold {
    receipt: Receipt,
    collections: Collections,
    phase: Phase,
    stage: Option<String>,
    since: Timestamp,
    remaining: BTreeMap<String, usize>,
}

impl Fold {
    fn begin(first: &ReceiptLine) -> Self {
        let started_at = first.at.truncate_to_second();
        Self {
            receipt: Receipt {
                account: first.account.clone(),
                cleaning: first.cleaning,
                reservation: first.reservation,
                state: ReceiptState::Cleaning,
                reason: None,
                progress: None,
                started_at,
                revoked_at: None,
                ended_at: None,
                duration: None,
                passes: 0,
                requests: 0,
                retries: 0,
                collections: Vec::new(),
                proofs: Vec::new(),
                key_changed: None,
                faults: Vec::new(),
            },
            collections: Collections::default(),
            phase: Phase::Revoke,
            stage: None,
            since: started_at,
            remaining: BTreeMap::new(),
        }
    }

    fn take(&mut self, line: ReceiptLine) {
        let at = line.at.truncate_to_second();
        match line.step {
            ReceiptStep::Began => {}
            ReceiptStep::Revoked => {
                self.receipt.revoked_at = Some(at);
                self.go_on(Phase::Verify, None, at);
            }
            ReceiptStep::Verified => self.go_on(Phase::Sweep, None, at),
            ReceiptStep::Swept {
                deleted,
                stuck,
                waiting,
                kept,
                stage,
                traffic,
            } => {
                self.receipt.passes += 1;
                self.spend(traffic);
                self.remaining.clone_from(&waiting);
                for item in deleted.iter().chain(&stuck) {
                    *self.remaining.entry(item.collection.clone()).or_default() += 1;
                }
                let next = if self.remaining.is_empty() {
                    Phase::ProveOnce
                } else {
                    Phase::Sweep
                };
                self.collections.keep(kept);
                self.collections.sweep(deleted, stuck, waiting, at);
                self.go_on(next, stage, at);
            }
            ReceiptStep::Proved {
                round,
                leftovers,
                kept,
                traffic,
            } => self.proved(round, leftovers, kept, traffic, at),
            ReceiptStep::Faulted { phase, error } => self.receipt.faults.push(FaultReceipt {
                at,
                phase,
                error: Some(error),
            }),
            ReceiptStep::KeyChanged { epoch } => self.receipt.key_changed = Some(epoch),
            ReceiptStep::Ended { outcome, leftovers } => {
                self.collections.leave(leftovers);
                self.ended(outcome, at);
            }
        }
    }

    fn proved(
        &mut self,
        round: u8,
        leftovers: Vec<Leftover>,
        kept: Vec<Leftover>,
        traffic: Traffic,
        at: Timestamp,
    ) {
        self.spend(traffic);
        self.receipt.proofs.push(ProofReceipt {
            round,
            at,
            leftovers: leftovers.len(),
            kept: kept.len(),
            requests: traffic.requests,
        });
        self.remaining = count(&leftovers);
        let next = match (leftovers.is_empty(), round) {
            (false, _) => Phase::Sweep,
            (true, 1) => Phase::ProveTwice,
            (true, _) => Phase::Mint,
        };
        self.collections.forget_kept();
        self.collections.keep(kept);
        self.collections.find(leftovers, at);
        self.go_on(next, None, at);
    }

    fn spend(&mut self, traffic: Traffic) {
        self.receipt.requests += u64::from(traffic.requests);
        self.receipt.retries += u64::from(traffic.retries);
    }

    fn go_on(&mut self, phase: Phase, stage: Option<String>, at: Timestamp) {
        if (phase, &stage) != (self.phase, &self.stage) {
            self.since = at;
        }
        self.phase = phase;
        self.stage = stage;
    }

    fn ended(&mut self, outcome: Outcome, at: Timestamp) {
        let took = at - self.receipt.started_at;
        self.receipt.ended_at = Some(at);
        self.receipt.duration = Some(took.whole_seconds().try_into().unwrap_or(0));
        self.receipt.state = match outcome {
            Outcome::Ready => ReceiptState::Ready,
            Outcome::Drained => ReceiptState::Drained,
            Outcome::Quarantined { reason } => {
                self.receipt.reason = Some(reason);
                ReceiptState::Quarantined
            }
            Outcome::TimedOut => ReceiptState::TimedOut,
            Outcome::Interrupted => ReceiptState::Interrupted,
        };
    }

    fn end(mut self) -> Receipt {
        if self.receipt.ended_at.is_none() {
            let progress = Progress::new(self.phase, self.stage, self.remaining, self.since);
            self.receipt.progress = Some(progress);
        }
        self.receipt.collections = self.collections.into_receipts();
        self.receipt
    }
}

#[expect(
    clippy::ref_option,
    reason = "serde passes a reference to the field, whatever its type"
)]
fn maybe_seconds<S: serde::Serializer>(
    moment: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => whole_seconds(moment, serializer),
        None => serializer.serialize_none(),
    }
}
