//! What is in the file, and which version of it.
//!
//! The file can be read with the `sqlite3` shell: columns are for people, `record` is the whole
//! record as JSON and is what the program reads. Times are RFC 3339, in UTC. There is no secret in
//! it: credentials are ids and counters (`design.md` 7).

use rusqlite::{Connection, Transaction};

/// Raised with every change of the schema. An older program refuses a newer file.
const VERSION: u32 = 1;

/// Says that a SQLite file is acctpool's ("acct").
const APPLICATION: u32 = 0x6163_6374;

const CREATE: &str = "
    -- One row: the random id that lease credentials are derived from, and what tells the master
    -- key that belongs to it from any other. Nothing can be derived from that.
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
        account     TEXT,              -- while active
        expiration  TEXT,              -- while active
        end_reason  TEXT,              -- when ended
        record      TEXT NOT NULL,
        digest      INTEGER NOT NULL   -- as above
    ) STRICT;
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

/// Makes the tables of a new file.
pub(super) fn create(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(CREATE)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)
}

/// Makes sure that this program can read the file.
pub(super) fn check(connection: &Connection) -> Result<(), Unusable> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    if pragma("application_id")? != APPLICATION {
        return Err(Unusable::Foreign);
    }
    match pragma("user_version")? {
        VERSION => Ok(()),
        newer if newer > VERSION => Err(Unusable::Newer(newer)),
        _ => Err(Unusable::Foreign),
    }
}
