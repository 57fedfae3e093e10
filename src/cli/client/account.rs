//! `acctpool account`: what operators see of accounts, and do with them.

mod page;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::super::Failure;
use super::options::ServerOptions;
use super::printing::{table, tidy};
use super::{Format, on_this_thread, print};
use crate::client::{self, AccountAction, AccountFilter};

/// See the verb.
#[derive(Args, Debug)]
#[command(after_help = "\
Needs the token of an operator; a viewer's is enough for `list` and `show`.

Exit codes: 3 there is no such account, 4 not authorised, 5 the account is leased.")]
pub(in crate::cli) struct Account {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists accounts, with who has them.
    List(List),
    /// Shows everything about one account: who has it, how far its cleaning is, its last cleanings.
    Show(Show),
    /// Cleans an account now.
    Clean(Act),
    /// Lends an account no more: a lease goes on, then it is cleaned and rests.
    Drain(Act),
    /// Lends an account again that was drained or quarantined.
    Enable(Act),
    /// Lends an account no more, and leaves what is in it.
    Quarantine(Act),
}

#[derive(Args, Debug)]
struct List {
    /// Only those of this type.
    #[arg(long = "type", value_name = "TYPE")]
    account_type: Option<String>,
    /// Only those in this state, such as quarantined.
    #[arg(long)]
    state: Option<String>,
    /// How to print them.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Args, Debug)]
struct Show {
    /// The account's id.
    account: String,
    /// How to print it.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Args, Debug)]
struct Act {
    /// The account's id.
    account: String,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How to print what has become of it.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

impl Account {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::List(list) => list.run(),
            Verb::Show(show) => show.run(),
            Verb::Clean(act) => act.run(AccountAction::Clean),
            Verb::Drain(act) => act.run(AccountAction::Drain),
            Verb::Enable(act) => act.run(AccountAction::Enable),
            Verb::Quarantine(act) => act.run(AccountAction::Quarantine),
        }
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let client = self.server.client()?;
        let filter = AccountFilter {
            account_type: self.account_type,
            state: self.state,
        };
        let listed =
            on_this_thread(client.accounts(&filter)).map_err(Failure::of_server("not listed"))?;
        match self.format {
            Format::Json => {
                let documents: Vec<_> = listed.into_iter().map(|told| told.document).collect();
                print(&Value::from(documents).to_string())
            }
            Format::Table => {
                let head = ["id", "type", "state", "since", "about"];
                print(&table(&head, listed.iter().map(|told| row(&told.facts))))
            }
        }
    }
}

fn row(account: &client::Account) -> Vec<String> {
    vec![
        account.id.clone(),
        account.label.clone(),
        account.state.clone(),
        account.since.clone().unwrap_or_default(),
        about(account),
    ]
}

/// Says who has it, or why nobody gets it.
fn about(account: &client::Account) -> String {
    if let Some(holder) = &account.holder {
        let mut words = holder.consumer.clone().unwrap_or_default();
        if let Some(expiration) = &holder.expiration {
            words = format!("{words} until {expiration}");
        }
        if let Some(purpose) = &holder.purpose {
            words = format!("{words}: {purpose}");
        }
        return words;
    }
    let reason = account.quarantine.as_ref();
    let reason = reason.and_then(|quarantine| quarantine.reason.clone());
    reason.unwrap_or_default()
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let client = self.server.client()?;
        let told = on_this_thread(client.account(&self.account))
            .map_err(Failure::of_server("not shown"))?;
        match self.format {
            Format::Table => print(&page::describe(&told.facts)),
            Format::Json => print(&told.document.to_string()),
        }
    }
}

impl Act {
    fn run(self, action: AccountAction) -> Result<(), Failure> {
        let client = self.server.client()?;
        let acted = client.act(&self.account, action, &self.reason);
        let told = on_this_thread(acted).map_err(Failure::of_server("not done"))?;
        match self.format {
            Format::Json => print(&told.document.to_string()),
            Format::Table => print(&tidy(&format!(
                "account {}: {}",
                told.facts.id, told.facts.state
            ))),
        }
    }
}
