//! What is sent.

use acctpool_actors::Notification;
use acctpool_actors::pool::{Timestamp, rfc3339};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A message: an id that stays the same however often it is sent, and a body.
pub struct Message {
    pub(super) id: String,
    pub(super) body: Vec<u8>,
}

/// The specification's "minimal payload".
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    /// When it happened.
    timestamp: &'a str,
    data: &'a Map<String, Value>,
}

impl Message {
    /// Returns the message that tells of something.
    #[must_use]
    pub fn of(notification: &Notification) -> Self {
        let kind = notification.kind.as_str();
        Self::new(
            notification.id.clone(),
            kind,
            &notification.at,
            &notification.data,
        )
    }

    /// Returns one that tells of nothing: to see whether it arrives.
    #[must_use]
    pub fn test(webhook: &str, now: Timestamp) -> Self {
        let id = format!("test_{}", Uuid::new_v4().simple());
        let data = Map::from_iter([("webhook".to_owned(), json!(webhook))]);
        Self::new(id, "test", &rfc3339(now), &data)
    }

    fn new(id: String, kind: &str, at: &str, data: &Map<String, Value>) -> Self {
        let body = Body {
            r#type: kind,
            timestamp: at,
            data,
        };
        let body = serde_json::to_vec(&body).expect("a map of texts and JSON is JSON");
        Self { id, body }
    }
}
