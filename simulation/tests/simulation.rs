//! The share of the simulation that every test run lives.

use std::thread::available_parallelism;
use std::time::Duration;

use acctpool_simulation::life::Life;
use acctpool_simulation::lives::{LIVES_OF_A_YEAR, live, live_once};
use acctpool_simulation::tally::Fault;

/// What the project promises to live in every test run (issue 3).
const YEARS: u64 = 10;
const FAULTS: u64 = 100_000;

#[test]
#[expect(clippy::print_stdout, reason = "what was lived is worth a look")]
fn ten_years_of_the_whole_service_break_no_promise() {
    let threads = available_parallelism().map_or(1, usize::from);
    let (lives, tally) = live(1, YEARS * LIVES_OF_A_YEAR, threads, || true).unwrap();
    println!("{lives} lives from seed 1 on: {tally}");
    assert_eq!(lives as u64, YEARS * LIVES_OF_A_YEAR);
    assert!(tally.faults() >= FAULTS, "too little went wrong: {tally}");
    // Promises are easily kept where nothing is ever lent, or nothing was ever seen to go wrong.
    assert!(tally.leases >= 100 * YEARS, "{tally}");
    assert!(tally.calms >= 5 * YEARS, "{tally}");
    assert!(
        tally.faults_of(Fault::Infrastructure) > 0,
        "no account was cleaned of infrastructure: {tally}"
    );
    for often in [
        tally.several,
        tally.renewals,
        tally.lapses,
        tally.repetitions,
    ] {
        assert!(often >= 2 * YEARS, "{tally}");
    }
    assert!(
        tally.lines >= tally.requests,
        "the log was not heard: {tally}"
    );
    for fault in [
        Fault::Crash,
        Fault::CommitLost,
        Fault::CommitTorn,
        Fault::DecisionsLost,
        Fault::RequestAppliedAfterCrash,
        Fault::UndeletableResource,
        Fault::StaleReport,
    ] {
        assert!(tally.faults_of(fault) > YEARS, "{fault:?} is rare: {tally}");
    }
}

#[test]
fn a_seed_replays_exactly() {
    let week = Duration::from_hours(24 * 7);
    let fingerprint = |seed| live_once::<Life>(seed, week).unwrap().fingerprint();
    assert_eq!(fingerprint(7), fingerprint(7));
    assert_ne!(fingerprint(7), fingerprint(8));
}
