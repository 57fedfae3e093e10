//! A store that lasts as long as the process: for demonstrations and tests.

use acctpool_actors::pool::{AuditEntry, Change, Snapshot};
use acctpool_actors::store::{Store, StoreError};
use uuid::Uuid;

/// Keeps records in memory. After a restart every account is dirty and every reservation forgotten.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    id: Uuid,
    written: Snapshot,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            id: Uuid::new_v4(),
            written: Snapshot::default(),
        }
    }
}

impl Store for MemoryStore {
    fn id(&self) -> Uuid {
        self.id
    }

    /// Nobody could read the entries.
    fn commit(&mut self, changes: Vec<Change>, _: Vec<AuditEntry>) -> Result<(), StoreError> {
        for change in changes {
            self.written.write(change);
        }
        Ok(())
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(self.written.clone())
    }
}
