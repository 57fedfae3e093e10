//! `[keep]`: what no cleaning touches.

use std::collections::{BTreeMap, BTreeSet};

use super::section::{Schema, Section};
use super::values::{ACCOUNT_ID, CRN, GROUP, IAM_ID, TAG};

pub(super) const SCHEMA: Schema = Schema {
    name: "[keep]",
    keys: &[
        "crns",
        "tag",
        "resource_groups",
        "users",
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
    /// Resource groups, by name.
    pub resource_groups: BTreeSet<String>,
    /// Users beside the owner, by IAM id.
    pub users: BTreeSet<String>,
    /// Accounts that are never touched, whatever else is configured.
    pub protected_accounts: BTreeSet<String>,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            crns: BTreeSet::new(),
            tag: "acctpool:keep".to_owned(),
            resource_groups: BTreeSet::new(),
            users: BTreeSet::new(),
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
        let keep = Self {
            crns: values(section.list("crns", &CRN)),
            tag: section.read("tag", &TAG).unwrap_or(default.tag),
            resource_groups: values(section.list("resource_groups", &GROUP)),
            users: values(section.list("users", &IAM_ID)),
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
