//! Lives years of the pool's life, and says what came of it.

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Instant;

use acctpool_soak::lives::{YEARS_OF_A_LIFE, live};
use clap::Parser;

/// Lives years of the pool's life in a simulated world, and checks every promise after every event.
#[derive(Parser)]
struct Arguments {
    /// How many years.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    years: u64,
    /// Where chance begins. Every five years another life begins, with the next seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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
        seed,
        threads,
    } = Arguments::parse();
    let cores = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let threads = threads.unwrap_or_else(cores).get();
    let began = Instant::now();
    match live(seed, years, threads) {
        Ok(tally) => {
            let took = began.elapsed().as_secs_f64();
            println!("{tally}");
            println!("{years} pool-years in {took:.1} s, on {threads} threads");
            ExitCode::SUCCESS
        }
        Err(broken) => {
            let age = broken.age.as_secs_f64() / acctpool_soak::life::YEAR.as_secs_f64();
            eprintln!("a promise was broken in year {age:.3}: {}", broken.what);
            eprintln!(
                "again: soak --seed {} --years {YEARS_OF_A_LIFE}",
                broken.seed
            );
            ExitCode::FAILURE
        }
    }
}
