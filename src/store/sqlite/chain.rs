//! How the entries of the audit hang together: none can be changed, taken out or cut off unnoticed
//! by who knows a later hash.
//!
//! How a hash is made is part of the format (`schema.rs`), so that anybody can check it.

use std::fmt;
use std::str::FromStr;

use acctpool_actors::pool::{AuditEntry, Detail, Timestamp, rfc3339};
use acctpool_actors::store::AuditQuery;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde::ser::Serializer;
use sha2::{Digest, Sha256};
use time::format_description::well_known::Rfc3339;

use super::Cause;

pub(super) const COLUMNS: &str = "number, at, event, consumer, account, reservation, details, hash";

/// Where a chain ends, or ended once: whoever keeps it elsewhere can show later that nothing before
/// it was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the last entry; 0 if there is none.
    pub number: u64,
    /// Its hash: 64 hexadecimal digits.
    pub hash: String,
}

impl AuditHead {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            hash: row.get(1)?,
        })
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl FromStr for AuditHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':').and_then(|(number, hash)| {
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            Some((number.parse().ok()?, is_hash.then(|| hash.to_lowercase())?))
        });
        let (number, hash) = parts.ok_or("not NUMBER:HASH, as `audit verify` prints it")?;
        Ok(Self { number, hash })
    }
}

/// An entry as it is read. As JSON it is one line for one fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditRecord {
    /// Its place in the chain: 1 is the first.
    pub number: u64,
    /// When it happened, in RFC 3339.
    pub at: String,
    /// What happened.
    pub event: String,
    /// The name of the token that was presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// The account that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The reservation that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation: Option<String>,
    /// What else there is to know: a JSON object.
    #[serde(serialize_with = "as_json")]
    pub details: String,
    /// What the next hash covers too.
    pub hash: String,
}

/// Writes JSON that is text already.
fn as_json<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
    value.serialize(serializer)
}

impl AuditRecord {
    /// Tells whether it happened before a moment.
    #[must_use]
    pub fn is_before(&self, moment: Timestamp) -> bool {
        Timestamp::parse(&self.at, &Rfc3339).is_ok_and(|at| at < moment)
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            at: row.get(1)?,
            event: row.get(2)?,
            consumer: row.get(3)?,
            account: row.get(4)?,
            reservation: row.get(5)?,
            details: row.get(6)?,
            hash: row.get(7)?,
        })
    }

    /// Returns the entry that follows where a chain ends.
    pub(in crate::store) fn following(
        head: &AuditHead,
        entry: &AuditEntry,
    ) -> Result<Self, serde_json::Error> {
        let mut record = Self {
            number: head.number + 1,
            at: rfc3339(entry.at),
            event: entry.event.to_owned(),
            consumer: entry.consumer.as_ref().map(ToString::to_string),
            account: entry.account.as_ref().map(ToString::to_string),
            reservation: entry.reservation.map(|id| id.to_string()),
            details: serde_json::to_string(&Details(&entry.details))?,
            hash: String::new(),
        };
        record.hash = record.hash_after(&head.hash);
        Ok(record)
    }

    /// Returns where a chain ends whose last entry it is.
    pub(in crate::store) fn head(&self) -> AuditHead {
        AuditHead {
            number: self.number,
            hash: self.hash.clone(),
        }
    }

    /// Tells whether somebody wants to see it.
    pub(in crate::store) fn is_wanted(&self, query: &AuditQuery) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        is(&query.event, Some(&self.event))
            && is(&query.account, self.account.as_deref())
            && is(&query.reservation, self.reservation.as_deref())
            && is(&query.consumer, self.consumer.as_deref())
            && query.until.is_none_or(|until| self.is_before(until))
    }

    pub(super) fn hash_after(&self, previous: &str) -> String {
        hash([
            Some(previous),
            Some(&self.number.to_string()),
            Some(&self.at),
            Some(&self.event),
            self.consumer.as_deref(),
            self.account.as_deref(),
            self.reservation.as_deref(),
            Some(&self.details),
        ])
    }
}

fn hash(columns: [Option<&str>; 8]) -> String {
    let mut hash = Sha256::new();
    for column in columns {
        match column {
            Some(text) => {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
            None => hash.update([u8::MAX; 8]),
        }
    }
    let hash: [u8; 32] = hash.finalize().into();
    let (high, low) = hash.split_at(16);
    let number = |half: &[u8]| u128::from_be_bytes(half.try_into().expect("it is the half of 32"));
    format!("{:032x}{:032x}", number(high), number(low))
}

/// Appends entries to the chain that ends at `head`; returns where it ends then.
pub(super) fn append(
    transaction: &Transaction<'_>,
    head: &AuditHead,
    entries: &[AuditEntry],
) -> Result<AuditHead, Cause> {
    let mut head = head.clone();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO audit (number, at, event, consumer, account, reservation, details, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for entry in entries {
        let record = AuditRecord::following(&head, entry)?;
        insert.execute(params![
            record.number,
            record.at,
            record.event,
            record.consumer,
            record.account,
            record.reservation,
            record.details,
            record.hash
        ])?;
        head = record.head();
    }
    Ok(head)
}

struct Details<'a>(&'a [(&'static str, Detail)]);

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, detail)| (name, detail)))
    }
}

/// Returns where the chain ends.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<AuditHead> {
    let query = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
    let last = connection
        .query_row(query, [], AuditHead::read)
        .optional()?;
    last.map_or_else(|| pruned(connection), Ok)
}

/// Returns the entry before the first one that is kept.
pub(super) fn pruned(connection: &Connection) -> rusqlite::Result<AuditHead> {
    let query = "SELECT pruned_number, pruned_hash FROM store";
    connection.query_row(query, [], AuditHead::read)
}

/// Says so if the last entry is not what was written: the next one would vouch for it.
pub(super) fn broken_end(connection: &Connection) -> Result<Option<String>, Cause> {
    let mut newest = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM audit ORDER BY number DESC LIMIT 2"
    ))?;
    let newest = newest.query_map([], AuditRecord::read)?;
    let newest: Vec<AuditRecord> = newest.collect::<Result<_, _>>()?;
    let [last, before @ ..] = &newest[..] else {
        return Ok(None);
    };
    let previous = match before.first() {
        Some(before) => before.hash.clone(),
        None => pruned(connection)?.hash,
    };
    let is_whole = last.hash_after(&previous) == last.hash;
    Ok((!is_whole).then(|| "the last entry of the audit is not what was written".to_owned()))
}

/// Says what is wrong if the chain does not lead through `known`, where it ended once.
pub(super) fn departure(
    connection: &Connection,
    known: &AuditHead,
) -> rusqlite::Result<Option<String>> {
    let number = known.number;
    let pruned = pruned(connection)?;
    if number < pruned.number {
        return Ok(None);
    }
    let hash: Option<String> = if number == pruned.number {
        Some(pruned.hash)
    } else {
        connection
            .query_row(
                "SELECT hash FROM audit WHERE number = ?1",
                [number],
                |row| row.get(0),
            )
            .optional()?
    };
    Ok(match hash {
        Some(hash) if hash == known.hash => None,
        Some(_) => Some(format!(
            "entry {number} of the audit is another one than it was"
        )),
        None => {
            let last: Option<u64> =
                connection.query_row("SELECT max(number) FROM audit", [], |row| row.get(0))?;
            let last = last.unwrap_or(pruned.number);
            Some(format!(
                "changes that were acknowledged are missing: the audit had an entry {number}, and \
                 ends at {last}"
            ))
        }
    })
}
