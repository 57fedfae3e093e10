//! The life of a thing that comes and goes by itself: what the network services share.
//!
//! Depends on nothing. Promises that a deletion that has begun is not put off by another.

use std::time::Duration;

use time::OffsetDateTime;

/// Where a thing is in its life, and when that changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    phase: Phase,
    due: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Coming,
    Ready,
    Going,
}

impl Life {
    /// Begins a life that is ready after `lag`.
    pub(crate) fn begin(now: OffsetDateTime, lag: Duration) -> Self {
        Self {
            phase: Phase::Coming,
            due: Some(now + lag),
        }
    }

    /// Accepts a deletion, which ends after `lag`.
    pub(crate) fn end(&mut self, now: OffsetDateTime, lag: Duration) {
        if self.phase != Phase::Going {
            (self.phase, self.due) = (Phase::Going, Some(now + lag));
        }
    }

    /// When it changes by itself.
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        self.due
    }

    /// Does what time has brought about up to `now`; answers whether the thing is still there.
    pub(crate) fn settle(&mut self, now: OffsetDateTime) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return true;
        }
        self.due = None;
        let stays = self.phase != Phase::Going;
        self.phase = Phase::Ready;
        stays
    }

    pub(crate) fn is_going(&self) -> bool {
        self.phase == Phase::Going
    }

    /// The word for the phase, of those for coming, ready and going.
    pub(crate) fn word<'a>(&self, [coming, ready, going]: [&'a str; 3]) -> &'a str {
        match self.phase {
            Phase::Coming => coming,
            Phase::Ready => ready,
            Phase::Going => going,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Life;
    use std::time::Duration;
    use time::macros::datetime;

    const WORDS: [&str; 3] = ["coming", "ready", "going"];

    #[test]
    fn a_life_comes_stays_and_goes() {
        let (start, lag) = (datetime!(2026-05-01 10:00 UTC), Duration::from_secs(10));
        let mut life = Life::begin(start, lag);
        assert_eq!(
            (life.word(WORDS), life.due()),
            ("coming", Some(start + lag))
        );
        assert!(life.settle(start + lag));
        assert_eq!((life.word(WORDS), life.due()), ("ready", None));
        life.end(start + lag, lag);
        // A second deletion does not put the first one off.
        life.end(start + lag + lag / 2, lag);
        assert_eq!(life.word(WORDS), "going");
        assert!(life.settle(start + lag + lag / 2));
        assert!(!life.settle(start + 2 * lag));
    }

    #[test]
    fn a_deletion_overtakes_a_creation() {
        let (start, lag) = (datetime!(2026-05-01 10:00 UTC), Duration::from_secs(10));
        let mut life = Life::begin(start, lag);
        life.end(start, 2 * lag);
        assert!(life.settle(start + lag), "it is not gone before its time");
        assert!(!life.settle(start + 2 * lag));
    }
}
