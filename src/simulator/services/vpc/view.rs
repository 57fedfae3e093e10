//! How resources read: what is standing in every answer of a kind, what was asked for, and what follows
//! from others.
//!
//! Depends on the store. The standing fields are in `shapes.json`: enough for IBM's own model classes to
//! read an answer.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::kind::Kind;
use super::resource::{Phase, Resource, places};
use super::store::Vpc;
use crate::simulator::clock;

static SHAPES: LazyLock<HashMap<String, Map<String, Value>>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("shapes.json")).expect("a test reads the shapes")
});

/// The standing fields of a kind.
pub(super) fn shape(path: &str) -> &'static Map<String, Value> {
    &SHAPES[path]
}

impl Vpc {
    /// A resource as its GET shows it.
    pub(super) fn json(&self, resource: &Resource, base: &str) -> Value {
        let mut json = self.own(resource, base);
        for (field, path) in resource.kind.shows {
            let referrers = self.referrers_from(&resource.id, path);
            let shown = referrers.map(|referrer| self.reference(referrer, base));
            json.insert((*field).into(), shown.collect());
        }
        (resource.kind.view)(self, resource, base, &mut json);
        self.expand(&mut json, resource.kind, base);
        json.into()
    }

    /// A resource without what is known from others only.
    fn own(&self, resource: &Resource, base: &str) -> Map<String, Value> {
        let kind = resource.kind;
        let mut json = shape(kind.path).clone();
        for (field, value) in resource.body.clone() {
            match (json.get_mut(&field), value) {
                // Of a profile, say, the request has the name alone.
                (Some(Value::Object(standing)), Value::Object(asked)) => standing.extend(asked),
                (_, value) => drop(json.insert(field, value)),
            }
        }
        if json.contains_key("lifecycle_state") {
            json.insert("lifecycle_state".into(), lifecycle(resource.phase).into());
        }
        if !kind.life.field.is_empty() {
            json.insert(kind.life.field.into(), resource.state().into());
        }
        if resource.parent.is_none() || kind.has_crn {
            let group = &resource.group;
            let href = format!("{base}/v2/resource_groups/{group}");
            json.insert(
                "resource_group".into(),
                json!({"id": group, "href": href, "name": group}),
            );
        }
        if let Some(zone) = &resource.zone {
            json.insert("zone".into(), json!({"name": zone}));
        }
        for place in ["zone", "target.zone"] {
            let zones = places(&mut json, place).into_iter();
            for zone in zones.filter_map(Value::as_object_mut) {
                let name = zone.get("name").and_then(Value::as_str);
                let href = resource.region.zone_href(name.unwrap_or_default(), base);
                zone.insert("href".into(), href.into());
            }
        }
        json.extend(self.names(resource, base));
        let created_at = Value::from(clock::controller(resource.created_at));
        if json.contains_key("updated_at") {
            json.insert("updated_at".into(), created_at.clone());
        }
        json.insert("created_at".into(), created_at);
        self.expand(&mut json, kind, base);
        json
    }

    /// What every answer says of a resource, and a reference says of it.
    fn names(&self, resource: &Resource, base: &str) -> Map<String, Value> {
        let endpoint = resource.region.endpoint(base);
        let path = resource.path(&self.ancestors(resource));
        let mut names = Map::new();
        names.insert("id".into(), resource.id.as_str().into());
        names.insert("href".into(), format!("{endpoint}/v1/{path}").into());
        names.insert("name".into(), resource.name.as_str().into());
        if let Some(crn) = resource.crn(&self.account) {
            names.insert("crn".into(), crn.into());
        }
        if let Some(address) = resource.body.get("address") {
            names.insert("address".into(), address.clone());
        }
        names
    }

    /// What others say of a resource: its names, or all of it where it is a mere part.
    pub(super) fn reference(&self, resource: &Resource, base: &str) -> Value {
        let mut names = if resource.kind.has_crn {
            self.names(resource, base)
        } else {
            self.own(resource, base)
        };
        let word = shape(resource.kind.path).get("resource_type");
        let word = word.cloned().unwrap_or_else(|| {
            let word = resource.kind.word.replace('-', "_");
            word.into()
        });
        names.insert("resource_type".into(), word);
        names.into()
    }

    /// Writes references out.
    fn expand(&self, json: &mut Map<String, Value>, kind: &Kind, base: &str) {
        for reference in kind.refs {
            for place in places(json, reference.at) {
                let id = place["id"].as_str().unwrap_or_default();
                if let Some(found) = self.find(id) {
                    *place = self.reference(found, base);
                }
            }
        }
    }
}

/// The word that kinds have whose `status` says more.
fn lifecycle(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Ready => "stable",
        Phase::Updating => "updating",
        Phase::Deleting => "deleting",
    }
}

#[cfg(test)]
mod tests {
    use super::SHAPES;
    use crate::simulator::services::vpc::kinds::KINDS;

    #[test]
    fn every_shape_is_of_a_kind_and_every_kind_has_one() {
        for path in SHAPES.keys() {
            assert!(KINDS.iter().any(|kind| kind.path == path), "{path}");
        }
        for kind in KINDS {
            assert!(SHAPES.contains_key(kind.path), "{}", kind.path);
        }
    }
}
