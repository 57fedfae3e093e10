//! Reading a collection: every variant of its list, every page, every item judged once.
//!
//! Depends on sessions, paging and the scope. Promises to read only, and to keep of an item no more
//! than what its deletion needs.

use std::collections::HashSet;

use acctpool_actors::cloud::Leftover;
use serde_json::Value;

use super::super::fault::Fault;
use super::super::paging::List;
use super::super::request::{Request, encode};
use super::super::scope::Scope;
use super::super::session::Session;
use super::super::sweep::leftover;
use super::{Call, Collection, Each, Verdict};

/// What a collection holds.
#[derive(Default)]
pub(in super::super) struct Reading {
    /// What the operator keeps.
    pub(in super::super) kept: Vec<Leftover>,
    /// Everything else that should not be there.
    pub(in super::super) items: Vec<Item>,
}

/// An item that should not be there.
pub(in super::super) struct Item {
    pub(in super::super) id: String,
    pub(in super::super) name: Option<String>,
    /// Never `Settled` or `Kept`.
    pub(in super::super) verdict: Verdict,
    pub(in super::super) unlock: Option<Request>,
    pub(in super::super) delete: Request,
}

/// Describes an item that may stay.
fn kept(row: &Collection, item: Item) -> Leftover {
    leftover(row, item, "the operator keeps it".to_owned())
}

impl Collection {
    /// Reads and judges the whole collection.
    pub(in super::super) async fn read(
        &'static self,
        session: &Session<'_>,
        scope: &Scope<'_>,
    ) -> Result<Reading, Fault> {
        let mut reading = Reading::default();
        let mut seen = HashSet::new();
        let mut undecided: Vec<(String, Option<String>, Item)> = Vec::new();
        for target in self.targets(session, scope) {
            let list = List {
                api: self.api,
                target: &target,
                items: self.items,
                style: self.style,
            };
            let mut unreadable = None;
            list.each_page(session, |page| {
                for raw in page {
                    let taken = self.take(session, scope, &raw, &mut seen, &mut reading);
                    match taken {
                        Ok(Some(asked)) => undecided.push(asked),
                        Ok(None) => {}
                        Err(fault) => unreadable = Some(fault),
                    }
                }
            })
            .await?;
            if let Some(fault) = unreadable {
                return Err(fault);
            }
        }
        for (crn, group, mut item) in undecided {
            if scope.is_tagged(session, &crn).await? {
                scope.note_kept(&crn, group.as_deref());
                reading.kept.push(kept(self, item));
            } else {
                if let Verdict::KeptIfTagged(otherwise) = item.verdict {
                    item.verdict = *otherwise;
                }
                reading.items.push(item);
            }
        }
        Ok(reading)
    }

    /// Judges one item. What cannot be judged without another call is handed back, with its CRN and
    /// resource group.
    fn take(
        &'static self,
        session: &Session<'_>,
        scope: &Scope<'_>,
        raw: &Value,
        seen: &mut HashSet<String>,
        reading: &mut Reading,
    ) -> Result<Option<(String, Option<String>, Item)>, Fault> {
        let id = self.field(raw, self.id)?;
        // Variants of a list overlap, and pages may when something changes meanwhile.
        if !seen.insert(id.clone()) {
            return Ok(None);
        }
        let crn = raw["crn"].as_str();
        if let Some(crn) = crn {
            scope.note_listed(crn);
        }
        let group = raw["resource_group_id"].as_str();
        let verdict = (self.judge)(scope, raw);
        if matches!(verdict, Verdict::Settled) {
            return Ok(None);
        }
        let unlock = self.unlock.as_ref().filter(|_| raw["locked"] == true);
        let title = raw[self.title].as_str().filter(|title| !title.is_empty());
        let item = Item {
            name: title.map(str::to_owned),
            unlock: unlock
                .map(|call| self.request(call, session, raw))
                .transpose()?,
            delete: self.request(&self.delete, session, raw)?,
            verdict: verdict.clone(),
            id: id.clone(),
        };
        if matches!(verdict, Verdict::Kept) {
            if let Some(crn) = crn {
                scope.note_kept(crn, group);
            }
            reading.kept.push(kept(self, item));
            return Ok(None);
        }
        if let Verdict::KeptIfTagged(_) = verdict {
            let crn = crn.unwrap_or(&id).to_owned();
            return Ok(Some((crn, group.map(str::to_owned), item)));
        }
        reading.items.push(item);
        Ok(None)
    }

    /// Returns the lists that have to be read to see everything.
    fn targets(&self, session: &Session<'_>, scope: &Scope<'_>) -> Vec<String> {
        let list = self.list.replace("{account}", &encode(session.account()));
        let joint = if list.contains('?') { '&' } else { '?' };
        let with = |name: &str, value: &str| format!("{list}{joint}{name}={}", encode(value));
        match self.each {
            Each::Once => vec![list],
            Each::Value(name, values) => values.iter().map(|value| with(name, value)).collect(),
            Each::ServiceIdGroup => std::iter::once(list.clone())
                .chain(
                    scope
                        .service_id_groups()
                        .iter()
                        .map(|id| with("group_id", id)),
                )
                .collect(),
        }
    }

    /// Fills a call about one item.
    fn request(&self, call: &Call, session: &Session<'_>, raw: &Value) -> Result<Request, Fault> {
        let mut target = String::new();
        let mut rest = call.target;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            target.push_str(before);
            target.push_str(&match name {
                "account" => encode(session.account()),
                name => encode(&self.field(raw, name)?),
            });
            rest = after;
        }
        target.push_str(rest);
        let mut request =
            Request::new(self.api, call.method.into(), target).answered_by(call.answers);
        if let Some(body) = call.body {
            request = request.raw_json(body);
        }
        Ok(request)
    }

    fn field(&self, raw: &Value, name: &str) -> Result<String, Fault> {
        super::super::request::field(self.name, raw, name)
    }
}
