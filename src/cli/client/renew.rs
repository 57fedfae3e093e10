//! `acctpool renew`: keeps a lease alive, or extends it.

use clap::Args;

use super::super::Failure;
use super::options::ServerOptions;
use super::{Format, Named, on_this_thread, print};

/// See the verb.
#[derive(Args, Debug)]
#[command(after_help = "\
Prints until when the lease lasts now.

Exit codes: 3 there is no such reservation of yours, or it has ended; 5 it is still pending.")]
pub(in crate::cli) struct Renew {
    #[command(flatten)]
    reservation: Named,
    /// How long it should last from now on, up to what its type allows; never shorter than before.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// How to print it.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

impl Renew {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let client = self.server.client()?;
        let renewed = client.renew(&self.reservation.id, self.duration.as_deref());
        let document = on_this_thread(renewed)
            .map_err(Failure::of_server("not renewed"))?
            .told
            .document;
        match (self.format, document["expiration"].as_str()) {
            (Format::Table, Some(expiration)) => print(&super::printing::tidy(expiration)),
            _ => print(&document.to_string()),
        }
    }
}
