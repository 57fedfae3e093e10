//! Classic infrastructure (`ibm-cloud.md` 9): items that Global Search shows and that nothing deletes.
//!
//! It has no calls here: a service ID cannot use classic at all, and items are ordered and cancelled by
//! a person, for whom [`Account::order_classic`] and [`Account::cancel_classic`] stand. Search has them
//! in the family `ims` (seen in public scripts that search for it), by their kind, such as
//! `virtual-server`.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::simulator::world::Account;

/// Numbers of items begin here: IBM's have eight digits.
const FIRST: u64 = 90_000_000;

pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) crn: String,
    number: u64,
}

impl Account {
    /// Orders an item of a kind, as a person does; gives its CRN.
    pub(crate) fn order_classic(&mut self, kind: &str, name: &str) -> String {
        let number = FIRST + self.random.below(FIRST / 9);
        let crn = format!(
            "crn:v1:bluemix:public:{kind}:dal10:a/{}:{number}::",
            self.id
        );
        self.classic.push(Item {
            name: name.to_owned(),
            kind: kind.to_owned(),
            crn: crn.clone(),
            number,
        });
        crn
    }

    /// Cancels an item, as a person does; answers whether there was one.
    pub(crate) fn cancel_classic(&mut self, crn: &str) -> bool {
        let before = self.classic.len();
        self.classic.retain(|item| item.crn != crn);
        self.classic.len() < before
    }

    /// What the search index says of the items.
    pub(crate) fn searchable_classic(&self) -> impl Iterator<Item = Value> {
        self.classic.iter().map(|item| {
            json!({
                "crn": item.crn, "name": item.name, "type": item.kind, "family": "ims",
                "region": "dal10", "account_id": self.id, "service_name": item.kind,
                "guid": item.number.to_string(), "state": "active", "tags": self.tags_of(&item.crn),
            })
        })
    }
}
