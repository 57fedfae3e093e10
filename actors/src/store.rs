//! The port to what survives a crash.

use uuid::Uuid;

use crate::pool::{AccountId, AuditEntry, Change, ReceiptLine, ReservationId, Snapshot, Timestamp};

/// How many receipts are kept of an account. When another cleaning begins, older ones go.
pub const RECEIPTS_KEPT: usize = 20;

/// Keeps records. Its methods may block: they run on the store's own thread.
pub trait Store: Send + Unpin + 'static {
    /// Returns the store's own random id, which it keeps for as long as it keeps anything. Lease
    /// credentials are derived from it, so that none is ever derived twice should a store be lost
    /// and its fences begin anew.
    fn id(&self) -> Uuid;

    /// Writes the changes of a batch of decisions, what is kept of them for the auditor, and what
    /// receipts go on with, each in order: all of them or none. When it returns, they are durable.
    fn commit(
        &mut self,
        changes: Vec<Change>,
        entries: Vec<AuditEntry>,
        lines: Vec<ReceiptLine>,
    ) -> Result<(), StoreError>;

    /// Returns everything that was written, but for the audit and the receipts.
    fn load(&mut self) -> Result<Snapshot, StoreError>;

    /// Returns the lines of receipts in the order in which they were written; none where there is no
    /// receipt.
    fn receipt_lines(&mut self, of: &ReceiptsOf) -> Result<Vec<ReceiptLine>, StoreError>;
}

/// Reads the audit beside whoever writes to it. Its methods may block: they run on a thread of their
/// own.
pub trait AuditReader: Send + 'static {
    /// Returns entries that are durable, the newest first.
    ///
    /// It looks at a hundred thousand entries at most, so a page may be short of what was asked for,
    /// or empty, and yet there is a next one.
    fn page(&mut self, query: &AuditQuery) -> Result<AuditPage, StoreError>;

    /// Returns entries that are durable and come after one, the oldest first: those of some events.
    fn follow(&mut self, query: &Follow) -> Result<AuditStretch, StoreError>;

    /// Returns the number of the last entry that is durable; 0 if there is none.
    fn end(&mut self) -> Result<u64, StoreError>;
}

/// What somebody wants to see of the audit who sees all of it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Begins behind the entry with this number.
    pub after: u64,
    /// What happened, by the names of the events.
    pub events: &'static [&'static str],
    /// How many entries at most.
    pub limit: usize,
}

/// A part of the audit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditStretch {
    /// The entries that are wanted.
    pub facts: Vec<Fact>,
    /// The last entry that was looked at: the next stretch begins behind it.
    pub through: u64,
}

/// An entry of the audit, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its number.
    pub number: u64,
    /// When it happened, in RFC 3339.
    pub at: String,
    /// What happened.
    pub event: String,
    /// The account that it is about.
    pub account: Option<String>,
    /// What else there is to know.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// What tells it from every other entry of this and of all other audits.
    pub hash: String,
}

/// How many entries of the audit are looked at for one page.
pub const ENTRIES_LOOKED_AT: usize = 100_000;

/// What somebody wants to see of the audit. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Begins before the entry with this number.
    pub before: Option<u64>,
    /// What happened, by the name of the event.
    pub event: Option<String>,
    /// The account that it is about.
    pub account: Option<String>,
    /// The reservation that it is about.
    pub reservation: Option<String>,
    /// Whose token was presented.
    pub consumer: Option<String>,
    /// When it happened at the earliest.
    pub since: Option<Timestamp>,
    /// Before when it happened.
    pub until: Option<Timestamp>,
    /// How many entries at most.
    pub limit: usize,
}

/// Some entries of the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Each as a JSON object, as the audit is written everywhere.
    pub entries: Vec<String>,
    /// Where the next page begins: before the entry with this number. `None` after the last.
    pub next: Option<u64>,
}

/// Whose receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptsOf {
    /// Those of an account: the last [`RECEIPTS_KEPT`].
    Account(AccountId),
    /// Of each account, the newest of those that followed the lease of a reservation.
    Reservation(ReservationId),
}

/// Why records could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{action}")]
pub struct StoreError {
    /// What was being done.
    pub action: String,
    /// What went wrong.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}
