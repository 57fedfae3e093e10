//! Global Search: the witness that knows what no collection lists (`ibm-cloud.md` 7).
//!
//! Depends on sessions. The index lags both ways: what it shows may be gone, and what exists may be
//! missing. So it only ever adds to what the collections say.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::fault::Fault;
use super::paging::{PAGE, Trail, take_array};
use super::request::{Request, encode};
use super::session::Session;
use super::settings::Api;

/// Something that the index knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hit {
    pub(super) crn: String,
    pub(super) name: Option<String>,
    /// Which service answers for it, such as `resource_controller` or `is`.
    pub(super) family: String,
    pub(super) kind: String,
}

/// Returns everything that the index knows of the account, reclaimed resources included.
pub(super) async fn everything(session: &Session<'_>) -> Result<Vec<Hit>, Fault> {
    let target = format!(
        "/v3/resources/search?account_id={}&limit={PAGE}&is_reclaimed=any",
        encode(session.account())
    );
    let mut hits: Vec<Hit> = Vec::new();
    let mut seen = HashSet::new();
    let mut trail = Trail::default();
    let mut query = json!({
        "query": "*",
        "fields": ["crn", "name", "type", "family", "region", "resource_group_id"],
    });
    loop {
        let request = Request::post(Api::GlobalSearch, target.as_str())
            .json(&query)
            .repeatable();
        // A cursor may stay the same from page to page; what must change is the page.
        trail.step(&request, &seen.len().to_string())?;
        let reply = session.send(&request).await?;
        let call = reply.call.clone();
        let mut body = reply.json()?;
        let page = take_array(&call, &mut body, "items")?;
        let more = page.len() >= PAGE;
        for hit in page.iter().map(read) {
            if seen.insert(hit.clone()) {
                hits.push(hit);
            }
        }
        match body["search_cursor"].as_str() {
            Some(cursor) if more && !cursor.is_empty() => {
                query = json!({"query": "*", "search_cursor": cursor});
            }
            _ => return Ok(hits),
        }
    }
}

fn read(item: &Value) -> Hit {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    Hit {
        crn: text("crn"),
        name: item["name"].as_str().map(str::to_owned),
        family: text("family"),
        kind: text("type"),
    }
}
