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

/// Something that lives for a while, in a world of its own, and panics where a promise is broken.
pub trait Mortal {
    /// What is counted in it.
    type Tally: Send;

    /// Begins a life: the same seed leads to the same life.
    fn begin(seed: u64) -> Self;

    /// Lives on until so much time has passed since the beginning.
    fn live(&mut self, time: Duration);

    /// Returns how much time has passed.
    fn age(&self) -> Duration;

    /// Returns what has happened.
    fn tally(&self) -> Self::Tally;
}

/// Lives so many years of the pool from a seed on: a life from the seed, the next from the seed after
/// it, and so on. Stops at the first one that breaks a promise.
///
/// # Errors
///
/// With the life that broke a promise: of several, the one with the lowest seed.
pub fn live(seed: u64, years: u64, threads: usize) -> Result<Tally, Broken> {
    let count = years.div_ceil(YEARS_OF_A_LIFE);
    let lived = side_by_side(
        count,
        threads,
        || true,
        |index| {
            let years = (years - index * YEARS_OF_A_LIFE).min(YEARS_OF_A_LIFE);
            let years = u32::try_from(years).expect("a life lasts a few years");
            live_once::<Life>(seed + index, YEAR * years)
        },
    )?;
    let mut all = Tally::default();
    for tally in &lived {
        all.add(tally);
    }
    Ok(all)
}

/// Lives so many lives by `life`, which is given their numbers from 0 on, on so many threads, for as
/// long as `goes_on`. Stops at the first one that breaks a promise. Returns what happened in those that
/// were lived, in the order of their numbers.
///
/// # Errors
///
/// With the life that broke a promise: of several, the one with the lowest number.
pub fn side_by_side<T: Send>(
    count: u64,
    threads: usize,
    goes_on: impl Fn() -> bool + Sync,
    life: impl Fn(u64) -> Result<T, Broken> + Sync,
) -> Result<Vec<T>, Broken> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut lived = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count || !goes_on() {
                return lived;
            }
            let life = life(index);
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
    lived.into_iter().map(|(_, life)| life).collect()
}

/// Lives one life for so long.
///
/// # Errors
///
/// With what was broken.
pub fn live_once<L: Mortal>(seed: u64, time: Duration) -> Result<L::Tally, Broken> {
    let mut begun = None;
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let life = begun.insert(L::begin(seed));
        life.live(time);
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
