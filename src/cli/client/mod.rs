//! The verbs that talk to a running server, one file each, and what they share.
//!
//! They depend on `client`, and on nothing that a server is made of. Data goes to stdout; progress to
//! stderr, and only where that is a terminal. No credential is printed unless its format was asked
//! for by name.
//!
//! - `options`: where the server is, and who asks.
//! - `asking`: what is asked for, with what a CI says about itself.
//! - `signals`, `claim`, `waiting`: from the wish to the lease, and back whatever happens.
//! - `variables`: a lease as environment variables.
//! - `printing`: tables and outlines.

pub(super) mod account;
mod asking;
mod claim;
pub(super) mod list;
mod options;
mod printing;
pub(super) mod release;
pub(super) mod renew;
pub(super) mod reserve;
pub(super) mod revoke;
pub(super) mod run;
pub(super) mod show;
mod signals;
pub(super) mod status;
mod variables;
mod waiting;

use std::io::Write;

use clap::ValueEnum;

use super::Failure;

/// How to print what is no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: what the server answered.
    Json,
}

/// One reservation, as it is named on the command line.
#[derive(clap::Args, Debug)]
struct Named {
    /// The reservation's id.
    #[arg(value_name = "ID", env = "ACCTPOOL_RESERVATION_ID")]
    id: String,
}

/// Does something that needs a client, which belongs to one thread: this one.
fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(work)
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::of("cannot print"))
}
