//! Randomness that can be repeated: everything follows from one seed, which is printed.
//! `ACCTPOOL_TEST_SEED` repeats it, as far as the machine's own timing lets it.

use std::env;

use time::OffsetDateTime;

/// Returns the number in an environment variable, if it is set.
pub(crate) fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Returns the seed that was asked for, else one that is new each time.
pub(crate) fn seed() -> u64 {
    number("ACCTPOOL_TEST_SEED").unwrap_or_else(|| {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos();
        u64::try_from(now).unwrap()
    })
}

/// A generator of which equal seeds give equal sequences (`SplitMix64`).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Returns a place in a list, unless that is empty.
    pub(crate) fn pick<T>(&mut self, among: &[T]) -> Option<usize> {
        let limit = u64::try_from(among.len()).unwrap();
        (limit > 0).then(|| usize::try_from(self.below(limit)).unwrap())
    }
}
