//! One resource of VPC infrastructure, and how references are read from its body.
//!
//! Depends on the kinds. A reference in a request is whatever names another resource: an object with
//! its `id`, its `crn` or its `href`; in a stored body it is an object with the `id` alone.

use std::slice;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::kind::{Bond, Kind, Ref};
use super::regions::Region;
use crate::simulator::refusal::Refusal;

pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) kind: &'static Kind,
    pub(crate) region: &'static Region,
    pub(crate) name: String,
    pub(crate) group: String,
    pub(super) zone: Option<String>,
    pub(super) parent: Option<String>,
    /// What it came along with, and goes along with.
    pub(super) came_with: Option<String>,
    /// What was asked for, without what the other fields hold.
    pub(super) body: Map<String, Value>,
    pub(super) phase: Phase,
    /// When the phase ends, unless it lasts.
    pub(super) due: Option<OffsetDateTime>,
    pub(super) created_at: OffsetDateTime,
    /// What it refers to; its parent is the first.
    pub(super) links: Vec<Link>,
}

/// Where a resource is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Pending,
    Ready,
    Updating,
    Deleting,
}

/// A reference to another resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) to: String,
    pub(super) bond: Bond,
    /// Where the body names it; empty for the parent.
    pub(super) at: &'static str,
}

impl Resource {
    pub(crate) fn crn(&self, account: &str) -> Option<String> {
        let location = self.zone.as_deref().unwrap_or(self.region.name);
        let (word, id) = (self.kind.word, &self.id);
        let crn = format!("crn:v1:bluemix:public:is:{location}:a/{account}::{word}:{id}");
        self.kind.has_crn.then_some(crn)
    }

    /// The path of the resource below `/v1`.
    pub(super) fn path(&self, ancestors: &[&str]) -> String {
        let mut ids = ancestors.iter();
        let segments = self.kind.path.split('/').map(|segment| match segment {
            "{}" => ids.next().copied().unwrap_or_default(),
            segment => segment,
        });
        format!("{}/{}", segments.collect::<Vec<_>>().join("/"), self.id)
    }

    /// The word for its state, as its own field has it.
    pub(crate) fn state(&self) -> &str {
        let life = self.kind.life;
        match self.phase {
            Phase::Pending => life.pending,
            Phase::Ready => {
                let told = self.body.get(life.field).and_then(Value::as_str);
                told.unwrap_or(life.ready)
            }
            Phase::Updating => life.updating,
            Phase::Deleting => life.deleting,
        }
    }

    pub(super) fn text(&self, field: &str) -> &str {
        self.body
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(super) fn flag(&self, field: &str) -> bool {
        self.body.get(field) == Some(&Value::Bool(true))
    }

    /// The id of what the body names at `at`, if it does.
    pub(super) fn link(&self, at: &str) -> Option<&str> {
        self.links_at(at).next()
    }

    pub(super) fn links_at(&self, at: &str) -> impl Iterator<Item = &str> {
        let links = self.links.iter().filter(move |link| link.at == at);
        links.map(|link| link.to.as_str())
    }

    /// Drops every reference to `id` from the body.
    pub(super) fn let_go(&mut self, id: &str) {
        for reference in self.kind.refs {
            for place in places(&mut self.body, reference.at) {
                if place["id"] == id {
                    *place = Value::Null;
                }
            }
            prune(&mut self.body, reference.at);
        }
        self.links.retain(|link| link.to != id);
    }
}

/// The id in an identity, whichever of its forms it has. Services of the provider are nobody's.
pub(super) fn identity(value: &Value) -> Option<&str> {
    let text = |field: &str| value[field].as_str();
    if text("resource_type").is_some_and(|word| word.starts_with("provider_")) {
        return None;
    }
    text("id")
        .or_else(|| text("crn").and_then(|crn| crn.rsplit(':').next()))
        .or_else(|| text("href").and_then(|href| href.rsplit('/').next()))
}

/// The identity of `id`.
pub(super) fn named(id: &str) -> Value {
    json!({"id": id})
}

/// What is asked for of something that comes along: nothing in particular, or an object.
pub(super) fn prototype(asked: Option<Value>) -> Result<Value, Refusal> {
    match asked {
        None => Ok(json!({})),
        Some(Value::Object(asked)) => Ok(asked.into()),
        Some(_) => Err(Refusal::bad_request("A prototype must be an object.")),
    }
}

/// Every place of a body where a reference `at` may stand.
pub(super) fn places<'a>(body: &'a mut Map<String, Value>, at: &str) -> Vec<&'a mut Value> {
    let (outer, inner) = at.split_once('.').unwrap_or((at, ""));
    let field = outer.trim_end_matches("[]");
    let Some(value) = body.get_mut(field) else {
        return Vec::new();
    };
    let values = match value {
        Value::Array(values) => values.as_mut_slice(),
        value => slice::from_mut(value),
    };
    values
        .iter_mut()
        .filter_map(|value| {
            if inner.is_empty() {
                Some(value)
            } else {
                value.get_mut(inner)
            }
        })
        .collect()
}

/// Removes what [`Resource::let_go`] has emptied.
fn prune(body: &mut Map<String, Value>, at: &str) {
    let field = at.split(['.', '[']).next().unwrap_or(at);
    match body.get_mut(field) {
        Some(Value::Array(values)) => values.retain(|value| !value.is_null()),
        Some(Value::Null) => drop(body.remove(field)),
        _ => {}
    }
}

impl Ref {
    /// What the reference means in this body.
    pub(super) fn bond_in(&self, body: &Map<String, Value>) -> Bond {
        match self.bond {
            Bond::DiesIfAuto if body.get("auto_delete") == Some(&Value::Bool(true)) => Bond::Dies,
            Bond::DiesIfAuto => Bond::LetsGo,
            bond => bond,
        }
    }
}
