//! What is exempt from cleaning, and what only looks as if it were.

use serde_json::{Value, json};
use time::macros::datetime;

use super::super::collections::{TABLE, Verdict};
use super::super::scope::Scope;
use super::super::settings::{Keep, Places};

const CRN: &str = "crn:v1:bluemix:public:cos:global:a/acct:1b2c::";

fn keep() -> Keep {
    Keep {
        crns: [
            CRN.to_owned(),
            "crn:v1:bluemix:public:iam-identity::a/acct::serviceid:ServiceId-kept".to_owned(),
            "crn:v1:bluemix:public:iam-groups::a/acct::group:AccessGroupId-kept".to_owned(),
        ]
        .into(),
        collections: [].into(),
        users: ["friend@example.com".to_owned()].into(),
        places: Some(Places {
            resource_groups: ["ours".to_owned()].into(),
            tag: Some("acctpool:keep".to_owned()),
            created_before: datetime!(2026-05-01 10:00 UTC),
        }),
    }
}

fn judge(collection: &str, item: &Value) -> Verdict {
    let keep = keep();
    let scope = Scope::imagine(
        &keep,
        "IBMid-owner",
        &["IBMid-friend"],
        &["ApiKey-own"],
        &["ApiKey-2"],
        &["ours-id"],
    );
    let row = TABLE.iter().find(|row| row.name == collection).unwrap();
    (row.judge)(&scope, item)
}

fn is_kept(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Kept(_))
}

#[test]
fn every_collection_deletes_what_it_does_not_know() {
    for row in TABLE {
        let item =
            json!({"id": "x", "name": "x", "iam_id": "x", "crn": "x", "remote": {"id": "x"}});
        let verdict = judge(row.name, &item);
        assert_eq!(verdict, Verdict::Unwanted, "{}", row.name);
    }
}

#[test]
fn rows_name_only_collections_that_come_before_them() {
    for (position, row) in TABLE.iter().enumerate() {
        for name in row.after {
            let other = TABLE.iter().position(|other| other.name == *name).unwrap();
            assert!(
                other < position && TABLE[other].stage < row.stage,
                "{}",
                row.name
            );
        }
    }
    assert!(
        TABLE.is_sorted_by_key(|row| row.stage),
        "a reader sees the order"
    );
}

#[test]
fn instance_is_kept_by_crn_whatever_its_state() {
    for state in ["active", "failed", "pending_reclamation"] {
        let verdict = judge("resource instances", &json!({"crn": CRN, "state": state}));
        assert!(is_kept(&verdict), "{state}");
    }
}

#[test]
fn places_keep_only_what_is_older_than_the_pool() {
    let instance = |group: &str, created_at: Value| {
        judge(
            "resource instances",
            &json!({"crn": "x", "state": "active", "resource_group_id": group,
                    "created_at": created_at}),
        )
    };
    let old = json!("2026-05-01T09:59:59.999Z");
    assert!(is_kept(&instance("ours-id", old.clone())));
    let if_tagged = Verdict::KeptIfTagged(Box::new(Verdict::Unwanted));
    assert_eq!(instance("other", old), if_tagged);
    for young in [
        json!("2026-05-01T10:00:00.000Z"),
        json!("long ago"),
        Value::Null,
    ] {
        assert_eq!(
            instance("ours-id", young.clone()),
            Verdict::Unwanted,
            "{young}"
        );
        assert_eq!(instance("other", young), Verdict::Unwanted);
    }
}

#[test]
fn instance_that_is_leaving_is_waited_for() {
    let reclaimed = json!({"crn": "x", "state": "pending_reclamation"});
    let verdict = judge("resource instances", &reclaimed);
    assert!(matches!(verdict, Verdict::Following(_)), "{verdict:?}");
    let leaving = json!({"crn": "x", "state": "active",
                         "last_operation": {"type": "delete", "state": "in progress"}});
    let verdict = judge("resource instances", &leaving);
    assert!(matches!(verdict, Verdict::Leaving(_)), "{verdict:?}");
    let failed = json!({"crn": "x", "state": "active",
                        "last_operation": {"type": "delete", "state": "failed"}});
    assert_eq!(judge("resource instances", &failed), Verdict::Unwanted);
    assert_eq!(
        judge(
            "resource instances",
            &json!({"crn": "x", "state": "removed"})
        ),
        Verdict::Settled
    );
}

#[test]
fn way_into_a_kept_instance_is_not_kept_with_it() {
    let key = json!({"crn": "y", "source_crn": CRN, "state": "active", "name": "acctpool:keep",
                     "resource_group_id": "ours-id", "created_at": "2020-01-01T00:00:00.000Z"});
    for collection in ["resource keys", "resource bindings", "resource aliases"] {
        assert_eq!(judge(collection, &key), Verdict::Unwanted, "{collection}");
    }
    let key = json!({"id": "ApiKey-new", "iam_id": "iam-ServiceId-kept"});
    assert_eq!(judge("API keys of service IDs", &key), Verdict::Unwanted);
}

#[test]
fn owner_and_kept_users_stay() {
    let user = |iam_id: &str| judge("users", &json!({"iam_id": iam_id}));
    assert_eq!(user("IBMid-owner"), Verdict::Settled);
    assert!(is_kept(&user("IBMid-friend")));
    assert_eq!(user("IBMid-stranger"), Verdict::Unwanted);
}

#[test]
fn policy_stays_only_if_all_its_subjects_do() {
    let version_2 = |name: &str, value: &str| {
        judge(
            "policies",
            &json!({"id": "p", "subject": {"attributes": [{"key": name, "value": value}]}}),
        )
    };
    assert_eq!(version_2("iam_id", "IBMid-owner"), Verdict::Settled);
    assert!(is_kept(&version_2("iam_id", "IBMid-friend")));
    assert!(is_kept(&version_2("iam_id", "iam-ServiceId-kept")));
    assert!(is_kept(&version_2("access_group_id", "AccessGroupId-kept")));
    assert_eq!(
        version_2("iam_id", "iam-ServiceId-other"),
        Verdict::Unwanted
    );
    assert_eq!(
        version_2("access_group_id", "AccessGroupId-PublicAccess"),
        Verdict::Unwanted
    );
    assert_eq!(version_2("iam_id", ""), Verdict::Unwanted);
    let subject = |iam_id: &str| json!({"attributes": [{"name": "iam_id", "value": iam_id}]});
    let mixed = json!({"id": "p", "subjects": [subject("IBMid-owner"), subject("IBMid-x")]});
    assert_eq!(judge("policies", &mixed), Verdict::Unwanted);
    assert_eq!(judge("policies", &json!({"id": "p"})), Verdict::Unwanted);
}

#[test]
fn keys_of_the_owner_are_never_guessed_about() {
    let key = |id: &str, name: &str, iam_id: &str| {
        judge(
            "API keys of users",
            &json!({"id": id, "name": name, "iam_id": iam_id, "crn": "k"}),
        )
    };
    assert_eq!(key("ApiKey-own", "any", "IBMid-owner"), Verdict::Settled);
    let forgotten = key("ApiKey-2", "acctpool-mgmt-7", "IBMid-owner");
    assert_eq!(forgotten, Verdict::Unwanted);
    let unknown = key("ApiKey-3", "mine", "IBMid-owner");
    assert!(matches!(unknown, Verdict::Immovable(_)));
    for name in ["acctpool-mgmt-mine", "acctpool-mgmt-7"] {
        let similar = key("ApiKey-4", name, "IBMid-owner");
        assert!(
            matches!(similar, Verdict::Immovable(_)),
            "a name alone makes it none of ours"
        );
    }
    assert!(is_kept(&key("ApiKey-5", "mine", "IBMid-friend")));
    assert_eq!(key("ApiKey-6", "mine", "IBMid-stranger"), Verdict::Unwanted);
}

#[test]
fn what_every_account_has_is_settled() {
    for (collection, item) in [
        (
            "resource groups",
            json!({"id": "g", "name": "renamed", "default": true}),
        ),
        (
            "access groups",
            json!({"id": "AccessGroupId-PublicAccess", "name": "Public Access"}),
        ),
        (
            "service ID groups",
            json!({"id": "default-1", "name": "default"}),
        ),
    ] {
        assert_eq!(judge(collection, &item), Verdict::Settled, "{collection}");
    }
    let imposter = json!({"id": "AccessGroupId-1", "name": "Public Access"});
    assert_eq!(judge("access groups", &imposter), Verdict::Unwanted);
    let imposter = json!({"id": "g", "name": "Default", "default": false});
    assert_eq!(judge("resource groups", &imposter), Verdict::Unwanted);
}
