//! Adapters of the Store port.
//!
//! Depends on the port and on SQLite; knows nothing of HTTP and IBM.

mod directory;
mod memory;
mod sqlite;

pub use directory::{DirectoryError, StateDirectory};
pub use memory::{MemoryAudit, MemoryStore};
pub use sqlite::{AuditHead, AuditRecord, AuditVerdict, SqliteStore};
