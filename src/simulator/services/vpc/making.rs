//! How resources come to be: one way for every kind, whoever asks.
//!
//! Depends on the store and on the kinds. Promises that a refused creation leaves nothing behind.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::kind::Kind;
use super::regions::Region;
use super::resource::{Phase, Resource, identity, named, prototype};
use super::store::Vpc;
use crate::simulator::refusal::Refusal;

/// What is asked for.
pub(crate) struct Wish<'a> {
    pub(super) kind: &'static Kind,
    pub(super) region: &'static Region,
    pub(super) parent: Option<&'a str>,
    /// The body of the request.
    pub(super) body: Value,
}

impl Vpc {
    /// Makes a resource with everything that comes along, and gives its id. Rights and resource groups
    /// are the caller's business.
    pub(super) fn make(&mut self, wish: Wish<'_>, now: OffsetDateTime) -> Result<String, Refusal> {
        let Wish { kind, region, .. } = wish;
        let Value::Object(mut body) = wish.body else {
            return Err(Refusal::bad_request("The body is not a JSON object."));
        };
        for field in kind.needs {
            if body.get(*field).is_none_or(Value::is_null) {
                let refusal = Refusal::bad_request(format!("Property {field} is missing."));
                return Err(refusal.with_target("field", field, ""));
            }
        }
        let zone = self.zone_for(kind, region, &mut body)?;
        let code = zone.as_deref().and_then(|zone| region.zone_code(zone));
        let id = format!("{}-{}", code.unwrap_or(region.code), self.random.uuid());
        let resource = Resource {
            id: id.clone(),
            kind,
            region,
            name: self.name_for(kind, &mut body),
            group: self.group_for(wish.parent, &mut body),
            zone,
            parent: wish.parent.map(ToOwned::to_owned),
            came_with: None,
            body,
            phase: Phase::Ready,
            due: None,
            created_at: now,
            links: Vec::new(),
        };
        let others = self.fresh.len();
        self.insert(resource)?;
        self.fresh.push(id.clone());
        let completed = self.complete(&id, now);
        let made = self.fresh.split_off(others);
        if completed.is_err() {
            for id in made.iter().rev() {
                self.erase(id);
            }
        } else if others > 0 {
            // What asked for this one may be refused yet.
            self.fresh.extend(made);
        }
        completed?;
        if !kind.life.field.is_empty() && !self.lags.vpc_create.is_zero() {
            self.enter(&id, Phase::Pending, now + self.lags.vpc_create);
        }
        Ok(id)
    }

    /// Makes a part of `parent`.
    pub(super) fn make_part(
        &mut self,
        path: &str,
        parent: &str,
        body: Value,
        now: OffsetDateTime,
    ) -> Result<String, Refusal> {
        let region = self.get(parent).region;
        let wish = Wish {
            kind: Self::kind(path),
            region,
            parent: Some(parent),
            body,
        };
        self.make(wish, now)
    }

    /// Makes something that comes along with `id`, in the same region, zone and resource group.
    pub(super) fn make_beside(
        &mut self,
        path: &str,
        id: &str,
        body: Value,
        now: OffsetDateTime,
    ) -> Result<String, Refusal> {
        let mut body = prototype(Some(body))?;
        let beside = self.get(id);
        let (region, group) = (beside.region, beside.group.clone());
        if let Some(zone) = &beside.zone
            && body["zone"].is_null()
        {
            body["zone"] = json!({"name": zone});
        }
        body["resource_group"] = named(&group);
        let kind = Self::kind(path);
        let wish = Wish {
            kind,
            region,
            parent: None,
            body,
        };
        self.make(wish, now)
    }

    /// Takes a field out of a body.
    pub(super) fn take(&mut self, id: &str, field: &str) -> Option<Value> {
        let taken = self.get_mut(id).body.remove(field);
        taken.filter(|value| !value.is_null())
    }

    fn complete(&mut self, id: &str, now: OffsetDateTime) -> Result<(), Refusal> {
        let kind = self.get(id).kind;
        for (field, path) in kind.parts {
            if let Some(Value::Array(parts)) = self.take(id, field) {
                for part in parts {
                    self.make_part(path, id, part, now)?;
                }
            }
        }
        (kind.made)(self, id, now)
    }

    fn zone_for(
        &self,
        kind: &Kind,
        region: &Region,
        body: &mut Map<String, Value>,
    ) -> Result<Option<String>, Refusal> {
        if !kind.zonal {
            return Ok(None);
        }
        let asked = body.remove("zone");
        if let Some(zone) = asked.as_ref().and_then(|zone| zone["name"].as_str()) {
            if region.zone_code(zone).is_none() {
                let refusal = Refusal::not_found("Zone", zone);
                return Err(refusal.with_target("field", "zone.name", zone));
            }
            return Ok(Some(zone.to_owned()));
        }
        let near = ["subnet", "target", "group"].iter();
        let near = near.filter_map(|field| self.find(identity(body.get(*field)?)?));
        let mut near = near.filter_map(|found| found.zone.clone());
        Ok(near.next().or_else(|| region.zones().next()))
    }

    fn name_for(&mut self, kind: &Kind, body: &mut Map<String, Value>) -> String {
        match body.remove("name") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => format!("my-{}-{}", kind.word, &self.random.hex()[..8]),
        }
    }

    fn group_for(&self, parent: Option<&str>, body: &mut Map<String, Value>) -> String {
        let asked = body.remove("resource_group");
        let asked = asked.as_ref().and_then(identity).map(ToOwned::to_owned);
        let of_parent = || Some(self.find(parent?)?.group.clone());
        asked
            .or_else(of_parent)
            .unwrap_or_else(|| self.default_group().to_owned())
    }
}
