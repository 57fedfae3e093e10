//! How long to wait before something is tried again.

use std::time::Duration;

/// The shortest pause.
const FIRST: Duration = Duration::from_millis(250);

/// Pauses that double up to a limit, with chance in them, so that clients that a restart has cut off
/// together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Begins with a short pause; none is longer than `longest`.
    pub(crate) fn up_to(longest: Duration) -> Self {
        Self {
            next: FIRST.min(longest),
            longest,
        }
    }

    /// Returns the next pause: at least what the server asked for.
    pub(crate) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        // Without randomness in the system, the whole pause.
        let chance = getrandom::u32().unwrap_or(u32::MAX);
        let pause = self
            .next
            .mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX));
        self.next = self.next.saturating_mul(2).min(self.longest);
        pause.max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_limit_and_heed_the_server() {
        let longest = Duration::from_secs(3);
        let mut backoff = Backoff::up_to(longest);
        assert!(backoff.pause(None) <= FIRST);
        for _ in 0..10 {
            let pause = backoff.pause(None);
            assert!(pause <= longest, "{pause:?}");
        }
        assert!(backoff.pause(None) >= longest / 2);
        let asked = Duration::from_mins(1);
        assert_eq!(backoff.pause(Some(asked)), asked);
    }
}
