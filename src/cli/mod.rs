//! The command line: one file per verb.
//!
//! Data goes to stdout, everything else to stderr. `exit_code` lists the exit codes.

mod account;
mod audit;
mod baseline;
mod check;
mod clean;
mod client;
mod completion;
mod core_dumps;
mod demo;
mod descriptors;
mod exit_code;
mod interrupt;
mod key;
mod logging;
mod plan;
mod receipts;
mod reload;
mod serve;
mod simulate;
mod state;
mod state_dir;
mod status_line;
mod token;
mod upkeep;
mod webhook;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::client::run::child::Child;
use crate::client::ClientError;
use crate::config::{Config, ConfigError, Report};

const TEACH: &str = "\
Try it, with simulated accounts:
  acctpool demo

Run it, with your own:
  acctpool token new ci             prints a token, and lines for accounts.toml
  acctpool check accounts.toml      says what is wrong with the file, all at once
  acctpool serve --config accounts.toml

Borrow an account, with the token in ACCTPOOL_TOKEN:
  acctpool run --type lite --duration 1h --wait 20m -- pytest -q
  curl -L -d '' -H \"Authorization: Bearer $ACCTPOOL_TOKEN\" \\
    'http://127.0.0.1:8080/reservations?type=lite'";

/// Lends whole IBM Cloud accounts to test systems, and cleans them before they are lent again.
#[derive(Debug, Parser)]
#[command(version, after_help = TEACH, max_term_width = 100)]
struct Arguments {
    /// How much to log to stderr.
    #[arg(
        long,
        env = "ACCTPOOL_LOG",
        global = true,
        default_value = "info",
        value_name = "LEVEL",
        value_parser = ["off", "error", "warn", "info", "debug", "trace"]
    )]
    log: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs a command with an account of its own, and gives the account back whatever happens.
    Run(client::run::Run),
    /// Asks for accounts, waits for them, and prints what they are used with.
    Reserve(client::reserve::Reserve),
    /// Shows a reservation of yours.
    Show(client::show::Show),
    /// Keeps a lease alive, or extends it.
    Renew(client::renew::Renew),
    /// Gives back what a reservation holds, or stops waiting for it.
    Release(client::release::Release),
    /// Lists your reservations.
    List(client::list::List),
    /// Shows how the pool is: how many accounts of each type are ready, leased, being cleaned.
    Status(client::status::Status),
    /// Takes a reservation away from whoever has it, for operators.
    Revoke(client::revoke::Revoke),
    /// Shows accounts and acts on them, for operators.
    Account(client::account::Account),
    /// Serves the pool that a configuration file describes.
    Serve(serve::Serve),
    /// Runs the whole service on simulated accounts, in one process, until Ctrl-C.
    Demo(demo::Demo),
    /// Runs the simulator of IBM Cloud alone, every API under one address.
    Simulate(simulate::Simulate),
    /// Says what `serve` would say about a configuration file, and serves nothing.
    Check(check::Check),
    /// Shows what a cleaning of an account would delete, and what it would keep. Writes nothing, and
    /// works beside a running server.
    Plan(plan::Show),
    /// Records what is in an account as what belongs there: no cleaning touches it, and the account is
    /// clean when it holds that and nothing else.
    Baseline(baseline::Baseline),
    /// Cleans an account by hand while no server runs, and proves once that it is empty.
    Clean(clean::Clean),
    /// Makes tokens for consumers.
    Token(token::Token),
    /// Shows, copies and checks what `serve` has written down.
    State(state::State),
    /// Shows and verifies who did what to which account, and when.
    Audit(audit::Audit),
    /// Shows what each cleaning of an account did: what it found, deleted and left.
    Receipts(receipts::Receipts),
    /// Makes and rotates keys, and derives them for emergencies.
    Key(key::Key),
    /// Makes secrets for webhooks, and tries whether one is reached.
    Webhook(webhook::Webhook),
    /// Prints what makes a shell complete the verbs and options of this program.
    Completion(completion::Completion),
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Child::of_arguments() {
        Some(child) => Err(child.become_the_command()),
        None => carry_out(Arguments::parse()),
    };
    log::logger().flush();
    match done {
        Ok(code) => code,
        // It is an answer, not a complaint.
        Err(failure @ Failure::ToDo) => failure.exit_code(),
        Err(failure) => {
            // Nowhere to complain if stderr is closed.
            let _ = writeln!(std::io::stderr(), "{}", failure.message());
            failure.exit_code()
        }
    }
}

fn carry_out(arguments: Arguments) -> Result<ExitCode, Failure> {
    // The demonstration tells a story; its requests would drown it.
    let quiet_access = matches!(arguments.verb, Verb::Demo(_)) && arguments.log == "info";
    logging::start(&arguments.log, quiet_access)?;
    match arguments.verb {
        Verb::Run(_) => core_dumps::turn_off_here(),
        _ => core_dumps::turn_off(),
    }
    match arguments.verb {
        Verb::Run(verb) => return verb.run(),
        Verb::Reserve(verb) => verb.run(),
        Verb::Show(verb) => verb.run(),
        Verb::Renew(verb) => verb.run(),
        Verb::Release(verb) => verb.run(),
        Verb::List(verb) => verb.run(),
        Verb::Status(verb) => verb.run(),
        Verb::Revoke(verb) => verb.run(),
        Verb::Account(verb) => verb.run(),
        Verb::Serve(verb) => verb.run(),
        Verb::Demo(verb) => verb.run(),
        Verb::Simulate(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Plan(verb) => verb.run(),
        Verb::Baseline(verb) => verb.run(),
        Verb::Clean(verb) => verb.run(),
        Verb::Token(verb) => verb.run(),
        Verb::State(verb) => verb.run(),
        Verb::Audit(verb) => verb.run(),
        Verb::Receipts(verb) => verb.run(),
        Verb::Key(verb) => verb.run(),
        Verb::Webhook(verb) => verb.run(),
        Verb::Completion(verb) => verb.run::<Arguments>(),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Why a verb did not do what it is for.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something that was found is wrong; it has been printed.
    #[error("{0}")]
    Found(String),
    /// There is something to do, as has been printed.
    #[error("there is something to do")]
    ToDo,
    /// A server did not do what it was asked for.
    #[error("{action}")]
    Server { action: String, source: ClientError },
    /// What scripts tell by its exit code.
    #[error("{message}")]
    Exit {
        code: u8,
        message: String,
        source: Option<Box<dyn Error>>,
    },
    /// Anything else.
    #[error("{action}")]
    Other {
        action: String,
        source: Box<dyn Error>,
    },
}

impl Failure {
    /// Returns a function that wraps a cause.
    fn of<E: Into<Box<dyn Error>>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::Other {
            action,
            source: source.into(),
        }
    }

    /// Returns a function that wraps what a server's client says.
    fn of_server(action: impl Into<String>) -> impl FnOnce(ClientError) -> Self {
        let action = action.into();
        move |source| Self::Server { action, source }
    }

    /// Returns all that there is to say, causes included.
    fn message(&self) -> String {
        if let Self::Config(ConfigError::Refused(report)) = self {
            return report.to_string();
        }
        let mut message = format!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        message
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) => exit_code::CONFIG.into(),
            Self::ToDo => exit_code::TO_DO.into(),
            Self::Server { source, .. } => exit_code::of(source).into(),
            Self::Exit { code, .. } => (*code).into(),
            Self::Found(_) | Self::Other { .. } => exit_code::FAILURE.into(),
        }
    }
}

fn load_config(path: &Path) -> Result<(Config, Report), ConfigError> {
    Config::load(path, &|name| std::env::var(name).ok())
}
