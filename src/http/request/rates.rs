//! How often each token may ask.
//!
//! Each token has a bucket that holds a minute's requests and fills evenly: the generic cell rate
//! algorithm (ITU-T I.371), which needs one number for each token and no lock.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use acctpool_actors::pool::{Timestamp, TokenId};
use papaya::HashMap;

use super::identity::Identity;
use crate::http::problem::HttpError;

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The buckets of the tokens that have a limit and have asked.
#[derive(Default)]
pub(crate) struct Rates {
    /// When the bucket of each token would be full again, in microseconds of Unix time.
    full_at: HashMap<TokenId, Arc<AtomicI64>>,
}

impl Rates {
    /// Counts a request, or refuses one that is too many, which does not count.
    pub(crate) fn count(&self, caller: &Identity, now: Timestamp) -> Result<(), HttpError> {
        let Some(limit) = caller.requests_per_minute else {
            return Ok(());
        };
        let buckets = self.full_at.pin();
        let bucket = buckets.get_or_insert_with(caller.token.clone(), Arc::default);
        take(bucket, limit, micros(now)).map_err(|wait| HttpError::RateLimited { limit, wait })
    }
}

/// Takes a request out of a bucket; tells how long to wait for one where there is none.
fn take(full_at: &AtomicI64, limit: NonZeroU32, now: i64) -> Result<(), Duration> {
    let interval = MICROS_PER_MINUTE / i64::from(limit.get());
    let mut wait = 0;
    // No bucket is emptier than empty: kept on a refusal too, as the clock may have been set back.
    full_at.update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
        let full_at = full_at.clamp(now, now + MICROS_PER_MINUTE);
        wait = full_at + interval - now - MICROS_PER_MINUTE;
        if wait > 0 {
            full_at
        } else {
            full_at + interval
        }
    });
    match Duration::from_micros(wait.try_into().unwrap_or(0)) {
        Duration::ZERO => Ok(()),
        wait => Err(wait),
    }
}

fn micros(moment: Timestamp) -> i64 {
    let micros = moment.unix_timestamp_nanos() / 1000;
    i64::try_from(micros).expect("years of four digits fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn of(limit: u32) -> (AtomicI64, NonZeroU32) {
        (AtomicI64::new(0), NonZeroU32::new(limit).unwrap())
    }

    #[test]
    fn a_minutes_requests_may_come_at_once_and_no_more() {
        let (bucket, limit) = of(60);
        for _ in 0..60 {
            assert_eq!(take(&bucket, limit, 0), Ok(()));
        }
        let second = Duration::from_secs(1);
        assert_eq!(take(&bucket, limit, 0), Err(second));
        assert_eq!(take(&bucket, limit, SECOND / 2), Err(second / 2));
        assert_eq!(take(&bucket, limit, SECOND), Ok(()));
        assert_eq!(take(&bucket, limit, SECOND), Err(second));
    }

    #[test]
    fn no_more_than_a_minutes_requests_are_saved_up() {
        let (bucket, limit) = of(3);
        assert_eq!(take(&bucket, limit, 0), Ok(()));
        let later = 3600 * SECOND;
        for _ in 0..3 {
            assert_eq!(take(&bucket, limit, later), Ok(()));
        }
        assert!(take(&bucket, limit, later).is_err());
    }

    #[test]
    fn a_clock_that_was_set_back_shuts_nobody_out_for_long() {
        let (bucket, limit) = of(60);
        for _ in 0..60 {
            assert_eq!(take(&bucket, limit, 3600 * SECOND), Ok(()));
        }
        assert!(take(&bucket, limit, 0).is_err());
        assert_eq!(take(&bucket, limit, SECOND), Ok(()));
    }
}
