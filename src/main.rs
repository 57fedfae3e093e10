//! The `acctpool` program.

use std::process::ExitCode;

/// What one thread makes, another drops: of every request, of every decision. The system's allocator
/// is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    acctpool::cli::run()
}
