//! Many lives of the service, side by side. One that breaks a promise is named by its seed, and can be
//! lived again.

use std::time::Duration;

use acctpool_soak::lives::side_by_side;
pub use acctpool_soak::lives::{Broken, live_once};

use crate::life::Life;
use crate::tally::Tally;

/// How long a life lasts. Then the next one begins, with the next seed.
pub const LIFE: Duration = Duration::from_hours(24 * 73);

/// How many lives make a year.
pub const LIVES_OF_A_YEAR: u64 = 5;

/// Lives so many lives: one from the seed, the next from the seed after it, and so on, for as long as
/// `goes_on`. Stops at the first one that breaks a promise. Returns how many were lived, and what
/// happened in them.
///
/// # Errors
///
/// With the life that broke a promise: of several, the one with the lowest seed.
pub fn live(
    seed: u64,
    count: u64,
    threads: usize,
    goes_on: impl Fn() -> bool + Sync,
) -> Result<(usize, Tally), Broken> {
    let lived = side_by_side(count, threads, goes_on, |index| {
        live_once::<Life>(seed + index, LIFE)
    })?;
    let mut all = Tally::default();
    for tally in &lived {
        all.add(tally);
    }
    Ok((lived.len(), all))
}
