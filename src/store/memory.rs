//! A store that lasts as long as the process: for demonstrations and tests.

use std::collections::{BTreeMap, BTreeSet};

use acctpool_actors::pool::{
    AccountId, AuditEntry, Change, Fence, ReceiptLine, ReceiptStep, Snapshot,
};
use acctpool_actors::store::{RECEIPTS_KEPT, ReceiptsOf, Store, StoreError};
use uuid::Uuid;

/// Keeps records in memory. After a restart every account is dirty and every reservation forgotten.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    id: Uuid,
    written: Snapshot,
    receipts: BTreeMap<AccountId, Vec<ReceiptLine>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            id: Uuid::new_v4(),
            written: Snapshot::default(),
            receipts: BTreeMap::new(),
        }
    }
}

impl Store for MemoryStore {
    fn id(&self) -> Uuid {
        self.id
    }

    /// Nobody could read the entries.
    fn commit(
        &mut self,
        changes: Vec<Change>,
        _: Vec<AuditEntry>,
        lines: Vec<ReceiptLine>,
    ) -> Result<(), StoreError> {
        for change in changes {
            self.written.write(change);
        }
        for line in lines {
            let begins = line.step == ReceiptStep::Began;
            let receipts = self.receipts.entry(line.account.clone()).or_default();
            receipts.push(line);
            if begins {
                drop_old(receipts);
            }
        }
        Ok(())
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(self.written.clone())
    }

    fn receipt_lines(&mut self, of: &ReceiptsOf) -> Result<Vec<ReceiptLine>, StoreError> {
        Ok(match of {
            ReceiptsOf::Account(account) => self.receipts.get(account).cloned().unwrap_or_default(),
            ReceiptsOf::Reservation(reservation) => {
                let follows = |line: &&ReceiptLine| line.reservation == Some(*reservation);
                let newest = self.receipts.values().flat_map(|of_account| {
                    let all = || of_account.iter().filter(follows);
                    let newest = all().map(|line| line.cleaning).max();
                    all().filter(move |line| Some(line.cleaning) == newest)
                });
                newest.cloned().collect()
            }
        })
    }
}

/// Drops all but the newest receipts of an account.
fn drop_old(receipts: &mut Vec<ReceiptLine>) {
    let cleanings: BTreeSet<Fence> = receipts.iter().map(|line| line.cleaning).collect();
    if let Some(oldest) = cleanings.iter().rev().nth(RECEIPTS_KEPT - 1) {
        receipts.retain(|line| line.cleaning >= *oldest);
    }
}
