//! `[keep]`: what no cleaning touches.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::report::Fault;
use super::section::{Schema, Section};
use super::values::{ACCOUNT_ID, COLLECTION, CRN, GROUP, IAM_ID, MOMENT_OR_NEVER, TAG};

pub(super) const SCHEMA: Schema = Schema {
    name: "[keep]",
    keys: &[
        "crns",
        "tag",
        "resource_groups",
        "created_before",
        "users",
        "collections",
        "protected_accounts",
    ],
};

/// What is neither deleted nor counted as a leftover, in every account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Resources, by CRN.
    pub crns: BTreeSet<String>,
    /// Resources that carry this tag, in lowercase.
    pub tag: String,
    /// Resource groups, by name, with what is in them.
    pub resource_groups: BTreeSet<String>,
    /// Tag and groups keep only what was created before this moment: a borrower, too, can tag a
    /// resource and choose its group, but nobody can make one in the past. `None`: they keep
    /// nothing.
    pub created_before: Option<OffsetDateTime>,
    /// Users beside the owner, by IAM id.
    pub users: BTreeSet<String>,
    /// Whole collections, by their names in the cleaning plan.
    pub collections: BTreeSet<String>,
    /// Accounts that are never touched, whatever else is configured.
    pub protected_accounts: BTreeSet<String>,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            crns: BTreeSet::new(),
            tag: "acctpool:keep".to_owned(),
            resource_groups: BTreeSet::new(),
            created_before: None,
            users: BTreeSet::new(),
            collections: BTreeSet::new(),
            protected_accounts: BTreeSet::new(),
        }
    }
}

/// The protected accounts and the line of each.
pub(super) type ProtectedLines = BTreeMap<String, usize>;

impl Keep {
    pub(super) fn read(mut section: Section<'_, '_, '_>) -> (Self, ProtectedLines) {
        let default = Self::default();
        let protected = section.list("protected_accounts", &ACCOUNT_ID);
        let resource_groups = section.list("resource_groups", &GROUP);
        let created_before = section.read("created_before", &MOMENT_OR_NEVER).flatten();
        if let (Some((at, _)), None) = (resource_groups.first(), created_before) {
            section.refuse_at(*at, Fault::KeptSinceWhen);
        }
        let keep = Self {
            crns: values(section.list("crns", &CRN)),
            tag: section.read("tag", &TAG).unwrap_or(default.tag),
            resource_groups: values(resource_groups),
            created_before,
            users: values(section.list("users", &IAM_ID)),
            collections: values(section.list("collections", &COLLECTION)),
            protected_accounts: values(protected.clone()),
        };
        let lines = protected
            .into_iter()
            .map(|(at, id)| (id, section.line(at)))
            .collect();
        (keep, lines)
    }
}

fn values(entries: Vec<(usize, String)>) -> BTreeSet<String> {
    entries.into_iter().map(|(_, entry)| entry).collect()
}
