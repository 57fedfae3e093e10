//! One process of the service: the real pool, actors and IBM adapter, put together as `app.rs` does,
//! on one thread and with the world of the simulation around them.

use std::rc::Rc;
use std::sync::Arc;

use acctpool::ibm::{self, Ibm};
use acctpool::keyring::Keyring;
use acctpool_actors::clock::Clock;
use acctpool_actors::messages::Decision;
use acctpool_actors::pool::{AccountId, AccountType, Command, Policy, Pool, ReservationId};
use acctpool_actors::store::Store;
use acctpool_actors::{
    CleanerActor, Employ, PoolActor, PoolHandle, PoolUnavailable, Publisher, SchedulerActor,
    StoreActor,
};
use actix::{Actor, Addr, Context, Handler, Message, Recipient};

use crate::cleaners::Watched;
use crate::clock::VirtualClock;
use crate::disk::Disk;
use crate::line::{Busy, Cable, Heard, Line, Signal};

/// What a process is started with.
pub(crate) struct Installation {
    pub(crate) policy: Policy,
    pub(crate) accounts: Vec<(AccountId, AccountType)>,
    pub(crate) ibm: Vec<ibm::Settings>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) disk: Disk,
}

/// A running process.
pub(crate) struct Process {
    pub(crate) clock: VirtualClock,
    pub(crate) line: Rc<Line>,
    pool: PoolHandle,
    queue: Addr<Queue>,
}

impl Process {
    /// Starts a process.
    pub(crate) async fn start(
        installation: &Installation,
        clock: VirtualClock,
        line: Rc<Line>,
    ) -> Self {
        let Installation {
            policy,
            accounts,
            ibm,
            keyring,
            disk,
        } = installation;
        let mut store = disk.clone();
        let written = store.load().expect("the scripted disk can be read");
        let pool = Pool::open(policy.clone(), accounts.clone(), written, clock.now());
        let shared: Arc<dyn Clock> = Arc::new(clock);

        let bell = line.bell();
        let publisher = Publisher::new(pool.first_publication());
        let on_failure = Box::new(move |_| bell.notify_one());
        let store = StoreActor::new(store, publisher, on_failure).start();
        let queue = Queue {
            store: store.recipient(),
            line: line.clone(),
            held: None,
        };
        let queue = queue.start();
        let pool = PoolActor::new(pool, shared.clone(), queue.clone().recipient()).start();
        let cleaners = ibm.iter().map(|settings| {
            let account = settings.account.clone();
            let cable = Cable {
                account: account.clone(),
                line: line.clone(),
            };
            let watched = Watched {
                account: account.clone(),
                ibm: Ibm::new(settings.clone(), keyring.clone(), shared.clone(), cable),
                line: line.clone(),
            };
            let cleaner = CleanerActor::new(account.clone(), watched, pool.clone().recipient());
            (account, cleaner.start().recipient())
        });
        let cleaners = cleaners.collect();
        pool.send(Employ(cleaners))
            .await
            .expect("the pool has just been started");
        let pool = PoolHandle::new(pool);
        SchedulerActor::new(pool.clone(), shared).start();
        Self {
            clock,
            line,
            pool,
            queue,
        }
    }

    /// Asks the pool, and waits for the answer.
    pub(crate) async fn ask<C: Command>(&self, command: C) -> Result<C::Reply, PoolUnavailable> {
        self.pool.ask(command).await
    }

    /// Asks the pool for a consumer, who hears the answer when there is one.
    pub(crate) fn ask_for<C: Command>(
        &self,
        id: ReservationId,
        command: C,
        heard: impl FnOnce(C::Reply) -> Heard + 'static,
    ) {
        let (pool, line) = (self.pool.clone(), self.line.clone());
        let busy = line.busy();
        actix_rt::spawn(async move {
            if let Ok(reply) = pool.ask(command).await {
                line.say(Signal::Heard(id, heard(reply)));
            }
            drop(busy);
        });
    }

    /// Tells the pool something to which no answer matters.
    pub(crate) fn tell<C: Command>(&self, command: C) {
        let pool = self.pool.clone();
        let busy = self.line.busy();
        actix_rt::spawn(async move {
            // A process that dies meanwhile leaves it undone.
            let _ = pool.ask(command).await;
            drop(busy);
        });
    }

    /// Lets the disk be slow from now on, or no more.
    pub(crate) fn slow_disk(&self, slow: bool) {
        self.queue.do_send(Slow(slow));
    }
}

/// What stands before a disk that is slow: the store takes nothing in while a commit runs.
struct Queue {
    store: Recipient<Decision>,
    line: Rc<Line>,
    /// What waits while the disk is slow.
    held: Option<(Busy, Vec<Decision>)>,
}

impl Actor for Queue {
    type Context = Context<Self>;
}

impl Handler<Decision> for Queue {
    type Result = ();

    fn handle(&mut self, decision: Decision, _: &mut Self::Context) {
        match &mut self.held {
            Some((_, held)) => held.push(decision),
            None => self.store.do_send(decision),
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Slow(bool);

impl Handler<Slow> for Queue {
    type Result = ();

    fn handle(&mut self, Slow(slow): Slow, _: &mut Self::Context) {
        let held = self.held.take().map(|(_, held)| held).unwrap_or_default();
        if slow {
            self.held = Some((self.line.busy(), held));
        } else {
            for decision in held {
                self.store.do_send(decision);
            }
        }
    }
}
