//! Many lives, side by side. One that breaks a promise is named by its seed, and can be lived again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::life::Life;
use crate::tally::Tally;

/// How long a life lasts. Then the next one begins, with the next seed.
pub const LIFE: Duration = Duration::from_hours(24 * 73);

/// How many lives make a year.
pub const LIVES_OF_A_YEAR: u64 = 5;

/// A life that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its seed.
    pub seed: u64,
    /// How old it was.
    pub age: Duration,
    /// What was broken.
    pub what: String,
}

/// Lives so many lives: one from the seed, the next from the seed after it, and so on, for as long as
/// `goes_on`. Stops at the first one that breaks a promise. Returns how many were lived, and what
/// happened in them.
///
/// # Errors
///
/// With the life that broke a promise: of several, the one with the lowest seed.
///
/// # Panics
///
/// If a thread ends by anything but its lives.
pub fn live(
    seed: u64,
    count: u64,
    threads: usize,
    goes_on: impl Fn() -> bool + Sync,
) -> Result<(u64, Tally), Broken> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut lived = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count || !goes_on() {
                return lived;
            }
            let life = live_once(seed + index, LIFE);
            if life.is_err() {
                // Nobody begins another one.
                next.store(count, Ordering::Relaxed);
            }
            lived.push((index, life));
        }
    };
    let mut lived: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let lived = threads.into_iter().flat_map(|thread| {
            thread
                .join()
                .expect("a broken promise is caught in its life")
        });
        lived.collect()
    });
    lived.sort_by_key(|(index, _)| *index);
    let mut all = Tally::default();
    let mut count = 0;
    for (_, tally) in lived {
        all.add(&tally?);
        count += 1;
    }
    Ok((count, all))
}

/// Lives one life for so long.
///
/// # Errors
///
/// With what was broken.
pub fn live_once(seed: u64, time: Duration) -> Result<Tally, Broken> {
    let mut begun = None;
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let life = begun.insert(Life::new(seed));
        life.live(time);
        life.tally().clone()
    }));
    lived.map_err(|panic| Broken {
        seed,
        age: begun.map_or(Duration::ZERO, |life| life.age()),
        what: words(panic.as_ref()),
    })
}

fn words(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
    let formatted = panic.downcast_ref::<String>().cloned();
    literal.or(formatted).unwrap_or_default()
}
