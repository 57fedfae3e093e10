//! The port to what survives a crash.

use uuid::Uuid;

use crate::pool::{AuditEntry, Change, Snapshot};

/// Keeps records. Its methods may block: they run on the store's own thread.
pub trait Store: Send + Unpin + 'static {
    /// Returns the store's own random id, which it keeps for as long as it keeps anything. Lease
    /// credentials are derived from it, so that none is ever derived twice should a store be lost
    /// and its fences begin anew.
    fn id(&self) -> Uuid;
    /// Writes the changes of a batch of decisions and what is kept of them for the auditor, each in
    /// order: all of them or none. When it returns, they are durable.
    fn commit(&mut self, changes: Vec<Change>, entries: Vec<AuditEntry>) -> Result<(), StoreError>;

    /// Returns everything that was written.
    fn load(&mut self) -> Result<Snapshot, StoreError>;
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
