//! Many lives, side by side. One that breaks a promise is named by its seed, and can be lived again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::life::{Life, YEAR};
use crate::tally::Tally;

/// How many years a life lasts. Then the next one begins, with the next seed.
pub const YEARS_OF_A_LIFE: u64 = 5;

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

/// Lives so many years from a seed on: a life from the seed, the next from the seed after it, and so
/// on. Stops at the first one that breaks a promise.
///
/// # Errors
///
/// With the life that broke a promise: of several, the one with the lowest seed.
pub fn live(seed: u64, years: u64, threads: usize) -> Result<Tally, Broken> {
    let count = years.div_ceil(YEARS_OF_A_LIFE);
    let next = AtomicU64::new(0);
    let work = || {
        let mut lived = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return lived;
            }
            let years = (years - index * YEARS_OF_A_LIFE).min(YEARS_OF_A_LIFE);
            let life = live_once(seed + index, years);
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
    for (_, tally) in lived {
        all.add(&tally?);
    }
    Ok(all)
}

fn live_once(seed: u64, years: u64) -> Result<Tally, Broken> {
    let years = u32::try_from(years).expect("a life lasts a few years");
    let mut begun = None;
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let life = begun.insert(Life::new(seed));
        life.live(YEAR * years);
        life.tally()
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
