//! The simulator's clock, and the forms in which IBM writes times.
//!
//! Depends on nothing of the simulator. A clock runs with real time or stands still, and both can be
//! advanced; it never runs backwards by itself.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// How a simulator's time passes. Both kinds can be advanced by
/// [`Simulator::advance`](super::Simulator::advance).
#[derive(Debug, Clone, Copy)]
pub enum Time {
    /// Runs with the machine's clock.
    Real,
    /// Stands at this instant until it is advanced.
    Frozen(OffsetDateTime),
}

#[derive(Debug)]
pub(super) struct Clock {
    time: Time,
    advanced: Duration,
}

impl Clock {
    pub(super) fn new(time: Time) -> Self {
        Self {
            time,
            advanced: Duration::ZERO,
        }
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        let start = match self.time {
            Time::Real => OffsetDateTime::now_utc(),
            Time::Frozen(instant) => instant,
        };
        start + self.advanced
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.advanced += by;
    }
}

const IAM: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]+0000");
const IAM_SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+0000");
const CONTROLLER: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Writes a time as IAM Identity does: `2026-05-01T10:00+0000` (`ibm-cloud.md` 3.1).
pub(super) fn iam(at: OffsetDateTime) -> String {
    at.format(IAM)
        .expect("a format of date and time fields fits any instant")
}

/// Writes a time as the resource controller does: `2026-05-01T10:00:00.000Z` (`ibm-cloud.md` 6.1).
pub(super) fn controller(at: OffsetDateTime) -> String {
    at.format(CONTROLLER)
        .expect("a format of date and time fields fits any instant")
}

/// Reads a time in any form that IBM's APIs take in: IAM's, with or without seconds, or RFC 3339.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let in_utc = |format| {
        time::PrimitiveDateTime::parse(text, format)
            .map(time::PrimitiveDateTime::assume_utc)
            .ok()
    };
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| in_utc(IAM))
        .or_else(|| in_utc(IAM_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::{Clock, Time, controller, iam, parse};
    use std::time::Duration;
    use time::macros::datetime;

    #[test]
    fn frozen_clock_moves_only_when_advanced() {
        let start = datetime!(2026-05-01 10:00 UTC);
        let mut clock = Clock::new(Time::Frozen(start));
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now(), datetime!(2026-05-01 10:01:30 UTC));
    }

    #[test]
    fn every_written_form_is_read_back() {
        let at = datetime!(2026-05-01 10:00 UTC);
        assert_eq!(iam(at), "2026-05-01T10:00+0000");
        assert_eq!(parse(&iam(at)), Some(at));
        assert_eq!(parse(&controller(at)), Some(at));
        assert_eq!(parse("2026-05-01T12:00:00+02:00"), Some(at));
        assert_eq!(parse("tomorrow"), None);
    }
}
