//! What is seen of webhooks by those who watch: counts, and whether their receivers take what they are
//! sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::pool::WebhookName;

/// What is seen of all webhooks. Cheap to clone; each of the counts is written by one notifier.
#[derive(Clone, Debug, Default)]
pub struct Deliveries(Arc<ArcSwap<BTreeMap<WebhookName, Arc<Tally>>>>);

/// What is seen of one webhook.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [AtomicU64; Attempt::ALL.len()],
    pending: AtomicU64,
    is_failing: AtomicBool,
    is_closed: AtomicBool,
}

/// How an attempt can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The notification was taken.
    Delivered,
    /// It was not, and is tried again.
    Failed,
    /// It was not, for the last time.
    GivenUp,
    /// The receiver wants nothing any more.
    Gone,
}

impl Attempt {
    /// Every end.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Failed, Self::GivenUp, Self::Gone];

    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
            Self::Gone => "gone",
        }
    }
}

/// How a webhook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its receiver takes what it is sent.
    Delivering,
    /// Something that it did not take is tried again.
    Failing,
    /// It wants nothing any more.
    Gone,
}

impl Deliveries {
    /// Returns all webhooks at present.
    #[must_use]
    pub fn webhooks(&self) -> Arc<BTreeMap<WebhookName, Arc<Tally>>> {
        self.0.load_full()
    }

    /// Adds a webhook, or begins one anew.
    #[must_use]
    pub fn add(&self, webhook: &WebhookName) -> Arc<Tally> {
        let tally = Arc::<Tally>::default();
        self.0.rcu(|webhooks| {
            let mut webhooks = BTreeMap::clone(webhooks);
            webhooks.insert(webhook.clone(), Arc::clone(&tally));
            webhooks
        });
        tally
    }

    /// Takes a webhook away.
    pub fn remove(&self, webhook: &WebhookName) {
        self.0.rcu(|webhooks| {
            let mut webhooks = BTreeMap::clone(webhooks);
            webhooks.remove(webhook);
            webhooks
        });
    }
}

impl Tally {
    /// Returns how many attempts ended so, since the webhook was added.
    #[must_use]
    pub fn attempts(&self, attempt: Attempt) -> u64 {
        self.counts[attempt as usize].load(Ordering::Relaxed)
    }

    /// Returns how many notifications are pending.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Returns how the webhook is.
    #[must_use]
    pub fn condition(&self) -> Condition {
        if self.is_closed.load(Ordering::Relaxed) {
            Condition::Gone
        } else if self.is_failing.load(Ordering::Relaxed) {
            Condition::Failing
        } else {
            Condition::Delivering
        }
    }

    pub(crate) fn count(&self, attempt: Attempt) {
        self.counts[attempt as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stands(&self, pending: usize, is_failing: bool, is_closed: bool) {
        self.pending.store(pending as u64, Ordering::Relaxed);
        self.is_failing.store(is_failing, Ordering::Relaxed);
        self.is_closed.store(is_closed, Ordering::Relaxed);
    }
}
