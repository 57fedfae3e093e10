//! Global Search: a delayed copy of the truth (`ibm-cloud.md` 7).
//!
//! Indexes resource instances, resource groups, VPC infrastructure, what services list by themselves,
//! network gateways and classic infrastructure, and nothing of IAM. Promises to be stale both ways: what
//! was deleted is still found, and what was made is not yet, for the index lag.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
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

/// What was to be said of an account's resources, and since when.
#[derive(Default)]
pub(crate) struct Index {
    /// By CRN, the oldest first; `None` is nothing.
    entries: BTreeMap<String, VecDeque<(OffsetDateTime, Option<Value>)>>,
    /// Resources that are gone, in the order in which they went.
    gone: VecDeque<(OffsetDateTime, String)>,
    /// CRNs that the last [`record_all`](Self::record_all) had.
    listed: BTreeSet<String>,
}

impl Index {
    /// Records these resources, and that those of the last call which are not among them are gone.
    pub(crate) fn record_all(&mut self, at: OffsetDateTime, items: Vec<Value>, lag: Duration) {
        let mut listed = BTreeSet::new();
        for item in items {
            let crn = item["crn"].as_str().unwrap_or_default().to_owned();
            self.record(at, &crn, Some(item), lag);
            listed.insert(crn);
        }
        for crn in mem::replace(&mut self.listed, listed) {
            if !self.listed.contains(&crn) {
                self.record(at, &crn, None, lag);
            }
        }
    }

    /// Records what there is to say of a resource from `at` on, and forgets what lies further back
    /// than `lag` and is outdone.
    pub(crate) fn record(
        &mut self,
        at: OffsetDateTime,
        crn: &str,
        item: Option<Value>,
        lag: Duration,
    ) {
        self.forget_gone(at, lag);
        let last = self.entries.get(crn).and_then(VecDeque::back);
        if last.map_or(item.is_none(), |(_, known)| *known == item) {
            return;
        }
        let at = last.map_or(at, |(last, _)| at.max(*last));
        if item.is_none() {
            self.gone.push_back((at, crn.to_owned()));
        }
        let said = self.entries.entry(crn.to_owned()).or_default();
        said.push_back((at, item));
        let outdone = |next: &(OffsetDateTime, _)| next.0 + lag <= at;
        while said.get(1).is_some_and(outdone) {
            said.pop_front();
        }
    }

    fn forget_gone(&mut self, at: OffsetDateTime, lag: Duration) {
        while let Some((gone, _)) = self.gone.front()
            && *gone + lag <= at
            && let Some((gone, crn)) = self.gone.pop_front()
        {
            let said = self.entries.get(&crn).and_then(VecDeque::back);
            if said.is_some_and(|said| *said == (gone, None)) {
                self.entries.remove(&crn);
            }
        }
    }

    /// What was to be said at `at`.
    fn as_of(&self, at: OffsetDateTime) -> impl Iterator<Item = &Value> {
        self.entries.values().filter_map(move |said| {
            let mut said = said.iter().rev();
            let (_, item) = said.find(|(recorded, _)| *recorded <= at)?;
            item.as_ref()
        })
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
        let standalone = self
            .standalone()
            .map(|found| self.searchable_standalone(&found));
        let networks = self
            .searchable_transit_gateways()
            .chain(self.searchable_direct_links());
        let rest = standalone.chain(networks).chain(self.searchable_classic());
        instances.chain(groups).chain(rest).collect()
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
        let item = |name: &str| json!({"crn": "c", "name": name});
        index.record_all(start - lag, vec![], lag);
        index.record_all(start, vec![item("one")], lag);
        index.record(start + lag / 2, "c", Some(item("two")), lag);
        index.record_all(start + lag, vec![], lag);
        let names = |at| -> Vec<&str> {
            let items = index.as_of(at);
            items.filter_map(|item| item["name"].as_str()).collect()
        };
        assert!(names(start - Duration::from_secs(1)).is_empty());
        assert_eq!(names(start), ["one"]);
        assert_eq!(names(start + lag / 2), ["two"]);
        assert!(names(start + lag).is_empty());
    }

    #[test]
    fn the_index_forgets_what_is_long_gone() {
        let (start, lag) = (datetime!(2026-05-01 10:00 UTC), Duration::from_mins(1));
        let mut index = Index::default();
        index.record(start, "c", Some(json!(1)), lag);
        index.record(start, "c", None, lag);
        assert_eq!(index.entries.len(), 1);
        index.record(start + lag, "d", Some(json!(1)), lag);
        assert_eq!(index.entries.keys().collect::<Vec<_>>(), ["d"]);
    }
}
