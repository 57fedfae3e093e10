//! Reading a collection: every variant of its list, every page, every item judged once.
//!
//! Depends on sessions, paging and the scope. Promises to read only, and to keep of an item no more
//! than what its deletion needs.

use std::collections::HashSet;

use serde_json::Value;

use super::super::api::Region;
use super::super::fault::Fault;
use super::super::request::Request;
use super::super::scope::{Scope, group_of};
use super::super::session::Session;
use super::source::{Each, Parent, Place};
use super::{Collection, Verdict, judge};

/// What a collection holds, in one region or in none.
#[derive(Default)]
pub(in super::super) struct Reading {
    /// What the operator keeps.
    pub(in super::super) kept: Vec<KeptItem>,
    /// Everything else that should not be there.
    pub(in super::super) items: Vec<Item>,
}

/// An item that the operator keeps.
#[derive(Clone)]
pub(in super::super) struct KeptItem {
    pub(in super::super) id: String,
    pub(in super::super) name: Option<String>,
    pub(in super::super) reason: &'static str,
    pub(in super::super) crn: Option<String>,
    pub(in super::super) group: Option<String>,
}

/// An item that should not be there.
pub(in super::super) struct Item {
    pub(in super::super) id: String,
    pub(in super::super) name: Option<String>,
    /// Neither `Settled` nor kept.
    pub(in super::super) verdict: Verdict,
    pub(in super::super) before: Option<Request>,
    pub(in super::super) delete: Request,
    /// The fields that the row wants to be remembered.
    pub(in super::super) facts: Vec<String>,
}

/// An item that is kept if it, or what it is inside of, carries the operator's tag.
struct Undecided {
    tagged: String,
    group: Option<String>,
    item: Item,
}

/// The reading of one collection while it goes on.
struct Reader<'r, 'a> {
    row: &'static Collection,
    scope: &'r Scope<'a>,
    seen: HashSet<String>,
    undecided: Vec<Undecided>,
    reading: Reading,
    /// What could not be read of a page.
    fault: Option<Fault>,
}

impl Collection {
    /// Reads and judges the whole collection, in one region if it stands in regions.
    pub(in super::super) async fn read(
        &'static self,
        session: &Session<'_>,
        scope: &Scope<'_>,
        region: Option<&Region>,
    ) -> Result<Reading, Fault> {
        let mut reader = Reader {
            row: self,
            scope,
            seen: HashSet::new(),
            undecided: Vec::new(),
            reading: Reading::default(),
            fault: None,
        };
        for place in self.lists(session, scope, region).await? {
            let (items, style) = match self.each {
                Each::Inside(parent, _) => (parent.items, parent.style),
                _ => (self.items, self.style),
            };
            let list = place.list(self.api, items, style);
            list.each_page(session, |page| reader.take_page(&page, &place))
                .await?;
            if let Some(fault) = reader.fault.take() {
                return Err(fault);
            }
        }
        reader.decide(session).await
    }
}

impl Reader<'_, '_> {
    fn take_page(&mut self, page: &[Value], place: &Place) {
        for raw in page {
            let taken = match self.row.each {
                Each::Inside(parent, inside) => self.take_inside(raw, parent, inside, place),
                _ => self.take(raw, place),
            };
            self.fault = taken.err().or(self.fault.take());
        }
    }

    /// Takes what stands in a field of `raw`.
    fn take_inside(
        &mut self,
        raw: &Value,
        parent: &Parent,
        inside: &str,
        outer: &Place,
    ) -> Result<(), Fault> {
        let Some(place) = parent.place(raw, outer)? else {
            return Ok(());
        };
        let items = raw[inside].as_array();
        items
            .into_iter()
            .flatten()
            .try_for_each(|item| self.take(item, &place))
    }

    /// Judges one item.
    fn take(&mut self, raw: &Value, place: &Place) -> Result<(), Fault> {
        let (row, scope) = (self.row, self.scope);
        let id = row.field(raw, row.id)?;
        // Variants of a list overlap, and pages may when something changes meanwhile. Ids of what is
        // inside of different things may be equal.
        let inside = place.inside["id"].as_str().unwrap_or_default();
        if !self.seen.insert(format!("{inside} {id}")) {
            return Ok(());
        }
        let crn = raw["crn"].as_str();
        if let Some(crn) = crn {
            scope.note_listed(crn);
        }
        let own = (row.judge)(scope, raw);
        let kept = scope.keeps_item(row.name, place.region.as_ref(), &id);
        let (verdict, crn) = match (&own, judge::resource(scope, &place.inside)) {
            (Verdict::Settled, _) => return Ok(()),
            _ if let Some(reason) = kept => (Verdict::Kept(reason), crn),
            (_, Verdict::Kept(_)) => (Verdict::Kept("what it is part of is kept"), crn),
            (_, Verdict::KeptIfTagged(_)) => {
                let whole = place.inside["crn"].as_str();
                (Verdict::KeptIfTagged(Box::new(own)), whole)
            }
            _ => (own, crn),
        };
        let group = group_of(raw).map(str::to_owned);
        let title = raw[row.title].as_str().filter(|title| !title.is_empty());
        let name = title.map(str::to_owned);
        if let Verdict::Kept(reason) = verdict {
            let crn = crn.map(str::to_owned);
            self.keep(KeptItem {
                id,
                name,
                reason,
                crn,
                group,
            });
            return Ok(());
        }
        let before = row.before.as_ref();
        let before = before.filter(|before| (before.when)(raw, &place.inside));
        let item = Item {
            before: before
                .map(|before| row.request(&before.call, place, raw))
                .transpose()?,
            delete: row.request(&row.delete, place, raw)?,
            facts: row
                .facts
                .iter()
                .map(|name| raw[*name].as_str().unwrap_or_default().to_owned())
                .collect(),
            id,
            name,
            verdict,
        };
        if let Verdict::KeptIfTagged(_) = item.verdict {
            let tagged = crn.unwrap_or(&item.id).to_owned();
            self.undecided.push(Undecided {
                tagged,
                group,
                item,
            });
        } else {
            self.reading.items.push(item);
        }
        Ok(())
    }

    fn keep(&mut self, kept: KeptItem) {
        self.scope.note_again(&kept);
        self.reading.kept.push(kept);
    }

    /// Asks for the tags of what is kept if it carries the operator's.
    async fn decide(mut self, session: &Session<'_>) -> Result<Reading, Fault> {
        for undecided in std::mem::take(&mut self.undecided) {
            let Undecided {
                tagged,
                group,
                mut item,
            } = undecided;
            if self.scope.is_tagged(session, &tagged).await? {
                self.keep(KeptItem {
                    id: item.id,
                    name: item.name,
                    reason: judge::TAGGED,
                    crn: Some(tagged),
                    group,
                });
            } else {
                if let Verdict::KeptIfTagged(otherwise) = item.verdict {
                    item.verdict = *otherwise;
                }
                self.reading.items.push(item);
            }
        }
        Ok(self.reading)
    }
}
