//! What becomes of the calls to the cloud, and what they must have done once they have ended.

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool::ibm::Outgoing;
use acctpool_actors::cloud::{CloudError, Proof};
use acctpool_actors::pool::{
    Account, AccountId, AccountState, Change, Done, Epoch, Fence, Job, ManagementKey,
    ManagementKeys, ReportCleaning, Step, Tick,
};

use super::Life;
use crate::agenda::{Flight, Happening};
use crate::line::Reply;
use crate::tally::Fault;
use crate::weather::Hearing;

/// While the cloud is well, the key of a lease is dead so soon after the lease.
const SOON: Duration = Duration::from_secs(20);

impl Life {
    /// A request leaves the process.
    pub(super) fn sent(&mut self, account: AccountId, outgoing: Outgoing, reply: Reply) {
        self.tally.requests += 1;
        if self.mute.as_ref() == Some(&account) {
            // The sender waits in vain.
            return self.fault(Fault::Mute);
        }
        let (fate, fault) = self.weather.fate(&mut self.dice);
        if let Some(fault) = fault {
            self.fault(fault);
        }
        let reply = match fate.heard {
            Hearing::Broken(after) => {
                let broken = Err("the connection was reset".to_owned());
                self.plan(after, Happening::Reply(reply, broken));
                None
            }
            Hearing::Answer(_) => Some(reply),
            Hearing::Nothing => None,
        };
        if let Some(after) = fate.arrives {
            let flight = Flight {
                account,
                outgoing,
                fate,
                reply,
            };
            self.plan(after, Happening::Request(Box::new(flight)));
        }
    }

    /// A request comes to the cloud: what it asks for is done, or fails there.
    pub(super) fn request_arrives(&mut self, flight: Flight) {
        let Flight {
            account,
            outgoing,
            fate,
            reply,
        } = flight;
        let answer = self.cloud.answer(&outgoing, fate.strike);
        let concerns_keys = outgoing.url.contains("/apikeys") && outgoing.method != "GET";
        if concerns_keys {
            self.witness
                .management_key_never_lost(&account, &self.cloud);
        }
        let status = answer.as_ref().map_or(0, |answer| answer.status.as_u16());
        self.tally
            .happened((self.now, outgoing.method.as_str(), status));
        if let (Some(reply), Hearing::Answer(after)) = (reply, fate.heard) {
            let answer = answer.ok_or_else(|| "the connection was reset".to_owned());
            self.plan(after, Happening::Reply(reply, answer));
        }
    }

    /// A cleaner was called.
    pub(super) fn call_began(&mut self, account: &AccountId, job: &Job) {
        if let Job::Revoke(_) = job {
            self.witness.revocation_began(account);
        }
    }

    /// A cleaner's call has ended. What it says is compared with the truth.
    pub(super) fn call_ended(
        &mut self,
        account: &AccountId,
        keys: ManagementKeys,
        job: &Job,
        result: &Result<Done, CloudError>,
    ) {
        self.tally.calls += 1;
        self.tally
            .happened((self.now, account.as_str(), result.is_ok()));
        let Ok(done) = result else {
            return;
        };
        match (job, done) {
            (Job::Revoke(credential), Done::Revoked) => {
                if let Some(credential) = credential {
                    self.assert_revoked(account, credential.fence);
                }
                let left = self.cloud.lease_service_ids(account);
                assert!(
                    left.is_empty(),
                    "no_orphan_credential: {account} was revoked, and has {left:?}"
                );
            }
            (_, Done::Verified(verified)) => {
                self.assert_opens(account, verified.current.epoch, "was verified with");
            }
            (Job::Rotate(to), Done::Rotated) => {
                self.assert_opens(account, to.epoch, "was rotated to");
            }
            (_, Done::Retired) => self.assert_retired(account, keys),
            (_, Done::Minted(credential)) => {
                let key = self.cloud.lease_key(account, credential.fence);
                assert_eq!(
                    key.as_ref(),
                    Some(&credential.key_id),
                    "{account} was minted {credential:?}"
                );
            }
            _ => {}
        }
    }

    fn assert_revoked(&self, account: &AccountId, lease: Fence) {
        let key = self.cloud.lease_key(account, lease);
        assert!(
            key.is_none(),
            "deadline_holds: {key:?} of {account} was revoked, and works"
        );
    }

    fn assert_opens(&self, account: &AccountId, epoch: Epoch, what: &str) {
        assert!(
            self.cloud.management_key_works(account, epoch),
            "management_key_never_lost: {account} {what} epoch {epoch}, which does not work"
        );
    }

    fn assert_retired(&self, account: &AccountId, keys: ManagementKeys) {
        let epoch_of = |key: Option<ManagementKey>| key.map(|key| key.epoch);
        let former: BTreeSet<Epoch> = (0..keys.current.epoch.0).map(Epoch).collect();
        let left: Vec<_> = former
            .into_iter()
            .filter(|epoch| epoch_of(keys.pending) != Some(*epoch))
            .filter(|epoch| *epoch != Epoch(0) || epoch_of(keys.previous) == Some(Epoch(0)))
            .filter(|epoch| self.cloud.management_key_works(account, *epoch))
            .collect();
        assert!(
            left.is_empty(),
            "no_orphan_credential: {account} has retired all but {keys:?}, and {left:?} work"
        );
        self.assert_opens(account, keys.current.epoch, "has retired all but");
    }

    /// The lease of an account is over. While all is well, its key dies soon.
    pub(super) fn lease_ended(&mut self, account: &AccountId) {
        let credential = self
            .witness
            .account(account)
            .and_then(|a| a.credential.clone());
        let well = self.weather.is_calm() && self.mute.as_ref() != Some(account);
        if let Some(credential) = credential.filter(|_| well) {
            let must_be_dead = Happening::KeyIsDead {
                account: account.clone(),
                lease: credential.fence,
                process: self.processes,
            };
            self.plan(SOON, must_be_dead);
        }
    }

    pub(super) fn key_is_dead(&mut self, account: &AccountId, lease: Fence, process: u64) {
        let troubled = !self.weather.is_calm() || self.since > self.now - SOON * 2;
        if self.process.is_some() && process == self.processes && !troubled {
            self.assert_revoked(account, lease);
        }
    }

    /// P9: a report with an old fence changes nothing, whatever its account is at.
    pub(super) async fn stale_report(&mut self) {
        self.plan_about(Duration::from_hours(1), Happening::StaleReport);
        let running = |account: &&Account| {
            let AccountState::Cleaning(cleaning) = &account.state else {
                return false;
            };
            matches!(cleaning.step, Step::Running(_))
        };
        let accounts: Vec<_> = self.witness.accounts().filter(running).collect();
        if accounts.is_empty() || !self.witness.is_up() {
            return;
        }
        let picked = accounts[self.dice.place(accounts.len())];
        let (account, fence) = (picked.id.clone(), picked.fence);
        let result = match self.dice.below(4) {
            0 => Ok(Done::Proved(Proof::default())),
            1 => Ok(Done::Revoked),
            2 => Err(CloudError::Refused("too late".to_owned())),
            _ => Err(CloudError::Transient("too late".to_owned())),
        };
        // What falls due by now happens first.
        let _ = self.running().ask(Tick).await;
        for batch in self.disk.take_batches() {
            self.committed(batch);
        }
        if self.witness.account(&account).map(|account| account.fence) != Some(fence) {
            return;
        }
        let report = ReportCleaning {
            account: account.clone(),
            fence: Fence(fence.0.saturating_sub(1 + self.dice.below(3))),
            result,
        };
        self.fault(Fault::StaleReport);
        // A process that dies of it has not changed anything either.
        let _ = self.running().ask(report).await;
        let line = self.running().line.clone();
        for batch in self.disk.take_batches() {
            let concerned = batch
                .iter()
                .any(|change| matches!(change, Change::Account(changed) if changed.id == account));
            assert!(
                !concerned || line.has_ended(&account),
                "stale_report_is_inert: one of {account} led to {batch:?}"
            );
            self.committed(batch);
        }
    }
}
