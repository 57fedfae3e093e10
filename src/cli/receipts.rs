//! `acctpool receipts`: what each cleaning of an account did.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{AccountId, CollectionReceipt, Lasting, Receipt, Timestamp, rfc3339};
use acctpool_actors::store::{RECEIPTS_KEPT, ReceiptsOf, Store};
use clap::{Args, ValueEnum};

use super::Failure;
use super::state_dir::StateDir;
use crate::clock::SystemClock;

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Receipts {
    /// The account.
    account: String,
    /// How to print them. As JSON, a line each, they name every item that was deleted too.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// How many at most: the newest. The last twenty are kept.
    #[arg(long, value_name = "N", default_value_t = RECEIPTS_KEPT)]
    last: usize,
    #[command(flatten)]
    directory: StateDir,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For a person.
    Text,
    /// For a program.
    Json,
}

impl Receipts {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut store = self.directory.records()?;
        let account = AccountId::from(self.account);
        let lines = store
            .receipt_lines(&ReceiptsOf::Account(account.clone()))
            .map_err(Failure::of("nothing to show"))?;
        if lines.is_empty() {
            let known = store.load().map_err(Failure::of("nothing to show"))?;
            let words = if known.accounts.contains_key(&account) {
                "no cleaning of it has begun since receipts are kept"
            } else {
                "the records know no such account"
            };
            return Err(Failure::of(format!("account {account} has no receipt"))(
                words,
            ));
        }
        let mut out = std::io::stdout().lock();
        for (place, receipt) in Receipt::all(lines).iter().take(self.last).enumerate() {
            let text = match self.format {
                Format::Json => serde_json::to_string(receipt).map_err(Failure::of("not JSON"))?,
                Format::Text if place == 0 => describe(receipt, SystemClock.now()),
                Format::Text => format!("\n{}", describe(receipt, SystemClock.now())),
            };
            writeln!(out, "{text}").map_err(Failure::of("cannot print"))?;
        }
        Ok(())
    }
}

/// Writes a receipt for a person to read.
fn describe(receipt: &Receipt, now: Timestamp) -> String {
    let mut lines = vec![format!(
        "account {}, cleaning {}: {}",
        receipt.account,
        receipt.cleaning,
        receipt.state.as_sentence()
    )];
    let mut say = |what: &str, words: String| lines.push(format!("  {what:<9} {words}"));
    if let Some(reason) = &receipt.reason {
        say("because", reason.clone());
    }
    if let Some(reservation) = receipt.reservation {
        say("after", format!("the lease of reservation {reservation}"));
    }
    let lasted = match receipt.duration {
        Some(seconds) => Lasting(Duration::from_secs(seconds)),
        None => Lasting::between(receipt.started_at, now),
    };
    let end = receipt.ended_at.map(|at| format!(" to {}", rfc3339(at)));
    say(
        "from",
        format!(
            "{}{}, {lasted}",
            rfc3339(receipt.started_at),
            end.unwrap_or_default()
        ),
    );
    if let Some(progress) = &receipt.progress {
        let lasting = Lasting::between(progress.since, now);
        say("now at", format!("{progress}, for {lasting}"));
    }
    say(
        "took",
        format!(
            "passes: {}, requests: {}, retries among them: {}",
            receipt.passes, receipt.requests, receipt.retries
        ),
    );
    if let Some(at) = receipt.revoked_at {
        let after = Lasting::between(receipt.started_at, at);
        say("revoked", format!("the lease credential, after {after}"));
    }
    if let Some(epoch) = receipt.key_changed {
        say("key", format!("management key {epoch} is in use since"));
    }
    for proof in &receipt.proofs {
        let found = match proof.leftovers {
            0 => "nothing left".to_owned(),
            leftovers => format!("{leftovers} left"),
        };
        say(
            &format!("proof {}", proof.round),
            format!(
                "{}: {found}, {} kept, {} requests",
                rfc3339(proof.at),
                proof.kept,
                proof.requests
            ),
        );
    }
    for fault in &receipt.faults {
        let error = fault.error.as_deref().unwrap_or_default();
        say(
            "fault",
            format!("{}: {}: {error}", rfc3339(fault.at), fault.phase.as_str()),
        );
    }
    if receipt.collections.is_empty() {
        say("found", "nothing".to_owned());
    } else {
        lines.extend(table(&receipt.collections));
        lines.extend(named(&receipt.collections));
    }
    lines.join("\n")
}

/// Writes a row for each collection.
fn table(collections: &[CollectionReceipt]) -> Vec<String> {
    const HEAD: [&str; 7] = [
        "collection",
        "found",
        "deleted",
        "kept",
        "waiting",
        "stuck",
        "gone after",
    ];
    let count = |count: usize| match count {
        0 => "-".to_owned(),
        count => count.to_string(),
    };
    let row = |receipt: &CollectionReceipt| {
        let gone = receipt.duration.map(Duration::from_secs);
        [
            receipt.collection.clone(),
            count(receipt.found),
            count(receipt.deleted),
            count(receipt.kept),
            count(receipt.waiting),
            count(receipt.stuck),
            gone.map_or("-".to_owned(), |gone| Lasting(gone).to_string()),
        ]
    };
    let mut rows = vec![HEAD.map(ToOwned::to_owned)];
    rows.extend(collections.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 7] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let lines = rows.iter().map(|row| {
        let mut line = format!("  {:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            // A `String` takes everything.
            let _ = write!(line, "  {cell:>width$}");
        }
        line
    });
    std::iter::once(String::new()).chain(lines).collect()
}

/// Names what is still there, and why.
fn named(collections: &[CollectionReceipt]) -> Vec<String> {
    let mut lines = Vec::new();
    for receipt in collections {
        let items = &receipt.items;
        for (what, items) in [
            ("stuck", &items.stuck),
            ("waiting", &items.waiting),
            ("kept", &items.kept),
        ] {
            for item in items {
                lines.push(format!("  {what:<9} {} {item}", receipt.collection));
            }
        }
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}
