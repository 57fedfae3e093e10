//! The actor that owns the pool.
//!
//! It decides in memory and hands each decision to the store; it never waits for the disk, for a
//! cleaner, or for anybody else.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::dev::SendError;
use actix::{Actor, Addr, Context, Handler, Recipient};
use log::warn;
use tokio::sync::oneshot;

use crate::break_off;
use crate::clock::Clock;
use crate::messages::{Ask, Clean, Decision};
use crate::pool::{AccountId, AuditEntry, Command, Event, Pool};

/// How many commands may wait. Beyond that, callers are told so.
const MAILBOX: usize = 2048;

/// See the module.
pub struct PoolActor {
    pool: Pool,
    clock: Arc<dyn Clock>,
    store: Recipient<Decision>,
    cleaners: BTreeMap<AccountId, Recipient<Clean>>,
}

impl PoolActor {
    /// Returns an actor that is to be started on an arbiter of its own.
    #[must_use]
    pub fn new(pool: Pool, clock: Arc<dyn Clock>, store: Recipient<Decision>) -> Self {
        Self {
            pool,
            clock,
            store,
            cleaners: BTreeMap::new(),
        }
    }
}

impl Actor for PoolActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl<C: Command> Handler<Ask<C>> for PoolActor {
    type Result = ();

    fn handle(&mut self, ask: Ask<C>, _: &mut Self::Context) {
        let now = self.clock.now();
        // A pool that broke off in the middle of a turn is not to be believed any more, and nothing
        // of the turn has been said: startup is the recovery.
        let turn = catch_unwind(AssertUnwindSafe(|| self.pool.apply(ask.command, now)));
        let Ok(applied) = turn else {
            break_off();
        };
        if applied.changes.is_empty() && applied.events.is_empty() && ask.reply.is_closed() {
            return;
        }
        let calls = self.calls(&applied.events);
        let publication = self.pool.publication(&applied.changes);
        let decision = Decision {
            changes: applied.changes,
            entries: AuditEntry::of_turn(&applied.events, publication.at),
            lines: applied.lines,
            publication,
            // Whoever asked may have gone.
            reply: Box::new(move || drop(ask.reply.send(applied.reply))),
            calls,
            events: applied.events,
        };
        self.store.do_send(decision);
    }
}

impl PoolActor {
    fn calls(&self, events: &[Event]) -> Vec<(Recipient<Clean>, Clean)> {
        events
            .iter()
            .filter_map(|event| match event {
                Event::JobIssued {
                    account,
                    fence,
                    keys,
                    job,
                } => {
                    let call = Clean {
                        fence: *fence,
                        keys: *keys,
                        job: job.clone(),
                    };
                    let cleaner = self.cleaners.get(account);
                    if cleaner.is_none() {
                        warn!("account {account}: nobody is there to clean it");
                    }
                    Some((cleaner?.clone(), call))
                }
                _ => None,
            })
            .collect()
    }
}

/// Gives the pool cleaners beside those that it has. Jobs that were issued before are issued again when
/// they time out.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Employ(pub BTreeMap<AccountId, Recipient<Clean>>);

impl Handler<Employ> for PoolActor {
    type Result = ();

    fn handle(&mut self, Employ(cleaners): Employ, _: &mut Self::Context) {
        self.cleaners.extend(cleaners);
    }
}

/// What everybody else holds of the pool.
#[derive(Clone)]
pub struct PoolHandle {
    pool: Addr<PoolActor>,
}

impl PoolHandle {
    /// Returns a handle on a started actor.
    #[must_use]
    pub fn new(pool: Addr<PoolActor>) -> Self {
        Self { pool }
    }

    /// Carries out a command; answers when what it decided is durable.
    ///
    /// The command is carried out even if the caller stops waiting.
    pub async fn ask<C: Command>(&self, command: C) -> Result<C::Reply, PoolUnavailable> {
        let (reply, answer) = oneshot::channel();
        self.pool
            .try_send(Ask { command, reply })
            .map_err(|error| match error {
                SendError::Full(_) => PoolUnavailable::Full,
                SendError::Closed(_) => PoolUnavailable::Stopped,
            })?;
        answer.await.map_err(|_| PoolUnavailable::Stopped)
    }

    /// Carries out a command without an answer, and tells whether it will be: not when too many wait
    /// already.
    pub fn tell<C: Command<Reply = ()>>(&self, command: C) -> bool {
        let (reply, _) = oneshot::channel();
        self.pool.try_send(Ask { command, reply }).is_ok()
    }
}

/// Why a command was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolUnavailable {
    /// Too many commands wait already. This one was not carried out.
    #[error("too many requests wait for the pool")]
    Full,
    /// The pool has stopped. This command may have been carried out or not.
    #[error("the pool has stopped")]
    Stopped,
}
