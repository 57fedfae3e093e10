//! The port to a webhook: it takes one message there, once.

use std::future::Future;
use std::time::Duration;

use crate::notification::Notification;
use crate::pool::Timestamp;

/// Takes messages to one webhook.
pub trait Courier: 'static {
    /// Takes a notification there. It may be dropped on the way: then it arrived or not.
    fn deliver(
        &self,
        notification: &Notification,
        now: Timestamp,
    ) -> impl Future<Output = Delivery>;
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Accepted,
    /// The receiver wants nothing any more.
    Gone,
    /// It was not taken, or nobody knows.
    Failed {
        /// Why, in words, without any secret.
        reason: String,
        /// How long the receiver wants to be left alone at least.
        retry_after: Option<Duration>,
    },
}
