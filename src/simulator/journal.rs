//! The log of every request, from which tests read what was written, in which order, by whom.
//!
//! Depends on nothing of the simulator. Holds no header and no body, hence no secret.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::clock;

/// One request as the simulator saw it.
#[derive(Debug, Clone)]
pub struct LoggedRequest {
    /// When it arrived, by the simulator's clock.
    pub at: OffsetDateTime,
    /// The method, in capitals.
    pub method: String,
    /// The path as it was sent, percent-encoding included.
    pub path: String,
    /// The query as it was sent, without `?`.
    pub query: String,
    /// The account that the token, or the exchanged key, belongs to.
    pub account: Option<String>,
    /// The identity that called.
    pub iam_id: Option<String>,
    /// The API key that was exchanged, now or for the token.
    pub api_key_id: Option<String>,
    /// The status of the answer; `None` when the connection was dropped instead.
    pub status: Option<u16>,
    /// Whether this kind of request changes something when it succeeds. Token exchanges and searches
    /// do not.
    pub is_write: bool,
    /// Whether the service did what was asked, told or not: false for a refusal and for a fault that
    /// struck before it, true for a lost reply.
    pub applied: bool,
    /// The id that the answer carried in `Transaction-Id`.
    pub transaction_id: String,
}

impl LoggedRequest {
    pub(super) fn json(&self) -> Value {
        json!({
            "at": clock::controller(self.at), "method": self.method, "path": self.path,
            "query": self.query, "account": self.account, "iam_id": self.iam_id,
            "api_key_id": self.api_key_id, "status": self.status, "is_write": self.is_write,
            "applied": self.applied, "transaction_id": self.transaction_id,
        })
    }
}
