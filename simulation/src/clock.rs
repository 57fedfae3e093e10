//! The clock of one process: the runtime's virtual time, counted from when the process was started.

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::Timestamp;
use tokio::time::Instant;

/// See the module. It tells the time within the runtime that it was made in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VirtualClock {
    started_at: Timestamp,
    began: Instant,
}

impl VirtualClock {
    /// Returns a clock that shows `started_at` now.
    pub(crate) fn starting_at(started_at: Timestamp) -> Self {
        Self {
            started_at,
            began: Instant::now(),
        }
    }

    /// Returns the runtime's name of a moment that is not before the start.
    pub(crate) fn instant(&self, moment: Timestamp) -> Instant {
        self.began + (moment - self.started_at).unsigned_abs()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.started_at + self.began.elapsed()
    }
}
