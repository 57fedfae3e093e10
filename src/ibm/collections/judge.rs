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

/// Why something is kept.
const BY_CRN: &str = "the keep list has it";
const BY_GROUP: &str = "the keep list has its resource group";
pub(super) const TAGGED: &str = "it carries the tag of the keep list";
const BY_USER: &str = "the keep list has its user";

/// Keeps what the operator names by CRN, or by id where it has no CRN.
pub(super) fn by_crn(scope: &Scope<'_>, item: &Value) -> Verdict {
    if scope.keeps(text(item, "crn")) || scope.keeps(text(item, "id")) {
        Verdict::Kept(BY_CRN)
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

/// A resource of any service: kept by its CRN or its place, and waited for while it goes.
pub(super) fn resource(scope: &Scope<'_>, item: &Value) -> Verdict {
    let otherwise = match state_of(item) {
        Some(state) if is_leaving(state) => Verdict::Leaving(format!("it is {state}")),
        _ => Verdict::Unwanted,
    };
    kept_or(scope, item, otherwise)
}

/// Keeps a resource by its CRN or its place, also on its way out: what was deleted by a borrower can
/// be restored until it is reclaimed.
fn kept_or(scope: &Scope<'_>, item: &Value, otherwise: Verdict) -> Verdict {
    match (by_crn(scope, item), scope.place_of(item)) {
        (kept @ Verdict::Kept(_), _) => kept,
        (_, Place::Kept) => Verdict::Kept(BY_GROUP),
        (_, Place::KeptIfTagged) => Verdict::KeptIfTagged(Box::new(otherwise)),
        (_, Place::Anywhere) => otherwise,
    }
}

/// Returns the state of a resource, under whichever name its service writes it (8.2).
fn state_of(item: &Value) -> Option<&str> {
    let names = ["provisioning_status", "lifecycle_state", "status", "state"];
    names.into_iter().find_map(|name| item[name].as_str())
}

/// Tells whether a state means that the resource is being deleted. Any `deleting` of any service is
/// one, `deleted` is what clusters read for a while, `detaching` is for connections.
fn is_leaving(state: &str) -> bool {
    let state = state.to_lowercase();
    ["delet", "detaching"]
        .iter()
        .any(|word| state.contains(word))
        && !state.contains("fail")
}

pub(super) fn instance(scope: &Scope<'_>, item: &Value) -> Verdict {
    let otherwise = match (text(item, "state"), being_deleted(item)) {
        ("removed", _) => return Verdict::Settled,
        ("pending_reclamation", _) => Verdict::Following("it is pending reclamation"),
        (_, true) => Verdict::Leaving("its deletion is under way".into()),
        // Where the Resource Controller lists clusters, they are not its to delete (9).
        _ if text(item, "crn").contains(":containers-kubernetes:") => {
            Verdict::Following("it goes with its cluster")
        }
        _ => Verdict::Unwanted,
    };
    kept_or(scope, item, otherwise)
}

fn being_deleted(instance: &Value) -> bool {
    let operation = &instance["last_operation"];
    matches!(text(operation, "type"), "delete" | "reclamation")
        && text(operation, "state") == "in progress"
}

/// A load balancer that is being changed refuses everything until it is not (8.2).
pub(super) fn load_balancer(scope: &Scope<'_>, item: &Value) -> Verdict {
    match (resource(scope, item), text(item, "provisioning_status")) {
        (Verdict::Unwanted, state) if state.ends_with("_pending") => {
            Verdict::Leaving(format!("it is {state}"))
        }
        (verdict, _) => verdict,
    }
}

/// As is a VPN gateway that is being made (8.2).
pub(super) fn vpn_gateway(scope: &Scope<'_>, item: &Value) -> Verdict {
    match (resource(scope, item), state_of(item)) {
        (Verdict::Unwanted, Some("pending")) => Verdict::Leaving("it is pending".into()),
        (verdict, _) => verdict,
    }
}

/// What belongs to its VPC goes with it, and not before.
pub(super) fn unless_default(scope: &Scope<'_>, item: &Value) -> Verdict {
    if item["is_default"] == true || scope.is_default(text(item, "id")) {
        return Verdict::Settled;
    }
    resource(scope, item)
}

/// Rules go with their group, but one that names another group holds that one, also from within a
/// default group.
pub(super) fn group_rule(_: &Scope<'_>, item: &Value) -> Verdict {
    match item["remote"]["id"].as_str() {
        Some(_) => Verdict::Unwanted,
        None => Verdict::Settled,
    }
}

pub(super) fn image(scope: &Scope<'_>, item: &Value) -> Verdict {
    // Another account's, which it shares with this one.
    if item["remote"]["account"].is_object() {
        return Verdict::Settled;
    }
    match resource(scope, item) {
        Verdict::Unwanted if item["catalog_offering"]["managed"] == true => {
            Verdict::Immovable("the catalogue manages it: delete its offering".into())
        }
        verdict => verdict,
    }
}

pub(super) fn reservation(scope: &Scope<'_>, item: &Value) -> Verdict {
    match resource(scope, item) {
        Verdict::Unwanted if text(item, "status") == "active" => {
            Verdict::Immovable("an active reservation is paid for to its end".into())
        }
        verdict => verdict,
    }
}

/// A project that was deleted is kept for some days as its instance's reclamation (9).
pub(super) fn project(scope: &Scope<'_>, item: &Value) -> Verdict {
    match text(item, "status") {
        "soft_deleted" | "hard_deleting" | "hard_deleted" => Verdict::Settled,
        "hard_deletion_failed" => {
            Verdict::Immovable("Code Engine could not delete it for good".into())
        }
        _ => resource(scope, item),
    }
}

/// A key in state 5 is destroyed: what is left is its record.
pub(super) fn key_protect_key(scope: &Scope<'_>, item: &Value) -> Verdict {
    if item["state"] == 5 {
        return Verdict::Settled;
    }
    by_crn(scope, item)
}

pub(super) fn reclamation(scope: &Scope<'_>, item: &Value) -> Verdict {
    if scope.is_kept(text(item, "entity_crn")) {
        return Verdict::Kept("its instance is kept");
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
    if scope.keeps_group_named(text(item, "name")) {
        return Verdict::Kept(BY_CRN);
    }
    if scope.holds_kept(text(item, "id")) {
        return Verdict::Kept("it holds something that is kept");
    }
    by_crn(scope, item)
}

pub(super) fn user(scope: &Scope<'_>, item: &Value) -> Verdict {
    let iam_id = text(item, "iam_id");
    if scope.is_owner(iam_id) {
        Verdict::Settled
    } else if scope.keeps_identity(iam_id) {
        Verdict::Kept(BY_USER)
    } else {
        Verdict::Unwanted
    }
}

pub(super) fn access_group(scope: &Scope<'_>, item: &Value) -> Verdict {
    match text(item, "id") {
        PUBLIC_ACCESS => Verdict::Settled,
        id if scope.keeps_identity(id) => Verdict::Kept(BY_CRN),
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
    if subjects.iter().any(|id| scope.is_janitor(id)) {
        return Verdict::Following(JANITOR);
    }
    if !subjects.is_empty() && subjects.iter().all(stays) {
        return Verdict::Kept("all of its subjects are kept");
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

const JANITOR: &str = "it deletes clusters, and goes when they are gone";

/// A service ID, or a key of one.
pub(super) fn identity(scope: &Scope<'_>, item: &Value) -> Verdict {
    if scope.is_janitor(text(item, "iam_id")) {
        Verdict::Following(JANITOR)
    } else {
        by_crn(scope, item)
    }
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
            Verdict::Kept(BY_USER)
        } else {
            by_crn(scope, item)
        };
    }
    let is_ours = scope.is_forgotten_key(text(item, "id"));
    // What the containers service makes and keeps for clusters (9): they are gone, or deleted with the
    // janitor's.
    let is_of_clusters = text(item, "name") == "containers-kubernetes-key";
    match by_crn(scope, item) {
        Verdict::Unwanted if !is_ours && !is_of_clusters => Verdict::Immovable(format!(
            "an API key of the account's owner that acctpool did not make: if it is yours, add \
                 its CRN {} to the keep list; else disable it, and find out who made it",
            text(item, "crn")
        )),
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
        Verdict::Kept("something that is kept carries it")
    } else {
        Verdict::Unwanted
    }
}
