//! A store that lasts as long as the process.

use acctpool_actors::pool::{Change, Snapshot};
use acctpool_actors::store::{Store, StoreError};

/// Keeps records in memory. After a restart every account is dirty and every reservation forgotten.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Snapshot);

impl Store for MemoryStore {
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        for change in changes {
            self.0.write(change);
        }
        Ok(())
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(self.0.clone())
    }
}
