//! An account's life (`design.md` 8): what follows when a lease ends, when something is due, and
//! when the operator intervenes. How a cleaning goes is in `cleaning.rs`.

use super::Pool;
use super::account::{AccountState, Phase, Purpose, Quarantine, StateKind, Step};
use super::event::Event;
use super::ids::{AccountId, ReservationId};
use super::receipt::Outcome;
use super::reservation::EndReason;

impl Pool {
    /// Takes an account back from a lease that is over; `used_by` is its reservation if the
    /// credential was shown. One whose credential was never shown is as ready as before.
    pub(super) fn take_back(&mut self, id: &AccountId, used_by: Option<ReservationId>) {
        if used_by.is_some() {
            self.change_account(id, |account| account.used_by = used_by);
            self.observed.came_back(id, self.now);
            self.start_cleaning(id, Purpose::Full);
        } else {
            self.make_ready(id);
        }
    }

    /// Does what an account's deadline was set for.
    pub(super) fn account_due(&mut self, id: &AccountId) {
        let now = self.now;
        let account = &self.accounts[id];
        match &account.state {
            AccountState::Dirty { .. } => self.start_cleaning(id, Purpose::Full),
            AccountState::Ready { .. } => self.make_ready(id),
            AccountState::Cleaning(cleaning) if cleaning.deadline <= now => {
                self.cleaning_timed_out(id);
            }
            AccountState::Cleaning(cleaning) => match cleaning.step {
                Step::Due(_) => self.issue_job(id),
                Step::Running(_) => self.job_timed_out(id),
            },
            AccountState::Quarantined(quarantine) => match quarantine.revoke {
                Some(Step::Running(_)) => self.revocation_timed_out(id),
                Some(Step::Due(_)) | None => self.revoke_in_quarantine(id),
            },
            AccountState::Leased { .. } | AccountState::Drained => {
                debug_assert!(false, "{:?} has no deadline", account.kind());
            }
        }
    }

    /// Lets an account be granted, unless some upkeep is due first.
    pub(super) fn make_ready(&mut self, id: &AccountId) {
        self.end_receipt(id, Outcome::Ready);
        let now = self.now;
        let account = &self.accounts[id];
        if account.is_leaving() {
            self.start_cleaning(id, Purpose::Full);
        } else if account.rotation_is_due(now) {
            self.start_cleaning(id, Purpose::Rotate);
        } else if account.remint_at <= now || account.credential.is_none() {
            self.start_cleaning(id, Purpose::Remint);
        } else if account.verify_at <= now {
            self.start_cleaning(id, Purpose::Check);
        } else {
            let account_type = &account.account_type;
            self.observed.became_ready(id, account_type, now);
            let order = self.next_sequence();
            self.change_account(id, |account| {
                account.state = AccountState::Ready { order };
                account.timeouts = 0;
                account.used_by = None;
            });
            self.events.push(Event::AccountReady {
                account: id.clone(),
            });
        }
    }

    pub(super) fn quarantine(&mut self, id: &AccountId, quarantine: Quarantine) {
        self.observed.went_out(id);
        let account_type = self.change_account(id, |account| {
            account.state = AccountState::Quarantined(quarantine.clone());
            account.account_type.clone()
        });
        self.events.push(Event::AccountQuarantined {
            account: id.clone(),
            account_type,
            quarantine,
        });
    }

    /// Gives up on the answer of a revocation in quarantine, and tries again later.
    fn revocation_timed_out(&mut self, id: &AccountId) {
        let retry_at = self.now + self.policy.backoff_max;
        self.change_account(id, |account| {
            if let AccountState::Quarantined(quarantine) = &mut account.state {
                quarantine.revoke = Some(Step::Due(retry_at));
            }
        });
        self.events.push(Event::JobTimedOut {
            account: id.clone(),
            phase: Phase::Revoke,
        });
    }

    /// See [`super::DrainAccount`].
    pub(super) fn drain(&mut self, id: &AccountId) {
        self.change_account(id, |account| account.draining = true);
        match &self.accounts[id].state {
            // Its lease credential has to go first.
            AccountState::Ready { .. } => self.make_ready(id),
            AccountState::Quarantined(quarantine) if quarantine.revoke.is_none() => {
                self.put_out(id);
            }
            // Revocation in quarantine ends here, an idle account's upkeep in `make_ready`, a full
            // cleaning in `keys_done`.
            AccountState::Quarantined(_)
            | AccountState::Dirty { .. }
            | AccountState::Cleaning(_)
            | AccountState::Leased { .. }
            | AccountState::Drained => {}
        }
    }

    /// Takes an account out: nothing of acctpool is left in it but the management key.
    pub(super) fn put_out(&mut self, id: &AccountId) {
        self.end_receipt(id, Outcome::Drained);
        self.observed.went_out(id);
        self.change_account(id, |account| {
            account.state = AccountState::Drained;
            account.used_by = None;
        });
        self.events.push(Event::AccountDrained {
            account: id.clone(),
        });
    }

    /// See [`super::EnableAccount`].
    pub(super) fn enable(&mut self, id: &AccountId) {
        let now = self.now;
        let enabled = self.change_account(id, |account| {
            account.draining = false;
            let out = matches!(account.kind(), StateKind::Quarantined | StateKind::Drained);
            if out {
                account.timeouts = 0;
                account.state = AccountState::Dirty { not_before: now };
            }
            out
        });
        if enabled {
            self.start_cleaning(id, Purpose::Full);
        }
    }

    /// See [`super::CleanAccount`].
    pub(super) fn clean(&mut self, id: &AccountId) {
        if !matches!(&self.accounts[id].state, AccountState::Cleaning(c) if c.purpose == Purpose::Full)
        {
            self.change_account(id, |account| account.timeouts = 0);
            self.start_cleaning(id, Purpose::Full);
        }
    }

    /// See [`super::QuarantineAccount`].
    pub(super) fn set_aside(&mut self, id: &AccountId, reason: String) {
        if let AccountState::Leased { reservation } = self.accounts[id].state {
            // What follows upon every lease begins, so that there is a receipt of it that says how far
            // it came.
            self.end_reservation(reservation, EndReason::Revoked);
        }
        // The last word counts.
        self.change_account(id, |account| account.draining = false);
        let account = &self.accounts[id];
        let (is_at_work, leftovers) = match &account.state {
            AccountState::Quarantined(_) => return,
            AccountState::Cleaning(cleaning) => (true, cleaning.remaining.clone()),
            _ => (false, Vec::new()),
        };
        // A cleaner that is at work stops for another call, and for nothing else.
        let call = account.unrevoked || is_at_work;
        let outcome = Outcome::Quarantined {
            reason: reason.clone(),
        };
        self.end_receipt(id, outcome);
        let quarantine = Quarantine {
            reason,
            leftovers,
            revoke: call.then_some(Step::Due(self.now)),
            set_aside: true,
        };
        self.quarantine(id, quarantine);
        if call {
            self.revoke_in_quarantine(id);
        }
    }
}
