//! Durations as people write them.
//!
//! Depends on nothing else in the program. Promises a positive duration that can be added to any
//! date of this century without overflow.

use std::time::Duration;

/// What a duration may be, for messages.
pub(crate) const ALLOWED: &str = "a duration from 1ms to 3650d: text such as \"90m\", \"2h 30m\" \
                                  or \"7d\", or a whole number of minutes";

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_hours(3650 * 24);

/// Reads a duration: units as in `2h 30m`, and bare digits for minutes, as in the HTTP contract.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return minutes(text.parse().ok()?);
    }
    within_limits(humantime::parse_duration(text).ok()?)
}

/// Reads a whole number of minutes.
pub(crate) fn minutes(count: u64) -> Option<Duration> {
    within_limits(Duration::from_secs(count.checked_mul(60)?))
}

fn within_limits(duration: Duration) -> Option<Duration> {
    (SHORTEST..=LONGEST).contains(&duration).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_bare_minutes_are_read() {
        let minute = 60;
        for (text, seconds) in [
            ("90m", 90 * minute),
            ("2h 30m", 150 * minute),
            ("2h30m", 150 * minute),
            ("60", 60 * minute),
            (" 7d ", 7 * 24 * 60 * minute),
            ("10s", 10),
            ("3650d", 3650 * 24 * 60 * minute),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1ms"), Some(Duration::from_millis(1)));
    }

    #[test]
    fn what_is_no_positive_duration_of_at_most_ten_years_is_refused() {
        for text in [
            "",
            " ",
            "0",
            "0s",
            "-5m",
            "soon",
            "5 parsecs",
            "1us",
            "3651d",
            "100y",
            "1e3s",
            "99999999999999999999",
            "307445734561825861",
            "18446744073709551615h",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
