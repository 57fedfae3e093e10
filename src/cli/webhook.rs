//! `acctpool webhook`: makes secrets for webhooks, and tries them.

use std::io::Write;
use std::path::{Path, PathBuf};

use acctpool_actors::clock::Clock;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::{Failure, exit_code, load_config};
use crate::clock::SystemClock;
use crate::webhook::{HttpCourier, Message, Secret, client};

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Webhook {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a secret and prints it, for the configuration and for the receiver.
    Secret,
    /// Sends a `test` event to a webhook now, once, and says what was answered.
    Test {
        /// The webhook's name in the configuration.
        name: String,
        /// The configuration file.
        #[arg(long = "config", value_name = "FILE", env = "ACCTPOOL_CONFIG")]
        file: PathBuf,
    },
}

impl Webhook {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Secret => print_secret(),
            Verb::Test { name, file } => test(&name, &file),
        }
    }
}

fn print_secret() -> Result<(), Failure> {
    let secret = Secret::generate().map_err(Failure::of("cannot make a secret"))?;
    writeln!(std::io::stdout(), "{}", secret.expose_secret())
        .map_err(Failure::of("cannot print the secret"))
}

fn test(name: &str, file: &Path) -> Result<(), Failure> {
    let (config, _) = load_config(file)?;
    let mut webhooks = config.webhooks.into_iter();
    let Some(webhook) = webhooks.find(|webhook| webhook.name == name) else {
        return Err(Failure::Exit {
            code: exit_code::NOT_FOUND,
            message: format!("no webhook is called {name:?}"),
            source: None,
        });
    };
    let answer = actix_rt::System::new().block_on(async {
        let courier = HttpCourier::new(client(), webhook.destination);
        let now = SystemClock.now();
        courier.post(&Message::test(name, now), now).await
    });
    let answer = answer.map_err(Failure::of(format!("webhook {name} was not reached")))?;
    let said = format!("webhook {name} answered {}", answer.status);
    if answer.status.is_success() {
        writeln!(std::io::stdout(), "{said}").map_err(Failure::of("cannot print the answer"))
    } else {
        Err(Failure::Found(said))
    }
}
