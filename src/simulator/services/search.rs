//! Global Search: a delayed copy of the truth (`ibm-cloud.md` 7).
//!
//! Indexes resource instances and resource groups, and nothing of IAM. Promises to be stale both ways:
//! what was deleted is still found, and what was made is not yet, for the index lag.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::resource_instances::State;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::paging::{self, Page};
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, Target};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[route("POST", PATH, search)],
};

/// Where searches are posted.
pub(crate) const PATH: &str = "/v3/resources/search";

/// States of an account's searchable resources, oldest first.
#[derive(Default)]
pub(crate) struct Index {
    snapshots: VecDeque<(OffsetDateTime, Vec<Value>)>,
}

impl Index {
    /// Adds the state at `at`, and forgets what lies further back than `lag` and is outdone.
    pub(crate) fn record(&mut self, at: OffsetDateTime, items: Vec<Value>, lag: Duration) {
        let last = self.snapshots.back();
        if last.is_some_and(|(_, known)| *known == items) {
            return;
        }
        let at = last.map_or(at, |(last, _)| at.max(*last));
        self.snapshots.push_back((at, items));
        let outdone = |next: &(OffsetDateTime, Vec<Value>)| next.0 + lag <= at;
        while self.snapshots.get(1).is_some_and(outdone) {
            self.snapshots.pop_front();
        }
    }

    /// The last state that is at least as old as `at`.
    fn as_of(&self, at: OffsetDateTime) -> &[Value] {
        let mut snapshots = self.snapshots.iter().rev();
        snapshots
            .find(|(recorded, _)| *recorded <= at)
            .map_or(&[], |(_, items)| items)
    }
}

impl Account {
    /// What the index would hold if it were not late.
    pub(crate) fn searchable(&self) -> Vec<Value> {
        let instances = self
            .instances
            .iter()
            .filter(|instance| !instance.is_removed())
            .map(|instance| {
                json!({
                    "crn": instance.crn, "name": instance.name, "type": "resource-instance",
                    "family": "resource_controller", "region": instance.region,
                    "resource_group_id": instance.resource_group_id, "account_id": self.id,
                    "service_name": instance.plan.service, "guid": instance.guid,
                    "state": instance.state.word(), "tags": self.tags_of(&instance.crn),
                })
            });
        let groups = self.resource_groups.groups.iter().map(|group| {
            let crn = group.crn(&self.id);
            json!({
                "name": group.name, "type": "resource-group", "family": "resource_controller",
                "region": "global", "account_id": self.id, "resource_group_id": group.id,
                "service_name": "resource-controller", "state": "ACTIVE",
                "tags": self.tags_of(&crn), "crn": crn,
            })
        });
        instances.chain(groups).collect()
    }
}

fn search(world: &mut World, call: &Call) -> Answer {
    call.within(call.query("account_id"))?;
    let limit = call.limit("limit", 10, 1000)?;
    // A cursor brings its query and fields along: the rest of the body is ignored.
    let (after, asked) = match call.text("search_cursor") {
        None => (None, call.body.clone()),
        Some(cursor) => {
            let cursor: Value = serde_json::from_str(&paging::decode(cursor)?)
                .map_err(|_| Refusal::bad_request("The search cursor is not valid."))?;
            (
                cursor["after"].as_str().map(ToOwned::to_owned),
                cursor["asked"].clone(),
            )
        }
    };
    let query = Query::parse(asked["query"].as_str().unwrap_or("*"))?;
    let reclaimed = call.query("is_reclaimed").unwrap_or("false");
    let account = world.account(call);
    let found: Vec<Value> = account
        .index
        .as_of(call.now - account.lags.search_index)
        .iter()
        .filter(|item| match reclaimed {
            "any" => true,
            "true" => is_reclaimed(item),
            _ => !is_reclaimed(item),
        })
        .filter(|item| query.matches(item) && account.may_view(call, item))
        .cloned()
        .collect();
    let page = Page::cut(found, "crn", after, limit);
    let mut body = json!({"limit": limit});
    if let Some(next) = page.next {
        let cursor = json!({"after": paging::decode(&next)?, "asked": asked});
        body["search_cursor"] = paging::encode(&cursor.to_string()).into();
    }
    let items = page.items.iter().map(|item| shown(item, &asked["fields"]));
    body["items"] = items.collect();
    Ok(Reply::ok(body))
}

fn is_reclaimed(item: &Value) -> bool {
    item["state"] == State::PendingReclamation.word()
}

impl Account {
    fn may_view(&self, call: &Call, item: &Value) -> bool {
        let text = |field: &str| item[field].as_str().unwrap_or_default();
        if item["type"] == "resource-group" {
            return self.allows_on_group(call, text("resource_group_id"), Level::View);
        }
        let target = Target::Service {
            name: text("service_name"),
            instance: text("guid"),
            resource_group: text("resource_group_id"),
        };
        self.allows(call, target, Level::View)
    }
}

/// The item with the fields that were asked for; `crn` is always among them.
fn shown(item: &Value, fields: &Value) -> Value {
    let Some(fields) = fields.as_array().filter(|fields| !fields.is_empty()) else {
        return item.clone();
    };
    if fields.iter().any(|field| field == "*") {
        return item.clone();
    }
    let mut shown = Map::new();
    shown.insert("crn".into(), item["crn"].clone());
    for field in fields.iter().filter_map(Value::as_str) {
        if let Some(value) = item.get(field) {
            shown.insert(field.into(), value.clone());
        }
    }
    shown.into()
}

/// The part of Lucene's language that is understood: `*`, and `field:value` joined by `AND`.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Result<Self, Refusal> {
        if text.trim() == "*" {
            return Ok(Self(Vec::new()));
        }
        let terms = text.split(" AND ").map(|term| {
            let term = term.trim().trim_matches(['(', ')']);
            let (field, value) = term.split_once(':')?;
            let value = value.trim().trim_matches('"').replace("\\:", ":");
            Some((field.trim().to_owned(), value))
        });
        let terms: Option<Vec<_>> = terms.collect();
        terms.map(Self).ok_or_else(|| {
            Refusal::bad_request("The query must be *, or field:value joined by AND.")
        })
    }

    fn matches(&self, item: &Value) -> bool {
        self.0
            .iter()
            .all(|(field, wanted)| match &item[field.as_str()] {
                Value::String(value) => fits(wanted, value),
                Value::Array(values) => {
                    let mut values = values.iter().filter_map(Value::as_str);
                    values.any(|value| fits(wanted, value))
                }
                _ => false,
            })
    }
}

fn fits(wanted: &str, value: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => value.starts_with(start),
        None => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, Query};
    use serde_json::json;
    use std::time::Duration;
    use time::macros::datetime;

    #[test]
    fn a_query_joins_its_terms() {
        let item = json!({"type": "resource-instance", "name": "cos-1", "tags": ["env:x"]});
        for (text, expected) in [
            ("*", true),
            ("type:resource-instance AND name:cos-*", true),
            ("tags:\"env:x\"", true),
            ("tags:\"env:y\"", false),
            ("type:resource-instance AND name:net-1", false),
        ] {
            assert_eq!(
                Query::parse(text).unwrap().matches(&item),
                expected,
                "{text}"
            );
        }
        assert!(Query::parse("cos").is_err());
    }

    #[test]
    fn the_index_shows_the_past() {
        let (start, lag) = (datetime!(2026-05-01 10:00 UTC), Duration::from_mins(1));
        let mut index = Index::default();
        index.record(start - lag, vec![], lag);
        index.record(start, vec![json!(1)], lag);
        index.record(start + lag, vec![], lag);
        assert!(index.as_of(start - Duration::from_secs(1)).is_empty());
        assert_eq!(index.as_of(start + Duration::from_secs(30)).len(), 1);
        assert!(index.as_of(start + lag).is_empty());
    }
}
