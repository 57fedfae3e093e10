//! Reading the audit, on a thread of its own: looking through a long one holds up neither the pool
//! nor a commit.

use actix::{Actor, Context, Handler, MailboxError, Message, Recipient};

use crate::store::{AuditPage, AuditQuery, AuditReader, AuditStretch, Follow, StoreError};

/// To the reader of the audit: what somebody wants to see of it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<AuditPage, StoreError>")]
pub struct FindEntries(pub AuditQuery);

/// To the reader of the audit: what somebody wants to see of it who sees all of it once.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<AuditStretch, StoreError>")]
pub struct FollowAudit(pub Follow);

/// To the reader of the audit: where does it end?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<u64, StoreError>")]
pub struct FindEnd;

/// The actor that reads the audit. It may block.
pub struct AuditActor {
    reader: Box<dyn AuditReader>,
}

impl AuditActor {
    /// Returns an actor that is to be started on an arbiter of its own.
    #[must_use]
    pub fn new(reader: Box<dyn AuditReader>) -> Self {
        Self { reader }
    }
}

impl Actor for AuditActor {
    type Context = Context<Self>;
}

impl Handler<FindEntries> for AuditActor {
    type Result = Result<AuditPage, StoreError>;

    fn handle(&mut self, FindEntries(query): FindEntries, _: &mut Self::Context) -> Self::Result {
        self.reader.page(&query)
    }
}

impl Handler<FollowAudit> for AuditActor {
    type Result = Result<AuditStretch, StoreError>;

    fn handle(&mut self, FollowAudit(query): FollowAudit, _: &mut Self::Context) -> Self::Result {
        self.reader.follow(&query)
    }
}

impl Handler<FindEnd> for AuditActor {
    type Result = Result<u64, StoreError>;

    fn handle(&mut self, FindEnd: FindEnd, _: &mut Self::Context) -> Self::Result {
        self.reader.end()
    }
}

/// A handle on the audit. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    reader: Recipient<FindEntries>,
}

impl Audit {
    /// Returns a handle on a started actor.
    #[must_use]
    pub fn new(reader: Recipient<FindEntries>) -> Self {
        Self { reader }
    }

    /// Returns entries, the newest first. What they record is durable.
    pub async fn page(&self, query: AuditQuery) -> Result<AuditPage, AuditUnavailable> {
        Ok(self.reader.send(FindEntries(query)).await??)
    }
}

/// Why the audit cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditUnavailable {
    /// Its reader has stopped.
    #[error("the reader of the audit has stopped")]
    Stopped(#[from] MailboxError),
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
