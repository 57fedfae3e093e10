//! What is in the file, and which version of it.
//!
//! The file can be read with the `sqlite3` shell: columns are for people, `record` is the whole
//! record as JSON and is what the program reads. Times are RFC 3339, in UTC. There is no secret in
//! it: credentials are ids and counters (`design.md` 7).

use rusqlite::{Connection, Transaction};

/// Raised with every change of the schema. An older program refuses a newer file.
const VERSION: u32 = 5;

/// Says that a SQLite file is acctpool's ("acct").
const APPLICATION: u32 = 0x6163_6374;

/// Says that it is a copy of such a file ("accp"): a store only once it has been adopted.
const COPY: u32 = 0x6163_6370;

/// Where a SQLite file says whose it is: four bytes, the highest first.
pub(super) const APPLICATION_AT: u64 = 68;

const CREATE: &str = "
    -- One row: the random id that lease credentials are derived from, and what tells each master key
    -- that keys may be derived from, by its number, from any other: a JSON object. Nothing can be
    -- derived from that. (A text that is no object is about number 0.)
    CREATE TABLE store (
        id              TEXT NOT NULL,
        created_at      TEXT NOT NULL,
        key_fingerprint TEXT
    ) STRICT;

    CREATE TABLE accounts (
        id          TEXT PRIMARY KEY,
        type        TEXT NOT NULL,
        state       TEXT NOT NULL,     -- dirty, cleaning, ready, leased, quarantined, drained
        since       TEXT NOT NULL,     -- when it came into that state
        fence       INTEGER NOT NULL,
        epoch       INTEGER NOT NULL,  -- of the management key in use; 0 is the configured one
        record      TEXT NOT NULL,
        digest      INTEGER NOT NULL   -- of the record: its SHA-256's first 8 bytes
    ) STRICT, WITHOUT ROWID;

    -- Keyed by the order of asking: random keys cost several times as much to write.
    CREATE TABLE reservations (
        sequence    INTEGER PRIMARY KEY,
        id          TEXT NOT NULL,
        token       TEXT NOT NULL,     -- the consumer's name, never the token
        type        TEXT NOT NULL,
        state       TEXT NOT NULL,     -- pending, active, ended
        created_at  TEXT NOT NULL,
        account     TEXT,              -- while active; several are separated by commas
        expiration  TEXT,              -- while active
        end_reason  TEXT,              -- when ended
        record      TEXT NOT NULL,
        digest      INTEGER NOT NULL   -- as above
    ) STRICT;
";

/// What version 2 adds.
const ADD_AUDIT: &str = "
    -- The entry before the first one that is kept.
    ALTER TABLE store ADD COLUMN pruned_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE store ADD COLUMN pruned_hash TEXT NOT NULL DEFAULT '';

    -- Who did what to which account, and when. Each hash covers the one before it and the entry's
    -- own columns: it is the SHA-256 of these, in their order, each as its length in 8 bytes (the
    -- highest first) and its UTF-8 text; for NULL stand 8 bytes of 255. Before the first entry the
    -- hash is the empty text.
    CREATE TABLE audit (
        number      INTEGER PRIMARY KEY,
        at          TEXT NOT NULL,
        event       TEXT NOT NULL,
        consumer    TEXT,              -- the name of a token, never the token
        account     TEXT,
        reservation TEXT,
        details     TEXT NOT NULL,     -- a JSON object
        hash        TEXT NOT NULL      -- in hexadecimal digits
    ) STRICT;

    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit is never changed'); END;

    CREATE TRIGGER audit_is_pruned_from_its_start BEFORE DELETE ON audit
    WHEN old.number > (SELECT pruned_number FROM store)
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit is never removed'); END;
";

/// What version 3 adds.
const ADD_RECEIPTS: &str = "
    -- What each cleaning did, step by step: the last twenty cleanings of each account. `details` is
    -- the whole step as JSON and is what the program reads.
    CREATE TABLE receipts (
        number      INTEGER PRIMARY KEY,
        account     TEXT NOT NULL,
        cleaning    INTEGER NOT NULL,  -- the fence at which it began
        reservation TEXT,              -- whose lease it followed
        at          TEXT NOT NULL,
        step        TEXT NOT NULL,     -- began, revoked, verified, swept, proved, faulted,
                                       -- key_changed, ended
        details     TEXT NOT NULL
    ) STRICT;

    CREATE INDEX receipts_of_account ON receipts (account, cleaning);
    CREATE INDEX receipts_of_reservation ON receipts (reservation, cleaning)
    WHERE reservation IS NOT NULL;
";

// Version 4 adds no table: an older program would not understand a reservation of several accounts, and
// would forget what a record says of renewals. Records of version 3 are read as they are.

/// What version 5 adds.
const ADD_NOTIFICATIONS: &str = "
    -- The types that somebody has waited for too long for, until nobody waits for them any more.
    CREATE TABLE exhausted (
        type    TEXT PRIMARY KEY,
        since   TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Up to which entry of the audit each webhook has been told.
    CREATE TABLE webhooks (
        name    TEXT PRIMARY KEY,
        through INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// What keeps a file from being used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is not a file of acctpool's")]
    Foreign,
    #[error(
        "it was written by a newer acctpool (version {0} of the format, this one knows {VERSION})"
    )]
    Newer(u32),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// What a file says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    version: u32,
    /// Whether it was made by copying a store.
    pub(super) is_copy: bool,
}

impl Format {
    /// Reads it, and makes sure that this program can read the rest.
    pub(super) fn of(connection: &Connection) -> Result<Self, Unusable> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
        let application = pragma("application_id")?;
        if application != APPLICATION && application != COPY {
            return Err(Unusable::Foreign);
        }
        let is_copy = application == COPY;
        match pragma("user_version")? {
            version @ 1..=VERSION => Ok(Self { version, is_copy }),
            newer if newer > VERSION => Err(Unusable::Newer(newer)),
            _ => Err(Unusable::Foreign),
        }
    }

    /// Tells whether it has an audit.
    pub(super) fn has_audit(self) -> bool {
        self.version >= 2
    }

    /// Tells whether it has receipts.
    pub(super) fn has_receipts(self) -> bool {
        self.version >= 3
    }

    /// Tells whether it says what webhooks are told, and of what.
    pub(super) fn has_notifications(self) -> bool {
        self.version >= 5
    }
}

/// Makes the tables of a new file.
pub(super) fn create(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(CREATE)?;
    transaction.execute_batch(ADD_AUDIT)?;
    transaction.execute_batch(ADD_RECEIPTS)?;
    transaction.execute_batch(ADD_NOTIFICATIONS)?;
    mark_as_store(transaction)?;
    transaction.pragma_update(None, "user_version", VERSION)
}

/// Brings a file up to this program's version; returns the one that it had, if that was another.
pub(super) fn migrate(transaction: &Transaction<'_>) -> Result<Option<u32>, Unusable> {
    let Format { version, .. } = Format::of(transaction)?;
    if version == VERSION {
        return Ok(None);
    }
    if version < 2 {
        transaction.execute_batch(ADD_AUDIT)?;
    }
    if version < 3 {
        transaction.execute_batch(ADD_RECEIPTS)?;
    }
    if version < 5 {
        transaction.execute_batch(ADD_NOTIFICATIONS)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(Some(version))
}

/// Says that the file is a store.
pub(super) fn mark_as_store(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION)
}

/// Says that the file is a copy of a store.
pub(super) fn mark_as_copy(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", COPY)
}

/// Tells whether these bytes of a file say that it is a copy.
pub(super) fn says_copy(bytes: [u8; 4]) -> bool {
    u32::from_be_bytes(bytes) == COPY
}
