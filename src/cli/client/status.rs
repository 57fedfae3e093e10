//! `acctpool status`: how the pool is.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::super::Failure;
use super::options::ServerOptions;
use super::printing::{table, tidy};
use super::{Format, on_this_thread, print};
use crate::client::{Client, ClientError, Statistics, Told};

/// Goes to the beginning of the screen and erases it.
const ERASE_SCREEN: &str = "\x1b[H\x1b[J";

/// See the verb.
#[derive(Args, Debug)]
pub(in crate::cli) struct Status {
    /// Goes on until Ctrl-C, and draws it anew.
    #[arg(long)]
    watch: bool,
    /// How often.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// How to print it.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

impl Status {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        // Everybody may know this, so it takes no token.
        let client = self.server.anonymous_client()?;
        on_this_thread(async {
            if self.watch {
                return self.watch(&client).await;
            }
            let told = client.statistics().await;
            print(&self.render(&told.map_err(Failure::of_server("no status"))?))
        })
    }

    /// Shows it for ever; a server that is gone for a while may come back.
    async fn watch(&self, client: &Client) -> Result<(), Failure> {
        let erase = if stdout().is_terminal() && self.format == Format::Table {
            ERASE_SCREEN
        } else {
            ""
        };
        loop {
            match client.statistics().await {
                Ok(told) => print(&format!("{erase}{}", self.render(&told)))?,
                Err(error) if error.is_passing() => self.complain(erase, &error)?,
                Err(error) => return Err(Failure::of_server("no status")(error)),
            }
            sleep(self.interval).await;
        }
    }

    fn complain(&self, erase: &str, error: &ClientError) -> Result<(), Failure> {
        match self.format {
            Format::Table => print(&format!("{erase}{}", tidy(&error.to_string()))),
            Format::Json => {
                log::warn!("{error}");
                Ok(())
            }
        }
    }

    fn render(&self, told: &Told<Statistics>) -> String {
        match self.format {
            Format::Json => told.document.to_string(),
            Format::Table => describe(&told.facts),
        }
    }
}

fn describe(statistics: &Statistics) -> String {
    const HEAD: [&str; 10] = [
        "type",
        "total",
        "ready",
        "leased",
        "dirty",
        "cleaning",
        "quarantined",
        "drained",
        "waiting",
        "active",
    ];
    let rows = statistics.accounts.iter().map(|(name, accounts)| {
        let claims = statistics.reservations.get(name);
        let (waiting, active) = claims.map_or((0, 0), |claims| (claims.pending, claims.active));
        let counts = [
            accounts.total,
            accounts.ready,
            accounts.leased,
            accounts.dirty,
            accounts.cleaning,
            accounts.quarantined,
            accounts.drained,
            waiting,
            active,
        ];
        std::iter::once(name.clone())
            .chain(counts.iter().map(ToString::to_string))
            .collect()
    });
    format!(
        "{}, acctpool {}\n\n{}",
        tidy(&statistics.status),
        tidy(&statistics.version),
        table(&HEAD, rows)
    )
}
