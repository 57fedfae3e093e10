//! The styles of pages in which IBM's lists come (`ibm-cloud.md` 1.7), one function per style.
//!
//! Depends on calls only. Lists are ordered by their key field and a page's token names the last key
//! shown, so deleting while paging neither skips nor repeats an item; the offset style (P4) does skip
//! then, as it must.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use form_urlencoded::Serializer;
use serde_json::{Map, Value, json};

use super::call::{Call, Reply};
use super::refusal::Refusal;

/// P1, IAM Identity: `pagesize`, `pagetoken`, and `next` as an absolute URL.
pub(super) fn page_token(call: &Call, name: &str, items: Vec<Value>) -> Result<Reply, Refusal> {
    let limit = call.limit("pagesize", 20, 100)?;
    let page = Page::cut(items, "id", token(call, "pagetoken")?, limit);
    let mut body = Map::new();
    body.insert(
        "context".into(),
        json!({"transaction_id": call.transaction_id}),
    );
    body.insert("offset".into(), 0.into());
    body.insert("limit".into(), limit.into());
    body.insert("first".into(), absolute(call, &[]).into());
    if let Some(next) = page.next {
        body.insert(
            "next".into(),
            absolute(call, &[("pagetoken", &next)]).into(),
        );
    }
    body.insert(name.into(), page.items.into());
    Ok(Reply::ok(body.into()))
}

/// P2, resource controller: `limit`, and `next_url` as a relative reference that holds `start`.
pub(super) fn next_url(call: &Call, items: Vec<Value>) -> Result<Reply, Refusal> {
    let limit = call.limit("limit", 100, 100)?;
    let page = Page::cut(items, "id", token(call, "start")?, limit);
    Ok(Reply::ok(json!({
        "rows_count": page.items.len(),
        "next_url": page.next.map(|start| relative(call, &[("start", &start)])),
        "resources": page.items,
    })))
}

/// P3, policies: `limit` and `start`, and `next` as an object with both.
pub(super) fn next_start(call: &Call, name: &str, items: Vec<Value>) -> Result<Reply, Refusal> {
    // Without a limit, everything comes in one page.
    let limit = call.limit("limit", usize::MAX, 100)?;
    started(call, name, items, limit)
}

/// The same for Code Engine, which has a limit always.
pub(super) fn next_start_limited(
    call: &Call,
    name: &str,
    items: Vec<Value>,
) -> Result<Reply, Refusal> {
    let limit = call.limit("limit", 100, 100)?;
    started(call, name, items, limit)
}

fn started(call: &Call, name: &str, items: Vec<Value>, limit: usize) -> Result<Reply, Refusal> {
    let page = Page::cut(items, "id", token(call, "start")?, limit);
    let mut body = Map::new();
    if limit < usize::MAX {
        body.insert("limit".into(), limit.into());
        body.insert("first".into(), json!({"href": absolute(call, &[])}));
    }
    if let Some(start) = page.next {
        let href = absolute(call, &[("start", &start)]);
        body.insert("next".into(), json!({"href": href, "start": start}));
    }
    body.insert(name.into(), page.items.into());
    Ok(Reply::ok(body.into()))
}

/// P4, access groups and tags: `offset` and `limit`, with `total_count`, and links as access groups
/// write them.
pub(super) fn offset(call: &Call, name: &str, items: Vec<Value>) -> Result<Reply, Refusal> {
    offset_within(call, name, items, (50, 100))
}

/// P4 with other limits: the usual one, and the largest.
pub(super) fn offset_within(
    call: &Call,
    name: &str,
    items: Vec<Value>,
    (usual, most): (usize, usize),
) -> Result<Reply, Refusal> {
    let limit = call.limit("limit", usual, most)?;
    let skipped = skipped(call)?;
    let total = items.len();
    let page: Vec<Value> = items.into_iter().skip(skipped).take(limit).collect();
    let seen = skipped.saturating_add(page.len());
    let mut body = Map::new();
    body.insert("limit".into(), limit.into());
    body.insert("offset".into(), skipped.into());
    body.insert("total_count".into(), total.into());
    body.insert(
        "first".into(),
        json!({"href": absolute(call, &[("offset", "0")])}),
    );
    if seen < total && !page.is_empty() {
        let next = absolute(call, &[("offset", &seen.to_string())]);
        body.insert("next".into(), json!({"href": next}));
    }
    body.insert(name.into(), page.into());
    Ok(Reply::ok(body.into()))
}

/// P4 as Schematics has it: `offset` and `limit`, and how many there are as `count`.
pub(super) fn offset_counted(call: &Call, name: &str, items: Vec<Value>) -> Result<Reply, Refusal> {
    let limit = call.limit("limit", 100, 2000)?;
    let skipped = skipped(call)?;
    let mut body = json!({"offset": skipped, "limit": limit, "count": items.len()});
    body[name] = items.into_iter().skip(skipped).take(limit).collect();
    Ok(Reply::ok(body))
}

fn skipped(call: &Call) -> Result<usize, Refusal> {
    let Some(text) = call.query("offset") else {
        return Ok(0);
    };
    text.parse()
        .map_err(|_| Refusal::bad_request("offset must be a number."))
}

/// P5, VPC: `start` and `limit`, and `next` as an object with an absolute URL. Unpaged lists hold
/// everything and nothing of pages.
pub(super) fn next_href(
    call: &Call,
    name: &str,
    items: Vec<Value>,
    is_paged: bool,
) -> Result<Reply, Refusal> {
    let mut body = Map::new();
    if !is_paged {
        body.insert(name.into(), items.into());
        return Ok(Reply::ok(body.into()));
    }
    let limit = call.limit("limit", 50, 100)?;
    body.insert("total_count".into(), items.len().into());
    body.insert("limit".into(), limit.into());
    body.insert("first".into(), json!({"href": absolute(call, &[])}));
    let page = Page::cut(items, "id", token(call, "start")?, limit);
    if let Some(start) = page.next {
        let href = absolute(call, &[("start", &start)]);
        body.insert("next".into(), json!({"href": href}));
    }
    body.insert(name.into(), page.items.into());
    Ok(Reply::ok(body.into()))
}

/// P5 as Transit Gateway writes it: `next` names its `start` as well, which is what its SDK goes by.
pub(super) fn next_href_with_start(
    call: &Call,
    name: &str,
    items: Vec<Value>,
) -> Result<Reply, Refusal> {
    let mut reply = next_href(call, name, items, true)?;
    let next = reply.body.as_mut().and_then(|body| body.get_mut("next"));
    if let Some(next) = next {
        let href = next["href"].as_str().unwrap_or_default();
        let (_, query) = href.split_once('?').unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let start = pairs.find_map(|(name, value)| (name == "start").then(|| value.into_owned()));
        next["start"] = start.into();
    }
    Ok(reply)
}

/// P6, users: `limit`, and `next_url` as a relative reference that holds `_start`.
pub(super) fn underscore_start(call: &Call, items: Vec<Value>) -> Result<Reply, Refusal> {
    let limit = call.limit("limit", 100, 100)?;
    let total = items.len();
    let page = Page::cut(items, "iam_id", token(call, "_start")?, limit);
    let mut body = json!({
        "total_results": total, "limit": limit,
        "first_url": relative(call, &[]), "resources": page.items,
    });
    if let Some(start) = page.next {
        body["next_url"] = relative(call, &[("_start", &start)]).into();
    }
    Ok(Reply::ok(body))
}

/// A part of a list, and the token with which the rest is asked for.
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    pub(super) next: Option<String>,
}

impl Page {
    /// Cuts `limit` items from those whose `key` field is greater than `after`.
    pub(super) fn cut(
        mut items: Vec<Value>,
        key: &str,
        after: Option<String>,
        limit: usize,
    ) -> Self {
        let key_of = |item: &Value| item[key].as_str().unwrap_or_default().to_owned();
        items.sort_by_key(key_of);
        if let Some(after) = after {
            items.retain(|item| key_of(item) > after);
        }
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        Self {
            next: last.map(|item| encode(&key_of(item))),
            items,
        }
    }
}

/// Makes the page token that names a key.
pub(super) fn encode(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// Reads the key that a page token names.
pub(super) fn decode(token: &str) -> Result<String, Refusal> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Refusal::bad_request("The page token is not valid."))
}

fn token(call: &Call, name: &str) -> Result<Option<String>, Refusal> {
    call.query(name).map(decode).transpose()
}

fn absolute(call: &Call, changes: &[(&str, &str)]) -> String {
    format!("{}{}", call.base, relative(call, changes))
}

/// The call's own path and query with some parameters replaced.
fn relative(call: &Call, changes: &[(&str, &str)]) -> String {
    let place = ["pagetoken", "start", "_start", "offset"];
    let mut query = Serializer::new(String::new());
    for (name, value) in &call.query {
        if !place.contains(&name.as_str()) {
            query.append_pair(name, value);
        }
    }
    query.extend_pairs(changes);
    let query = query.finish();
    if query.is_empty() {
        call.path.clone()
    } else {
        format!("{}?{query}", call.path)
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, decode};
    use serde_json::{Value, json};

    fn items(count: usize) -> Vec<Value> {
        (0..count)
            .rev()
            .map(|n| json!({"id": format!("i{n:03}")}))
            .collect()
    }

    #[test]
    fn following_the_tokens_shows_each_item_once() {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = Page::cut(items(25), "id", after, 10);
            seen.extend(page.items);
            match page.next {
                Some(token) => after = Some(decode(&token).unwrap()),
                None => break,
            }
        }
        assert_eq!(seen.len(), 25);
        assert!(
            seen.windows(2)
                .all(|pair| pair[0]["id"].as_str() < pair[1]["id"].as_str())
        );
    }

    #[test]
    fn a_full_last_page_has_no_next() {
        assert!(Page::cut(items(10), "id", None, 10).next.is_none());
    }
}
