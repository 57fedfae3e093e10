//! The port to what survives a crash.

use uuid::Uuid;

use crate::pool::{AccountId, AuditEntry, Change, ReceiptLine, ReservationId, Snapshot};

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
