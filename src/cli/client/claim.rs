//! From a wish to a lease; and back, whatever happens.
//!
//! Promises that no reservation is left behind of which the server has told: whoever does not get
//! hold of it in time, or is interrupted, gives it back.

use std::pin::pin;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::{sleep, timeout, timeout_at};
use uuid::Uuid;

use super::super::{Failure, exit_code};
use super::signals::Signals;
use super::waiting::Waiting;
use crate::client::{Backoff, Client, ClientError, Seen, State, Wish};

/// How long the server is asked to hold an answer, in seconds.
const HOLD: u64 = 30;

/// The same where somebody watches how the queue moves.
const HOLD_SEEN: u64 = 5;

/// How long to wait before asking a server again that neither holds its answers nor says when.
const POLL: Duration = Duration::from_secs(2);

/// The least time between two questions, whatever a server says.
const LEAST: Duration = Duration::from_millis(200);

/// The longest pause before a server that is not there is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long an interrupted program goes on to find and give back what it may have reserved.
const LAST_WORD: Duration = Duration::from_secs(2);

/// How long one that is in no hurry tries to give back.
const GIVE_BACK: Duration = Duration::from_secs(10);

/// A reservation that is active.
pub(super) struct Claim {
    /// Its id.
    pub(super) id: String,
    /// How it looked then, credentials included.
    pub(super) seen: Seen,
}

/// Why there is no claim.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unclaimed {
    /// A signal came first.
    #[error("interrupted while waiting for an account")]
    Interrupted(Signal),
    /// It took too long.
    #[error("no account within {}", humantime::format_duration(*.0))]
    TimedOut(Duration, #[source] Option<ClientError>),
    /// The server will not, now or later.
    #[error("no account")]
    Failed(#[source] ClientError),
    /// It ended before it was active, for the reason that the server told.
    #[error("the reservation ended while it was waited for: {0}")]
    Ended(String),
}

impl Unclaimed {
    /// Returns what this means for every verb but `run`.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted(signal) => exit_code::of_signal(signal.as_raw()),
            // It has not been the queue then.
            Self::TimedOut(_, Some(ClientError::Unreachable { .. })) => exit_code::UNREACHABLE,
            Self::TimedOut(..) => exit_code::WAIT_TIMED_OUT,
            Self::Failed(error) => exit_code::of(error),
            Self::Ended(_) => exit_code::NOT_FOUND,
        }
    }

    /// Wraps it, with an exit code.
    pub(super) fn with_code(self, code: u8) -> Failure {
        Failure::Exit {
            code,
            message: self.to_string(),
            source: std::error::Error::source(&self).map(|source| source.to_string().into()),
        }
    }
}

/// Asks for what is wished for and waits until it is there.
pub(super) async fn claim(
    client: &Client,
    wish: &Wish,
    wait: Duration,
    signals: &mut Signals,
) -> Result<Claim, Unclaimed> {
    let waiting = Waiting::new();
    let patience = Patience {
        until: Instant::now() + wait,
        wait,
        waiting: &waiting,
    };
    let id = {
        let mut asking = pin!(ask(client, wish, &patience));
        tokio::select! {
            asked = &mut asking => asked?,
            never = waiting.spin() => match never {},
            received = signals.next() => {
                // What was sent may have been done. Without the answer it could not be given back.
                if let Ok(Ok(id)) = timeout(LAST_WORD, asking).await {
                    give_back(client, &id, Instant::now() + LAST_WORD).await;
                }
                return Err(Unclaimed::Interrupted(received.signal));
            }
        }
    };
    let waited = tokio::select! {
        waited = until_active(client, &id, &patience) => waited,
        never = waiting.spin() => match never {},
        received = signals.next() => Err(Unclaimed::Interrupted(received.signal)),
    };
    match waited {
        Ok(seen) => Ok(Claim { id, seen }),
        Err(why) => {
            let budget = match why {
                Unclaimed::Interrupted(_) => LAST_WORD,
                _ => GIVE_BACK,
            };
            give_back(client, &id, Instant::now() + budget).await;
            Err(why)
        }
    }
}

/// Gives a reservation back, and tries again until then if the server is not there. Says so if that
/// was not enough.
pub(super) async fn give_back(client: &Client, id: &str, until: Instant) {
    let mut backoff = Backoff::up_to(Duration::from_secs(1));
    let mut problem = "there was no answer in time".to_owned();
    let trying = async {
        loop {
            match client.release(id).await {
                Ok(()) => return true,
                // Over already, or never there.
                Err(error) if error.status() == Some(404) => return true,
                Err(error) => {
                    problem = error.to_string();
                    if !error.is_passing() {
                        return false;
                    }
                    sleep(backoff.pause(error.retry_after())).await;
                }
            }
        }
    };
    if timeout_at(until.into(), trying).await != Ok(true) {
        log::warn!("reservation {id} is not given back, and ends by itself: {problem}");
    }
}

/// How long to try.
struct Patience<'a> {
    until: Instant,
    wait: Duration,
    waiting: &'a Waiting,
}

impl Patience<'_> {
    /// Lets some time pass, unless there is none left.
    async fn pause(&self, pause: Duration, error: Option<ClientError>) -> Result<(), Unclaimed> {
        let left = self.left();
        if left.is_zero() {
            return Err(Unclaimed::TimedOut(self.wait, error));
        }
        sleep(pause.min(left)).await;
        Ok(())
    }

    /// The same after an error that may pass.
    async fn outlast(&self, error: ClientError, backoff: &mut Backoff) -> Result<(), Unclaimed> {
        if !error.is_passing() {
            return Err(Unclaimed::Failed(error));
        }
        if self.waiting.is_seen() {
            self.waiting.complain(&error);
        } else {
            log::warn!("{error}; trying again");
        }
        self.pause(backoff.pause(error.retry_after()), Some(error))
            .await
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// Makes the reservation. However often that is tried, it is one.
async fn ask(client: &Client, wish: &Wish, patience: &Patience<'_>) -> Result<String, Unclaimed> {
    let key = Uuid::new_v4();
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    loop {
        match client.reserve(wish, key).await {
            Ok(id) => return Ok(id),
            Err(error) => patience.outlast(error, &mut backoff).await?,
        }
    }
}

async fn until_active(
    client: &Client,
    id: &str,
    patience: &Patience<'_>,
) -> Result<Seen, Unclaimed> {
    let hold = if patience.waiting.is_seen() {
        HOLD_SEEN
    } else {
        HOLD
    };
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    loop {
        let seconds = patience.left().as_secs().min(hold);
        let asked_at = Instant::now();
        let seen = match client.show(id, (seconds > 0).then_some(seconds)).await {
            Ok(seen) => seen,
            Err(error) => {
                patience.outlast(error, &mut backoff).await?;
                continue;
            }
        };
        backoff = Backoff::up_to(LONGEST_PAUSE);
        let reservation = &seen.told.facts;
        match reservation.state {
            State::Active if reservation.has_credentials() => return Ok(seen),
            State::Ended => {
                let reason = reservation.end_reason.clone();
                return Err(Unclaimed::Ended(reason.unwrap_or_default()));
            }
            State::Active | State::Pending | State::Unknown => {}
        }
        patience.waiting.show(reservation);
        let pause = if seen.has_waited {
            // It has been waited for; another question follows at once.
            LEAST.saturating_sub(asked_at.elapsed())
        } else {
            seen.retry_after.unwrap_or(POLL).max(LEAST)
        };
        patience.pause(pause, None).await?;
    }
}
