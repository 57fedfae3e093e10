//! `acctpool audit`: who did what to which account, and when.

use std::io::Write;

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::Timestamp;
use clap::{Args, Subcommand};
use time::format_description::well_known::Rfc3339;

use super::Failure;
use super::state_dir::StateDir;
use crate::clock::SystemClock;
use crate::store::{AuditHead, SqliteStore};

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Audit {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    directory: StateDir,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Prints the entries, a line of JSON each, the oldest first.
    Show {
        /// Leaves out what was before: a time such as `2026-05-01T10:00:00Z`, or how long ago, such
        /// as `2h` or `30d`.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        since: Option<Timestamp>,
    },
    /// Says whether any entry was changed, taken out or cut off, and where the audit ends. Whoever
    /// keeps that end elsewhere can show later that nothing before it was changed.
    Verify {
        /// An end that was printed before: the audit must still lead through it.
        #[arg(long, value_name = "NUMBER:HASH")]
        known: Option<AuditHead>,
    },
    /// Removes old entries, also while the server runs. What is left can be verified as before.
    Prune {
        /// What was before goes: a time or how long ago, as for `show`.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        before: Timestamp,
    },
}

impl Audit {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut store = self.directory.records()?;
        match self.verb {
            Verb::Show { since } => show(&store, since),
            Verb::Verify { known } => verify(&store, known.as_ref()),
            Verb::Prune { before } => prune(&mut store, before),
        }
    }
}

fn show(store: &SqliteStore, since: Option<Timestamp>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    store
        .audit(|record| {
            if since.is_none_or(|since| !record.is_before(since)) {
                serde_json::to_writer(&mut out, &record)?;
                writeln!(out)?;
            }
            Ok(())
        })
        .map_err(Failure::of("nothing more to show"))
}

fn verify(store: &SqliteStore, known: Option<&AuditHead>) -> Result<(), Failure> {
    let verdict = store
        .verify_audit(known)
        .map_err(Failure::of("cannot verify"))?;
    if !verdict.breaks.is_empty() {
        return Err(Failure::Found(format!(
            "the audit is not what was written:\n{}",
            verdict.breaks.join("\n")
        )));
    }
    let pruned = match verdict.pruned.number {
        0 => String::new(),
        number => format!(", after {number} that were pruned"),
    };
    print(&format!(
        "good: {} entries{pruned}, ends at {}",
        verdict.entries, verdict.head
    ))
}

fn prune(store: &mut SqliteStore, before: Timestamp) -> Result<(), Failure> {
    let removed = store
        .prune_audit(before)
        .map_err(Failure::of("not pruned"))?;
    print(&format!("removed: {removed} entries"))
}

fn print(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(Failure::of("cannot print"))
}

/// Reads a time, or how long ago it was.
fn moment(text: &str) -> Result<Timestamp, &'static str> {
    if let Ok(moment) = Timestamp::parse(text, &Rfc3339) {
        return Ok(moment);
    }
    humantime::parse_duration(text)
        .ok()
        .and_then(|ago| SystemClock.now().checked_sub(ago.try_into().ok()?))
        .ok_or("neither a time such as 2026-05-01T10:00:00Z nor how long ago, such as 2h")
}
