//! A pool with a disk and a scripted cloud around it.
//!
//! Nothing leaves the pool before it is written down: while the disk is slow, changes and jobs are
//! held back, and a crash may lose the last of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{
    Account, AccountId, AccountState, AccountType, Applied, Change, Command, Done, Event,
    Generation, GetMasterKeys, ManagementKey, Policy, Pool, ReceiptLine, Reconfigure, Reconfigured,
    ReportCleaning, Reservation, ReservationId, Snapshot, StateKind, Step, Tick, Timestamp,
    TokenChanges, TypePolicy, UseMasterKey,
};
use time::macros::datetime;
use uuid::Uuid;

pub use crate::cloud::{Answer, CloudAccount, Issued, leftover};

/// When every world begins.
pub const START: Timestamp = datetime!(2026-05-01 10:00 UTC);

/// More jobs that were answered or given up than anybody looks back at.
const OLD_JOBS: usize = 256;

/// More lines of receipts than anybody looks back at.
const OLD_LINES: usize = 4096;

/// Returns the settings that a world begins with.
#[must_use]
pub fn policy() -> Policy {
    let minutes = Duration::from_mins;
    let of_type = TypePolicy {
        default_duration: minutes(60),
        max_duration: minutes(120),
    };
    Policy {
        pending_timeout: minutes(15),
        claim_timeout: minutes(10),
        exhausted_after: minutes(1),
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
        tokens: BTreeMap::new(),
    }
}

/// See the module.
pub struct World {
    /// The pool.
    pub pool: Pool,
    /// What time it is.
    pub now: Timestamp,
    /// What was written down.
    pub written: Snapshot,
    /// What the operator's file names.
    pub accounts: Vec<(AccountId, AccountType)>,
    /// Jobs that a cleaner is at.
    pub open_jobs: Vec<Issued>,
    /// The last jobs that were answered or given up.
    pub old_jobs: Vec<Issued>,
    /// Jobs that were sent out since somebody last took them from here.
    pub sent: Vec<Issued>,
    /// What happened in the last turn.
    pub events: Vec<Event>,
    /// The last lines of receipts that were written down.
    pub lines: Vec<ReceiptLine>,
    /// Whether the last turn changed any record.
    pub changed: bool,
    /// The master keys in the state directory. One that the pool has durably forgotten is gone.
    pub master_keys: BTreeSet<Generation>,
    /// What is at the cloud.
    pub cloud: BTreeMap<AccountId, CloudAccount>,
    /// Whether what is decided stays undurable for the time being.
    pub disk_is_slow: bool,
    /// What was decided and is not durable.
    unsaved: Vec<Turn>,
    /// Accounts whose records are as the start made them. It would make them so again.
    as_opened: BTreeSet<AccountId>,
    ids: u128,
}

/// A decision on its way to the disk.
struct Turn {
    changes: Vec<Change>,
    lines: Vec<ReceiptLine>,
    jobs: Vec<Issued>,
}

impl World {
    /// Returns a world at its start, with so many accounts of each type.
    #[must_use]
    pub fn new(free: usize, lite: usize) -> Self {
        let named = |label: &'static str, n| {
            (0..n).map(move |i| (AccountId::from(format!("{label}-{i}")), label.into()))
        };
        let accounts: Vec<_> = named("free", free).chain(named("lite", lite)).collect();
        let first = Generation::default();
        let written = Snapshot {
            master_keys: [(first, fingerprint(first).into())].into(),
            ..Snapshot::default()
        };
        Self {
            pool: Pool::open(policy(), accounts.clone(), written.clone(), START),
            now: START,
            written,
            master_keys: [first].into(),
            cloud: accounts
                .iter()
                .map(|(id, _)| (id.clone(), CloudAccount::unspoilt()))
                .collect(),
            as_opened: accounts.iter().map(|(id, _)| id.clone()).collect(),
            accounts,
            open_jobs: Vec::new(),
            old_jobs: Vec::new(),
            sent: Vec::new(),
            events: Vec::new(),
            lines: Vec::new(),
            changed: false,
            disk_is_slow: false,
            unsaved: Vec::new(),
            ids: 0,
        }
    }

    /// Returns an id that was not used before.
    pub fn fresh_id(&mut self) -> ReservationId {
        self.ids += 1;
        // In no order, so that nothing can lean on one.
        let scrambled = self
            .ids
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Uuid::from_u128(scrambled).into()
    }

    /// Carries a command out, writes down what changed, and sends out the jobs.
    pub fn apply<C: Command>(&mut self, command: C) -> C::Reply {
        let Applied {
            reply,
            events,
            changes,
            lines,
        } = self.pool.apply(command, self.now);
        let at = self.now;
        let jobs = events.iter().filter_map(|event| issued(event, at));
        self.unsaved.push(Turn {
            jobs: jobs.collect(),
            changes,
            lines,
        });
        self.changed = self
            .unsaved
            .last()
            .is_some_and(|turn| !turn.changes.is_empty());
        self.events = events;
        if !self.disk_is_slow {
            self.save();
        }
        reply
    }

    /// Makes durable what was decided, and sends its jobs out.
    pub fn save(&mut self) {
        for turn in std::mem::take(&mut self.unsaved) {
            self.write(turn.changes, turn.lines);
            for job in turn.jobs {
                // A cleaner does one job at a time: a new one replaces the one before it.
                self.retire_job_of(&job.account);
                self.sent.push(job.clone());
                self.open_jobs.push(job);
            }
        }
    }

    fn write(&mut self, changes: Vec<Change>, lines: Vec<ReceiptLine>) {
        assert!(
            lines.is_empty() || !changes.is_empty(),
            "a line of a receipt belongs to a change"
        );
        if self.lines.len() > OLD_LINES {
            self.lines.drain(..OLD_LINES / 2);
        }
        self.lines.extend(lines);
        for change in changes {
            match &change {
                Change::Account(account) => {
                    self.as_opened.remove(&account.id);
                }
                Change::MasterKeyForgotten(generation) => {
                    self.master_keys.remove(generation);
                }
                _ => {}
            }
            self.written.write(change);
        }
    }

    /// Returns how many turns are not durable.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.unsaved.len()
    }

    /// Tells whether the record is as the last start made it, which is not written down: each start
    /// does it again.
    #[must_use]
    pub fn is_as_opened(&self, account: &AccountId) -> bool {
        self.as_opened.contains(account)
    }

    fn retire_job_of(&mut self, account: &AccountId) {
        if let Some(at) = self
            .open_jobs
            .iter()
            .position(|job| job.account == *account)
        {
            let job = self.open_jobs.remove(at);
            self.remember(job);
        }
    }

    fn remember(&mut self, job: Issued) {
        if self.old_jobs.len() == OLD_JOBS {
            self.old_jobs.remove(0);
        }
        self.old_jobs.push(job);
    }

    /// Lets time pass.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
        self.apply(Tick);
    }

    /// Lets the cloud do one of the open jobs, or not. The caller reports.
    pub fn carry_out_picked(
        &mut self,
        pick: usize,
        answer: Answer,
    ) -> Option<(Issued, Result<Done, CloudError>)> {
        if self.open_jobs.is_empty() {
            return None;
        }
        let issued = self.open_jobs.remove(pick % self.open_jobs.len());
        self.remember(issued.clone());
        let now = self.now;
        let result = self.at_cloud(&issued.account).answer(&issued, answer, now);
        Some((issued, result))
    }

    /// Lets the cloud do one of the open jobs, or not, and reports.
    pub fn answer(&mut self, pick: usize, answer: Answer) {
        if let Some((issued, result)) = self.carry_out_picked(pick, answer) {
            self.report(&issued, result);
        }
    }

    /// Reports what came of a job.
    pub fn report(&mut self, issued: &Issued, result: Result<Done, CloudError>) {
        self.apply(ReportCleaning {
            account: issued.account.clone(),
            fence: issued.fence,
            result,
        });
    }

    /// Answers everything well until nothing is left to do but wait, then waits; until all accounts
    /// that can be ready are.
    pub fn run_well(&mut self) {
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
    pub fn restart(&mut self) {
        self.restart_with(policy());
    }

    /// The same, with other settings.
    pub fn restart_with(&mut self, policy: Policy) {
        self.crash(0);
        let (accounts, written) = (self.accounts.clone(), self.written.clone());
        self.pool = Pool::open(policy, accounts, written, self.now);
        let opened = self.pool.accounts().map(|account| account.id.clone());
        self.as_opened = opened.collect();
        self.use_newest_master_key();
    }

    /// Goes on with other settings and accounts, of which these are under other rules than before. Where
    /// no key of one that comes back can be derived any more, the operator configures a new one.
    pub fn reconfigure(
        &mut self,
        policy: Policy,
        accounts: Vec<(AccountId, AccountType)>,
        changed: BTreeSet<AccountId>,
    ) -> Reconfigured {
        let master_keys = self.pool.clone().apply(GetMasterKeys, self.now).reply;
        for (id, _) in &accounts {
            let at_cloud = self.cloud.entry(id.clone());
            let at_cloud = at_cloud.or_insert_with(CloudAccount::unspoilt);
            let is_lost =
                |key: &ManagementKey| key.is_derived() && !master_keys.contains(&key.generation);
            if at_cloud.management.iter().all(is_lost) {
                at_cloud.management = [ManagementKey::CONFIGURED].into();
            }
        }
        self.accounts.clone_from(&accounts);
        self.apply(Reconfigure {
            policy,
            accounts: accounts.into_iter().collect(),
            changed,
            tokens: TokenChanges::default(),
        })
    }

    /// Introduces a new master key, unless the former one is still needed.
    pub fn rotate_master_key(&mut self) {
        if self.master_keys.len() == 1 {
            let newest = self.master_keys.last().copied().unwrap_or_default();
            self.master_keys.insert(newest.next());
            self.use_newest_master_key();
        }
    }

    /// Every start does so too: the last process may have died before it did.
    fn use_newest_master_key(&mut self) {
        let generation = self.master_keys.last().copied().unwrap_or_default();
        let fingerprint = fingerprint(generation).into();
        self.apply(UseMasterKey {
            generation,
            fingerprint,
        })
        .expect("no other key has its number");
    }

    /// Stops the process. Of the turns that are not durable, the first `saved` become so; their jobs
    /// are not sent any more.
    pub fn crash(&mut self, saved: usize) {
        let unsaved = std::mem::take(&mut self.unsaved);
        for turn in unsaved.into_iter().take(saved) {
            self.write(turn.changes, turn.lines);
        }
        self.disk_is_slow = false;
        self.sent.clear();
        for job in std::mem::take(&mut self.open_jobs) {
            self.remember(job);
        }
    }

    /// Returns how many accounts of a type the operator's file names.
    #[must_use]
    pub fn configured(&self, account_type: &AccountType) -> usize {
        let named = self.accounts.iter();
        named.filter(|(_, label)| label == account_type).count()
    }

    /// Whether nobody waits for the answer any more: another job was issued, or none runs.
    #[must_use]
    pub fn is_stale(&self, issued: &Issued) -> bool {
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

    /// Returns where an account stands.
    #[must_use]
    pub fn state(&self, account: &str) -> AccountState {
        let account = self.pool.accounts().find(|a| a.id.as_str() == account);
        account.expect("it is configured").state.clone()
    }

    /// Returns a reservation that can still be read.
    #[must_use]
    pub fn reservation(&self, id: ReservationId) -> Option<&Reservation> {
        self.pool.reservations().find(|r| r.id == id)
    }

    /// Returns what is at the cloud for an account.
    pub fn at_cloud(&mut self, account: &AccountId) -> &mut CloudAccount {
        self.cloud
            .get_mut(account)
            .expect("the cloud knows every account of the pool")
    }

    /// Returns the account records that are not as they were written down.
    pub fn unwritten_accounts(&self) -> impl Iterator<Item = &Account> {
        let written = &self.written.accounts;
        self.pool
            .accounts()
            .filter(|account| !self.is_as_opened(&account.id))
            .filter(|account| written.get(&account.id) != Some(account))
    }
}

fn fingerprint(generation: Generation) -> String {
    format!("master key {generation}")
}

fn issued(event: &Event, at: Timestamp) -> Option<Issued> {
    let Event::JobIssued {
        account,
        fence,
        keys,
        job,
    } = event
    else {
        return None;
    };
    Some(Issued {
        account: account.clone(),
        fence: *fence,
        keys: *keys,
        job: job.clone(),
        at,
    })
}
