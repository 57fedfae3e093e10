//! Lists come in pages; whoever asks for one gets it whole.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::Call;
use super::error::ClientError;
use super::exchange::{Client, Told};

/// How many entries are asked for at once: the most that the contract allows.
pub(super) const PAGE: &str = "100";

impl Client {
    /// Asks for page after page; `call` makes the call that asks from a cursor on. The entries are
    /// the member `name` of each answer.
    pub(super) async fn all_pages<T: DeserializeOwned>(
        &self,
        name: &str,
        call: impl Fn(Option<&str>) -> Call,
    ) -> Result<Vec<Told<T>>, ClientError> {
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let answer = self.send(call(cursor.as_deref())).await?;
            let Told {
                facts: mut page, ..
            } = self.read::<Value>(&answer)?;
            let Some(Value::Array(rows)) = page.get_mut(name).map(Value::take) else {
                return Err(self.unreadable(format!("its answer has no {name}")));
            };
            for document in rows {
                let facts = T::deserialize(&document)
                    .map_err(|_| self.unreadable(format!("one of its {name} cannot be read")))?;
                entries.push(Told { facts, document });
            }
            let next = page["next_cursor"].as_str().map(ToOwned::to_owned);
            // One that leads nowhere would be followed for ever.
            if next.is_none() || next == cursor {
                return Ok(entries);
            }
            cursor = next;
        }
    }
}
