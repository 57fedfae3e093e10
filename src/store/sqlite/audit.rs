//! What is read of the audit, looked for in it and removed from it.

use std::path::Path;

use acctpool_actors::pool::Timestamp;
use acctpool_actors::store::{
    AuditPage, AuditQuery, AuditReader, AuditStretch, ENTRIES_LOOKED_AT, Fact, Follow, StoreError,
};
use rusqlite::{Connection, TransactionBehavior, params};

use super::audit_file::AuditFile;
use super::chain::{self, AuditHead, AuditRecord, COLUMNS};
use super::{Cause, SqliteStore};

/// How many breaks are named; more say nothing more.
const BREAKS: usize = 20;

impl SqliteStore {
    /// Calls `see` with every entry of the audit, the oldest first, until it fails.
    pub fn audit(
        &self,
        see: impl FnMut(AuditRecord) -> Result<(), Cause>,
    ) -> Result<(), StoreError> {
        self.audited(|connection| each(connection, see))
    }

    /// Looks at the whole audit, and whether it leads through `known`.
    pub fn verify_audit(&self, known: Option<&AuditHead>) -> Result<AuditVerdict, StoreError> {
        // Asked first: a server may write meanwhile.
        let loss = self.loss();
        self.audited(|connection| {
            let mut verdict = verify(connection)?;
            verdict.breaks.extend(loss?);
            if let Some(known) = known {
                verdict.breaks.extend(chain::departure(connection, known)?);
            }
            Ok(verdict)
        })
    }

    /// Removes the entries of the audit of before a moment, but for the newest of all; returns how
    /// many. Also while a server writes.
    pub fn prune_audit(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.audited(|_| Ok(()))?;
        prune(&mut self.connection, before).map_err(no_audit)
    }

    /// Writes the audit to a file as well from now on, a line of JSON for each entry, what the file
    /// lacks of it included. The records have to be open for writing.
    pub fn write_audit_to(&mut self, path: &Path) -> Result<(), StoreError> {
        let Some(writer) = &mut self.writer else {
            return Err(no_audit("they are not open for writing".into()));
        };
        let file = AuditFile::open(path, &self.connection).map_err(|cause| StoreError {
            action: format!("cannot write the audit to {}", path.display()),
            cause,
        })?;
        writer.audit_file = Some(file);
        Ok(())
    }

    /// Returns where the audit ended when the file was opened for writing, or after the last commit.
    #[must_use]
    pub fn audit_head(&self) -> Option<&AuditHead> {
        self.writer.as_ref().map(|writer| &writer.head)
    }

    /// Says what is wrong with the audit, if there is one.
    pub(super) fn broken_audit(&self) -> Result<Vec<String>, Cause> {
        if self.format.has_audit() {
            Ok(verify(&self.connection)?.breaks)
        } else {
            Ok(Vec::new())
        }
    }

    fn audited<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Cause>,
    ) -> Result<T, StoreError> {
        if !self.format.has_audit() {
            let cause =
                "they were written by an acctpool that kept none; the next `serve` begins one";
            return Err(no_audit(cause.into()));
        }
        look(&self.connection).map_err(no_audit)
    }
}

impl AuditReader for SqliteStore {
    fn page(&mut self, query: &AuditQuery) -> Result<AuditPage, StoreError> {
        self.audited(|connection| page(connection, query))
    }

    fn follow(&mut self, query: &Follow) -> Result<AuditStretch, StoreError> {
        self.audited(|connection| follow(connection, query))
    }

    fn end(&mut self) -> Result<u64, StoreError> {
        self.audited(|connection| Ok(chain::head(connection)?.number))
    }
}

/// Returns what is wanted of the audit behind an entry.
fn follow(connection: &Connection, query: &Follow) -> Result<AuditStretch, Cause> {
    let mut oldest_first = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM audit WHERE number > ?1 ORDER BY number"
    ))?;
    let rows = oldest_first.query_map([query.after], AuditRecord::read)?;
    stretch(rows, query)
}

/// Returns what is wanted of the entries of an audit that come behind another, the oldest first.
pub(in crate::store) fn stretch<E: Into<Cause>>(
    oldest_first: impl Iterator<Item = Result<AuditRecord, E>>,
    query: &Follow,
) -> Result<AuditStretch, Cause> {
    let mut stretch = AuditStretch {
        facts: Vec::new(),
        through: query.after,
    };
    for record in oldest_first.take(ENTRIES_LOOKED_AT) {
        if stretch.facts.len() >= query.limit {
            break;
        }
        let record = record.map_err(Into::into)?;
        stretch.through = record.number;
        if query.events.contains(&record.event.as_str()) {
            stretch.facts.push(Fact {
                number: record.number,
                at: record.at,
                event: record.event,
                account: record.account,
                details: serde_json::from_str(&record.details)?,
                hash: record.hash,
            });
        }
    }
    Ok(stretch)
}

/// Returns what is wanted of the audit, from its end.
fn page(connection: &Connection, query: &AuditQuery) -> Result<AuditPage, Cause> {
    let mut newest_first = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM audit WHERE number < ?1 ORDER BY number DESC"
    ))?;
    let before = query
        .before
        .map_or(i64::MAX, |number| number.try_into().unwrap_or(i64::MAX));
    let rows = newest_first.query_map([before], AuditRecord::read)?;
    select(rows, query)
}

/// Returns what is wanted of the entries of an audit, which come the newest first.
pub(in crate::store) fn select<E: Into<Cause>>(
    newest_first: impl Iterator<Item = Result<AuditRecord, E>>,
    query: &AuditQuery,
) -> Result<AuditPage, Cause> {
    let mut page = AuditPage::default();
    let mut last = None;
    for (looked_at, record) in newest_first.enumerate() {
        let record = record.map_err(Into::into)?;
        if query.since.is_some_and(|since| record.is_before(since)) {
            return Ok(page);
        }
        if page.entries.len() >= query.limit || looked_at >= ENTRIES_LOOKED_AT {
            page.next = last;
            return Ok(page);
        }
        if record.is_wanted(query) {
            page.entries.push(serde_json::to_string(&record)?);
        }
        last = Some(record.number);
    }
    Ok(page)
}

fn no_audit(cause: Cause) -> StoreError {
    StoreError {
        action: "cannot use the audit of these records".to_owned(),
        cause,
    }
}

/// What comes of looking at a whole chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditVerdict {
    /// How many entries there are.
    pub entries: u64,
    /// The entry before the first one that is kept: what came before was pruned.
    pub pruned: AuditHead,
    /// Where the chain ends.
    pub head: AuditHead,
    /// What is wrong with it, for a person to read. Empty if nothing is.
    pub breaks: Vec<String>,
}

/// Looks at every entry.
fn verify(connection: &Connection) -> Result<AuditVerdict, Cause> {
    // Of one moment: another process may prune meanwhile.
    let moment = connection.unchecked_transaction()?;
    let pruned = chain::pruned(&moment)?;
    let mut verdict = AuditVerdict {
        entries: 0,
        head: pruned.clone(),
        pruned,
        breaks: Vec::new(),
    };
    each(&moment, |record| {
        verdict.entries += 1;
        let expected = verdict.head.number + 1;
        let found = record.number;
        let problem = if found != expected {
            Some(format!("entries {expected} to {} are missing", found - 1))
        } else if record.hash_after(&verdict.head.hash) != record.hash {
            Some(format!(
                "entry {found} is not what was written, or the one before it is not"
            ))
        } else {
            None
        };
        if verdict.breaks.len() < BREAKS {
            verdict.breaks.extend(problem);
        }
        verdict.head = record.head();
        Ok(())
    })?;
    Ok(verdict)
}

/// Calls `see` with every entry, the oldest first.
fn each(
    connection: &Connection,
    mut see: impl FnMut(AuditRecord) -> Result<(), Cause>,
) -> Result<(), Cause> {
    let mut all = connection.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY number"))?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        see(AuditRecord::read(row)?)?;
    }
    Ok(())
}

/// Removes the entries of before a moment, but for the last of all: the chain goes on from it.
/// Returns how many there were. In short steps, so that a server that writes hardly waits.
fn prune(connection: &mut Connection, before: Timestamp) -> Result<u64, Cause> {
    /// How many at a time.
    const STEP: u64 = 1000;
    let mut removed = 0;
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut oldest = transaction.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM audit
             WHERE number < (SELECT max(number) FROM audit) ORDER BY number LIMIT ?1"
        ))?;
        let mut rows = oldest.query([STEP])?;
        let mut last = None;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let record = AuditRecord::read(row)?;
            if !record.is_before(before) {
                break;
            }
            count += 1;
            last = Some(record);
        }
        drop(rows);
        drop(oldest);
        let Some(last) = last else {
            return Ok(removed);
        };
        transaction.execute(
            "UPDATE store SET pruned_number = ?1, pruned_hash = ?2",
            params![last.number, last.hash],
        )?;
        transaction.execute("DELETE FROM audit WHERE number <= ?1", [last.number])?;
        transaction.commit()?;
        removed += count;
        if count < STEP {
            return Ok(removed);
        }
    }
}
