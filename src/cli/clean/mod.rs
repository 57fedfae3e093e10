//! `acctpool clean`: one account, by hand.

mod cleaning;
mod tally;

use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::account::{KnownAccount, Named};
use super::interrupt::interrupted;
use super::status_line::StatusLine;
use crate::baselines::FileBaselines;
use crate::config::Config;
use cleaning::{Cleaning, Unclean};

/// How often the line is renewed that says how far the cleaning is.
const REFRESH: Duration = Duration::from_millis(200);

const WHAT: &str = "\
Verifies the account, deletes everything that a cleaning by the server would delete, pass by pass, and
reads it once more to prove that nothing is left. It goes by the pauses and deadlines of [policy]. What
`acctpool plan` shows is what it deletes.

No server may run on the state directory meanwhile. The next one cleans the account again before it lends
it: it alone waits until tokens that were already issued have lost their rights, and proves twice.

Exit codes: 0 when the account is clean; 1 when it is not, with the names of what is left, or when it was
interrupted. Ctrl-C ends it once the requests that are under way are answered; a second one ends it at
once.";

/// See the verb.
#[derive(Args, Debug)]
#[command(after_long_help = WHAT)]
pub(super) struct Clean {
    #[command(flatten)]
    named: Named,
}

impl Clean {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.named.load_config()?;
        // Held until the process ends.
        let _directory = self.named.state.take()?;
        let files = FileBaselines::within(&self.named.state.path()?);
        let account = self.named.find(&config, files)?;
        if account.is_leased() {
            return Err(Failure::Found(format!(
                "account {} is leased: a server ends the lease when it is over, and cleans the account",
                account.id()
            )));
        }
        actix_rt::System::new().block_on(clean(&account, &config))
    }
}

async fn clean(account: &KnownAccount, config: &Config) -> Result<(), Failure> {
    let cannot_listen = || Failure::of("cannot listen for signals");
    let mut end = pin!(interrupted().map_err(cannot_listen())?);
    let cloud = account.cloud(&account.client());
    let line = StatusLine::new();
    let cleaning = Cleaning::new(account, &cloud, &config.policy, line.is_seen());
    let mut work = pin!(cleaning.run());
    let mut refresh = tokio::time::interval(REFRESH);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = &mut end => {
                // The one that was heard is over: the next one is another.
                let again = interrupted().map_err(cannot_listen())?;
                cleaning.interrupt();
                if cleaning.is_calling() {
                    tokio::select! {
                        _ = &mut work => {}
                        () = again => {}
                    }
                }
                break Err(Unclean::Interrupted);
            }
            _ = refresh.tick(), if line.is_seen() => line.show(&cleaning.status()),
        }
    };
    drop(line);
    let id = account.id();
    let summary = cleaning.summary();
    match done {
        Ok(()) => writeln!(
            std::io::stdout(),
            "account {id}: clean, proven once; {summary}"
        )
        .map_err(Failure::of("cannot print")),
        Err(unclean) => {
            let mut words = format!("account {id} is not clean: {unclean}; {summary}");
            for item in cleaning.left() {
                words.push_str("\n  ");
                words.push_str(&item.to_string());
            }
            Err(Failure::Found(words))
        }
    }
}
