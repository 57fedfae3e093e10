//! When a cleaning does not go on as it should: faults, calls without an answer, attempts that run out
//! of time, and at last quarantine, where a lease credential is still taken away.

use std::time::Duration;

use super::Pool;
use super::account::{AccountState, Phase, Purpose, Quarantine, Step};
use super::command::Done;
use super::event::Event;
use super::findings::CloudError;
use super::ids::AccountId;
use super::receipt::{Outcome, ReceiptStep};

impl Pool {
    pub(super) fn fault_met(
        &mut self,
        id: &AccountId,
        phase: Phase,
        error: String,
        at_least: Duration,
    ) {
        // Nobody is waited for longer than a cleaning may take.
        let at_least = at_least.min(self.policy.cleaning_timeout);
        let pause = self.next_backoff(id).max(at_least);
        self.go_on(id, phase, pause);
        let words = error.clone();
        self.note(
            id,
            ReceiptStep::Faulted {
                phase,
                error: words,
            },
        );
        self.events.push(Event::FaultMet {
            account: id.clone(),
            phase,
            error,
            retry_at: self.now + pause,
        });
    }

    /// Gives up on an answer: it may still come, and must not count then.
    pub(super) fn job_timed_out(&mut self, id: &AccountId) {
        let phase = self.change_cleaning(id, |cleaning| cleaning.phase);
        self.events.push(Event::JobTimedOut {
            account: id.clone(),
            phase,
        });
        let error = "no answer came in time".to_owned();
        self.note(id, ReceiptStep::Faulted { phase, error });
        let pause = self.next_backoff(id);
        self.go_on(id, phase, pause);
    }

    fn next_backoff(&mut self, id: &AccountId) -> Duration {
        let faults = self.change_cleaning(id, |cleaning| {
            cleaning.faults += 1;
            cleaning.faults
        });
        self.policy.backoff(faults)
    }

    pub(super) fn cleaning_timed_out(&mut self, id: &AccountId) {
        let not_before = self.now + self.policy.backoff_max;
        let (attempt, purpose) = self.change_account(id, |account| {
            account.timeouts += 1;
            let purpose = account.cleaning_mut().map(|cleaning| cleaning.purpose);
            (account.timeouts, purpose)
        });
        self.events.push(Event::CleaningTimedOut {
            account: id.clone(),
            attempt,
        });
        // What follows upon another attempt is a full cleaning, which this account is spared.
        if attempt >= self.policy.cleaning_attempts || purpose == Some(Purpose::Revoke) {
            self.quarantine_cleaning(id, "no cleaning ended in time");
        } else {
            self.end_receipt(id, Outcome::TimedOut);
            self.change_account(id, |account| {
                account.state = AccountState::Dirty { not_before }
            });
        }
    }

    /// Gives up, and names what is left.
    pub(super) fn quarantine_cleaning(&mut self, id: &AccountId, what: &str) {
        let phase = self.change_cleaning(id, |cleaning| cleaning.phase);
        let reason = format!("{}: {what}", phase.as_str());
        let outcome = Outcome::Quarantined {
            reason: reason.clone(),
        };
        self.end_receipt(id, outcome);
        let remaining =
            self.change_cleaning(id, |cleaning| std::mem::take(&mut cleaning.remaining));
        let owed = self.accounts[id].unrevoked;
        // What has just been refused is not asked again at once.
        let pause = match phase {
            Phase::Revoke => self.policy.backoff_max,
            _ => Duration::ZERO,
        };
        let revoke = owed.then_some(Step::Due(self.now + pause));
        self.quarantine(
            id,
            Quarantine {
                reason,
                leftovers: remaining,
                revoke,
                set_aside: false,
            },
        );
        if owed && pause.is_zero() {
            self.revoke_in_quarantine(id);
        }
    }

    /// Takes in what came of revoking in quarantine.
    pub(super) fn revoked_in_quarantine(
        &mut self,
        id: &AccountId,
        result: Result<Done, CloudError>,
    ) {
        let retry_at = self.now + self.policy.backoff_max;
        let error = result.err();
        let revoked = error.is_none();
        self.change_account(id, |account| {
            if revoked {
                account.revoked();
            }
            if let AccountState::Quarantined(quarantine) = &mut account.state {
                quarantine.revoke = (!revoked).then_some(Step::Due(retry_at));
            }
        });
        if let Some(error) = error {
            self.events.push(Event::FaultMet {
                account: id.clone(),
                phase: Phase::Revoke,
                error: error.to_string(),
                retry_at,
            });
            return;
        }
        self.events.push(Event::CredentialRevoked {
            account: id.clone(),
        });
        if self.accounts[id].is_leaving() {
            self.put_out(id);
        }
    }
}
