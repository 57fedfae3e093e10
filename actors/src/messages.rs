//! Everything that crosses a mailbox.

use actix::{Message, Recipient};
use tokio::sync::oneshot;

use crate::pool::{
    AuditEntry, Change, Command, Event, Fence, Job, ManagementKeys, Publication, ReceiptLine,
    Timestamp,
};
use crate::store::{ReceiptsOf, StoreError};

/// To the pool: a command, and where its reply goes. A reply that nobody waits for is dropped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Ask<C: Command> {
    /// The command.
    pub command: C,
    /// Where the reply goes once it may be said.
    pub reply: oneshot::Sender<C::Reply>,
}

/// To the store: a decision of the pool.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Decision {
    /// What is to be durable before anything is said.
    pub changes: Vec<Change>,
    /// What is kept of it for the auditor, in the same transaction.
    pub entries: Vec<AuditEntry>,
    /// What receipts go on with, in the same transaction.
    pub lines: Vec<ReceiptLine>,
    /// What may be read from then on.
    pub publication: Publication,
    /// Sends the reply. Dropped unsent if the commit fails, like everything that follows.
    pub reply: Box<dyn FnOnce() + Send>,
    /// The cleaners that are to be called.
    pub calls: Vec<(Recipient<Clean>, Clean)>,
    /// What happened, for the log.
    pub events: Vec<Event>,
}

impl Decision {
    /// Returns one that only changes records, and that nobody waits for.
    #[must_use]
    pub fn to_write(changes: Vec<Change>, at: Timestamp) -> Self {
        Self {
            changes,
            entries: Vec::new(),
            lines: Vec::new(),
            publication: Publication {
                at,
                news: Vec::new(),
            },
            reply: Box::new(|| ()),
            calls: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// To the store: a question about receipts. What it is answered from is durable.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Vec<ReceiptLine>, StoreError>")]
pub struct FindReceipts(pub ReceiptsOf);

/// To a cleaner: one job. It replaces whatever the cleaner is still at.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Clean {
    /// What distinguishes this job's report from a stale one.
    pub fence: Fence,
    /// Which management keys may work.
    pub keys: ManagementKeys,
    /// What to do.
    pub job: Job,
}
