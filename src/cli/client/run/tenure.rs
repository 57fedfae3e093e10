//! How long the account is there for the command: as long as the lease is renewed.

use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout_at};

use crate::client::{Backoff, Client, ClientError, Seen};

/// The longest pause before a renewal that failed is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A lease that must be renewed.
pub(super) struct Tenure<'a> {
    pub(super) client: &'a Client,
    pub(super) reservation: &'a str,
    /// How long it lasts without being renewed.
    pub(super) ttl: Duration,
    /// When it ends, as far as the server has told, by the clock of this machine.
    pub(super) expires_at: Instant,
}

/// Why the account is not there any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// The server says so: it was revoked, or not renewed in time.
    #[error("the server has ended it")]
    Ended(#[source] ClientError),
    /// Its time is over.
    #[error("its time is over")]
    Expired,
}

impl Tenure<'_> {
    /// Renews the lease at every third of its time to live, until that is not possible any more.
    ///
    /// A server that is not there is no reason to give up before the expiration that it has told.
    pub(super) async fn keep(mut self) -> Lost {
        let mut backoff = self.backoff();
        let mut next = self.after_a_third();
        loop {
            sleep_until(next.min(self.expires_at).into()).await;
            if Instant::now() >= self.expires_at {
                return Lost::Expired;
            }
            let renewal = self.client.renew(self.reservation, None);
            let Ok(renewed) = timeout_at(self.expires_at.into(), renewal).await else {
                return Lost::Expired;
            };
            match renewed {
                Ok(seen) => {
                    self.take_note(&seen);
                    backoff = self.backoff();
                    next = self.after_a_third();
                }
                Err(error) if matches!(error.status(), Some(404 | 409 | 410)) => {
                    return Lost::Ended(error);
                }
                Err(error) => {
                    log::warn!("the lease is not renewed: {error}; trying again");
                    next = Instant::now() + backoff.pause(error.retry_after());
                }
            }
        }
    }

    fn take_note(&mut self, seen: &Seen) {
        if let Some(expires_at) = seen.expires_at {
            self.expires_at = expires_at;
        }
    }

    fn after_a_third(&self) -> Instant {
        Instant::now() + self.ttl / 3
    }

    fn backoff(&self) -> Backoff {
        Backoff::up_to(LONGEST_PAUSE.min(self.ttl / 6))
    }
}
