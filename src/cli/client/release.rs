//! `acctpool release`: gives back.

use clap::Args;

use super::super::Failure;
use super::options::ServerOptions;
use super::{Named, on_this_thread};

/// See the verb.
#[derive(Args, Debug)]
#[command(after_help = "\
May be repeated. Exit codes: 3 there is no such reservation of yours, 7 the server is unreachable.")]
pub(in crate::cli) struct Release {
    #[command(flatten)]
    reservation: Named,
    #[command(flatten)]
    server: ServerOptions,
}

impl Release {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let client = self.server.client()?;
        on_this_thread(client.release(&self.reservation.id))
            .map_err(Failure::of_server("not released"))
    }
}
