//! The cleaning plan as a table: every collection that can hold something a borrower leaves behind.
//!
//! The sweep, the proof and the plan are all driven by [`TABLE`]. Adding a collection is adding a row
//! there, and, where "may it stay?" needs thought, one small function in `judge`.
//!
//! Depends on requests and paging. Promises that sweep and proof judge every item alike, so that
//! what a sweep takes for settled is what a proof takes for settled.

mod call;
mod judge;
mod reading;
mod refusal;
mod row;
mod source;
mod stage;
mod table;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::api::Api;
use super::fault::Refusal;
use super::paging::Style;
use super::scope::Scope;
use super::settings::Profile;

pub(super) use reading::{Item, KeptItem, Reading};
pub(super) use refusal::Outcome;
pub(super) use source::Where;
pub(super) use stage::Stage;
pub(super) use table::TABLE;

use call::{Call, Preparation};
use source::Each;

/// One kind of thing in an account, and how it is listed, judged and deleted.
pub(super) struct Collection {
    /// What a person calls it; it names leftovers.
    pub(super) name: &'static str,
    /// When it is its turn.
    pub(super) stage: Stage,
    /// The least profile that cleans it.
    pub(super) profile: Profile,
    api: Api,
    /// Where the API is asked.
    pub(super) places: Where,
    /// Path and query of the list. `{account}` is filled in.
    list: &'static str,
    /// What the list has to be asked for besides.
    each: Each,
    /// The name of the array.
    items: &'static str,
    style: Style,
    /// A header that every call has to carry, and what is filled in for its value.
    header: Option<(&'static str, &'static str)>,
    /// The field that names an item in a leftover.
    id: &'static str,
    /// The field with what a person called it.
    title: &'static str,
    /// Fields of an item that are needed besides.
    facts: &'static [&'static str],
    /// What its items are in CRNs: the service's name, and the kind within it. Global Search still
    /// knows some that are gone; this list knows better.
    pub(super) crns: &'static [(&'static str, &'static str)],
    /// Tells what is to become of an item.
    pub(super) judge: fn(&Scope<'_>, &Value) -> Verdict,
    /// What has to be done to an item before it can be deleted.
    before: Option<Preparation>,
    delete: Call,
    /// What it means when the deletion is refused.
    pub(super) refusal: fn(&Refusal) -> Outcome,
    /// Finds a refusal in the body of a success.
    pub(super) hidden_refusal: fn(&Value) -> Option<String>,
    /// Collections that must be empty before a deletion here can succeed.
    pub(super) after: &'static [&'static str],
}

/// What is to become of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs to every account, or is gone already.
    Settled,
    /// The operator keeps it; the text says by what.
    Kept(&'static str),
    /// The operator keeps it if it carries their tag; else this becomes of it.
    KeptIfTagged(Box<Verdict>),
    /// It is on its way out; the text says how.
    Leaving(String),
    /// It goes when something else does; the text says which.
    Following(&'static str),
    /// It must not stay, and only a person may remove it; the text says why.
    Immovable(String),
    /// It must not stay.
    Unwanted,
}

impl Collection {
    /// Tells whether a cleaning by this profile goes through it.
    pub(super) fn is_in(&self, profile: Profile) -> bool {
        self.profile <= profile
    }
}
