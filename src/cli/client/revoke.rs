//! `acctpool revoke`: an operator takes a reservation away.

use clap::Args;

use super::super::Failure;
use super::options::ServerOptions;
use super::printing::tidy;
use super::{Format, on_this_thread, print};

/// See the verb.
#[derive(Args, Debug)]
#[command(after_help = "\
Needs the token of an operator. What has ended already stays as it ended. Exit codes: 3 there is no such
reservation, 4 not authorised, 7 the server is unreachable.")]
pub(in crate::cli) struct Revoke {
    /// The reservation's id, as `list --all` shows it.
    // Not from the environment: a job in which one's own id is set would revoke itself by accident.
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How to print what has become of it.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

impl Revoke {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let client = self.server.client()?;
        let told = on_this_thread(client.revoke(&self.id, &self.reason))
            .map_err(Failure::of_server("not revoked"))?;
        match self.format {
            Format::Json => print(&told.document.to_string()),
            Format::Table => {
                let reason = told.facts.end_reason.as_deref().unwrap_or("ended");
                print(&tidy(&format!("reservation {}: {reason}", told.facts.id)))
            }
        }
    }
}
