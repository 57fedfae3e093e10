//! `acctpool run`: a command with an account of its own.
//!
//! In this order (`ecosystem.md` 3): find the command; listen for signals; ask for the account, and
//! wait, which a signal ends; start the command so that it dies with this process; keep the lease
//! alive and pass signals on, until the command ends or the lease is lost; give the account back.
//!
//! Promises that the account is given back however the command ends, and that a command without its
//! account does not go on. If this process is killed, the lease's time to live does both.

pub(in crate::cli) mod child;
mod command;
mod tenure;

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::sleep_until;

use self::tenure::{Lost, Tenure};
use super::super::{Failure, exit_code};
use super::asking::{self, Asking};
use super::claim::{Claim, Unclaimed, claim, give_back};
use super::on_this_thread;
use super::options::ServerOptions;
use super::signals::{Received, Signals};
use super::variables::{Variable, variables};
use crate::client::Client;

/// How long the account is tried to be given back by one who is in no hurry: a restart of the server
/// does not take as long.
const GIVE_BACK: Duration = Duration::from_secs(30);

/// How long after a signal everything should be over. A CI that is cancelled kills 7.5 s after it
/// (GitHub Actions), so this leaves a little.
const HURRY: Duration = Duration::from_millis(6500);

/// What giving back takes at least, on a server that is there.
const LEAST: Duration = Duration::from_secs(1);

/// See the verb.
#[derive(Args, Debug)]
#[command(after_help = "\
For example:
  acctpool run --type lite --duration 1h --wait 20m -- pytest -q

The command finds its account in its environment: IBMCLOUD_API_KEY and IC_API_KEY,
ACCTPOOL_ACCOUNT_ID, ACCTPOOL_RESERVATION_ID, ACCTPOOL_EXPIRATION, and in IBMCLOUD_HOME a directory
of its own, which is removed afterwards. It does not find ACCTPOOL_TOKEN.

INT, TERM, HUP, QUIT, USR1 and USR2 are passed on to it. The lease is renewed while it runs. If the
lease is lost, or its duration is over, the command is ended: TERM, and KILL after --grace. If this
program is killed, the command is killed with it, and the account comes back after --ttl.

Exit codes: the command's own, or 128 and the signal that ended it; 124 no account in time; 125 no
account for another reason, or the lease was lost; 126 the command cannot be executed; 127 there is
no such command; 2 usage.")]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    asking: Asking,
    /// How long the account stays leased if this program is killed. While it runs, it renews the
    /// lease.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = asking::ttl)]
    ttl: Duration,
    /// How long the command may take to end when it is told to by a signal, or when the lease is
    /// lost, before it is killed. Ctrl-C on a terminal is between the command and you.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// The command, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_name = "COMMAND",
        value_hint = clap::ValueHint::CommandWithArguments
    )]
    command: Vec<OsString>,
    #[command(flatten)]
    server: ServerOptions,
}

impl Run {
    pub(in crate::cli) fn run(self) -> Result<ExitCode, Failure> {
        let word = &self.command[0];
        let program = command::resolve(word).map_err(|why| why.of(word))?;
        let client = self.server.client()?;
        // What can fail without an account, fails without one.
        let home = private_directory()?;
        let mut signals = Signals::listen().map_err(failed("cannot listen for signals"))?;
        on_this_thread(async {
            let wish = self.asking.wish(Some(self.ttl), None);
            let claim = claim(&client, &wish, self.asking.wait, &mut signals)
                .await
                .map_err(no_account)?;
            let id = claim.id.clone();
            let holder = Holder {
                client: &client,
                ttl: self.ttl,
                grace: self.grace,
                signals: &mut signals,
                told_to_end: None,
            };
            let start = |variables: &[Variable]| child::start(&program, &self.command, variables);
            holder.hold(claim, &id, &home, start).await
        })
    }
}

/// Makes a directory for what the ibmcloud command line keeps, access tokens included.
fn private_directory() -> Result<TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("acctpool-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(failed("cannot make a directory for IBMCLOUD_HOME"))
}

fn no_account(why: Unclaimed) -> Failure {
    let code = match &why {
        Unclaimed::Interrupted(signal) => exit_code::of_signal(signal.as_raw()),
        Unclaimed::TimedOut(..) => exit_code::RUN_WAIT_TIMED_OUT,
        Unclaimed::Failed(_) | Unclaimed::Ended(_) => exit_code::RUN_FAILED,
    };
    why.with_code(code)
}

fn failed(action: &str) -> impl FnOnce(std::io::Error) -> Failure + '_ {
    move |why| Failure::Exit {
        code: exit_code::RUN_FAILED,
        message: action.to_owned(),
        source: Some(Box::new(why)),
    }
}

/// Whoever holds an account for a command.
struct Holder<'a> {
    client: &'a Client,
    ttl: Duration,
    grace: Duration,
    signals: &'a mut Signals,
    /// When the last signal came that asks for an end.
    told_to_end: Option<Instant>,
}

impl Holder<'_> {
    /// Lets the command run with its account, and gives that back.
    async fn hold(
        mut self,
        claim: Claim,
        id: &str,
        home: &TempDir,
        start: impl FnOnce(&[Variable]) -> std::io::Result<Child>,
    ) -> Result<ExitCode, Failure> {
        let tenure = Tenure {
            client: self.client,
            reservation: id,
            ttl: self.ttl,
            expires_at: claim
                .seen
                .expires_at
                .unwrap_or_else(|| Instant::now() + self.ttl),
        };
        let ended = match environment(claim, home) {
            Ok(variables) => match start(&variables) {
                Ok(child) => self.accompany(child, tenure).await,
                Err(why) => Err(failed("cannot start the command")(why)),
            },
            Err(why) => Err(why),
        };
        self.give_back(id).await;
        ended
    }

    /// Passes on to the command what it is told, until it ends or has no account any more.
    async fn accompany(
        &mut self,
        mut child: Child,
        tenure: Tenure<'_>,
    ) -> Result<ExitCode, Failure> {
        let mut keeping = pin!(tenure.keep());
        let mut lost: Option<Lost> = None;
        let mut kill_at: Option<Instant> = None;
        let status = loop {
            let patience = kill_at.unwrap_or_else(Instant::now);
            tokio::select! {
                status = child.wait() => break status,
                received = self.signals.next() => {
                    if self.pass_on(received, &child) {
                        kill_at.get_or_insert_with(|| Instant::now() + self.grace);
                    }
                }
                why = &mut keeping, if lost.is_none() => {
                    log::warn!("the lease is lost, and the command is ended: {why}");
                    lost = Some(why);
                    send(&child, Signal::TERM);
                    kill_at.get_or_insert_with(|| Instant::now() + self.grace);
                }
                () = sleep_until(patience.into()), if kill_at.is_some() => {
                    kill_at = None;
                    send(&child, Signal::KILL);
                }
            }
        };
        let status = status.map_err(failed("cannot wait for the command"))?;
        match lost {
            None => Ok(ExitCode::from(code_of(status))),
            Some(why) => Err(Failure::Exit {
                code: exit_code::RUN_FAILED,
                message: "the lease was lost".to_owned(),
                source: Some(Box::new(why)),
            }),
        }
    }

    /// Lets the command have a signal; tells whether it must end now.
    fn pass_on(&mut self, received: Received, child: &Child) -> bool {
        if received.asks_to_end() {
            self.told_to_end = Some(Instant::now());
        }
        // Of a key the command knows already, and what it does about it is its business: an
        // interpreter that is typed into goes on.
        if received.is_from_keyboard {
            return false;
        }
        send(child, received.signal);
        received.asks_to_end()
    }

    /// Gives the account back; right after a signal there is less time for that.
    async fn give_back(&mut self, id: &str) {
        let now = Instant::now();
        let until = match self.told_to_end.map(|told| told + HURRY) {
            Some(end) if end > now => end.max(now + LEAST),
            _ => now + GIVE_BACK,
        };
        let mut giving = pin!(give_back(self.client, id, until));
        tokio::select! {
            () = &mut giving => return,
            _ = self.signals.next() => {}
        }
        // Whoever waits for the end of this has little patience.
        if tokio::time::timeout(LEAST, giving).await.is_err() {
            log::warn!("reservation {id} is not given back, and ends by itself");
        }
    }
}

/// Returns what the command finds in its environment.
fn environment(claim: Claim, home: &TempDir) -> Result<Vec<Variable>, Failure> {
    let mut reservation = claim.seen.told.facts;
    let mut variables = variables(&mut reservation)?;
    let home = home.path().to_string_lossy();
    variables.push(Variable::open("IBMCLOUD_HOME", &home));
    Ok(variables)
}

/// Sends a signal to a command that may have ended.
fn send(child: &Child, signal: Signal) {
    // Without an id it has been waited for, and its id may be another's.
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = id.and_then(Pid::from_raw)
        && let Err(why) = kill_process(pid, signal)
    {
        log::debug!("the command cannot be sent {signal:?}: {why}");
    }
}

/// Returns the command's exit code as shells see it.
fn code_of(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(exit_code::FAILURE),
        (None, Some(signal)) => exit_code::of_signal(signal),
        (None, None) => exit_code::FAILURE,
    }
}
