//! What everybody else holds of the store: a way to read receipts.

use actix::{MailboxError, Recipient};

use crate::messages::FindReceipts;
use crate::pool::{AccountId, Receipt, ReservationId};
use crate::store::{ReceiptsOf, StoreError};

/// A handle on the receipts. Cheap to clone.
#[derive(Clone)]
pub struct Receipts {
    store: Recipient<FindReceipts>,
}

impl Receipts {
    /// Returns a handle on the actor of the store.
    #[must_use]
    pub fn new(store: Recipient<FindReceipts>) -> Self {
        Self { store }
    }

    /// Returns the receipts of the cleanings that followed the lease of a reservation, one for each
    /// of its accounts, or of the last of them where one was begun anew; none where none has begun. It
    /// says nothing of who asks: whether they may is for the caller to know.
    pub async fn of_reservation(
        &self,
        id: ReservationId,
    ) -> Result<Vec<Receipt>, ReceiptsUnavailable> {
        let lines = self.store.send(FindReceipts(ReceiptsOf::Reservation(id)));
        // Folded by who asks, not by the store's thread: commits wait for that.
        Ok(Receipt::of_each_account(lines.await??))
    }

    /// Returns the receipts of an account, the newest first.
    pub async fn of_account(&self, id: AccountId) -> Result<Vec<Receipt>, ReceiptsUnavailable> {
        let lines = self.store.send(FindReceipts(ReceiptsOf::Account(id)));
        Ok(Receipt::all(lines.await??))
    }
}

/// Why receipts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptsUnavailable {
    /// The store has stopped.
    #[error("the store has stopped")]
    Stopped(#[from] MailboxError),
    /// They cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
