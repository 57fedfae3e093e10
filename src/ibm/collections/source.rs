//! Which lists have to be read to see all of a collection.
//!
//! Depends on sessions, paging and the scope. Promises that each list that says what others there are
//! is read to its end.

use std::rc::Rc;

use secrecy::SecretString;
use serde_json::Value;

use super::super::api::{Api, Region};
use super::super::fault::Fault;
use super::super::paging::{List, Style};
use super::super::request::{Request, encode, field};
use super::super::scope::Scope;
use super::super::session::Session;
use super::Collection;

/// Where an API is asked.
#[derive(Clone, Copy)]
pub(in super::super) enum Where {
    /// In its one place.
    Home,
    /// In every region of VPC.
    Regions,
    /// In these.
    Named(&'static [&'static str]),
}

/// The variants of a list that have to be read to see everything.
#[derive(Clone, Copy)]
pub(super) enum Each {
    /// One list shows all.
    Once,
    /// Once for each value of a query parameter.
    Value(&'static str, &'static [&'static str]),
    /// Once as it is, and once with `group_id` for each group of service IDs.
    ServiceIdGroup,
    /// Once for each of these.
    In(&'static Parent),
    /// No list of its own: the items stand in this field of each of these.
    Inside(&'static Parent, &'static str),
    /// One list shows all; what these name in this field belongs to them.
    ButDefaultsOf(&'static Parent, &'static str),
    /// Once for each resource instance of the service with this name in CRNs, where the instance is.
    /// `{instance}` is its GUID.
    Instance(&'static str),
}

/// What other items are inside of, at the same API.
pub(super) struct Parent {
    /// What stands for its id in paths.
    pub(super) name: &'static str,
    pub(super) list: &'static str,
    pub(super) items: &'static str,
    pub(super) style: Style,
    /// Which of them have to be asked at all.
    pub(super) only: fn(&Value) -> bool,
    pub(super) within: Within,
}

/// What something that others are inside of is inside of itself.
#[derive(Clone, Copy)]
pub(super) enum Within {
    Nothing,
    Other(&'static Parent),
    /// Each resource instance of the service with this name in CRNs.
    Instance(&'static str),
}

/// One list, and what is known of where it is.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub(super) region: Option<Region>,
    /// Path and query of the list.
    pub(super) target: String,
    /// What the items are inside of; `null` where it is nothing.
    pub(super) inside: Rc<Value>,
    /// Values by their names in templates.
    known: Vec<(&'static str, String)>,
    header: Option<(&'static str, String)>,
}

impl Place {
    /// Returns what stands for `name` in templates, beside the fields of items.
    pub(super) fn known(&self, name: &str) -> Option<&str> {
        let mut found = self.known.iter().filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Returns the list itself.
    pub(super) fn list<'p>(&'p self, api: Api, items: &'p str, style: Style) -> List<'p> {
        let header = self.header.as_ref();
        List {
            region: self.region.as_ref(),
            header: header.map(|(name, value)| (*name, value.as_str())),
            ..List::new(api, &self.target, items, style)
        }
    }

    /// Adds the header that the API asks for.
    pub(super) fn sign(&self, request: Request) -> Request {
        match &self.header {
            Some((name, value)) => request.header(name, SecretString::from(value.clone())),
            None => request,
        }
    }

    fn fill(&self, template: &str) -> String {
        let mut filled = template.to_owned();
        for (name, value) in &self.known {
            filled = filled.replace(&format!("{{{name}}}"), &encode(value));
        }
        filled
    }
}

impl Collection {
    /// Returns every list that has to be read in `region` to see all of the collection.
    pub(super) async fn lists(
        &self,
        session: &Session<'_>,
        scope: &Scope<'_>,
        region: Option<&Region>,
    ) -> Result<Vec<Place>, Fault> {
        let home = Place {
            region: region.cloned(),
            known: vec![("account", session.account().to_owned())],
            ..Place::default()
        };
        let joint = if self.list.contains('?') { '&' } else { '?' };
        let at = |place: Place| {
            let target = place.fill(self.list);
            let header = self.header.map(|(name, value)| (name, place.fill(value)));
            Place {
                target,
                header,
                ..place
            }
        };
        let with = |name: &str, value: &str| {
            let place = at(home.clone());
            let target = format!("{}{joint}{name}={}", place.target, encode(value));
            Place { target, ..place }
        };
        Ok(match self.each {
            Each::Once => vec![at(home)],
            Each::Value(name, values) => values.iter().map(|value| with(name, value)).collect(),
            Each::ServiceIdGroup => {
                let groups = scope.service_id_groups();
                let hidden = groups.iter().map(|id| with("group_id", id));
                std::iter::once(at(home.clone())).chain(hidden).collect()
            }
            Each::ButDefaultsOf(parent, name) => {
                for parent in self.parents(parent, session, scope, &home).await? {
                    let default = parent.inside[name]["id"].as_str();
                    default.inspect(|id| scope.note_default(id));
                }
                vec![at(home)]
            }
            Each::In(parent) => {
                let parents = self.parents(parent, session, scope, &home).await?;
                parents.into_iter().map(at).collect()
            }
            // The list of what they are inside of is the list.
            Each::Inside(parent, _) => self.outer(parent, session, scope, &home).await?,
            Each::Instance(service) => {
                let instances = instances_of(service, session, scope).await?;
                instances.into_iter().map(at).collect()
            }
        })
    }

    /// Returns a place for each of `parent`.
    async fn parents(
        &self,
        parent: &'static Parent,
        session: &Session<'_>,
        scope: &Scope<'_>,
        home: &Place,
    ) -> Result<Vec<Place>, Fault> {
        let mut places = Vec::new();
        for outer in self.outer(parent, session, scope, home).await? {
            let list = outer.list(self.api, parent.items, parent.style);
            for raw in scope.shared(&list, session).await?.iter() {
                places.extend(parent.place(raw, &outer)?);
            }
        }
        Ok(places)
    }

    /// Returns the lists that show all of `parent`.
    async fn outer(
        &self,
        parent: &'static Parent,
        session: &Session<'_>,
        scope: &Scope<'_>,
        home: &Place,
    ) -> Result<Vec<Place>, Fault> {
        let outer = match parent.within {
            Within::Nothing => vec![home.clone()],
            // Boxed: what is inside of something may be so to any depth.
            Within::Other(other) => Box::pin(self.parents(other, session, scope, home)).await?,
            Within::Instance(service) => instances_of(service, session, scope).await?,
        };
        let at = |place: Place| Place {
            target: place.fill(parent.list),
            ..place
        };
        Ok(outer.into_iter().map(at).collect())
    }
}

impl Collection {
    /// Returns the request for the first page, of so many items, of a list that is there whatever the
    /// account holds: the collection's own, or that of what its items are inside of.
    pub(in super::super) fn first_request(
        &self,
        account: &str,
        first_region: &str,
        size: usize,
    ) -> Option<Request> {
        let (list, items, style) = match self.each {
            Each::Instance(_) => return None,
            Each::In(parent) | Each::Inside(parent, _) => {
                let outermost = parent.outermost()?;
                (outermost.list, outermost.items, outermost.style)
            }
            _ => (self.list, self.items, self.style),
        };
        let region = match self.places {
            Where::Home => None,
            Where::Regions => Region::new(first_region),
            Where::Named(names) => names.first().and_then(|name| Region::new(name)),
        };
        let place = Place {
            region,
            known: vec![("account", account.to_owned())],
            ..Place::default()
        };
        let place = Place {
            target: place.fill(list),
            header: self.header.map(|(name, value)| (name, place.fill(value))),
            ..place
        };
        Some(place.list(self.api, items, style).first_request(size))
    }
}

impl Parent {
    /// Returns what is inside of nothing else, unless that depends on what the account holds.
    fn outermost(&self) -> Option<&Self> {
        match self.within {
            Within::Nothing => Some(self),
            Within::Other(other) => other.outermost(),
            Within::Instance(_) => None,
        }
    }

    /// Returns the place of what is inside of one of them, unless that need not be asked.
    pub(super) fn place(&self, raw: &Value, outer: &Place) -> Result<Option<Place>, Fault> {
        if !(self.only)(raw) {
            return Ok(None);
        }
        let id = field(self.items, raw, "id")?;
        let mut known = outer.known.clone();
        known.push((self.name, id));
        Ok(Some(Place {
            inside: Rc::new(raw.clone()),
            known,
            ..outer.clone()
        }))
    }
}

/// Returns a place for each live instance of a service.
async fn instances_of(
    service: &str,
    session: &Session<'_>,
    scope: &Scope<'_>,
) -> Result<Vec<Place>, Fault> {
    let target = "/v2/resource_instances";
    let list = List::new(Api::ResourceController, target, "resources", Style::NextUrl);
    let mut places = Vec::new();
    for raw in scope.shared(&list, session).await?.iter() {
        // `crn:v1:bluemix:public:service:region:…`
        let mut parts = raw["crn"].as_str().unwrap_or_default().split(':').skip(4);
        if parts.next() != Some(service) {
            continue;
        }
        let instance = field("GET /v2/resource_instances", raw, "guid")?;
        places.push(Place {
            region: parts.next().and_then(Region::new),
            inside: Rc::new(raw.clone()),
            known: vec![
                ("account", session.account().to_owned()),
                ("instance", instance),
            ],
            ..Place::default()
        });
    }
    Ok(places)
}
