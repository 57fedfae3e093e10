//! Records in one SQLite file.
//!
//! What [`Store::commit`] has returned for survives `kill -9` and power loss: the journal is a
//! write-ahead log, and every commit waits until it is on the disk (`synchronous=FULL`). A new file
//! is made under another name and renamed, so that there is never half of one. What SQLite itself
//! does not notice of damage, [`witness`] does.

mod audit;
mod audit_file;
mod chain;
mod copy;
mod notifications;
mod receipts;
mod schema;
mod witness;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use acctpool_actors::pool::{
    Account, AccountId, AccountState, AuditEntry, Change, Detail, Fingerprint, Generation,
    ReceiptLine, Reservation, ReservationState, Snapshot, Timestamp, rfc3339,
};
use acctpool_actors::store::{ReceiptsOf, Store, StoreError};
pub use audit::AuditVerdict;
pub(super) use audit::{select, stretch};
use audit_file::AuditFile;
pub use chain::{AuditHead, AuditRecord};
use log::warn;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};
use schema::Format;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use witness::{Files, HeadFile, beside};

/// See the module.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    id: Uuid,
    format: Format,
    /// Not there of a file that is only looked at, and of a copy.
    writer: Option<Writer>,
}

/// What only who writes needs.
#[derive(Debug)]
struct Writer {
    head: AuditHead,
    head_file: HeadFile,
    files: Files,
    audit_file: Option<AuditFile>,
}

pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

impl SqliteStore {
    /// Opens the file, or makes it. The caller sees to it that no other process writes to it.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let failed = |cause| cannot_open(path, cause);
        if !path.try_exists().map_err(|error| failed(error.into()))? {
            if HeadFile::stands_beside(path) {
                warn!(
                    "{} is gone: its reservations are forgotten, and new records begin",
                    path.display()
                );
            }
            create(path, now).map_err(failed)?;
        }
        copy::clear_for(path).map_err(|error| failed(error.into()))?;
        let mut store = Self::open_existing(path).map_err(failed)?;
        store.migrate(now).map_err(failed)?;
        if !store.is_copy() {
            store.begin_to_write().map_err(failed)?;
        }
        Ok(store)
    }

    /// Brings a file of an older version up to this one, whole or not at all.
    fn migrate(&mut self, now: Timestamp) -> Result<(), Cause> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(former) = schema::migrate(&transaction)? {
            let migrated = AuditEntry::plain(now, "store_migrated")
                .with("from_version", Detail::Number(former.into()));
            chain::append(&transaction, &chain::head(&transaction)?, &[migrated])?;
            transaction.commit()?;
            self.format = Format::of(&self.connection)?;
        }
        Ok(())
    }

    /// Makes sure that nothing is missing, and that what is written from now on is kept.
    fn begin_to_write(&mut self) -> Result<(), Cause> {
        keep_write_ahead_log(&self.connection)?;
        let broken = chain::broken_end(&self.connection)?;
        if let Some(loss) = self.loss()?.or(broken) {
            return Err(Loss(loss).into());
        }
        // SQLite makes its log at the first commit, and ignores a directory that cannot be written:
        // so it is made now, and would still be found after a power loss.
        self.connection
            .execute("UPDATE store SET created_at = created_at", [])?;
        let head_file = HeadFile::open(&self.path)?;
        let head = chain::head(&self.connection)?;
        head_file.write(self.id, &head)?;
        sync_directory_of(&self.path)?;
        self.writer = Some(Writer {
            head,
            head_file,
            files: Files::of(&self.path)?,
            audit_file: None,
        });
        Ok(())
    }

    /// Says what was acknowledged once and is not there any more, as far as that can be told. A copy
    /// promises nothing.
    fn loss(&self) -> Result<Option<String>, Cause> {
        if self.is_copy() {
            return Ok(None);
        }
        Ok(match HeadFile::look(&self.path, self.id)? {
            Some(known) => chain::departure(&self.connection, &known)?,
            None => None,
        })
    }

    /// Opens a file to look at it, also while a server writes to it.
    pub fn inspect(path: &Path) -> Result<Self, StoreError> {
        Self::open_existing(path).map_err(|cause| cannot_open(path, cause))
    }

    fn open_existing(path: &Path) -> Result<Self, Cause> {
        // Who only looks takes part in the index of the write-ahead log, and so has to write there.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        let format = Format::of(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let id: String = connection.query_row("SELECT id FROM store", [], |row| row.get(0))?;
        Ok(Self {
            id: id.parse()?,
            path: path.to_owned(),
            format,
            writer: None,
            connection,
        })
    }

    /// Returns the master keys that the records need, by their numbers.
    pub fn master_keys(&self) -> Result<BTreeMap<Generation, Fingerprint>, StoreError> {
        master_keys(&self.connection).map_err(|cause| StoreError {
            action: "cannot tell which master keys the records need".to_owned(),
            cause,
        })
    }

    /// Copies everything to a new file, as it was at one moment, also while a server writes. The file
    /// is a store only once it has been adopted.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        copy::make(&self.connection, to).map_err(|cause| StoreError {
            action: format!("cannot copy the records to {}", to.display()),
            cause,
        })
    }

    /// Looks for damage; returns what was found.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let check = || -> Result<Vec<String>, Cause> {
            // Asked first: a server may write meanwhile.
            let loss = self.loss()?;
            let mut damage = self.damage("PRAGMA integrity_check")?;
            damage.extend(loss);
            if damage.is_empty() {
                damage.extend(self.broken_audit()?);
            }
            Ok(damage)
        };
        check().map_err(|cause| StoreError {
            action: "cannot check the records".to_owned(),
            cause,
        })
    }

    fn damage(&self, check: &str) -> Result<Vec<String>, Cause> {
        let mut check = self.connection.prepare(check)?;
        let found = check.query_map([], |row| row.get(0))?;
        let found: Vec<String> = found.collect::<Result<_, _>>()?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    fn read(&self) -> Result<Snapshot, Cause> {
        // Finds pages that are not what they were; what a record says, only its digest tells. The
        // audit may be long, and nothing depends on it.
        for table in ["store", "accounts", "reservations"] {
            let damage = self.damage(&format!("PRAGMA quick_check({table})"))?;
            if !damage.is_empty() {
                return Err(damage.join("; ").into());
            }
        }
        if self.is_cut()? {
            return Err("the file was cut".into());
        }
        let mut snapshot = Snapshot {
            master_keys: master_keys(&self.connection)?,
            ..Snapshot::default()
        };
        let accounts = self.records::<Account>("SELECT record, digest FROM accounts")?;
        snapshot.accounts.extend(
            accounts
                .into_iter()
                .map(|account| (account.id.clone(), account)),
        );
        let reservations =
            self.records::<Reservation>("SELECT record, digest FROM reservations")?;
        snapshot.reservations.extend(
            reservations
                .into_iter()
                .map(|reservation| (reservation.id, reservation)),
        );
        // Whoever only looks may be the first of its version that does.
        if self.format.has_notifications() {
            snapshot.exhausted = notifications::exhausted(&self.connection)?;
            snapshot.delivered = notifications::delivered(&self.connection)?;
        }
        Ok(snapshot)
    }

    /// Tells whether a part of the last page is missing: SQLite takes it for zeros. While there is a
    /// log, that page may be on its way.
    fn is_cut(&self) -> Result<bool, Cause> {
        let log = fs::metadata(beside(&self.path, "-wal")).map_or(0, |log| log.len());
        let size = fs::metadata(&self.path)?.len();
        let page: u64 = self
            .connection
            .pragma_query_value(None, "page_size", |row| row.get(0))?;
        Ok(log == 0 && size % page != 0)
    }

    fn records<R: DeserializeOwned>(&self, query: &str) -> Result<Vec<R>, Cause> {
        let mut statement = self.connection.prepare(query)?;
        let mut rows = statement.query([])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let record = row.get_ref(0)?.as_str()?;
            if digest(record) != row.get::<_, i64>(1)? {
                return Err("a record is not what was written".into());
            }
            records.push(serde_json::from_str(record)?);
        }
        Ok(records)
    }

    fn write(
        &mut self,
        changes: &[Change],
        entries: &[AuditEntry],
        lines: &[ReceiptLine],
    ) -> Result<(), Cause> {
        let Some(writer) = &mut self.writer else {
            return Err("they are not open for writing".into());
        };
        let transaction = self.connection.transaction()?;
        write_changes(&transaction, changes)?;
        receipts::append(&transaction, lines)?;
        let head = chain::append(&transaction, &writer.head, entries)?;
        transaction.commit()?;
        // Looked at afterwards: what was committed to a file that is gone is not durable.
        if let Some(gone) = writer.files.first_gone() {
            let words = format!("{} was removed or replaced while in use", gone.display());
            return Err(words.into());
        }
        if head != writer.head {
            writer.head_file.write(self.id, &head)?;
            writer.head = head;
            if let Some(file) = &mut writer.audit_file {
                file.follow(&self.connection);
            }
        }
        Ok(())
    }
}

fn write_changes(transaction: &Transaction<'_>, changes: &[Change]) -> Result<(), Cause> {
    for change in changes {
        match change {
            Change::Account(account) => write_account(transaction, account)?,
            Change::Reservation(reservation) => write_reservation(transaction, reservation)?,
            Change::ReservationForgotten { sequence, .. } => {
                transaction
                    .prepare_cached("DELETE FROM reservations WHERE sequence = ?1")?
                    .execute([sequence])?;
            }
            Change::MasterKey {
                generation,
                fingerprint,
            } => {
                let mut known = master_keys(transaction)?;
                known.insert(*generation, fingerprint.clone());
                write_master_keys(transaction, &known)?;
            }
            Change::MasterKeyForgotten(generation) => {
                let mut known = master_keys(transaction)?;
                known.remove(generation);
                write_master_keys(transaction, &known)?;
            }
            Change::Exhaustion {
                account_type,
                since,
            } => notifications::write_exhausted(transaction, account_type, *since)?,
            Change::Delivered { webhook, through } => {
                notifications::write_delivered(transaction, webhook, *through)?;
            }
        }
    }
    Ok(())
}

/// What keeps a file from being used although everything in it is good.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Loss(String);

impl Store for SqliteStore {
    fn id(&self) -> Uuid {
        self.id
    }

    fn commit(
        &mut self,
        changes: Vec<Change>,
        entries: Vec<AuditEntry>,
        lines: Vec<ReceiptLine>,
    ) -> Result<(), StoreError> {
        self.write(&changes, &entries, &lines)
            .map_err(|cause| StoreError {
                action: "cannot write the records".to_owned(),
                cause,
            })
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.read().map_err(|cause| StoreError {
            action: "cannot read the records; `acctpool state check` says more, and a file of \
                     `acctpool state backup` can take their place"
                .to_owned(),
            cause,
        })
    }

    fn receipt_lines(&mut self, of: &ReceiptsOf) -> Result<Vec<ReceiptLine>, StoreError> {
        let lines = if self.format.has_receipts() {
            receipts::read(&self.connection, of)
        } else {
            // Whoever only looks may be the first of its version that does.
            Ok(Vec::new())
        };
        lines.map_err(|cause| StoreError {
            action: "cannot read the receipts".to_owned(),
            cause,
        })
    }
}

/// Says what to do, if the file is at fault and not the disk.
fn cannot_open(path: &Path, cause: Cause) -> StoreError {
    let sqlite = match cause.downcast_ref::<schema::Unusable>() {
        Some(schema::Unusable::Sqlite(error)) => Some(error),
        _ => cause.downcast_ref(),
    };
    let is_damage = match sqlite.and_then(rusqlite::Error::sqlite_error_code) {
        Some(code) => matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase),
        None => matches!(
            cause.downcast_ref::<schema::Unusable>(),
            Some(schema::Unusable::Foreign)
        ),
    };
    let mut action = format!("cannot open {}", path.display());
    if cause.is::<Loss>() {
        action.push_str(
            "; a whole copy of the state directory may have what is missing; to go on without, \
             put what `acctpool state backup` makes of the file in its place",
        );
    } else if is_damage {
        action.push_str("; a file of `acctpool state backup` can take its place");
    }
    StoreError { action, cause }
}

/// Changes to a write-ahead log, which stays that way.
fn keep_write_ahead_log(connection: &Connection) -> Result<(), Cause> {
    let mut change = connection.prepare("PRAGMA journal_mode = WAL")?;
    // Read to the end: only then is the change committed, or refused.
    let modes = change.query_map([], |row| row.get(0))?;
    let modes: Vec<String> = modes.collect::<Result<_, _>>()?;
    if modes == ["wal"] {
        Ok(())
    } else {
        // SQLite goes on in its old mode without an error.
        Err("the disk did not let a write-ahead log be made".into())
    }
}

/// Makes a file whole before it gets its name.
fn create(path: &Path, now: Timestamp) -> Result<(), Cause> {
    let unfinished = path.with_extension("db.new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    let mut connection = Connection::open(&unfinished)?;
    let transaction = connection.transaction()?;
    schema::create(&transaction)?;
    let id = Uuid::new_v4().to_string();
    transaction.execute(
        "INSERT INTO store (id, created_at) VALUES (?1, ?2)",
        params![id, rfc3339(now)],
    )?;
    let created = AuditEntry::plain(now, "store_created").with("store", Detail::Text(id));
    chain::append(&transaction, &AuditHead::default(), &[created])?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(&unfinished)?.sync_all()?;
    copy::clear(path)?;
    fs::rename(&unfinished, path)?;
    sync_directory_of(path)?;
    Ok(())
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn master_keys(connection: &Connection) -> Result<BTreeMap<Generation, Fingerprint>, Cause> {
    let read = |row: &rusqlite::Row<'_>| row.get::<_, Option<String>>(0);
    let written = connection.query_row("SELECT key_fingerprint FROM store", [], read)?;
    Ok(match written {
        None => BTreeMap::new(),
        Some(object) if object.starts_with('{') => serde_json::from_str(&object)?,
        // From before there was more than one.
        Some(only) => [(Generation::default(), only.into())].into(),
    })
}

fn write_master_keys(
    connection: &Connection,
    known: &BTreeMap<Generation, Fingerprint>,
) -> Result<(), Cause> {
    let object = serde_json::to_string(known)?;
    connection.execute("UPDATE store SET key_fingerprint = ?1", [object])?;
    Ok(())
}

fn write_account(transaction: &Transaction<'_>, account: &Account) -> Result<(), Cause> {
    let state = match account.state {
        AccountState::Dirty { .. } => "dirty",
        AccountState::Cleaning(_) => "cleaning",
        AccountState::Ready { .. } => "ready",
        AccountState::Leased { .. } => "leased",
        AccountState::Quarantined(_) => "quarantined",
        AccountState::Drained => "drained",
    };
    let record = serde_json::to_string(account)?;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO accounts
             (id, type, state, since, fence, epoch, record, digest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            account.id.as_str(),
            account.account_type.as_str(),
            state,
            rfc3339(account.since),
            account.fence.0,
            account.keys.current.epoch.0,
            record,
            digest(&record),
        ])?;
    Ok(())
}

fn write_reservation(
    transaction: &Transaction<'_>,
    reservation: &Reservation,
) -> Result<(), Cause> {
    let (state, account, expiration, reason) = match &reservation.state {
        ReservationState::Pending => ("pending", None, None, None),
        ReservationState::Active {
            accounts,
            expiration,
            ..
        } => (
            "active",
            Some(names(accounts).join(",")),
            Some(rfc3339(*expiration)),
            None,
        ),
        ReservationState::Ended { reason, .. } => ("ended", None, None, Some(reason.as_str())),
    };
    let record = serde_json::to_string(reservation)?;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO reservations
             (sequence, id, token, type, state, created_at, account, expiration, end_reason, record,
              digest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            reservation.sequence,
            reservation.id.to_string(),
            reservation.token.as_str(),
            reservation.account_type.as_str(),
            state,
            rfc3339(reservation.created_at),
            account,
            expiration,
            reason,
            record,
            digest(&record),
        ])?;
    Ok(())
}

fn names(accounts: &[AccountId]) -> Vec<&str> {
    accounts.iter().map(AccountId::as_str).collect()
}

/// Tells a record from one that the disk has changed.
fn digest(record: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(record).into();
    let head = digest.first_chunk().expect("it is longer");
    i64::from_be_bytes(*head)
}

#[cfg(test)]
mod tests;
