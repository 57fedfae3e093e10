//! The scripted store: what survives a crash, and the crash that comes in the middle of a commit.
//!
//! A commit is all or nothing, as the real store's transactions are. The one that the process dies in
//! is either on the disk or not; nobody is told which.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acctpool::store::MemoryStore;
use acctpool_actors::pool::{AuditEntry, Change, ReceiptLine, Snapshot};
use acctpool_actors::store::{ReceiptsOf, Store, StoreError};
use uuid::Uuid;

/// A disk that outlives every process. Clones are the same disk.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

struct Platter {
    written: Snapshot,
    receipts: MemoryStore,
    /// What was written since somebody last looked.
    batches: Vec<Vec<Change>>,
    failure: Option<Failure>,
    /// Whether the process that writes here has met the failure.
    failed: bool,
}

/// A commit that the process does not survive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    /// How many commits go well before.
    pub(crate) after: u64,
    /// Whether what was to be written is on the disk all the same.
    pub(crate) kept: bool,
}

impl Disk {
    /// Returns an empty disk.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Platter {
            written: Snapshot::default(),
            receipts: MemoryStore::default(),
            batches: Vec::new(),
            failure: None,
            failed: false,
        })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was written since the last time, batch by batch.
    pub(crate) fn take_batches(&self) -> Vec<Vec<Change>> {
        std::mem::take(&mut self.platter().batches)
    }

    /// Lets a commit to come fail.
    pub(crate) fn fail(&self, failure: Failure) {
        self.platter().failure = Some(failure);
    }

    /// Tells whether a commit has failed: the process is dead.
    pub(crate) fn has_failed(&self) -> bool {
        self.platter().failed
    }

    /// Hands the disk to the next process.
    pub(crate) fn recover(&self) {
        let mut platter = self.platter();
        platter.failure = None;
        platter.failed = false;
    }
}

impl Store for Disk {
    fn id(&self) -> Uuid {
        Uuid::from_u128(1)
    }

    fn commit(
        &mut self,
        changes: Vec<Change>,
        _: Vec<AuditEntry>,
        lines: Vec<ReceiptLine>,
    ) -> Result<(), StoreError> {
        let mut platter = self.platter();
        let failure = match &mut platter.failure {
            Some(failure) if failure.after > 0 => {
                failure.after -= 1;
                None
            }
            failure => failure.take(),
        };
        if failure.is_none_or(|failure| failure.kept) {
            for change in &changes {
                platter.written.write(change.clone());
            }
            platter.receipts.commit(Vec::new(), Vec::new(), lines)?;
            platter.batches.push(changes);
        }
        if failure.is_none() {
            return Ok(());
        }
        platter.failed = true;
        Err(StoreError {
            action: "cannot commit".to_owned(),
            cause: "the power went".into(),
        })
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(self.platter().written.clone())
    }

    fn receipt_lines(&mut self, of: &ReceiptsOf) -> Result<Vec<ReceiptLine>, StoreError> {
        self.platter().receipts.receipt_lines(of)
    }
}
