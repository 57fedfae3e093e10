//! The cleaning plan as a table: every collection that can hold something a borrower leaves behind.
//!
//! The sweep and the proof are both driven by [`TABLE`]. Adding a collection is adding a row there,
//! and, where "may it stay?" needs thought, one small function in `judge.rs`.
//!
//! Depends on requests and paging. Promises that sweep and proof judge every item alike, so that
//! what a sweep takes for settled is what a proof takes for settled.

mod judge;
mod reading;
mod refusal;
mod table;

use awc::http::Method;
use serde_json::Value;

use super::fault::Refusal;
use super::paging::Style;
use super::scope::Scope;
use super::settings::Api;

pub(super) use reading::Item;
pub(super) use refusal::Outcome;
pub(super) use table::TABLE;

/// One kind of thing in an account, and how it is listed, judged and deleted.
pub(super) struct Collection {
    /// What a person calls it; it names leftovers.
    pub(super) name: &'static str,
    /// When it is its turn.
    pub(super) stage: Stage,
    pub(super) api: Api,
    /// Path and query of the list. `{account}` is filled in.
    pub(super) list: &'static str,
    /// What the list has to be asked for besides.
    pub(super) each: Each,
    /// The name of the array.
    pub(super) items: &'static str,
    pub(super) style: Style,
    /// The field that names an item in a leftover.
    pub(super) id: &'static str,
    /// The field with what a person called it.
    pub(super) title: &'static str,
    /// Tells what is to become of an item.
    pub(super) judge: fn(&Scope<'_>, &Value) -> Verdict,
    /// What is called before the deletion of an item that is `locked`.
    pub(super) unlock: Option<Call>,
    pub(super) delete: Call,
    /// What it means when the deletion is refused.
    pub(super) refusal: fn(&Refusal) -> Outcome,
    /// Finds a refusal in the body of a success.
    pub(super) hidden_refusal: fn(&Value) -> Option<String>,
    /// Collections that must be empty before a deletion here can succeed.
    pub(super) after: &'static [&'static str],
}

/// The order of a sweep: rows of one stage run side by side, stages one after another.
///
/// What lets a borrower in comes before what a borrower left behind, and never waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Ways in that stand alone. Resource keys are among them because each may have made a service
    /// ID of its own.
    Entrances,
    /// Service IDs: their keys and policies go with them.
    Identities,
    /// What gives rights or secrets to identities that stay.
    Grants,
    /// What hangs on resource instances.
    Attachments,
    /// Resource instances.
    Instances,
    /// What IBM keeps of deleted instances.
    Reclamations,
    /// What may only go when instances are gone, and labels.
    Remainder,
    /// Resource groups.
    Groups,
}

impl Stage {
    pub(super) const ALL: [Self; 8] = [
        Self::Entrances,
        Self::Identities,
        Self::Grants,
        Self::Attachments,
        Self::Instances,
        Self::Reclamations,
        Self::Remainder,
        Self::Groups,
    ];
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
}

/// A call about one item. In its path and query, `{account}` and the item's own fields are filled
/// in.
#[derive(Clone, Copy)]
pub(super) struct Call {
    method: Verb,
    target: &'static str,
    body: Option<&'static str>,
    /// Statuses that say something about the item rather than about the service's health.
    answers: &'static [u16],
}

/// The methods by which things are made to go. (`http::Method` cannot stand in a constant.)
#[derive(Clone, Copy)]
enum Verb {
    Delete,
    Post,
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Delete => Self::DELETE,
            Verb::Post => Self::POST,
        }
    }
}

impl Call {
    const fn delete(target: &'static str) -> Self {
        Self {
            method: Verb::Delete,
            target,
            body: None,
            answers: &[],
        }
    }

    const fn post(target: &'static str, body: &'static str) -> Self {
        Self {
            method: Verb::Post,
            target,
            body: Some(body),
            answers: &[],
        }
    }
}

/// What is to become of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs to every account, or is gone already.
    Settled,
    /// The operator keeps it.
    Kept,
    /// The operator keeps it if it carries their tag; else this becomes of it.
    KeptIfTagged(Box<Verdict>),
    /// It is on its way out; the text is its state.
    Leaving(String),
    /// It must not stay, and only a person may remove it; the text says why.
    Immovable(String),
    /// It must not stay.
    Unwanted,
}
