//! Those who wait for something to change, and what wakes them: news, the end of their time, the
//! end of the service, or that they went away themselves.
//!
//! Nobody who waits costs a thread or a timer. Everybody whose time is up in the same second shares
//! one wake-up, and one task lets the seconds pass.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::Timestamp;
use actix_web::{HttpRequest, rt};
use futures_util::future::{Either, OptionFuture, select};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::http::server::connection::Connection;

/// The longest wait, in seconds.
pub(crate) const LONGEST: u64 = 60;

/// How many seconds have a wake-up of their own: more than the longest wait reaches ahead.
const WAKE_UPS: usize = 64;
const SECONDS: u64 = WAKE_UPS as u64;
const _: () = assert!(SECONDS > LONGEST, "a wait would end a round too early");

/// How often the clock is looked at.
const BEAT: Duration = Duration::from_secs(1);

/// Everybody who waits on one server.
pub(crate) struct Waits {
    /// How many seconds have passed since the start.
    passed: AtomicU64,
    /// What wakes those whose second has come.
    seconds: [Notify; WAKE_UPS],
    is_stopping: AtomicBool,
}

impl Waits {
    /// Returns waits whose seconds are those of `clock`, and which are over once `stopping` resolves.
    ///
    /// Needs a runtime of actix. Its task ends when nobody holds the waits any more.
    pub(crate) fn start(
        clock: Arc<dyn Clock>,
        stopping: impl Future<Output = ()> + 'static,
    ) -> Arc<Self> {
        let waits = Arc::new(Self::new());
        rt::spawn(pass(Arc::downgrade(&waits), clock, stopping));
        waits
    }

    fn new() -> Self {
        Self {
            passed: AtomicU64::new(0),
            seconds: std::array::from_fn(|_| Notify::new()),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Returns the waits of the server that a request came to.
    pub(crate) fn of(request: &HttpRequest) -> &Arc<Self> {
        request
            .app_data()
            .expect("the server gives every request its waits")
    }

    /// Tells whether the server has been told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Lets seconds pass.
    fn advance(&self, seconds: u64) {
        let before = self.passed.fetch_add(seconds, Ordering::SeqCst);
        for second in 1..=seconds.min(SECONDS) {
            self.at(before + second).notify_waiters();
        }
    }

    /// Ends every wait, for good.
    fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        for second in &self.seconds {
            second.notify_waiters();
        }
    }

    fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    fn at(&self, second: u64) -> &Notify {
        let index = usize::try_from(second % SECONDS).expect("a remainder of a small number");
        &self.seconds[index]
    }
}

/// Lets the seconds pass that the clock shows, until the service stops.
async fn pass(waits: Weak<Waits>, clock: Arc<dyn Clock>, stopping: impl Future<Output = ()>) {
    let mut stopping = pin!(stopping);
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = clock.now();
    loop {
        let tick = pin!(beat.tick());
        let is_stopping = matches!(select(stopping.as_mut(), tick).await, Either::Left(_));
        let Some(waits) = waits.upgrade() else {
            return;
        };
        if is_stopping {
            waits.stop();
            return;
        }
        waits.advance(seconds_since(&mut seen, clock.now()));
    }
}

/// Returns how many whole seconds have passed since `seen`, which is moved on by them. A clock that
/// was set back lets one second pass: nobody waits for it to catch up.
fn seconds_since(seen: &mut Timestamp, now: Timestamp) -> u64 {
    if let Ok(seconds) = u64::try_from((now - *seen).whole_seconds()) {
        *seen += Duration::from_secs(seconds);
        seconds
    } else {
        *seen = now;
        1
    }
}

/// The time that one exchange may wait. Dropping it, or whatever holds it, is all that it takes to
/// wait no more.
pub(crate) struct Wait {
    waits: Arc<Waits>,
    until: u64,
    connection: Option<Rc<Connection>>,
}

/// When somebody who waits looks again, if there is no news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// When time is up.
    AtTheEnd,
    /// In the next second: what is waited for is not news alone.
    EverySecond,
}

impl Wait {
    /// Begins to wait for at most so many seconds, [`LONGEST`] being the most.
    pub(crate) fn begin(request: &HttpRequest, seconds: u64) -> Self {
        let waits: &Arc<Waits> = request
            .app_data()
            .expect("the server gives every request the waits");
        Self {
            waits: Arc::clone(waits),
            until: waits.passed() + seconds.min(LONGEST),
            connection: request.conn_data::<Rc<Connection>>().map(Rc::clone),
        }
    }

    /// Tells whether it is time to answer, whatever there is to say.
    pub(crate) fn is_over(&self) -> bool {
        self.waits.passed() >= self.until
            || self.waits.is_stopping()
            // May be gone; if not, an early answer does no harm.
            || self.connection.as_ref().is_some_and(|connection| connection.has_ended())
    }

    /// Resolves with `news`, at the next look, or when the wait is over, whichever comes first.
    pub(crate) async fn look_again(&self, news: impl Future<Output = ()>, look: Look) {
        let second = match look {
            Look::AtTheEnd => self.until,
            Look::EverySecond => self.waits.passed() + 1,
        };
        let mut news = pin!(news);
        // Listens from here on, so that no second is missed between looking and waiting, nor the end of
        // the connection.
        let mut second_has_come = pin!(self.waits.at(second).notified());
        let mut connection_ends = pin!(OptionFuture::from(
            self.connection.as_ref().map(|connection| connection.end())
        ));
        poll_fn(|context| {
            let is_time = self.is_over()
                || self.waits.passed() >= second
                || news.as_mut().poll(context).is_ready()
                || second_has_come.as_mut().poll(context).is_ready()
                || matches!(
                    connection_ends.as_mut().poll(context),
                    Poll::Ready(Some(()))
                );
            if is_time {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::task::{Context, Wake, Waker};

    use futures_util::FutureExt;
    use time::macros::datetime;

    use super::*;

    fn wait(waits: &Arc<Waits>, seconds: u64) -> Wait {
        Wait {
            waits: Arc::clone(waits),
            until: waits.passed() + seconds,
            connection: None,
        }
    }

    /// Notes that it was woken.
    #[derive(Default)]
    struct Alarm(AtomicBool);

    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wait_is_woken_in_its_own_second_and_not_before() {
        let waits = Arc::new(Waits::new());
        // Far enough that every wake-up is used more than once.
        for seconds in (1..=LONGEST).cycle().take(200) {
            let wait = wait(&waits, seconds);
            let alarm = Arc::new(Alarm::default());
            let waker = Waker::from(Arc::clone(&alarm));
            let mut context = Context::from_waker(&waker);
            let mut looking = pin!(wait.look_again(pending(), Look::AtTheEnd));
            assert!(looking.as_mut().poll(&mut context).is_pending());
            waits.advance(seconds - 1);
            assert!(!alarm.0.load(Ordering::SeqCst), "{seconds}");
            waits.advance(1);
            assert!(alarm.0.load(Ordering::SeqCst), "{seconds}");
            assert!(looking.as_mut().poll(&mut context).is_ready());
        }
    }

    #[test]
    fn a_second_that_comes_between_looking_and_waiting_is_not_missed() {
        let waits = Arc::new(Waits::new());
        let wait = wait(&waits, 1);
        let looking = wait.look_again(pending(), Look::AtTheEnd);
        waits.advance(1);
        assert!(looking.now_or_never().is_some());
    }

    #[test]
    fn a_jump_of_the_clock_ends_every_wait() {
        let waits = Arc::new(Waits::new());
        let ends: Vec<Wait> = (1..=LONGEST).map(|seconds| wait(&waits, seconds)).collect();
        let mut looks: Vec<_> = ends
            .iter()
            .map(|wait| Box::pin(wait.look_again(pending(), Look::AtTheEnd)))
            .collect();
        for look in &mut looks {
            assert!(look.as_mut().now_or_never().is_none());
        }
        waits.advance(24 * 60 * 60);
        for look in &mut looks {
            assert!(look.as_mut().now_or_never().is_some());
        }
    }

    #[test]
    fn who_looks_every_second_is_woken_by_the_next() {
        let waits = Arc::new(Waits::new());
        let wait = wait(&waits, 30);
        let mut looking = pin!(wait.look_again(pending(), Look::EverySecond));
        assert!(looking.as_mut().now_or_never().is_none());
        waits.advance(1);
        assert!(looking.as_mut().now_or_never().is_some());
        assert!(!wait.is_over());
    }

    #[test]
    fn a_service_that_stops_ends_waits_that_run_and_waits_to_come() {
        let waits = Arc::new(Waits::new());
        let early = wait(&waits, 30);
        let mut looking = pin!(early.look_again(pending(), Look::AtTheEnd));
        assert!(looking.as_mut().now_or_never().is_none());
        waits.stop();
        assert!(looking.as_mut().now_or_never().is_some());
        assert!(wait(&waits, 30).is_over());
    }

    #[test]
    fn a_clock_that_is_set_back_stops_no_wait() {
        let noon = datetime!(2026-05-01 12:00 UTC);
        let mut seen = noon;
        let half = Duration::from_millis(500);
        assert_eq!(seconds_since(&mut seen, noon + half), 0);
        assert_eq!(seconds_since(&mut seen, noon + 3 * half), 1);
        assert_eq!(seconds_since(&mut seen, noon + 4 * half), 1);
        assert_eq!(seconds_since(&mut seen, noon - Duration::from_hours(1)), 1);
        assert_eq!(seconds_since(&mut seen, noon - Duration::from_mins(59)), 60);
    }
}
