//! A cleaning, from its start to a ready account.
//!
//! A full one goes through the phases in their order: revoke, verify, sweep until a pass finds
//! nothing, wait until tokens that were already issued have lost their rights, prove twice, rotate
//! if due, mint, probe. Revocation comes before verification so that no fault of verification
//! delays it; the safety interlock is part of every verb of the Cloud port.

use std::time::Duration;

use super::Pool;
use super::account::{Account, AccountState, Cleaning, Phase, Purpose, Quarantine, Step};
use super::command::Done;
use super::credentials::{KeyChange, ManagementKey, ManagementKeys};
use super::event::{Event, Job};
use super::findings::{CloudError, Pass, Probe, Proof, Verified};
use super::ids::{AccountId, Fence, Generation, Timestamp};
use super::policy::Policy;
use super::progress::{Lasting, Progress};
use super::receipt::{Outcome, ReceiptStep};

/// How long the log says nothing of a sweep in which nothing changes.
const QUIET: Duration = Duration::from_mins(1);

/// What holds for a call that is made now.
#[derive(Clone, Copy)]
struct Terms {
    /// When its answer counts no more.
    answer_by: Timestamp,
    /// The master key from which a key is derived.
    generation: Generation,
    /// When IBM Cloud itself is to stop accepting a lease credential.
    expires_at: Timestamp,
}

/// Returns the call for the present phase of a cleaning, which is under way then.
fn next_job(account: &mut Account, terms: Terms) -> Job {
    let credential = account.credential.clone();
    let cleaning = account.cleaning_mut().expect("only a cleaning has jobs");
    cleaning.step = Step::Running(terms.answer_by);
    match (cleaning.phase, credential) {
        (Phase::Revoke, credential) => Job::Revoke(credential),
        (Phase::Verify, _) => Job::Verify,
        (Phase::Sweep, _) => Job::Sweep,
        (Phase::ProveOnce | Phase::ProveTwice, _) => Job::Prove,
        (Phase::Rotate, _) => Job::Rotate(intend_next_key(&mut account.keys, terms.generation)),
        (Phase::Retire, _) => Job::Retire,
        (Phase::Probe, Some(credential)) => Job::Probe(credential),
        (Phase::Mint, _) | (Phase::Probe, None) => {
            cleaning.phase = Phase::Mint;
            account.credential = None;
            account.unrevoked = true;
            Job::Mint {
                generation: terms.generation,
                expires_at: terms.expires_at,
            }
        }
    }
}

impl Pool {
    pub(super) fn start_cleaning(&mut self, id: &AccountId, purpose: Purpose) {
        let now = self.now;
        let deadline = now + self.policy.cleaning_timeout;
        self.events.push(Event::CleaningStarted {
            account: id.clone(),
            purpose,
        });
        self.call_cleaner(id, |account, terms| {
            let phase = match purpose {
                Purpose::Full | Purpose::Revoke => Phase::Revoke,
                Purpose::Check => Phase::Verify,
                Purpose::Remint => Phase::Mint,
                Purpose::Rotate => rotation_phase(account.keys),
            };
            let mut cleaning = Cleaning::begin(purpose, phase, now, deadline);
            cleaning.receipt = (purpose == Purpose::Full).then(|| account.fence.next());
            account.state = AccountState::Cleaning(cleaning.into());
            next_job(account, terms)
        });
        self.note(id, ReceiptStep::Began);
    }

    /// Writes a line of the receipt of a full cleaning.
    pub(super) fn note(&mut self, id: &AccountId, step: ReceiptStep) {
        let line = self.accounts[id].receipt_line(step, self.now);
        self.lines.extend(line);
    }

    /// Ends the receipt of a full cleaning, with what is known to be left.
    pub(super) fn end_receipt(&mut self, id: &AccountId, outcome: Outcome) {
        let line = self.accounts[id].last_receipt_line(outcome, self.now);
        self.lines.extend(line);
    }

    /// Calls the cleaner for the present phase.
    pub(super) fn issue_job(&mut self, id: &AccountId) {
        self.call_cleaner(id, next_job);
    }

    /// Takes the lease credential away from an account that is quarantined, without more ado.
    pub(super) fn revoke_in_quarantine(&mut self, id: &AccountId) {
        self.call_cleaner(id, |account, terms| {
            if let AccountState::Quarantined(quarantine) = &mut account.state {
                quarantine.revoke = Some(Step::Running(terms.answer_by));
            }
            Job::Revoke(account.credential.clone())
        });
    }

    /// Calls the cleaner under a fence of its own: no report of another call counts for this one.
    /// What is intended is part of the record before the call: the fence of a credential, the epoch
    /// of a management key.
    fn call_cleaner(&mut self, id: &AccountId, job: impl FnOnce(&mut Account, Terms) -> Job) {
        let now = self.now;
        let Policy {
            pass_timeout,
            remint_every,
            credential_grace,
            ..
        } = self.policy;
        let generation = self.generation();
        let longest_lease = self.policy.longest_lease(&self.accounts[id].account_type);
        let terms = Terms {
            answer_by: now + pass_timeout,
            generation,
            expires_at: now + remint_every + longest_lease + credential_grace,
        };
        let issued = self.change_account(id, |account| {
            let job = job(account, terms);
            account.fence = account.fence.next();
            Event::JobIssued {
                account: account.id.clone(),
                fence: account.fence,
                keys: account.keys,
                job,
            }
        });
        self.events.push(issued);
    }

    /// Takes a cleaner's report in. One with another fence than the account's is inert.
    pub(super) fn cleaning_reported(
        &mut self,
        id: &AccountId,
        fence: Fence,
        result: Result<Done, CloudError>,
    ) {
        let Some(account) = self
            .accounts
            .get(id)
            .filter(|account| account.fence == fence)
        else {
            return;
        };
        let phase = match &account.state {
            AccountState::Cleaning(cleaning) if matches!(cleaning.step, Step::Running(_)) => {
                cleaning.phase
            }
            AccountState::Quarantined(Quarantine {
                revoke: Some(Step::Running(_)),
                ..
            }) => return self.revoked_in_quarantine(id, result),
            _ => return,
        };
        match result {
            Ok(done) => {
                self.change_cleaning(id, |cleaning| cleaning.faults = 0);
                self.phase_done(id, phase, done);
            }
            Err(CloudError::Transient(error)) => self.fault_met(id, phase, error, Duration::ZERO),
            Err(CloudError::Throttled {
                retry_after,
                detail,
            }) => self.fault_met(id, phase, detail, retry_after),
            Err(
                CloudError::Unauthorised(reason)
                | CloudError::Refused(reason)
                | CloudError::WrongAccount(reason),
            ) => {
                if phase == Phase::Verify {
                    self.events.push(Event::VerificationFailed {
                        account: id.clone(),
                        account_type: self.accounts[id].account_type.clone(),
                        reason: reason.clone(),
                    });
                }
                self.quarantine_cleaning(id, &reason);
            }
        }
    }

    fn phase_done(&mut self, id: &AccountId, phase: Phase, done: Done) {
        match (phase, done) {
            (Phase::Revoke, Done::Revoked) => {
                let now = self.now;
                self.change_account(id, Account::revoked);
                let purpose = self.change_cleaning(id, |cleaning| {
                    cleaning.settling_since = Some(now);
                    cleaning.purpose
                });
                self.events.push(Event::CredentialRevoked {
                    account: id.clone(),
                });
                self.note(id, ReceiptStep::Revoked);
                if purpose == Purpose::Revoke {
                    self.put_out(id);
                } else {
                    self.go_on(id, Phase::Verify, Duration::ZERO);
                }
            }
            (Phase::Verify, Done::Verified(verified)) => self.account_verified(id, verified),
            (Phase::Sweep, Done::Swept(pass)) => self.account_swept(id, pass),
            (Phase::ProveOnce | Phase::ProveTwice, Done::Proved(proof)) => {
                self.account_read(id, phase, proof);
            }
            (Phase::Rotate, Done::Rotated) => {
                // It was intended when the job was issued, and nothing has changed that since.
                let keys = self.accounts[id].keys;
                let next = keys.pending.unwrap_or(keys.current);
                let rotate_at = self.rotation_of(next);
                self.change_account(id, |account| {
                    account.keys.pending = None;
                    account.keys.previous = Some(account.keys.current);
                    account.keys.current = next;
                    account.rotate_at = rotate_at;
                });
                self.key_changed(id, next, KeyChange::Rotation);
                self.go_on(id, Phase::Retire, Duration::ZERO);
            }
            (Phase::Retire, Done::Retired) => {
                self.change_account(id, |account| account.keys.previous = None);
                self.keys_done(id);
            }
            (Phase::Mint, Done::Minted(credential))
                if credential.generation < self.generation() =>
            {
                // Its master key may be gone by now: no record names it until a credential does.
                self.go_on(id, Phase::Mint, Duration::ZERO);
            }
            (Phase::Mint, Done::Minted(credential)) => {
                self.events.push(Event::CredentialMinted {
                    account: id.clone(),
                    fence: credential.fence,
                });
                let longest_lease = self.policy.longest_lease(&self.accounts[id].account_type);
                let remint_at =
                    credential.expires_at - longest_lease - self.policy.credential_grace;
                self.change_account(id, |account| {
                    account.credential = Some(credential);
                    account.remint_at = remint_at;
                });
                self.go_on(id, Phase::Probe, Duration::ZERO);
            }
            (Phase::Probe, Done::Probed(probe)) => self.credential_probed(id, probe),
            (phase, done) => {
                debug_assert!(false, "{phase:?} was answered by {done:?}");
                let error = "the cleaner answered something else than it was asked".to_owned();
                self.fault_met(id, phase, error, Duration::ZERO);
            }
        }
    }

    fn account_verified(&mut self, id: &AccountId, verified: Verified) {
        let now = self.now;
        let verify_at = now + self.policy.verify_every;
        let rotate_at = self.rotation_of(verified.current);
        let (changed, purpose) = self.change_account(id, |account| {
            let changed = believe(&mut account.keys, verified);
            if changed.is_some() {
                account.rotate_at = rotate_at;
            }
            account.verify_at = verify_at;
            account.verified_at = Some(now);
            let cleaning = account.cleaning_mut().expect("only a cleaning verifies");
            (changed, cleaning.purpose)
        });
        self.note(id, ReceiptStep::Verified);
        if let Some(cause) = changed {
            self.key_changed(id, verified.current, cause);
        }
        let next = match purpose {
            Purpose::Full => Phase::Sweep,
            Purpose::Check | Purpose::Remint | Purpose::Rotate | Purpose::Revoke => Phase::Probe,
        };
        self.go_on(id, next, Duration::ZERO);
    }

    fn account_swept(&mut self, id: &AccountId, pass: Pass) {
        let now = self.now;
        let settle = self.policy.settle;
        let clean = pass.is_clean();
        let refused = pass.is_refused();
        let stuck = pass.stuck.len();
        let before = self.accounts[id].progress();
        let is_first = self.change_cleaning(id, |cleaning| {
            cleaning.passes += 1;
            cleaning.passes == 1
        });
        self.note(id, ReceiptStep::swept(&pass, is_first));
        let refusals = self.change_cleaning(id, |cleaning| {
            cleaning.stuck_passes = if refused {
                cleaning.stuck_passes + 1
            } else {
                0
            };
            cleaning.stuck_passes
        });
        let gives_up = self.policy.gives_up(refusals, &pass);
        let settled_at = self.change_cleaning(id, |cleaning| {
            cleaning.remaining = pass.stuck;
            cleaning.remaining.extend(pass.leaving);
            cleaning.remaining.extend(pass.waiting);
            // Should its deletion never end, its name is what a person needs.
            cleaning.remaining.extend(pass.deleted);
            cleaning.enter(Phase::Sweep, pass.stage, now);
            // Also what a pass only waits for may have gone by a call whose answer was lost.
            if !clean {
                cleaning.settling_since = Some(now);
            }
            let since = *cleaning.settling_since.get_or_insert(now);
            since + settle
        });
        self.tell_of_pass(id, before, stuck);
        if clean {
            let wait = (settled_at - now).try_into().unwrap_or(Duration::ZERO);
            self.go_on(id, Phase::ProveOnce, wait);
        } else if gives_up {
            self.quarantine_cleaning(id, "cannot be deleted");
        } else {
            let wait = self.policy.pass_interval.saturating_mul(refusals.max(1));
            self.go_on(id, Phase::Sweep, wait);
        }
    }

    /// Says where a sweep is: at once if that is news, and else from time to time.
    fn tell_of_pass(&mut self, id: &AccountId, before: Option<Progress>, stuck: usize) {
        let now = self.now;
        let account = &self.accounts[id];
        let progress = account.progress().expect("the account is being cleaned");
        let is_same = before.is_some_and(|before| progress.is_like(&before));
        let (pass, is_news) = self.change_cleaning(id, |cleaning| {
            let is_recent = cleaning
                .said_at
                .is_some_and(|said_at| now < said_at + QUIET);
            let is_news = !(is_same && is_recent);
            if is_news {
                cleaning.said_at = Some(now);
            }
            (cleaning.passes, is_news)
        });
        self.events.push(Event::PassEnded {
            account: id.clone(),
            pass,
            stuck,
            lasting: Lasting::between(progress.since, now),
            progress,
            is_news,
        });
    }

    fn account_read(&mut self, id: &AccountId, phase: Phase, proof: Proof) {
        self.note(id, ReceiptStep::proved(phase, &proof));
        if proof.is_clean() {
            if phase == Phase::ProveOnce {
                let gap = self.policy.proof_gap;
                self.go_on(id, Phase::ProveTwice, gap);
            } else {
                self.events.push(Event::AccountProven {
                    account: id.clone(),
                });
                if self.accounts[id].rotation_is_due(self.now) {
                    let next = rotation_phase(self.accounts[id].keys);
                    self.go_on(id, next, Duration::ZERO);
                } else {
                    self.keys_done(id);
                }
            }
            return;
        }
        self.events.push(Event::ProofFailed {
            account: id.clone(),
            leftovers: proof.leftovers.len(),
        });
        let failures = self.change_cleaning(id, |cleaning| {
            cleaning.failed_proofs += 1;
            cleaning.remaining = proof.leftovers;
            cleaning.failed_proofs
        });
        // A search index that lags corrects itself; what no sweep can see does not.
        if failures > self.policy.stuck_passes {
            self.quarantine_cleaning(id, "found by the proof, and no sweep deletes it");
        } else {
            let wait = self.policy.proof_gap.saturating_mul(1 << failures.min(10));
            self.go_on(id, Phase::Sweep, wait);
        }
    }

    /// Goes on after the management keys are in order: the account is proven clean, or idle.
    fn keys_done(&mut self, id: &AccountId) {
        let account = &self.accounts[id];
        if account.keys.current.is_older_than(self.generation()) {
            // What had been begun under an older master key was finished first.
            self.go_on(id, Phase::Rotate, Duration::ZERO);
        } else if matches!(&account.state, AccountState::Cleaning(c) if c.purpose == Purpose::Rotate)
        {
            self.make_ready(id);
        } else if account.is_leaving() {
            self.put_out(id);
        } else {
            self.go_on(id, Phase::Mint, Duration::ZERO);
        }
    }

    fn credential_probed(&mut self, id: &AccountId, probe: Probe) {
        let purpose = self.change_cleaning(id, |cleaning| cleaning.purpose);
        match (probe, purpose) {
            (Probe::Works, _) => self.make_ready(id),
            // It worked before it was called ready: it has been lost since.
            (Probe::NotYet, Purpose::Check) => {
                self.change_cleaning(id, |cleaning| cleaning.purpose = Purpose::Remint);
                self.go_on(id, Phase::Mint, Duration::ZERO);
            }
            (Probe::NotYet, _) => {
                let interval = self.policy.pass_interval;
                self.go_on(id, Phase::Probe, interval);
            }
        }
    }

    /// Goes on with a phase after a pause.
    pub(super) fn go_on(&mut self, id: &AccountId, phase: Phase, pause: Duration) {
        let at = self.now + pause;
        let now = self.now;
        self.change_cleaning(id, |cleaning| {
            if cleaning.phase != phase {
                cleaning.enter(phase, None, now);
            }
            cleaning.step = Step::Due(at);
        });
        if pause.is_zero() {
            self.issue_job(id);
        }
    }

    fn key_changed(&mut self, id: &AccountId, key: ManagementKey, cause: KeyChange) {
        let now = self.now;
        let account_type = self.change_account(id, |account| {
            account.key_changed_at = Some(now);
            account.account_type.clone()
        });
        self.note(id, ReceiptStep::KeyChanged { epoch: key.epoch });
        self.events.push(Event::KeyChanged {
            account: id.clone(),
            account_type,
            key,
            cause,
        });
    }

    pub(super) fn change_cleaning<T>(
        &mut self,
        id: &AccountId,
        change: impl FnOnce(&mut Cleaning) -> T,
    ) -> T {
        self.change_account(id, |account: &mut Account| {
            change(
                account
                    .cleaning_mut()
                    .expect("the account is being cleaned"),
            )
        })
    }
}

/// Returns where a rotation begins, or goes on after a crash.
fn rotation_phase(keys: ManagementKeys) -> Phase {
    if keys.previous.is_some() && keys.pending.is_none() {
        Phase::Retire
    } else {
        Phase::Rotate
    }
}

/// Returns the key to make. Its epoch is never one that may have been used before, except to finish
/// what was begun.
fn intend_next_key(keys: &mut ManagementKeys, generation: Generation) -> ManagementKey {
    *keys.pending.get_or_insert_with(|| {
        keys.newest = keys.newest.next();
        ManagementKey {
            epoch: keys.newest,
            generation,
        }
    })
}

/// Believes the exchange about which management key works (`ibm-cloud.md` 13.2); tells why it is
/// another one than before, if it is.
fn believe(keys: &mut ManagementKeys, verified: Verified) -> Option<KeyChange> {
    let before = *keys;
    keys.verified = true;
    keys.newest = keys.newest.max(verified.newest).max(verified.current.epoch);
    if keys.current == verified.current {
        return None;
    }
    // The reply to its creation was lost, or the operator configured another key: it exists, so the
    // one before it is to be retired.
    let made = keys.pending == Some(verified.current);
    let adopted = verified.current == ManagementKey::CONFIGURED;
    keys.previous = (made || adopted).then_some(before.current);
    keys.pending = None;
    keys.current = verified.current;
    Some(if made {
        KeyChange::Rotation
    } else if adopted {
        KeyChange::Adoption
    } else {
        KeyChange::Discovery
    })
}
