//! `[policy]`: how long things may take and how many there may be. The settings and their defaults
//! are the pool's own.

use std::time::Duration;

use acctpool_actors::pool::Policy;

use super::report::Fault;
use super::section::{Schema, Section};
use super::values::{COUNT, DURATION, DURATION_OR_NEVER};

pub(super) const SCHEMA: Schema = Schema {
    name: "[policy]",
    keys: &[
        "pending_timeout",
        "claim_timeout",
        "exhausted_after",
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

/// `real_caches`: whether IBM's own caches decide how long a revoked credential works.
pub(super) fn read(mut section: Section<'_, '_, '_>, real_caches: bool) -> Policy {
    let mut policy = Policy::default();
    read_durations(&mut policy, &mut section);
    read_counts(&mut policy, &mut section);
    if let Some(rotate_every) = section.read("rotate_every", &DURATION_OR_NEVER) {
        policy.rotate_every = rotate_every;
    }
    check(&policy, &mut section);
    if real_caches {
        check_against_ibm(&policy, &mut section);
    }
    policy
}

fn read_durations(policy: &mut Policy, section: &mut Section<'_, '_, '_>) {
    let settings = [
        ("pending_timeout", &mut policy.pending_timeout),
        ("claim_timeout", &mut policy.claim_timeout),
        ("exhausted_after", &mut policy.exhausted_after),
        ("settle", &mut policy.settle),
        ("proof_gap", &mut policy.proof_gap),
        ("pass_interval", &mut policy.pass_interval),
        ("pass_timeout", &mut policy.pass_timeout),
        ("cleaning_timeout", &mut policy.cleaning_timeout),
        ("backoff_min", &mut policy.backoff_min),
        ("backoff_max", &mut policy.backoff_max),
        ("verify_every", &mut policy.verify_every),
        ("remint_every", &mut policy.remint_every),
        ("credential_grace", &mut policy.credential_grace),
        ("retain_ended", &mut policy.retain_ended),
    ];
    for (key, setting) in settings {
        if let Some(duration) = section.read(key, &DURATION) {
            *setting = duration;
        }
    }
}

fn read_counts(policy: &mut Policy, section: &mut Section<'_, '_, '_>) {
    let attempts = [
        ("cleaning_attempts", &mut policy.cleaning_attempts),
        ("stuck_passes", &mut policy.stuck_passes),
    ];
    for (key, setting) in attempts {
        if let Some(count) = section.read(key, &COUNT) {
            *setting = count;
        }
    }
    let sizes = [
        ("max_pending_per_token", &mut policy.max_pending_per_token),
        ("max_pending", &mut policy.max_pending),
        ("max_ended", &mut policy.max_ended),
    ];
    for (key, setting) in sizes {
        if let Some(count) = section.read(key, &COUNT) {
            *setting = count as usize;
        }
    }
}

/// IBM Cloud takes its time: what is shorter would be unsafe, or would keep every account busy
/// with its own upkeep.
fn check_against_ibm(policy: &Policy, section: &mut Section<'_, '_, '_>) {
    if policy.settle < Policy::default().settle {
        section.refuse("settle", Fault::ShortSettle);
    }
    let upkeep = [
        ("verify_every", Some(policy.verify_every)),
        ("remint_every", Some(policy.remint_every)),
        ("rotate_every", policy.rotate_every),
    ];
    for (key, every) in upkeep {
        if every.is_some_and(|every| every < SHORTEST_UPKEEP) {
            section.refuse(key, Fault::ShortUpkeep(key));
        }
    }
}

fn check(policy: &Policy, section: &mut Section<'_, '_, '_>) {
    let limits = [
        (
            "backoff_min",
            policy.backoff_min,
            "backoff_max",
            policy.backoff_max,
        ),
        (
            "pass_timeout",
            policy.pass_timeout,
            "cleaning_timeout",
            policy.cleaning_timeout,
        ),
    ];
    for (key, duration, limit, value) in limits {
        if duration > value {
            section.refuse_either(key, limit, Fault::TooLong { key, limit, value });
        }
    }
    let unavoidable = policy.settle + policy.proof_gap;
    if policy.cleaning_timeout <= unavoidable {
        let fault = Fault::CleaningTooShort(unavoidable);
        section.refuse("cleaning_timeout", fault);
    }
}
