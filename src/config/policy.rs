//! `[policy]`: how long things may take and how many there may be.

use std::time::Duration;

use super::report::Fault;
use super::section::{Schema, Section};
use super::values::{COUNT, DURATION, DURATION_OR_NEVER};

pub(super) const SCHEMA: Schema = Schema {
    name: "[policy]",
    keys: &[
        "pending_timeout",
        "claim_timeout",
        "settle",
        "proof_gap",
        "pass_interval",
        "pass_timeout",
        "cleaning_timeout",
        "cleaning_attempts",
        "stuck_passes",
        "backoff_min",
        "backoff_max",
        "verify_every",
        "remint_every",
        "rotate_every",
        "credential_grace",
        "retain_ended",
        "max_pending_per_token",
        "max_pending",
        "max_ended",
    ],
};

/// Fresh policies and keys take seconds to minutes to work (`ibm-cloud.md` 4).
const SHORTEST_UPKEEP: Duration = Duration::from_mins(10);

/// The settings of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A pending reservation that nobody polls for so long is abandoned.
    pub pending_timeout: Duration,
    /// An active reservation whose credential nobody fetches for so long is abandoned.
    pub claim_timeout: Duration,
    /// How long after revocation the first proof is read (`ibm-cloud.md` 4).
    pub settle: Duration,
    /// The pause between the two proofs.
    pub proof_gap: Duration,
    /// The pause between two passes of a sweep.
    pub pass_interval: Duration,
    /// How long one pass may take.
    pub pass_timeout: Duration,
    /// How long one cleaning may take; longer than `settle` and `proof_gap` together.
    pub cleaning_timeout: Duration,
    /// After so many cleanings that ran out of time an account is quarantined.
    pub cleaning_attempts: u32,
    /// After so many passes in a row that only met refusals an account is quarantined.
    pub stuck_passes: u32,
    /// The first pause after a transient fault.
    pub backoff_min: Duration,
    /// The longest pause after a transient fault; at least `backoff_min`.
    pub backoff_max: Duration,
    /// How often an idle account is verified.
    pub verify_every: Duration,
    /// How old a lease credential may grow on an idle account.
    pub remint_every: Duration,
    /// How old a management key may grow; `None` means for ever.
    pub rotate_every: Option<Duration>,
    /// How long a lease credential outlives the latest possible end of its lease.
    pub credential_grace: Duration,
    /// How long an ended reservation can still be read.
    pub retain_ended: Duration,
    /// How many reservations of one token may be pending at once.
    pub max_pending_per_token: u32,
    /// How many reservations may be pending at once.
    pub max_pending: u32,
    /// How many ended reservations can be read at once; beyond that the oldest is forgotten early.
    pub max_ended: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            pending_timeout: Duration::from_mins(15),
            claim_timeout: Duration::from_mins(15),
            settle: Duration::from_mins(10),
            proof_gap: Duration::from_mins(2),
            pass_interval: Duration::from_secs(10),
            pass_timeout: Duration::from_mins(15),
            cleaning_timeout: Duration::from_hours(2),
            cleaning_attempts: 3,
            stuck_passes: 3,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_mins(5),
            verify_every: Duration::from_hours(6),
            remint_every: Duration::from_hours(7 * 24),
            rotate_every: Some(Duration::from_hours(30 * 24)),
            credential_grace: Duration::from_hours(1),
            retain_ended: Duration::from_hours(24),
            max_pending_per_token: 100,
            max_pending: 10_000,
            max_ended: 100_000,
        }
    }
}

impl Policy {
    /// `real_caches`: whether IBM's own caches decide how long a revoked credential works.
    pub(super) fn read(mut section: Section<'_, '_, '_>, real_caches: bool) -> Self {
        let mut policy = Self::default();
        policy.read_durations(&mut section);
        policy.read_counts(&mut section);
        if let Some(rotate_every) = section.read("rotate_every", &DURATION_OR_NEVER) {
            policy.rotate_every = rotate_every;
        }
        policy.check(&mut section);
        if real_caches {
            policy.check_against_ibm(&mut section);
        }
        policy
    }

    fn read_durations(&mut self, section: &mut Section<'_, '_, '_>) {
        let settings = [
            ("pending_timeout", &mut self.pending_timeout),
            ("claim_timeout", &mut self.claim_timeout),
            ("settle", &mut self.settle),
            ("proof_gap", &mut self.proof_gap),
            ("pass_interval", &mut self.pass_interval),
            ("pass_timeout", &mut self.pass_timeout),
            ("cleaning_timeout", &mut self.cleaning_timeout),
            ("backoff_min", &mut self.backoff_min),
            ("backoff_max", &mut self.backoff_max),
            ("verify_every", &mut self.verify_every),
            ("remint_every", &mut self.remint_every),
            ("credential_grace", &mut self.credential_grace),
            ("retain_ended", &mut self.retain_ended),
        ];
        for (key, setting) in settings {
            if let Some(duration) = section.read(key, &DURATION) {
                *setting = duration;
            }
        }
    }

    fn read_counts(&mut self, section: &mut Section<'_, '_, '_>) {
        let settings = [
            ("cleaning_attempts", &mut self.cleaning_attempts),
            ("stuck_passes", &mut self.stuck_passes),
            ("max_pending_per_token", &mut self.max_pending_per_token),
            ("max_pending", &mut self.max_pending),
            ("max_ended", &mut self.max_ended),
        ];
        for (key, setting) in settings {
            if let Some(count) = section.read(key, &COUNT) {
                *setting = count;
            }
        }
    }

    /// IBM Cloud takes its time: what is shorter would be unsafe, or would keep every account busy
    /// with its own upkeep.
    fn check_against_ibm(&self, section: &mut Section<'_, '_, '_>) {
        if self.settle < Self::default().settle {
            section.refuse("settle", Fault::ShortSettle);
        }
        let upkeep = [
            ("verify_every", Some(self.verify_every)),
            ("remint_every", Some(self.remint_every)),
            ("rotate_every", self.rotate_every),
        ];
        for (key, every) in upkeep {
            if every.is_some_and(|every| every < SHORTEST_UPKEEP) {
                section.refuse(key, Fault::ShortUpkeep(key));
            }
        }
    }

    fn check(&self, section: &mut Section<'_, '_, '_>) {
        let limits = [
            (
                "backoff_min",
                self.backoff_min,
                "backoff_max",
                self.backoff_max,
            ),
            (
                "pass_timeout",
                self.pass_timeout,
                "cleaning_timeout",
                self.cleaning_timeout,
            ),
        ];
        for (key, duration, limit, value) in limits {
            if duration > value {
                section.refuse_either(key, limit, Fault::TooLong { key, limit, value });
            }
        }
        let unavoidable = self.settle + self.proof_gap;
        if self.cleaning_timeout <= unavoidable {
            let fault = Fault::CleaningTooShort(unavoidable);
            section.refuse("cleaning_timeout", fault);
        }
    }
}
