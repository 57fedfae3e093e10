//! A pool with a scripted cloud around it: it collects the jobs that are issued and answers them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Leftover, Pass, Probe, Verified};
use acctpool_actors::pool::{
    AccountId, AccountState, Applied, Change, Command, Credential, Done, Epoch, Event, Fence, Job,
    ManagementKeys, Policy, Pool, ReportCleaning, ReservationId, Snapshot, StateKind, Step, Tick,
    Timestamp, TypePolicy,
};
use time::macros::datetime;
use uuid::Uuid;

pub(crate) const START: Timestamp = datetime!(2026-05-01 10:00 UTC);

pub(crate) fn policy() -> Policy {
    let minutes = Duration::from_mins;
    let of_type = TypePolicy {
        default_duration: minutes(60),
        max_duration: minutes(120),
    };
    Policy {
        pending_timeout: minutes(15),
        claim_timeout: minutes(10),
        settle: minutes(10),
        proof_gap: minutes(2),
        pass_interval: Duration::from_secs(10),
        pass_timeout: minutes(15),
        cleaning_timeout: minutes(120),
        cleaning_attempts: 3,
        stuck_passes: 3,
        backoff_min: Duration::from_secs(1),
        backoff_max: minutes(5),
        verify_every: minutes(6 * 60),
        remint_every: minutes(24 * 60),
        rotate_every: Some(minutes(7 * 24 * 60)),
        credential_grace: minutes(60),
        retain_ended: minutes(24 * 60),
        max_pending_per_token: 5,
        max_pending: 12,
        max_ended: 40,
        types: [("free".into(), of_type), ("lite".into(), of_type)].into(),
    }
}

/// A job that was issued and not answered.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) account: AccountId,
    pub(crate) fence: Fence,
    pub(crate) keys: ManagementKeys,
    pub(crate) job: Job,
    pub(crate) at: Timestamp,
}

/// How the scripted cloud answers a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All is well; a sweep finds nothing.
    Well,
    /// A sweep deletes something, a proof finds something, a probe does not work yet.
    Busy,
    /// A sweep finds only what refuses to go.
    Stuck,
    /// Done, but the reply is lost.
    LostReply,
    /// Not done.
    Fault,
    /// Not done, and a pause is asked for.
    Throttled,
    /// A person is needed.
    Refused,
}

/// What exists at the cloud, for one account.
#[derive(Clone, Debug)]
pub(crate) struct CloudAccount {
    pub(crate) management: BTreeSet<Epoch>,
    pub(crate) leases: BTreeSet<Fence>,
}

pub(crate) struct World {
    pub(crate) pool: Pool,
    pub(crate) now: Timestamp,
    pub(crate) written: Snapshot,
    pub(crate) accounts: Vec<(AccountId, acctpool_actors::pool::AccountType)>,
    pub(crate) open_jobs: Vec<Issued>,
    pub(crate) old_jobs: Vec<Issued>,
    pub(crate) events: Vec<Event>,
    pub(crate) cloud: BTreeMap<AccountId, CloudAccount>,
    ids: u128,
}

impl World {
    pub(crate) fn new(free: usize, lite: usize) -> Self {
        let named = |label: &'static str, n| {
            (0..n).map(move |i| (AccountId::from(format!("{label}-{i}")), label.into()))
        };
        let accounts: Vec<_> = named("free", free).chain(named("lite", lite)).collect();
        let unspoilt = CloudAccount {
            management: [Epoch(0)].into(),
            leases: BTreeSet::new(),
        };
        Self {
            pool: Pool::open(policy(), accounts.clone(), Snapshot::default(), START),
            now: START,
            written: Snapshot::default(),
            cloud: accounts
                .iter()
                .map(|(id, _)| (id.clone(), unspoilt.clone()))
                .collect(),
            accounts,
            open_jobs: Vec::new(),
            old_jobs: Vec::new(),
            events: Vec::new(),
            ids: 0,
        }
    }

    pub(crate) fn fresh_id(&mut self) -> ReservationId {
        self.ids += 1;
        Uuid::from_u128(self.ids).into()
    }

    /// Carries a command out, writes down what changed, and collects the jobs.
    pub(crate) fn apply<C: Command>(&mut self, command: C) -> C::Reply {
        let Applied {
            reply,
            events,
            changes,
        } = self.pool.apply(command, self.now);
        for change in changes {
            self.written.write(change);
        }
        for event in &events {
            if let Event::JobIssued {
                account,
                fence,
                keys,
                job,
            } = event
            {
                // A cleaner does one job at a time: a new one replaces the one before it.
                self.retire_jobs_of(account);
                self.open_jobs.push(Issued {
                    account: account.clone(),
                    fence: *fence,
                    keys: *keys,
                    job: job.clone(),
                    at: self.now,
                });
            }
        }
        self.events = events;
        reply
    }

    fn retire_jobs_of(&mut self, account: &AccountId) {
        let (gone, open) = std::mem::take(&mut self.open_jobs)
            .into_iter()
            .partition(|issued| issued.account == *account);
        self.open_jobs = open;
        self.old_jobs.extend::<Vec<_>>(gone);
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.apply(Tick);
    }

    /// Lets the cloud do a job, or not. The caller reports.
    pub(crate) fn carry_out_picked(
        &mut self,
        pick: usize,
        answer: Answer,
    ) -> Option<(Issued, Result<Done, CloudError>)> {
        if self.open_jobs.is_empty() {
            return None;
        }
        let issued = self.open_jobs.remove(pick % self.open_jobs.len());
        self.old_jobs.push(issued.clone());
        let result = self.result_of(&issued, answer);
        Some((issued, result))
    }

    pub(crate) fn answer(&mut self, pick: usize, answer: Answer) {
        if let Some((issued, result)) = self.carry_out_picked(pick, answer) {
            self.report(&issued, result);
        }
    }

    pub(crate) fn report(&mut self, issued: &Issued, result: Result<Done, CloudError>) {
        self.apply(ReportCleaning {
            account: issued.account.clone(),
            fence: issued.fence,
            result,
        });
    }

    fn result_of(&mut self, issued: &Issued, answer: Answer) -> Result<Done, CloudError> {
        match answer {
            Answer::Fault => return Err(CloudError::Transient("503".to_owned())),
            Answer::Throttled => {
                return Err(CloudError::Throttled {
                    retry_after: Duration::from_secs(40),
                    detail: "429".to_owned(),
                });
            }
            Answer::Refused => return Err(CloudError::Refused("403".to_owned())),
            Answer::Well | Answer::Busy | Answer::Stuck | Answer::LostReply => {}
        }
        let done = self.carry_out(issued, answer);
        match answer {
            Answer::LostReply => Err(CloudError::Transient("connection reset".to_owned())),
            _ => Ok(done),
        }
    }

    fn carry_out(&mut self, issued: &Issued, answer: Answer) -> Done {
        let cloud = self.cloud.get_mut(&issued.account).unwrap();
        match &issued.job {
            Job::Revoke(_) => {
                cloud.leases.clear();
                Done::Revoked
            }
            Job::Verify => {
                let candidates = [
                    issued.keys.pending,
                    Some(issued.keys.current),
                    issued.keys.previous,
                ];
                let current = candidates
                    .into_iter()
                    .flatten()
                    .find(|epoch| cloud.management.contains(epoch))
                    .expect("management_key_never_lost: none that the pool knows of works");
                let newest = *cloud.management.last().unwrap();
                Done::Verified(Verified { current, newest })
            }
            Job::Sweep => Done::Swept(match answer {
                Answer::Busy => Pass {
                    deleted: 1,
                    ..Pass::default()
                },
                Answer::Stuck => Pass {
                    stuck: vec![leftover()],
                    ..Pass::default()
                },
                _ => Pass::default(),
            }),
            Job::Prove => Done::Proved(match answer {
                Answer::Busy | Answer::Stuck => vec![leftover()],
                _ => Vec::new(),
            }),
            Job::Rotate(to) => {
                cloud.management.insert(*to);
                Done::Rotated
            }
            Job::Retire => {
                let current = issued.keys.current;
                cloud.management.retain(|epoch| *epoch == current);
                Done::Retired
            }
            Job::Mint { expires_at } => {
                cloud.leases = [issued.fence].into();
                Done::Minted(Credential {
                    fence: issued.fence,
                    service_id: format!("ServiceId-{}", issued.fence),
                    key_id: format!("ApiKey-{}", issued.fence),
                    policy_ids: vec!["policy".to_owned()],
                    expires_at: *expires_at,
                })
            }
            Job::Probe(credential) => {
                let exists = cloud.leases.contains(&credential.fence);
                Done::Probed(match answer {
                    Answer::Well | Answer::LostReply if exists => Probe::Works,
                    _ => Probe::NotYet,
                })
            }
        }
    }

    /// Answers everything well until nothing is left to do but wait, then waits; until all accounts
    /// that can be ready are.
    pub(crate) fn run_well(&mut self) {
        for _ in 0..10_000 {
            if !self.open_jobs.is_empty() {
                self.answer(0, Answer::Well);
            } else if self
                .pool
                .accounts()
                .any(|a| matches!(a.kind(), StateKind::Dirty | StateKind::Cleaning))
            {
                let next = self
                    .pool
                    .next_deadline()
                    .expect("a cleaning has a deadline");
                self.now = self.now.max(next);
                self.apply(Tick);
            } else {
                return;
            }
        }
        panic!("the pool never comes to rest");
    }

    /// Stops the process and starts it again on what was written down.
    pub(crate) fn restart(&mut self) {
        self.restart_with(policy());
    }

    /// The same, with other settings.
    pub(crate) fn restart_with(&mut self, policy: Policy) {
        self.old_jobs.append(&mut self.open_jobs);
        let (accounts, written) = (self.accounts.clone(), self.written.clone());
        self.pool = Pool::open(policy, accounts, written, self.now);
        self.apply(Tick);
        // Recovery is not written down, since it is done again at each start.
        for account in self.pool.accounts() {
            self.written.write(Change::Account(account.clone()));
        }
    }

    /// Whether nobody waits for the answer any more: another job was issued, or none runs.
    pub(crate) fn is_stale(&self, issued: &Issued) -> bool {
        let account = self.pool.accounts().find(|a| a.id == issued.account);
        account.is_none_or(|account| {
            let running = match &account.state {
                AccountState::Cleaning(cleaning) => Some(cleaning.step),
                AccountState::Quarantined(quarantine) => quarantine.revoke,
                _ => None,
            };
            account.fence != issued.fence || !matches!(running, Some(Step::Running(_)))
        })
    }

    pub(crate) fn state(&self, account: &str) -> AccountState {
        let account = self.pool.accounts().find(|a| a.id.as_str() == account);
        account.unwrap().state.clone()
    }
}

pub(crate) fn leftover() -> Leftover {
    Leftover {
        collection: "resource instances".to_owned(),
        id: "crn:v1:immortal".to_owned(),
        name: Some("immortal".to_owned()),
        reason: "422".to_owned(),
    }
}
