//! The actor between deciding and speaking: nothing is said before it is durable (`design.md` 6).
//!
//! It runs on a thread of its own, since commits block. While one commit runs, decisions queue up;
//! the next commit takes them all (group commit). It never waits for a batch to fill.

use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use log::{debug, info, warn};

use crate::break_off;
use crate::messages::{Decision, FindReceipts};
use crate::pool::{Event, ReceiptLine, Timestamp};
use crate::published::Publisher;
use crate::store::{Store, StoreError};

/// See the module.
pub struct StoreActor<S> {
    store: S,
    publisher: Publisher,
    batch: Vec<Decision>,
    on_failure: Option<OnFailure>,
    listener: Option<Box<dyn Listener>>,
}

/// Hears what happened once it is durable. It runs on the store's thread: others wait for it.
pub trait Listener: Send + 'static {
    /// Takes the events of one turn in, in the order of the turns.
    fn hear(&mut self, at: Timestamp, events: &[Event]);
}

/// What is done when a commit has failed: memory is ahead of the disk, so the process must end.
pub type OnFailure = Box<dyn FnOnce(StoreError) + Send>;

impl<S: Store> StoreActor<S> {
    /// Returns an actor that is to be started on an arbiter of its own. Once a commit has failed,
    /// it calls `on_failure` and never says anything again.
    #[must_use]
    pub fn new(store: S, publisher: Publisher, on_failure: OnFailure) -> Self {
        Self {
            store,
            publisher,
            batch: Vec::new(),
            on_failure: Some(on_failure),
            listener: None,
        }
    }

    /// Has somebody hear what happens.
    #[must_use]
    pub fn heard_by(self, listener: Box<dyn Listener>) -> Self {
        Self {
            listener: Some(listener),
            ..self
        }
    }

    fn commit(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if self.on_failure.is_none() {
            return;
        }
        let mut changes = Vec::new();
        let mut entries = Vec::new();
        let mut lines = Vec::new();
        let mut publications = Vec::new();
        let mut replies = Vec::with_capacity(batch.len());
        let mut calls = Vec::new();
        let mut turns = Vec::with_capacity(batch.len());
        for decision in batch {
            changes.extend(decision.changes);
            entries.extend(decision.entries);
            lines.extend(decision.lines);
            let at = decision.publication.at;
            if !decision.publication.news.is_empty() {
                publications.push(decision.publication);
            }
            replies.push(decision.reply);
            calls.extend(decision.calls);
            turns.push((at, decision.events));
        }
        if !(changes.is_empty() && entries.is_empty() && lines.is_empty()) {
            // Whether a commit that broke off is on the disk, nobody knows.
            let commit = catch_unwind(AssertUnwindSafe(|| {
                self.store.commit(changes, entries, lines)
            }));
            let Ok(committed) = commit else {
                break_off();
            };
            if let Err(error) = committed {
                if let Some(on_failure) = self.on_failure.take() {
                    on_failure(error);
                }
                return;
            }
        }
        let speaking = AssertUnwindSafe(|| {
            // Whoever is answered finds it when asking again.
            if !publications.is_empty() {
                self.publisher.publish(publications);
            }
            for reply in replies {
                reply();
            }
            for (cleaner, call) in calls {
                cleaner.do_send(call);
            }
            // Last, since nobody waits for it.
            for (at, events) in turns {
                if let Some(listener) = &mut self.listener {
                    listener.hear(at, &events);
                }
                events.iter().for_each(report);
            }
        });
        if catch_unwind(speaking).is_err() {
            // Some of it was said, some not, and the pool would go on as if all was.
            break_off();
        }
    }
}

fn report(event: &Event) {
    match event {
        event if event.is_alarming() => warn!("{event}"),
        Event::JobIssued { .. }
        | Event::ReservationRenewed {
            is_longer: false, ..
        }
        | Event::ReservationForgotten { .. }
        | Event::PassEnded { is_news: false, .. } => debug!("{event}"),
        event => info!("{event}"),
    }
}

impl<S: Store> Actor for StoreActor<S> {
    type Context = Context<Self>;
}

impl<S: Store> Handler<Decision> for StoreActor<S> {
    type Result = ();

    fn handle(&mut self, decision: Decision, context: &mut Self::Context) {
        if self.batch.is_empty() {
            // Handled after what is in the mailbox already: that is the batch.
            context.notify(Commit);
        }
        self.batch.push(decision);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Commit;

impl<S: Store> Handler<Commit> for StoreActor<S> {
    type Result = ();

    fn handle(&mut self, Commit: Commit, _: &mut Self::Context) {
        self.commit();
    }
}

impl<S: Store> Handler<FindReceipts> for StoreActor<S> {
    type Result = Result<Vec<ReceiptLine>, StoreError>;

    /// Decisions that are in the batch are not durable, and not in the answer.
    fn handle(&mut self, FindReceipts(of): FindReceipts, _: &mut Self::Context) -> Self::Result {
        self.store.receipt_lines(&of)
    }
}
