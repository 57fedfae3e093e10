//! The figures: how fast the service is, what it weighs, and whether growth costs anything.
//!
//! `cargo bench` measures, in less than four minutes; `cargo bench -- --quick` looks, in less than
//! forty seconds; words such as `http` or `pool` choose sections. The real binary is asked over
//! HTTP, on loopback, with a durable store and default settings. What a request costs is told
//! beside what it costs a bare actix-web handler in the same rounds: ratios travel between machines,
//! absolute figures do not.
//!
//! Without `--bench`, which `cargo bench` adds, everything runs once on a tiny scale: `cargo test
//! --benches` shows that it works.

#![expect(
    clippy::cast_precision_loss,
    reason = "nothing that is counted here comes near 2^52"
)]

mod bare;
mod client;
mod contest;
mod disk;
mod group_commit;
mod growth;
mod http;
mod installation;
mod plan;
mod pool;
mod process;
mod scripts;
mod start;
mod statistics;
mod table;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, thread};

use plan::Plan;
use table::{Table, brief};

/// Why something could not be measured: for a person to read.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures one thing, and says what came of it.
type Section = fn(&Plan) -> Result<Vec<Table>, Failure>;

const SECTIONS: [(&str, Section); 6] = [
    ("http", http::measure),
    ("growth", growth::measure),
    ("disk", disk::measure),
    ("commit", group_commit::measure),
    ("start", start::measure),
    ("pool", pool::measure),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match &arguments[..] {
        [flag, body] if flag == bare::FLAG => bare::serve(Path::new(body)),
        _ => measure(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nowhere to complain if stderr is closed.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &[String]) -> Result<(), Failure> {
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let plan = match (given("--bench"), given("--quick")) {
        (true, false) => Plan::FULL,
        (true, true) => Plan::QUICK,
        (false, _) => Plan::SMOKE,
    };
    let names: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    if let Some(unknown) = names.iter().find(|name| !is_section(name)) {
        return Err(format!("there is no section {unknown}").into());
    }
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "acctpool {} · {} cores · {} rounds of {} · medians",
        env!("CARGO_PKG_VERSION"),
        thread::available_parallelism()?,
        plan.rounds,
        brief(plan.slice),
    )?;
    let began = Instant::now();
    for (name, section) in SECTIONS {
        if names.is_empty() || names.contains(&&name.to_owned()) {
            for table in section(&plan)? {
                write!(out, "{table}")?;
            }
            out.flush()?;
        }
    }
    writeln!(out, "\nmeasured in {}", brief(began.elapsed()))?;
    Ok(())
}

fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|(section, _)| *section == name)
}
