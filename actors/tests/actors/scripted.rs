//! Scripted ports: a cloud that behaves as it is told, a disk that can be held and broken, and a
//! clock that follows tokio's paused time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use acctpool_actors::clock::Clock;
use acctpool_actors::cloud::{Cloud, CloudError, Pass, Probe, Proof, Verified};
use acctpool_actors::messages::Decision;
use acctpool_actors::pool::{
    AccountId, AuditEntry, Change, Credential, Fence, Generation, GetStatistics, Job,
    ManagementKey, ManagementKeys, Policy, Pool, ReceiptLine, Snapshot, Statistics, Timestamp,
    TypePolicy,
};
use acctpool_actors::store::{ReceiptsOf, Store, StoreError};
use acctpool_actors::{
    CleanerActor, Employ, PoolActor, PoolHandle, Published, Publisher, SchedulerActor, StoreActor,
};
use actix::{Actor, Addr, Context, Handler, Message};
use time::macros::datetime;
use tokio::time::Instant;
use uuid::Uuid;

/// How the scripted cloud treats an account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Well,
    Hang,
    HangOnce,
    PanicOnce,
}

/// Tells the time by tokio's clock, which jumps while everybody sleeps.
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        datetime!(2026-05-01 10:00 UTC) + self.0.elapsed()
    }
}

/// A disk that counts and breaks.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<DiskState>, Vec<ReceiptLine>);

#[derive(Default)]
struct DiskState {
    broken: AtomicBool,
    commits: AtomicUsize,
    changes: AtomicUsize,
    failures: AtomicUsize,
}

impl Disk {
    pub(crate) fn fail(&self) {
        self.0.broken.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.0.broken.store(false, Ordering::SeqCst);
    }

    pub(crate) fn commits(&self) -> usize {
        self.0.commits.load(Ordering::SeqCst)
    }

    pub(crate) fn changes(&self) -> usize {
        self.0.changes.load(Ordering::SeqCst)
    }

    pub(crate) fn failures(&self) -> usize {
        self.0.failures.load(Ordering::SeqCst)
    }
}

impl Store for Disk {
    fn id(&self) -> Uuid {
        Uuid::nil()
    }
    fn commit(
        &mut self,
        changes: Vec<Change>,
        _: Vec<AuditEntry>,
        lines: Vec<ReceiptLine>,
    ) -> Result<(), StoreError> {
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(StoreError {
                action: "commit".to_owned(),
                cause: "no space left".into(),
            });
        }
        self.0.commits.fetch_add(1, Ordering::SeqCst);
        self.0.changes.fetch_add(changes.len(), Ordering::SeqCst);
        self.1.extend(lines);
        Ok(())
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot::default())
    }

    fn receipt_lines(&mut self, of: &ReceiptsOf) -> Result<Vec<ReceiptLine>, StoreError> {
        let asked = |line: &&ReceiptLine| match of {
            ReceiptsOf::Account(account) => line.account == *account,
            ReceiptsOf::Reservation(reservation) => line.reservation == Some(*reservation),
        };
        Ok(self.1.iter().filter(asked).cloned().collect())
    }
}

/// Stands before the store's actor and keeps decisions back while the disk is held, as a slow
/// `fsync` on the store's own thread would. (A thread of its own would stop the paused clock.)
struct Gate {
    held: bool,
    store: Addr<StoreActor<Disk>>,
    kept: Vec<Decision>,
}

impl Actor for Gate {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Hold(bool);

impl Handler<Hold> for Gate {
    type Result = ();

    fn handle(&mut self, Hold(held): Hold, _: &mut Self::Context) {
        self.held = held;
        self.let_through();
    }
}

impl Gate {
    fn let_through(&mut self) {
        if !self.held {
            for decision in self.kept.drain(..) {
                self.store.do_send(decision);
            }
        }
    }
}

impl Handler<Decision> for Gate {
    type Result = ();

    fn handle(&mut self, decision: Decision, _: &mut Self::Context) {
        self.kept.push(decision);
        self.let_through();
    }
}

/// What the cleaners did.
#[derive(Default)]
struct Record {
    calls: RefCell<Vec<(AccountId, Job)>>,
    called_at: RefCell<Vec<Instant>>,
    running: Cell<usize>,
    most_at_once: Cell<usize>,
    abandoned: Cell<usize>,
}

struct ScriptedCloud {
    account: AccountId,
    behaviour: Cell<Behaviour>,
    record: Rc<Record>,
}

/// Counts a call that was dropped before it ended.
struct Running(Rc<Record>, bool);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
        if !self.1 {
            self.0.abandoned.set(self.0.abandoned.get() + 1);
        }
    }
}

impl ScriptedCloud {
    async fn act<T>(&self, job: Job, result: T) -> Result<T, CloudError> {
        self.record
            .calls
            .borrow_mut()
            .push((self.account.clone(), job));
        self.record.called_at.borrow_mut().push(Instant::now());
        self.record.running.set(self.record.running.get() + 1);
        let most = self
            .record
            .most_at_once
            .get()
            .max(self.record.running.get());
        self.record.most_at_once.set(most);
        let mut running = Running(Rc::clone(&self.record), false);
        match self.behaviour.get() {
            Behaviour::Well => {}
            Behaviour::Hang => std::future::pending().await,
            Behaviour::HangOnce => {
                self.behaviour.set(Behaviour::Well);
                std::future::pending::<()>().await;
            }
            Behaviour::PanicOnce => {
                self.behaviour.set(Behaviour::Well);
                panic!("scripted");
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        running.1 = true;
        Ok(result)
    }
}

impl Cloud for ScriptedCloud {
    fn verify(&self, keys: ManagementKeys) -> impl Future<Output = Result<Verified, CloudError>> {
        let verified = Verified {
            current: keys.current,
            newest: keys.newest,
        };
        self.act(Job::Verify, verified)
    }

    fn revoke(
        &self,
        _: ManagementKeys,
        credential: Option<&Credential>,
    ) -> impl Future<Output = Result<(), CloudError>> {
        self.act(Job::Revoke(credential.cloned()), ())
    }

    fn sweep(&self, _: ManagementKeys) -> impl Future<Output = Result<Pass, CloudError>> {
        self.act(Job::Sweep, Pass::default())
    }

    fn prove(&self, _: ManagementKeys) -> impl Future<Output = Result<Proof, CloudError>> {
        self.act(Job::Prove, Proof::default())
    }

    fn mint(
        &self,
        _: ManagementKeys,
        generation: Generation,
        fence: Fence,
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<Credential, CloudError>> {
        let credential = Credential {
            generation,
            fence,
            service_id: "ServiceId-1".to_owned(),
            key_id: "ApiKey-1".to_owned(),
            policy_ids: Vec::new(),
            expires_at,
        };
        let minting = Job::Mint {
            generation,
            expires_at,
        };
        self.act(minting, credential)
    }

    fn probe(
        &self,
        _: ManagementKeys,
        credential: &Credential,
    ) -> impl Future<Output = Result<Probe, CloudError>> {
        self.act(Job::Probe(credential.clone()), Probe::Works)
    }

    fn rotate(
        &self,
        _: ManagementKeys,
        to: ManagementKey,
    ) -> impl Future<Output = Result<(), CloudError>> {
        self.act(Job::Rotate(to), ())
    }

    fn retire(&self, _: ManagementKeys) -> impl Future<Output = Result<(), CloudError>> {
        self.act(Job::Retire, ())
    }
}

pub(crate) fn name(job: &Job) -> &'static str {
    match job {
        Job::Revoke(_) => "revoke",
        Job::Verify => "verify",
        Job::Sweep => "sweep",
        Job::Prove => "prove",
        Job::Rotate(_) => "rotate",
        Job::Retire => "retire",
        Job::Mint { .. } => "mint",
        Job::Probe(_) => "probe",
    }
}

pub(crate) fn ready(statistics: &Statistics) -> usize {
    statistics.types[&"free".into()].ready
}

/// All actors, wired, under paused time.
pub(crate) struct Stage {
    pub(crate) pool: PoolHandle,
    pub(crate) published: Published,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Disk,
    gate: Addr<Gate>,
    record: Rc<Record>,
}

impl Stage {
    pub(crate) fn start(accounts: usize, behaviour: impl Fn(usize) -> Behaviour) -> Self {
        tokio::time::pause();
        let clock: Arc<dyn Clock> = Arc::new(PausedClock(Instant::now()));
        let named: Vec<(AccountId, _)> = (0..accounts)
            .map(|n| (format!("free-{n}").into(), "free".into()))
            .collect();
        let pool = Pool::open(policy(), named.clone(), Snapshot::default(), clock.now());

        let disk = Disk::default();
        let failed = disk.clone();
        let on_failure = Box::new(move |_| {
            failed.0.failures.fetch_add(1, Ordering::SeqCst);
        });
        let publisher = Publisher::new(pool.first_publication());
        let view = publisher.published();
        let gate = Gate {
            held: false,
            store: StoreActor::new(disk.clone(), publisher, on_failure).start(),
            kept: Vec::new(),
        }
        .start();
        let store = gate.clone().recipient();
        let actor = PoolActor::new(pool, Arc::clone(&clock), store).start();

        let record = Rc::new(Record::default());
        let cleaners: BTreeMap<_, _> = named
            .iter()
            .enumerate()
            .map(|(n, (account, _))| {
                let cloud = ScriptedCloud {
                    account: account.clone(),
                    behaviour: Cell::new(behaviour(n)),
                    record: Rc::clone(&record),
                };
                let cleaner = CleanerActor::new(account.clone(), cloud, actor.clone().recipient());
                (account.clone(), cleaner.start().recipient())
            })
            .collect();
        actor.do_send(Employ(cleaners));
        let pool = PoolHandle::new(actor);
        SchedulerActor::new(pool.clone(), Arc::clone(&clock)).start();
        Self {
            pool,
            published: view,
            clock,
            disk,
            gate,
            record,
        }
    }

    /// Makes the disk take for ever.
    pub(crate) async fn hold_disk(&self) {
        self.gate.send(Hold(true)).await.expect("the gate runs");
    }

    /// Lets the disk come to its end.
    pub(crate) async fn release_disk(&self) {
        self.gate.send(Hold(false)).await.expect("the gate runs");
    }

    /// Lets time pass until the statistics are as wanted; a day at most.
    pub(crate) async fn until(&self, wanted: impl Fn(&Statistics) -> bool) {
        let limit = Instant::now() + Duration::from_hours(24);
        while Instant::now() < limit {
            let statistics = self.pool.ask(GetStatistics).await.expect("the pool runs");
            if wanted(&statistics) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        panic!("a day has passed");
    }

    pub(crate) fn calls(&self) -> Vec<(AccountId, Job)> {
        self.record.calls.borrow().clone()
    }

    /// When the cleaners were called, counted from the first call.
    pub(crate) fn called_after(&self) -> Vec<Duration> {
        let at = self.record.called_at.borrow();
        at.iter().map(|call| *call - at[0]).collect()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.record.most_at_once.get()
    }

    pub(crate) fn abandoned(&self) -> usize {
        self.record.abandoned.get()
    }
}

fn policy() -> Policy {
    let minutes = Duration::from_mins;
    let of_type = TypePolicy {
        default_duration: minutes(60),
        max_duration: minutes(120),
    };
    Policy {
        pending_timeout: minutes(15),
        claim_timeout: minutes(60),
        exhausted_after: Duration::from_mins(1),
        settle: minutes(10),
        proof_gap: minutes(2),
        pass_interval: Duration::from_secs(10),
        pass_timeout: minutes(15),
        cleaning_timeout: minutes(120),
        cleaning_attempts: 3,
        stuck_passes: 3,
        backoff_min: Duration::from_secs(1),
        backoff_max: minutes(5),
        verify_every: minutes(24 * 60),
        remint_every: minutes(7 * 24 * 60),
        rotate_every: None,
        credential_grace: minutes(60),
        retain_ended: minutes(24 * 60),
        max_pending_per_token: 100,
        max_pending: 1000,
        max_ended: 1000,
        types: [("free".into(), of_type)].into(),
        tokens: BTreeMap::new(),
    }
}
