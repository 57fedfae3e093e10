//! The share of the soak that every test run lives.

use std::thread::available_parallelism;

use acctpool_soak::life::{Life, YEAR};
use acctpool_soak::lives::{Mortal, live};

/// What the project promises to live in every test run (issue 3).
const YEARS: u64 = 300;
const FAULTS: u64 = 1_000_000;

#[test]
fn three_hundred_years_break_no_promise() {
    let threads = available_parallelism().map_or(1, usize::from);
    let tally = live(1, YEARS, threads).unwrap();
    assert!(tally.faults() >= FAULTS, "too little went wrong: {tally}");
    // Promises are easily kept where nothing is ever lent, or nobody ever well.
    assert!(tally.leases >= 100 * YEARS, "{tally}");
    assert!(tally.calms >= 5 * YEARS, "{tally}");
    assert!(tally.moves >= YEARS, "{tally}");
    for often in [
        tally.several,
        tally.renewals,
        tally.lapses,
        tally.repetitions,
        tally.orders,
        tally.reconfigurations,
    ] {
        assert!(often >= 5 * YEARS, "{tally}");
    }
}

#[test]
fn a_seed_replays_exactly() {
    let fingerprint = |seed, threads| live(seed, 6, threads).unwrap().fingerprint();
    assert_eq!(fingerprint(7, 1), fingerprint(7, 2));
    assert_ne!(fingerprint(7, 2), fingerprint(8, 2));
}

#[test]
fn a_shorter_life_is_the_beginning_of_a_longer_one() {
    let (mut at_once, mut in_steps) = (Life::begin(3), Life::begin(3));
    at_once.live(YEAR);
    in_steps.live(YEAR / 3);
    in_steps.live(YEAR);
    assert_eq!(
        at_once.tally().fingerprint(),
        in_steps.tally().fingerprint()
    );
}
