//! What is to become of an item: one small function per collection that needs one.
//!
//! Depends on the scope only; calls nothing. The rule of all of them is an allow list: what is not
//! known to belong or to be kept is unwanted, however harmless it looks.

use serde_json::Value;

use super::super::scope::{Place, Scope};
use super::Verdict;

/// The group of everybody: IBM lets nobody delete it (`ibm-cloud.md` 5.2). Its policies are swept.
const PUBLIC_ACCESS: &str = "AccessGroupId-PublicAccess";

fn text<'v>(item: &'v Value, name: &str) -> &'v str {
    item[name].as_str().unwrap_or_default()
}

/// Keeps what the operator names by CRN, or by id where it has no CRN.
pub(super) fn by_crn(scope: &Scope<'_>, item: &Value) -> Verdict {
    if scope.keeps(text(item, "crn")) || scope.keeps(text(item, "id")) {
        Verdict::Kept
    } else {
        Verdict::Unwanted
    }
}

/// As [`by_crn`], for what stays readable after its end (6.2).
pub(super) fn unless_removed(scope: &Scope<'_>, item: &Value) -> Verdict {
    match text(item, "state") {
        "removed" => Verdict::Settled,
        _ => by_crn(scope, item),
    }
}

pub(super) fn instance(scope: &Scope<'_>, item: &Value) -> Verdict {
    let place = scope.place_of(item);
    let otherwise = match (text(item, "state"), being_deleted(item)) {
        ("removed", _) => return Verdict::Settled,
        ("pending_reclamation", _) => Verdict::Leaving("it is pending reclamation".into()),
        (_, true) => Verdict::Leaving("its deletion is under way".into()),
        _ => Verdict::Unwanted,
    };
    match (unless_removed(scope, item), place, otherwise) {
        (Verdict::Kept, _, _) | (_, Place::Kept, _) => Verdict::Kept,
        // Also on its way out: what was deleted by a borrower can be restored until it is reclaimed.
        (_, Place::KeptIfTagged, otherwise) => Verdict::KeptIfTagged(Box::new(otherwise)),
        (_, Place::Anywhere, otherwise) => otherwise,
    }
}

fn being_deleted(instance: &Value) -> bool {
    let operation = &instance["last_operation"];
    matches!(text(operation, "type"), "delete" | "reclamation")
        && text(operation, "state") == "in progress"
}

pub(super) fn reclamation(scope: &Scope<'_>, item: &Value) -> Verdict {
    if scope.is_kept(text(item, "entity_crn")) {
        return Verdict::Kept;
    }
    match text(item, "state") {
        "RECLAIMING" => Verdict::Leaving("it is being reclaimed".into()),
        _ => Verdict::Unwanted,
    }
}

pub(super) fn resource_group(scope: &Scope<'_>, item: &Value) -> Verdict {
    // By the flag, not by the name: it can be renamed (6.4).
    if item["default"] == true {
        return Verdict::Settled;
    }
    if scope.keeps_group_named(text(item, "name")) || scope.holds_kept(text(item, "id")) {
        return Verdict::Kept;
    }
    by_crn(scope, item)
}

pub(super) fn user(scope: &Scope<'_>, item: &Value) -> Verdict {
    let iam_id = text(item, "iam_id");
    if scope.is_owner(iam_id) {
        Verdict::Settled
    } else if scope.keeps_identity(iam_id) {
        Verdict::Kept
    } else {
        Verdict::Unwanted
    }
}

pub(super) fn access_group(scope: &Scope<'_>, item: &Value) -> Verdict {
    match text(item, "id") {
        PUBLIC_ACCESS => Verdict::Settled,
        id if scope.keeps_identity(id) => Verdict::Kept,
        _ => by_crn(scope, item),
    }
}

/// A policy stays if all of its subjects do.
pub(super) fn policy(scope: &Scope<'_>, item: &Value) -> Verdict {
    let subjects = subjects(item);
    if !subjects.is_empty() && subjects.iter().all(|id| scope.is_owner(id)) {
        return Verdict::Settled;
    }
    let stays = |id: &&str| scope.is_owner(id) || scope.keeps_identity(id);
    if !subjects.is_empty() && subjects.iter().all(stays) {
        return Verdict::Kept;
    }
    by_crn(scope, item)
}

/// Returns the identities and access groups that a policy is about. Version 2 has one subject,
/// whose attributes have a `key`; version 1 has several, whose attributes have a `name`.
fn subjects(policy: &Value) -> Vec<&str> {
    let one = std::iter::once(&policy["subject"]);
    let several = policy["subjects"].as_array().into_iter().flatten();
    one.chain(several)
        .filter_map(|subject| subject["attributes"].as_array())
        .flatten()
        .filter(|attribute| {
            let key = attribute["key"].as_str().or(attribute["name"].as_str());
            matches!(key, Some("iam_id" | "access_group_id"))
        })
        .filter_map(|attribute| attribute["value"].as_str())
        .collect()
}

/// The owner's keys are not ours to delete: only the owner could have made them, so only the owner
/// can tell their own work from a break-in. A name like that of acctpool's own keys says nothing.
pub(super) fn user_key(scope: &Scope<'_>, item: &Value) -> Verdict {
    let iam_id = text(item, "iam_id");
    if scope.is_management_key(text(item, "id")) {
        return Verdict::Settled;
    }
    if !scope.is_owner(iam_id) {
        return if scope.keeps_identity(iam_id) {
            Verdict::Kept
        } else {
            by_crn(scope, item)
        };
    }
    match by_crn(scope, item) {
        Verdict::Unwanted if !scope.is_forgotten_key(text(item, "id")) => {
            Verdict::Immovable(format!(
                "an API key of the account's owner that acctpool did not make: if it is yours, add \
                 its CRN {} to the keep list; else disable it, and find out who made it",
                text(item, "crn")
            ))
        }
        verdict => verdict,
    }
}

pub(super) fn service_id_group(scope: &Scope<'_>, item: &Value) -> Verdict {
    // Hiding here gains nothing: the service IDs of every group are listed.
    if text(item, "id").starts_with("default") {
        return Verdict::Settled;
    }
    by_crn(scope, item)
}

/// A tag on something kept can not be deleted, and need not be.
pub(super) fn tag(scope: &Scope<'_>, item: &Value) -> Verdict {
    if scope.keeps_tag(text(item, "name")) {
        Verdict::Kept
    } else {
        Verdict::Unwanted
    }
}
