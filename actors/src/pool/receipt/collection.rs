//! What a receipt says of each collection.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::super::findings::Leftover;
use super::super::ids::Timestamp;
use super::super::progress::whole_seconds;
use super::maybe_seconds;

/// What was there of one collection, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CollectionReceipt {
    /// The collection, such as `resource instances`.
    pub collection: String,
    /// How many items were met, those that the operator keeps included. What went by itself, such as
    /// what went with another item, is counted as far as it was there at once.
    pub found: usize,
    /// How many were asked to go, and the cloud accepted. At the end, those of them that are still
    /// there do not count.
    pub deleted: usize,
    /// How many the operator keeps.
    pub kept: usize,
    /// How many are on their way out, or cannot go before something else has.
    pub waiting: usize,
    /// How many refuse to go.
    pub stuck: usize,
    /// When it was first read with something in it.
    #[serde(serialize_with = "whole_seconds")]
    pub first_seen: Timestamp,
    /// When it was first read with nothing in it that should not be there, and none came later.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    pub gone_at: Option<Timestamp>,
    /// How many seconds lie between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// The items by their ids.
    pub items: ReceiptItems,
}

/// The items of a collection. Those that wait are named once the cleaning has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "as the counts of the same names")]
pub struct ReceiptItems {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<ReceiptItem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<ReceiptItem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<ReceiptItem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<ReceiptItem>,
}

/// An item of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptItem {
    /// Its id.
    pub id: String,
    /// The name that a person gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The region that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Why it is still there. Of what is gone there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Display for ReceiptItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
        }
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// What distinguishes an item from others of its collection.
type Key = (Option<String>, String);

fn key(item: &Leftover) -> Key {
    (item.region.clone(), item.id.clone())
}

/// Every collection that was met, in that order.
#[derive(Default)]
pub(super) struct Collections {
    tallies: Vec<Tally>,
    places: BTreeMap<String, usize>,
    /// Whether the account was last read by a proof.
    proof_was_last: bool,
}

#[derive(Default)]
struct Tally {
    collection: String,
    first_seen: Option<Timestamp>,
    gone_at: Option<Timestamp>,
    most_at_once: usize,
    waiting: usize,
    met: BTreeSet<Key>,
    deleted: BTreeMap<Key, ReceiptItem>,
    kept: Vec<ReceiptItem>,
    stuck: BTreeMap<Key, ReceiptItem>,
    waiting_at_end: Vec<ReceiptItem>,
}

impl Collections {
    fn tally(&mut self, collection: &str) -> &mut Tally {
        let next = self.tallies.len();
        let place = *self.places.entry(collection.to_owned()).or_insert(next);
        if place == next {
            self.tallies.push(Tally {
                collection: collection.to_owned(),
                ..Tally::default()
            });
        }
        &mut self.tallies[place]
    }

    /// Takes in what the operator keeps.
    pub(super) fn keep(&mut self, kept: Vec<Leftover>) {
        for item in kept {
            let tally = self.tally(&item.collection);
            tally.kept.push(still_there(item));
        }
    }

    /// Lets the next reading say anew what the operator keeps.
    pub(super) fn forget_kept(&mut self) {
        self.tallies.iter_mut().for_each(|tally| tally.kept.clear());
    }

    /// Takes a pass in.
    pub(super) fn sweep(
        &mut self,
        deleted: Vec<Leftover>,
        stuck: Vec<Leftover>,
        waiting: BTreeMap<String, usize>,
        at: Timestamp,
    ) {
        self.proof_was_last = false;
        let mut there: BTreeMap<String, usize> = BTreeMap::new();
        for tally in &mut self.tallies {
            tally.waiting = 0;
            tally.stuck.clear();
        }
        for (collection, count) in waiting {
            self.tally(&collection).waiting = count;
            there.insert(collection, count);
        }
        for item in deleted {
            *there.entry(item.collection.clone()).or_default() += 1;
            let tally = self.tally(&item.collection);
            tally.met.insert(key(&item));
            tally.deleted.insert(key(&item), gone(item));
        }
        for item in stuck {
            *there.entry(item.collection.clone()).or_default() += 1;
            let tally = self.tally(&item.collection);
            tally.met.insert(key(&item));
            tally.stuck.insert(key(&item), still_there(item));
        }
        self.see(&there, at);
    }

    /// Takes in what a proof found.
    pub(super) fn find(&mut self, leftovers: Vec<Leftover>, at: Timestamp) {
        self.proof_was_last = true;
        let mut there: BTreeMap<String, usize> = BTreeMap::new();
        for tally in &mut self.tallies {
            tally.waiting = 0;
            tally.stuck.clear();
        }
        for item in leftovers {
            *there.entry(item.collection.clone()).or_default() += 1;
            let tally = self.tally(&item.collection);
            tally.met.insert(key(&item));
            tally.waiting += 1;
        }
        self.see(&there, at);
    }

    /// Notes how many items of each collection were there at a moment.
    fn see(&mut self, there: &BTreeMap<String, usize>, at: Timestamp) {
        for tally in &mut self.tallies {
            let count = there.get(&tally.collection).copied().unwrap_or(0);
            tally.most_at_once = tally.most_at_once.max(count);
            tally.first_seen.get_or_insert(at);
            tally.gone_at = match count {
                0 => tally.gone_at.or(Some(at)),
                _ => None,
            };
        }
    }

    /// Takes in what is still there at the end.
    pub(super) fn leave(&mut self, leftovers: Vec<Leftover>) {
        let proof_was_last = self.proof_was_last;
        for tally in &mut self.tallies {
            tally.waiting = 0;
        }
        for item in leftovers {
            let tally = self.tally(&item.collection);
            let key = key(&item);
            tally.met.insert(key.clone());
            tally.deleted.remove(&key);
            let item = still_there(item);
            // What only a proof sees, no sweep deletes.
            if proof_was_last || tally.stuck.contains_key(&key) {
                tally.stuck.insert(key, item);
            } else {
                tally.waiting += 1;
                tally.waiting_at_end.push(item);
            }
        }
    }

    pub(super) fn into_receipts(self) -> Vec<CollectionReceipt> {
        let tallies = self.tallies.into_iter();
        tallies.filter_map(Tally::into_receipt).collect()
    }
}

impl Tally {
    fn into_receipt(self) -> Option<CollectionReceipt> {
        let first_seen = self.first_seen?;
        let unwanted = self.met.len().max(self.most_at_once);
        let gone_at = self.gone_at.filter(|_| unwanted > 0);
        let took = gone_at.map(|gone_at| (gone_at - first_seen).whole_seconds());
        let receipt = CollectionReceipt {
            collection: self.collection,
            found: unwanted + self.kept.len(),
            deleted: self.deleted.len(),
            kept: self.kept.len(),
            waiting: self.waiting,
            stuck: self.stuck.len(),
            first_seen,
            gone_at,
            duration: took.and_then(|seconds| seconds.try_into().ok()),
            items: ReceiptItems {
                deleted: self.deleted.into_values().collect(),
                kept: self.kept,
                waiting: self.waiting_at_end,
                stuck: self.stuck.into_values().collect(),
            },
        };
        // What was kept once and is not there any more is nobody's business.
        (receipt.found > 0).then_some(receipt)
    }
}

fn gone(item: Leftover) -> ReceiptItem {
    ReceiptItem {
        id: item.id,
        name: item.name,
        region: item.region,
        reason: None,
    }
}

fn still_there(item: Leftover) -> ReceiptItem {
    ReceiptItem {
        reason: Some(item.reason.clone()),
        ..gone(item)
    }
}
