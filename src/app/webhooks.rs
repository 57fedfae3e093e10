//! The webhooks of the running service: a notifier for each, on a thread of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use acctpool_actors::clock::Clock;
use acctpool_actors::messages::Decision;
use acctpool_actors::pool::{Change, WebhookName};
use acctpool_actors::{
    AuditActor, AuditUnavailable, Deliveries, Dismiss, FindEnd, NotifierActor, Reroute,
    Surroundings,
};
use actix::{Actor, Addr, Recipient};
use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use super::StartError;
use crate::config;
use crate::webhook::{self, HttpCourier};

/// Who tells each webhook.
pub(super) type Notifiers = BTreeMap<WebhookName, Addr<NotifierActor<HttpCourier>>>;

/// Everything that notifiers are made with. HTTP clients cannot change threads, so they are made where
/// they are used.
#[derive(Clone)]
pub(super) struct Webhooks {
    arbiter: ArbiterHandle,
    surroundings: Surroundings,
    /// Where the audit ends is where a new webhook begins.
    end: Recipient<FindEnd>,
    deliveries: Deliveries,
}

impl Webhooks {
    pub(super) fn new(
        arbiter: ArbiterHandle,
        audit: &Addr<AuditActor>,
        store: Recipient<Decision>,
        clock: &Arc<dyn Clock>,
        deliveries: &Deliveries,
    ) -> Self {
        Self {
            arbiter,
            surroundings: Surroundings {
                audit: audit.clone().recipient(),
                store,
                clock: Arc::clone(clock),
            },
            end: audit.clone().recipient(),
            deliveries: deliveries.clone(),
        }
    }

    /// Begins with these webhooks where the last process left off; a new one begins at the `end` of the
    /// audit. What was written down of others is forgotten.
    pub(super) async fn begin(
        &self,
        wanted: &[config::Webhook],
        mut delivered: BTreeMap<WebhookName, u64>,
        end: u64,
    ) -> Result<Notifiers, StartError> {
        let wanted = wanted.iter().map(|webhook| {
            let known = delivered.remove(&WebhookName::from(webhook.name.as_str()));
            // Behind the end there is nothing: then the audit is another one.
            (webhook.clone(), known.unwrap_or(end).min(end))
        });
        let notifiers = self.employ(wanted.collect()).await?;
        for webhook in delivered.into_keys() {
            self.forget(webhook);
        }
        Ok(notifiers)
    }

    /// Goes on with other webhooks. Those that stay lose nothing; one that was silenced is told again.
    pub(super) async fn go_on(
        &self,
        notifiers: &mut Notifiers,
        wanted: &[config::Webhook],
        end: u64,
    ) -> Result<(), StartError> {
        let names = wanted.iter().map(|webhook| webhook.name.as_str().into());
        let names: BTreeSet<WebhookName> = names.collect();
        for (name, notifier) in notifiers.extract_if(.., |name, _| !names.contains(name)) {
            notifier.do_send(Dismiss);
            self.deliveries.remove(&name);
        }
        let mut new = Vec::new();
        for webhook in wanted {
            match notifiers.get(&webhook.name.as_str().into()) {
                Some(notifier) => notifier.do_send(reroute(webhook.clone())),
                None => new.push((webhook.clone(), end)),
            }
        }
        notifiers.extend(self.employ(new).await?);
        Ok(())
    }

    /// Returns where the audit ends.
    pub(super) async fn end(&self) -> Result<u64, AuditUnavailable> {
        Ok(self.end.send(FindEnd).await??)
    }

    /// Starts a notifier for each of these webhooks, from behind an entry of the audit on.
    async fn employ(&self, webhooks: Vec<(config::Webhook, u64)>) -> Result<Notifiers, StartError> {
        let (started, notifiers) = oneshot::channel();
        let there = self.clone();
        self.arbiter.spawn_fn(move || {
            // The receiver waits for this and nothing else.
            let _ = started.send(there.start(webhooks));
        });
        notifiers.await.map_err(|_| StartError::Webhooks)
    }

    fn start(&self, webhooks: Vec<(config::Webhook, u64)>) -> Notifiers {
        if webhooks.is_empty() {
            return Notifiers::new();
        }
        let client = webhook::client();
        let started = webhooks.into_iter().map(|(webhook, through)| {
            let name = WebhookName::from(webhook.name);
            let courier = HttpCourier::new(client.clone(), webhook.destination);
            let tally = self.deliveries.add(&name);
            let notifier = NotifierActor::new(
                name.clone(),
                webhook.events,
                through,
                courier,
                tally,
                self.surroundings.clone(),
            );
            (name, notifier.start())
        });
        started.collect()
    }

    fn forget(&self, webhook: WebhookName) {
        let through = None;
        let Surroundings { store, clock, .. } = &self.surroundings;
        let changes = vec![Change::Delivered { webhook, through }];
        store.do_send(Decision::to_write(changes, clock.now()));
    }
}

fn reroute(webhook: config::Webhook) -> Reroute<HttpCourier> {
    let destination = webhook.destination;
    Reroute {
        courier: Box::new(|present: &HttpCourier| present.bound_for(destination)),
        wanted: webhook.events,
    }
}
