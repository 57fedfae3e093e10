//! A cleaner by itself, with a cloud whose calls do not end.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use acctpool_actors::cloud::{Cloud, CloudError, Pass, Probe, Proof, Verified};
use acctpool_actors::messages::{Ask, Clean};
use acctpool_actors::pool::{
    Credential, Fence, Generation, Job, ManagementKey, ManagementKeys, ReportCleaning, Timestamp,
};
use acctpool_actors::{CleanerActor, Succeed};
use actix::{Actor, Addr, Context, Handler};
use tokio::sync::oneshot;

/// A cleaner whose first job ends when it is told to, and whose others never do.
pub(crate) struct LoneCleaner {
    cleaner: Addr<CleanerActor<Endless>>,
    end_first: RefCell<Option<oneshot::Sender<()>>>,
    running: Rc<Cell<usize>>,
    begun_by: Rc<RefCell<Vec<u32>>>,
}

impl LoneCleaner {
    pub(crate) fn start() -> Self {
        tokio::time::pause();
        let (end_first, first) = oneshot::channel();
        let running = Rc::new(Cell::new(0));
        let begun_by = Rc::default();
        let cloud = Endless {
            generation: 1,
            first: RefCell::new(Some(first)),
            running: Rc::clone(&running),
            begun_by: Rc::clone(&begun_by),
        };
        let cleaner = CleanerActor::new("free-0".into(), cloud, Deaf.start().recipient());
        Self {
            cleaner: cleaner.start(),
            end_first: RefCell::new(Some(end_first)),
            running,
            begun_by,
        }
    }

    /// Lets another adapter succeed the present one.
    pub(crate) async fn replace_adapter(&self) {
        let successor = |present: &Endless| Endless {
            generation: present.generation + 1,
            first: RefCell::new(None),
            running: Rc::clone(&present.running),
            begun_by: Rc::clone(&present.begun_by),
        };
        self.cleaner.do_send(Succeed(Box::new(successor)));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// Returns the generations of the adapters that were at work, one for each job.
    pub(crate) fn begun_by(&self) -> Vec<u32> {
        self.begun_by.borrow().clone()
    }

    pub(crate) async fn call(&self, fence: u64) {
        self.cleaner.do_send(Clean {
            fence: Fence(fence),
            keys: ManagementKeys::default(),
            job: Job::Sweep,
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    pub(crate) async fn end_first_and_call(&self, fence: u64) {
        let end = self.end_first.borrow_mut().take();
        end.expect("ended once").send(()).expect("it runs");
        self.call(fence).await;
    }

    pub(crate) fn running(&self) -> usize {
        self.running.get()
    }
}

/// Hears reports, and does nothing about them.
struct Deaf;

impl Actor for Deaf {
    type Context = Context<Self>;
}

impl Handler<Ask<ReportCleaning>> for Deaf {
    type Result = ();

    fn handle(&mut self, _: Ask<ReportCleaning>, _: &mut Self::Context) {}
}

struct Endless {
    generation: u32,
    first: RefCell<Option<oneshot::Receiver<()>>>,
    running: Rc<Cell<usize>>,
    begun_by: Rc<RefCell<Vec<u32>>>,
}

/// Counts down when a call ends or is dropped.
struct CountDown(Rc<Cell<usize>>);

impl Drop for CountDown {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Endless {
    async fn never<T>(&self) -> Result<T, CloudError> {
        self.running.set(self.running.get() + 1);
        self.begun_by.borrow_mut().push(self.generation);
        let _running = CountDown(Rc::clone(&self.running));
        let first = self.first.borrow_mut().take();
        match first {
            Some(end) => end.await.expect("the test ends it"),
            None => std::future::pending().await,
        }
        Err(CloudError::Transient("ended".to_owned()))
    }
}

impl Cloud for Endless {
    fn verify(&self, _: ManagementKeys) -> impl Future<Output = Result<Verified, CloudError>> {
        self.never()
    }

    fn revoke(
        &self,
        _: ManagementKeys,
        _: Option<&Credential>,
    ) -> impl Future<Output = Result<(), CloudError>> {
        self.never()
    }

    fn sweep(&self, _: ManagementKeys) -> impl Future<Output = Result<Pass, CloudError>> {
        self.never()
    }

    fn prove(&self, _: ManagementKeys) -> impl Future<Output = Result<Proof, CloudError>> {
        self.never()
    }

    fn mint(
        &self,
        _: ManagementKeys,
        _: Generation,
        _: Fence,
        _: Timestamp,
    ) -> impl Future<Output = Result<Credential, CloudError>> {
        self.never()
    }

    fn probe(
        &self,
        _: ManagementKeys,
        _: &Credential,
    ) -> impl Future<Output = Result<Probe, CloudError>> {
        self.never()
    }

    fn rotate(
        &self,
        _: ManagementKeys,
        _: ManagementKey,
    ) -> impl Future<Output = Result<(), CloudError>> {
        self.never()
    }

    fn retire(&self, _: ManagementKeys) -> impl Future<Output = Result<(), CloudError>> {
        self.never()
    }
}
