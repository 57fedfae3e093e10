//! Calls about one item, as rows of the table write them, and how they are filled in.
//!
//! Depends on requests.

use awc::http::Method;
use serde_json::Value;

use super::super::fault::Fault;
use super::super::request::{Request, encode, field};
use super::Collection;
use super::source::Place;

/// A call about one item. In its path and query, `{account}`, the ids of what the item is inside
/// of, and the item's own fields are filled in.
#[derive(Clone, Copy)]
pub(super) struct Call {
    method: Verb,
    target: &'static str,
    body: Option<&'static str>,
    /// Statuses that say something about the item rather than about the service's health.
    answers: &'static [u16],
}

/// What has to be done to an item before it can be deleted.
#[derive(Clone, Copy)]
pub(super) struct Preparation {
    /// Whether it has to be done; told of the item, and of what the item is inside of.
    pub(super) when: fn(&Value, &Value) -> bool,
    pub(super) call: Call,
}

/// The methods by which things are made to go. (`http::Method` cannot stand in a constant.)
#[derive(Clone, Copy)]
enum Verb {
    Delete,
    Patch,
    Post,
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Delete => Self::DELETE,
            Verb::Patch => Self::PATCH,
            Verb::Post => Self::POST,
        }
    }
}

impl Call {
    pub(super) const fn delete(target: &'static str) -> Self {
        Self::with(Verb::Delete, target, None)
    }

    pub(super) const fn patch(target: &'static str, body: &'static str) -> Self {
        Self::with(Verb::Patch, target, Some(body))
    }

    pub(super) const fn post(target: &'static str, body: &'static str) -> Self {
        Self::with(Verb::Post, target, Some(body))
    }

    const fn with(method: Verb, target: &'static str, body: Option<&'static str>) -> Self {
        Self {
            method,
            target,
            body,
            answers: &[],
        }
    }

    /// Takes these statuses as answers about the item.
    pub(super) const fn answered_by(self, answers: &'static [u16]) -> Self {
        Self { answers, ..self }
    }
}

impl Collection {
    /// Fills in a call about one item, which was listed at `place`.
    pub(super) fn request(
        &self,
        call: &Call,
        place: &Place,
        raw: &Value,
    ) -> Result<Request, Fault> {
        let target = self.fill(call.target, place, raw)?;
        let mut request = Request::new(self.api, call.method.into(), target)
            .in_region(place.region.as_ref())
            .answered_by(call.answers);
        if let Some(body) = call.body {
            request = request.raw_json(body);
        }
        Ok(place.sign(request))
    }

    /// Puts what `{…}` stands for into a path and query.
    fn fill(&self, template: &str, place: &Place, raw: &Value) -> Result<String, Fault> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(before);
            match place.known(name) {
                Some(value) => filled.push_str(&encode(value)),
                None => filled.push_str(&encode(&self.field(raw, name)?)),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Returns a field that an item must have. Some lists hold nothing but names.
    pub(super) fn field(&self, raw: &Value, name: &str) -> Result<String, Fault> {
        match raw {
            Value::String(text) if !text.is_empty() => Ok(text.clone()),
            _ => field(self.name, raw, name),
        }
    }
}
