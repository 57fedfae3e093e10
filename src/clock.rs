//! The wall clock.

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::Timestamp;

/// The operating system's clock, in UTC.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now_utc()
    }
}
