//! A store that lasts as long as the process: for demonstrations and tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use acctpool_actors::pool::{
    AccountId, AuditEntry, Change, Fence, ReceiptLine, ReceiptStep, Snapshot,
};
use acctpool_actors::store::{
    AuditPage, AuditQuery, AuditReader, AuditStretch, Follow, RECEIPTS_KEPT, ReceiptsOf, Store,
    StoreError,
};
use uuid::Uuid;

use super::sqlite::{AuditHead, AuditRecord, Cause, select, stretch};

/// Keeps records in memory. After a restart every account is dirty and every reservation forgotten.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    id: Uuid,
    written: Snapshot,
    receipts: BTreeMap<AccountId, Vec<ReceiptLine>>,
    audit: Arc<Mutex<FleetingAudit>>,
}

/// How many entries of the audit are kept.
const ENTRIES_KEPT: usize = 10_000;

/// The last entries of the audit.
#[derive(Debug, Default)]
struct FleetingAudit {
    entries: VecDeque<AuditRecord>,
    head: AuditHead,
}

/// Reads the audit of a [`MemoryStore`].
#[derive(Clone, Debug)]
pub struct MemoryAudit(Arc<Mutex<FleetingAudit>>);

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            id: Uuid::new_v4(),
            written: Snapshot::default(),
            receipts: BTreeMap::new(),
            audit: Arc::default(),
        }
    }
}

impl MemoryStore {
    /// Returns what reads its audit, the last ten thousand entries of it.
    #[must_use]
    pub fn audit(&self) -> MemoryAudit {
        MemoryAudit(Arc::clone(&self.audit))
    }
}

impl FleetingAudit {
    fn append(&mut self, entry: &AuditEntry) -> Result<(), serde_json::Error> {
        let record = AuditRecord::following(&self.head, entry)?;
        self.head = record.head();
        self.entries.push_back(record);
        if self.entries.len() > ENTRIES_KEPT {
            self.entries.pop_front();
        }
        Ok(())
    }
}

impl AuditReader for MemoryAudit {
    fn page(&mut self, query: &AuditQuery) -> Result<AuditPage, StoreError> {
        let audit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest_first = audit.entries.iter().rev();
        let newest_first = newest_first
            .filter(|record| query.before.is_none_or(|before| record.number < before))
            .map(|record| Ok::<_, Infallible>(record.clone()));
        select(newest_first, query).map_err(unreadable)
    }

    fn follow(&mut self, query: &Follow) -> Result<AuditStretch, StoreError> {
        let audit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest_first = audit.entries.iter();
        let following = oldest_first
            .filter(|record| record.number > query.after)
            .map(|record| Ok::<_, Infallible>(record.clone()));
        stretch(following, query).map_err(unreadable)
    }

    fn end(&mut self) -> Result<u64, StoreError> {
        let audit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(audit.head.number)
    }
}

fn unreadable(cause: Cause) -> StoreError {
    StoreError {
        action: "cannot read the audit".to_owned(),
        cause,
    }
}

impl Store for MemoryStore {
    fn id(&self) -> Uuid {
        self.id
    }

    fn commit(
        &mut self,
        changes: Vec<Change>,
        entries: Vec<AuditEntry>,
        lines: Vec<ReceiptLine>,
    ) -> Result<(), StoreError> {
        let mut audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &entries {
            audit.append(entry).map_err(|cause| StoreError {
                action: "cannot write the audit".to_owned(),
                cause: cause.into(),
            })?;
        }
        drop(audit);
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
