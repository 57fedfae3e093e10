//! Copies of a store, and how one becomes a store.
//!
//! What a store did after it was copied is not in the copy: leases that it gave and took back, and
//! fences that it used. Under the same id a lease key could be derived a second time, and a lease of
//! the copy might be on an account that somebody else holds by now. So a copy says that it is one.
//! Adopting it gives it an id of its own, ends its leases, and says of every account that a lease
//! credential may exist; those are looked for by their name, and taken away, before anything is
//! lent. Who waits goes on waiting, in order.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use acctpool_actors::pool::{
    AuditEntry, Change, Detail, Event, Fingerprint, Generation, Timestamp,
};
use acctpool_actors::store::{Store, StoreError};
use rusqlite::{Connection, TransactionBehavior};
use uuid::Uuid;

use super::witness::beside;
use super::{Cause, SqliteStore, chain, schema, write_changes, write_master_keys};

/// Copies everything to a new file.
pub(super) fn make(connection: &Connection, to: &Path) -> Result<(), Cause> {
    // Made first, for its owner only: SQLite fills an empty file.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    let name = to.to_str().ok_or("the name must be UTF-8")?;
    connection.execute("VACUUM INTO ?1", [name])?;
    let copy = Connection::open(to)?;
    schema::mark_as_copy(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(to)?.sync_all()?;
    Ok(())
}

/// Removes what the records that a copy has replaced left beside it: a write-ahead log has no mark
/// of its file, so SQLite would play it into the copy.
///
/// A copy that has been adopted, or has begun to be, is none any more by its first page; until then
/// there is no log of its own.
pub(super) fn clear_for(path: &Path) -> io::Result<()> {
    let mut says = [0; 4];
    match File::open(path)?.read_exact_at(&mut says, schema::APPLICATION_AT) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
        _ => {}
    }
    if schema::says_copy(says) {
        clear(path)?;
    }
    Ok(())
}

/// Removes what records that are no more left behind.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    for ending in ["-wal", "-shm"] {
        match fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl SqliteStore {
    /// Tells whether the file is a copy of another store, which has to be adopted before anything can
    /// be written.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.format.is_copy
    }

    /// Makes a copy the store: it gets an id of its own, which the caller drew, its leases end, and
    /// every account is to be cleaned of lease credentials that it does not know. Returns how many
    /// leases ended. The caller has made sure that the master keys are those that belong to the copy;
    /// what they are known by beside the new id is written down.
    pub fn adopt(
        &mut self,
        id: Uuid,
        master_keys: &BTreeMap<Generation, Fingerprint>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let (changes, events) = self.load()?.disown(now);
        let mut adopt = || {
            self.become_store(id, master_keys, &changes, &events, now)?;
            self.begin_to_write()?;
            Ok(events.len())
        };
        adopt().map_err(|cause| StoreError {
            action: "cannot adopt the copy".to_owned(),
            cause,
        })
    }

    /// In one transaction, which changes the file itself: by its first page it is known as a copy.
    fn become_store(
        &mut self,
        id: Uuid,
        master_keys: &BTreeMap<Generation, Fingerprint>,
        changes: &[Change],
        events: &[Event],
        now: Timestamp,
    ) -> Result<(), Cause> {
        let mode =
            self.connection
                .pragma_update_and_check(None, "journal_mode", "DELETE", |row| {
                    row.get::<_, String>(0)
                })?;
        if mode != "delete" {
            return Err(format!("its journal is kept as {mode}").into());
        }
        let adopted = AuditEntry::plain(now, "store_adopted")
            .with("copy_of", Detail::Text(self.id.to_string()))
            .with("store", Detail::Text(id.to_string()));
        let mut entries = vec![adopted];
        entries.extend(AuditEntry::of_turn(events, now));

        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        write_changes(&transaction, changes)?;
        chain::append(&transaction, &chain::head(&transaction)?, &entries)?;
        transaction.execute("UPDATE store SET id = ?1", [id.to_string()])?;
        write_master_keys(&transaction, master_keys)?;
        schema::mark_as_store(&transaction)?;
        transaction.commit()?;
        self.id = id;
        self.format.is_copy = false;
        Ok(())
    }
}
