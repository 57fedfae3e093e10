//! `acctpool list`: reservations, the oldest first.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::super::Failure;
use super::options::ServerOptions;
use super::printing::table;
use super::{Format, on_this_thread, print};
use crate::client::{Reservation, ReservationFilter};

/// See the verb.
#[derive(Args, Debug)]
pub(in crate::cli) struct List {
    /// Only those in this state.
    #[arg(long, value_enum)]
    state: Option<StateName>,
    /// Everybody's, with whose they are; for operators and viewers.
    #[arg(long)]
    all: bool,
    /// How to print them.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StateName {
    /// Waiting for accounts.
    Pending,
    /// Holding accounts.
    Active,
    /// Over.
    Ended,
}

impl List {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let client = self.server.client()?;
        let state = self.state.and_then(|state| state.to_possible_value());
        let filter = ReservationFilter {
            state: state.map(|state| state.get_name().to_owned()),
            all: self.all,
        };
        let listed =
            on_this_thread(client.list(&filter)).map_err(Failure::of_server("not listed"))?;
        match self.format {
            Format::Json => {
                let documents: Vec<_> = listed.into_iter().map(|told| told.document).collect();
                print(&Value::from(documents).to_string())
            }
            Format::Table => {
                let mut head = vec![
                    "id", "state", "type", "account", "created", "until", "purpose",
                ];
                head.splice(1..1, self.all.then_some("consumer"));
                let rows = listed
                    .iter()
                    .map(|told| self.row(&told.facts, &told.document));
                print(&table(&head, rows))
            }
        }
    }

    fn row(&self, reservation: &Reservation, document: &Value) -> Vec<String> {
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        let state = match reservation.queue_position {
            Some(position) => format!("{}, position {position}", text("state")),
            None => text("state"),
        };
        let until = match &reservation.end_reason {
            Some(reason) => format!("{reason} {}", text("ended_at")),
            None => text("expiration"),
        };
        let accounts: Vec<_> = reservation.held().collect();
        let mut row = vec![
            reservation.id.clone(),
            state,
            reservation.account_type.clone(),
            accounts.join(" "),
            text("created_at"),
            until,
            text("purpose"),
        ];
        row.splice(1..1, self.all.then(|| text("consumer")));
        row
    }
}
