//! The `acctpool` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    acctpool::cli::run()
}
