//! The actor that tells one webhook what has happened, from the audit: so what is told is durable, and
//! what was not told is told after a crash.
//!
//! It looks at the audit once a second and is waited for by nobody. Up to where there is nothing left to
//! tell is written down, so that after a crash something may come twice, under the id that it had.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, MailboxError, Message,
    Recipient, WrapFuture,
};
use futures_util::FutureExt;
use log::{debug, info, warn};

use crate::audit::FollowAudit;
use crate::clock::Clock;
use crate::courier::{Courier, Delivery};
use crate::deliveries::{Attempt, Tally};
use crate::messages::Decision;
use crate::notification::{Notification, NotificationKind};
use crate::outbox::{Outbox, Settled};
use crate::pool::{Change, WebhookName, rfc3339};
use crate::store::{AuditStretch, Follow, StoreError};

/// How often the audit is looked at.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// So many entries that are worth no notification are passed over before that is written down.
const WORTH_WRITING: u64 = 10_000;

/// What a notifier speaks to, beside its webhook.
#[derive(Clone)]
pub struct Surroundings {
    /// Who reads the audit.
    pub audit: Recipient<FollowAudit>,
    /// Who writes down what was told.
    pub store: Recipient<Decision>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// See the module.
pub struct NotifierActor<C> {
    webhook: WebhookName,
    courier: Rc<C>,
    surroundings: Surroundings,
    tally: Arc<Tally>,
    outbox: Outbox,
    /// The last entry that is written down, or about to be.
    kept: Option<u64>,
    /// Whether something was told, or given up, since that was written down.
    has_told: bool,
    is_reading: bool,
    /// Whether the audit could not be read.
    is_blind: bool,
}

impl<C: Courier> NotifierActor<C> {
    /// Returns a notifier that tells of these kinds, from behind the entry `through` of the audit on.
    #[must_use]
    pub fn new(
        webhook: WebhookName,
        wanted: BTreeSet<NotificationKind>,
        through: u64,
        courier: C,
        tally: Arc<Tally>,
        surroundings: Surroundings,
    ) -> Self {
        Self {
            webhook,
            courier: Rc::new(courier),
            surroundings,
            tally,
            outbox: Outbox::new(wanted, through),
            kept: None,
            has_told: false,
            is_reading: false,
            is_blind: false,
        }
    }

    fn beat(&mut self, context: &mut Context<Self>) {
        self.read_on(context);
        self.send(context);
        self.keep();
    }

    fn read_on(&mut self, context: &mut Context<Self>) {
        let room = self.outbox.room();
        if self.is_reading || room == 0 {
            return;
        }
        self.is_reading = true;
        let after = self.outbox.read();
        let query = Follow {
            after,
            events: Notification::EVENTS,
            limit: room,
        };
        let read = self.surroundings.audit.send(FollowAudit(query));
        let read = read.into_actor(self).map(move |read, this, context| {
            this.is_reading = false;
            this.take_in(after, read, context);
        });
        context.spawn(read);
    }

    fn take_in(
        &mut self,
        after: u64,
        read: Result<Result<AuditStretch, StoreError>, MailboxError>,
        context: &mut Context<Self>,
    ) {
        let webhook = &self.webhook;
        let stretch = match read {
            Ok(Ok(stretch)) => stretch,
            // The program ends.
            Err(MailboxError::Closed | MailboxError::Timeout) => return,
            Ok(Err(error)) => {
                if !std::mem::replace(&mut self.is_blind, true) {
                    warn!("webhook {webhook}: {error}: {}", error.cause);
                }
                return;
            }
        };
        if std::mem::take(&mut self.is_blind) {
            info!("webhook {webhook}: the audit can be read again");
        }
        let now = self.surroundings.clock.now();
        let notifications = stretch.facts.into_iter().filter_map(Notification::of);
        self.outbox
            .take_in(after, notifications, stretch.through, now);
        self.send(context);
    }

    fn send(&mut self, context: &mut Context<Self>) {
        let now = self.surroundings.clock.now();
        while let Some(notification) = self.outbox.next(now) {
            let courier = Rc::clone(&self.courier);
            let message = Rc::clone(&notification);
            let delivery = async move { courier.deliver(&message, now).await };
            let delivery = AssertUnwindSafe(delivery).catch_unwind().into_actor(self);
            context.spawn(delivery.map(move |delivery, this, context| {
                // A bug that one notification brings to light must not hold up the others.
                let delivery = delivery.unwrap_or_else(|_| Delivery::Failed {
                    reason: "the courier panicked".to_owned(),
                    retry_after: None,
                });
                this.settle(&notification, &delivery);
                this.keep();
                this.send(context);
            }));
        }
        self.tell();
    }

    fn settle(&mut self, notification: &Notification, delivery: &Delivery) {
        let webhook = &self.webhook;
        let reason = match delivery {
            Delivery::Failed { reason, .. } => reason,
            Delivery::Accepted | Delivery::Gone => "",
        };
        let now = self.surroundings.clock.now();
        let attempt = match self.outbox.settle(notification.number, delivery, now) {
            Settled::Delivered => {
                debug!("webhook {webhook}: told of {notification}");
                self.has_told = true;
                Attempt::Delivered
            }
            Settled::Postponed(at) => {
                let at = rfc3339(at.truncate_to_second());
                info!("webhook {webhook}: {notification}: {reason}; next try at {at}");
                Attempt::Failed
            }
            Settled::GivenUp => {
                warn!("webhook {webhook}: {notification} was never delivered: {reason}; given up");
                self.has_told = true;
                Attempt::GivenUp
            }
            Settled::Closed => {
                warn!(
                    "webhook {webhook}: its receiver is gone (410), so it is told nothing until the \
                     next start or reload"
                );
                Attempt::Gone
            }
            Settled::Stale => return,
        };
        self.tally.count(attempt);
    }

    fn tell(&self) {
        let outbox = &self.outbox;
        self.tally
            .stands(outbox.pending(), outbox.is_failing(), outbox.is_closed());
    }

    /// Writes down up to where there is nothing left to tell, where that is worth it: when something was
    /// told, or much was passed over.
    fn keep(&mut self) {
        let through = self.outbox.delivered_through();
        let is_worth_it = self.kept.is_none_or(|kept| {
            through >= kept + WORTH_WRITING || (through > kept && self.has_told)
        });
        if is_worth_it {
            self.kept = Some(through);
            self.has_told = false;
            self.write(Some(through));
        }
    }

    fn write(&self, through: Option<u64>) {
        let webhook = self.webhook.clone();
        let Surroundings { store, clock, .. } = &self.surroundings;
        let changes = vec![Change::Delivered { webhook, through }];
        store.do_send(Decision::to_write(changes, clock.now()));
    }
}

impl<C: Courier> Actor for NotifierActor<C> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.beat(context);
        context.run_interval(HEARTBEAT, Self::beat);
    }
}

/// To a notifier: from the next message on it works with another courier, made where that lives, and
/// tells of other kinds. A receiver that was gone is tried again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reroute<C> {
    /// Makes the courier from the present one.
    pub courier: Box<dyn FnOnce(&C) -> C + Send>,
    /// What is told of what is read from then on.
    pub wanted: BTreeSet<NotificationKind>,
}

impl<C: Courier> Handler<Reroute<C>> for NotifierActor<C> {
    type Result = ();

    fn handle(&mut self, reroute: Reroute<C>, context: &mut Self::Context) {
        self.courier = Rc::new((reroute.courier)(&self.courier));
        self.outbox.open(reroute.wanted);
        self.beat(context);
    }
}

/// To a notifier: there is no such webhook any more. What it was not told of is forgotten.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Dismiss;

impl<C: Courier> Handler<Dismiss> for NotifierActor<C> {
    type Result = ();

    fn handle(&mut self, Dismiss: Dismiss, context: &mut Self::Context) {
        self.write(None);
        context.stop();
    }
}
