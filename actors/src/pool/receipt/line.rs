//! The lines that a receipt is made of: each says what one step of a cleaning did.
//!
//! A line is written in the transaction of the decision that it belongs to. It is as long as what
//! happened in its step: what merely waits is counted, and named at the end. None carries a secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::account::Phase;
use super::super::findings::{Leftover, Pass, Proof, Traffic};
use super::super::ids::{AccountId, Epoch, Fence, ReservationId, Timestamp};

/// What one step of a cleaning did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptLine {
    /// The account that is cleaned.
    pub account: AccountId,
    /// The fence at which the cleaning began. No other cleaning of the account has it, and later ones
    /// have higher ones.
    pub cleaning: Fence,
    /// The reservation whose lease it followed; `None` where nobody had used the account.
    pub reservation: Option<ReservationId>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub step: ReceiptStep,
}

/// A step of a cleaning. As JSON it is an object, whose `step` is the variant's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum ReceiptStep {
    /// It began.
    Began,
    /// No lease credential was left.
    Revoked,
    /// The account was what it should be.
    Verified,
    /// A pass ended.
    Swept {
        /// What was asked to go, and the cloud accepted.
        deleted: Vec<Leftover>,
        /// What refused to go, and why.
        stuck: Vec<Leftover>,
        /// How many items were on their way out or could not go yet, per collection.
        waiting: BTreeMap<String, usize>,
        /// What the operator keeps: of the first pass. The proofs say so again.
        kept: Vec<Leftover>,
        /// The first stage of the plan that still had something to do.
        stage: Option<String>,
        /// What the pass took.
        traffic: Traffic,
    },
    /// The whole account was read.
    Proved {
        /// 1, or 2 for the reading after one that found nothing.
        round: u8,
        /// What should not have been there.
        leftovers: Vec<Leftover>,
        /// What the operator keeps.
        kept: Vec<Leftover>,
        /// What the proof took.
        traffic: Traffic,
    },
    /// A fault was met, or no answer came; the phase went on later.
    Faulted {
        /// The phase.
        phase: Phase,
        /// What was said.
        error: String,
    },
    /// Another management key came into use.
    KeyChanged {
        /// Its epoch.
        epoch: Epoch,
    },
    /// It was over.
    Ended {
        /// How.
        outcome: Outcome,
        /// What was still there, as far as it was known.
        leftovers: Vec<Leftover>,
    },
}

/// How a cleaning ended. As JSON it is an object, whose `outcome` is the variant's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The account was proven empty and had a fresh lease credential.
    Ready,
    /// The account was proven empty, and taken out.
    Drained,
    /// A person had to look.
    Quarantined {
        /// Why.
        reason: String,
    },
    /// It ran out of time; another one follows.
    TimedOut,
    /// The program ended meanwhile; another one follows.
    Interrupted,
}

impl ReceiptStep {
    /// Returns its name, as it stands in its JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Revoked => "revoked",
            Self::Verified => "verified",
            Self::Swept { .. } => "swept",
            Self::Proved { .. } => "proved",
            Self::Faulted { .. } => "faulted",
            Self::KeyChanged { .. } => "key_changed",
            Self::Ended { .. } => "ended",
        }
    }

    /// Returns the step that a pass was.
    pub(in super::super) fn swept(pass: &Pass, is_first: bool) -> Self {
        let mut waiting = BTreeMap::new();
        for item in pass.leaving.iter().chain(&pass.waiting) {
            *waiting.entry(item.collection.clone()).or_default() += 1;
        }
        Self::Swept {
            deleted: pass.deleted.clone(),
            stuck: pass.stuck.clone(),
            waiting,
            kept: if is_first {
                pass.kept.clone()
            } else {
                Vec::new()
            },
            stage: pass.stage.map(ToOwned::to_owned),
            traffic: pass.traffic,
        }
    }

    /// Returns the step that a proof was.
    pub(in super::super) fn proved(phase: Phase, proof: &Proof) -> Self {
        Self::Proved {
            round: if phase == Phase::ProveOnce { 1 } else { 2 },
            leftovers: proof.leftovers.clone(),
            kept: proof.kept.clone(),
            traffic: proof.traffic,
        }
    }
}
