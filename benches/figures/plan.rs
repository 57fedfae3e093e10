//! How much is measured. Depends on nothing.
//!
//! Whatever the plan, the program is the same: a smaller plan gives rougher figures sooner.

use std::time::Duration;

/// Sizes and times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How often everything is measured; figures are medians of these.
    pub(crate) rounds: usize,
    /// How long one measurement counts requests.
    pub(crate) slice: Duration,
    /// How long each load runs before it counts.
    pub(crate) warm_up: Duration,
    /// How many connections ask at once.
    pub(crate) connections: &'static [usize],
    /// How many reservations wait while others are made, polled and cancelled.
    pub(crate) waiting: usize,
    /// How many reservations that are over are kept beside these.
    pub(crate) ended: usize,
    /// The numbers of accounts between which nothing should change.
    pub(crate) accounts: &'static [usize],
    /// How many reservations are in the store when the service starts.
    pub(crate) starts: &'static [usize],
    /// The fewest and the most accounts of a pool that is measured without anything around it.
    pub(crate) pools: [usize; 2],
    /// How many reservations such a pool holds when it ticks.
    pub(crate) ticking: usize,
}

impl Plan {
    /// What the figures of the issue are read from.
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        slice: Duration::from_millis(600),
        warm_up: Duration::from_millis(150),
        connections: &[1, 32, 256],
        waiting: 10_000,
        ended: 89_000,
        accounts: &[10, 1_000, 100_000],
        starts: &[10_000, 100_000, 1_000_000],
        pools: [100, 100_000],
        ticking: 1_000_000,
    };

    /// A look between two edits.
    pub(crate) const QUICK: Self = Self {
        rounds: 3,
        slice: Duration::from_millis(250),
        warm_up: Duration::from_millis(100),
        connections: &[1, 32, 256],
        waiting: 10_000,
        ended: 39_000,
        accounts: &[10, 10_000],
        starts: &[10_000, 100_000],
        pools: [100, 10_000],
        ticking: 100_000,
    };

    /// Shows that everything runs, in a debug build as well. Its figures mean nothing.
    pub(crate) const SMOKE: Self = Self {
        rounds: 1,
        slice: Duration::from_millis(30),
        warm_up: Duration::from_millis(10),
        connections: &[1, 8],
        waiting: 20,
        ended: 50,
        accounts: &[10, 20],
        starts: &[50],
        pools: [5, 10],
        ticking: 100,
    };
}
