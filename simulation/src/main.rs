//! Lives years of the service's life, and says what came of it.

use std::num::NonZero;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use acctpool_simulation::lives::{LIVES_OF_A_YEAR, live};
use clap::Parser;

/// Lives years of the service's life in a simulated world, and checks every promise after every step.
#[derive(Parser)]
struct Arguments {
    /// How many years of 20 accounts.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    years: u64,
    /// For how many hours of real time, whatever the number of years.
    #[arg(long, conflicts_with = "years")]
    hours: Option<f64>,
    /// Where chance begins. Every fifth of a year another life begins, with the next seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the life of this seed, and no other.
    #[arg(long, conflicts_with_all = ["years", "hours"])]
    once: bool,
    /// How many lives are lived side by side; as many as there are cores, if not given. What happens
    /// in them does not depend on it.
    #[arg(long)]
    threads: Option<NonZero<usize>>,
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command"
)]
#[expect(clippy::disallowed_methods, reason = "no life sees this clock")]
fn main() -> ExitCode {
    let Arguments {
        years,
        hours,
        seed,
        once,
        threads,
    } = Arguments::parse();
    let cores = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let threads = threads.unwrap_or_else(cores).get();
    let began = Instant::now();
    let limit = hours.map(|hours| Duration::from_secs_f64(hours.max(0.0) * 3600.0));
    let count = match (limit, once) {
        (Some(_), _) => u64::MAX - seed,
        (None, true) => 1,
        (None, false) => years * LIVES_OF_A_YEAR,
    };
    let goes_on = || limit.is_none_or(|limit| began.elapsed() < limit);
    match live(seed, count, threads, goes_on) {
        Ok((lives, tally)) => {
            let took = began.elapsed().as_secs_f64();
            println!("{tally}");
            println!(
                "{lives} lives of a fifth of a year from seed {seed} on, in {took:.1} s, on \
                 {threads} threads"
            );
            ExitCode::SUCCESS
        }
        Err(broken) => {
            let days = broken.age.as_secs_f64() / (24.0 * 3600.0);
            eprintln!("a promise was broken on day {days:.3}: {}", broken.what);
            eprintln!("again: simulation --once --seed {}", broken.seed);
            ExitCode::FAILURE
        }
    }
}
