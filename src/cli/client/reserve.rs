//! `acctpool reserve`: asks for accounts, and waits for them.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::super::Failure;
use super::asking::{self, Asking};
use super::claim::{Claim, claim, give_back};
use super::options::ServerOptions;
use super::signals::Signals;
use super::variables::{GitHub, shell, variables};
use super::{on_this_thread, print};

/// How long to try to give back what cannot be printed.
const GIVE_BACK: Duration = Duration::from_secs(10);

/// See the verb.
#[derive(Args, Debug)]
#[command(after_help = "\
The accounts stay yours until you release them or their time is over:

  eval \"$(acctpool reserve --type lite --duration 1h --format env)\"
  terraform apply
  acctpool release \"$ACCTPOOL_RESERVATION_ID\"

Exit codes: 2 usage, 4 not authorised, 6 no account in time, 7 the server is unreachable. Then, and
after a signal, nothing stays reserved.")]
pub(in crate::cli) struct Reserve {
    #[command(flatten)]
    asking: Asking,
    /// How many accounts: all of them together, or none.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    count: u32,
    /// Lets the lease end unless it is renewed within this time, such as 5m; see `acctpool renew`.
    #[arg(long, value_name = "TIME", value_parser = asking::ttl)]
    ttl: Option<Duration>,
    /// How to print what was reserved.
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The reservation's id, the accounts and how long; no credentials.
    Text,
    /// What the server answered, credentials included.
    Json,
    /// Lines for a shell, which set the credentials: `eval "$(acctpool reserve --format env)"`.
    Env,
    /// For a step of a GitHub job: masks the credentials and sets them for later steps.
    Github,
}

impl Reserve {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let client = self.server.client()?;
        let github = match self.format {
            Format::Github => Some(GitHub::find()?),
            _ => None,
        };
        let wish = self.asking.wish(self.ttl, Some(self.count));
        let mut signals = Signals::listen().map_err(Failure::of("cannot listen for signals"))?;
        on_this_thread(async {
            let claim = claim(&client, &wish, self.asking.wait, &mut signals)
                .await
                .map_err(|why| {
                    let code = why.exit_code();
                    why.with_code(code)
                })?;
            let id = claim.id.clone();
            let printed = self.hand_over(claim, github.as_ref());
            if printed.is_err() {
                // Nobody would know of it.
                give_back(&client, &id, Instant::now() + GIVE_BACK).await;
            }
            printed
        })
    }

    fn hand_over(&self, claim: Claim, github: Option<&GitHub>) -> Result<(), Failure> {
        let mut told = claim.seen.told;
        match (self.format, github) {
            (Format::Json, _) => print(&told.document.to_string()),
            (Format::Text, _) => {
                let accounts: Vec<_> = told.facts.held().collect();
                let accounts = accounts.join(" ");
                let until = told.document["expiration"].as_str().unwrap_or_default();
                print(&super::printing::tidy(&format!(
                    "{} holds {accounts} until {until}",
                    claim.id
                )))
            }
            (_, Some(github)) => github
                .hand_over(&variables(&mut told.facts)?)
                .map_err(Failure::of("cannot hand the account to later steps")),
            (_, None) => print(&shell(&variables(&mut told.facts)?)),
        }
    }
}
