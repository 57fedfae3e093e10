//! What each verb promises.

use std::time::Duration;

use acctpool::ibm::{Ibm, Keep, Places, Rights};
use acctpool::simulator::catalog::{COS_STANDARD, PLAIN, REFUSING};
use acctpool::simulator::{Fault, FaultAction, Lags};
use acctpool_actors::cloud::{Cloud, CloudError, Probe, Verified};
use acctpool_actors::pool::{Credential, Epoch, Fence, ManagementKey, ManagementKeys, Timestamp};
use awc::http::Method;
use serde_json::{Value, json};

use super::mess;
use super::setup::{CONFIGURED, FIRST, START, World, key};

const HOUR: Duration = Duration::from_hours(1);

fn in_a_day() -> Timestamp {
    START + time::Duration::DAY
}

/// Sweeps until nothing is left to do, letting time pass as the pool would.
async fn sweep_clean(world: &World, ibm: &Ibm) -> usize {
    let mut deleted = 0;
    for _ in 0..20 {
        let pass = ibm.sweep(CONFIGURED).await.unwrap();
        assert_eq!(pass.stuck, [], "nothing here refuses to go");
        if pass.is_clean() {
            return deleted;
        }
        deleted += pass.deleted.len();
        world.cloud.advance(Duration::from_secs(30));
    }
    panic!(
        "not clean after 20 passes: {:#?}",
        ibm.sweep(CONFIGURED).await
    );
}

#[actix_web::test]
async fn fresh_account_is_verified_without_a_write() {
    let world = World::new(Lags::none());
    let verified = world.ibm().verify(CONFIGURED).await.unwrap();
    let expected = Verified {
        current: ManagementKey::CONFIGURED,
        newest: Epoch(0),
    };
    assert_eq!(verified, expected);
    assert_eq!(world.writes(), [""; 0]);
}

#[actix_web::test]
async fn fresh_account_is_clean() {
    let world = World::new(Lags::none());
    let before = world.inventory();
    let ibm = world.ibm();
    assert_eq!(
        ibm.sweep(CONFIGURED).await.map(|pass| pass.is_clean()),
        Ok(true)
    );
    assert_eq!(
        ibm.prove(CONFIGURED).await.map(|proof| proof.leftovers),
        Ok(vec![])
    );
    assert_eq!(world.inventory(), before);
}

#[actix_web::test]
async fn mess_is_swept_and_proven_gone() {
    for lags in [Lags::none(), Lags::short(), Lags::realistic()] {
        let world = World::new(lags);
        let before = world.inventory();
        mess::make(&world.owner().await, &world.spec.id).await;
        let ibm = world.ibm();
        assert!(!ibm.prove(CONFIGURED).await.unwrap().is_clean());
        let deleted = sweep_clean(&world, &ibm).await;
        assert!(deleted >= 10, "{deleted}");
        world.cloud.advance(HOUR);
        assert_eq!(
            ibm.prove(CONFIGURED).await.map(|proof| proof.leftovers),
            Ok(vec![])
        );
        assert_eq!(world.inventory(), before);
    }
}

#[actix_web::test]
async fn proof_writes_nothing_and_names_everything() {
    let world = World::new(Lags::none());
    mess::make(&world.owner().await, &world.spec.id).await;
    world.cloud.clear_requests();
    let leftovers = world.ibm().prove(CONFIGURED).await.unwrap().leftovers;
    assert_eq!(world.writes(), [""; 0]);
    let mut found: Vec<&str> = leftovers
        .iter()
        .map(|left| left.collection.as_str())
        .collect();
    found.dedup();
    for collection in [
        "resource instances",
        "resource keys",
        "resource groups",
        "service IDs",
        "service ID groups",
        "API keys of service IDs",
        "policies",
        "access groups",
        "trusted profiles",
        "user tags",
    ] {
        assert!(
            found.contains(&collection),
            "{collection} is not among {found:?}"
        );
    }
}

#[actix_web::test]
async fn what_refuses_to_go_is_stuck_with_the_reason() {
    let world = World::new(Lags::none());
    let made = world
        .owner()
        .await
        .instance("granite", REFUSING.plan_id)
        .await;
    let ibm = world.ibm();
    let pass = ibm.sweep(CONFIGURED).await.unwrap();
    let [stuck] = pass.stuck.as_slice() else {
        panic!("{pass:?}");
    };
    assert_eq!(stuck.id, made["crn"].as_str().unwrap());
    assert_eq!(stuck.name.as_deref(), Some("granite"));
    assert!(stuck.reason.contains("422"), "{stuck}");
    assert_eq!(ibm.prove(CONFIGURED).await.unwrap().leftovers.len(), 1);
}

#[actix_web::test]
async fn lock_out_does_not_wait_for_instances() {
    let world = World::new(Lags::realistic());
    mess::make(&world.owner().await, &world.spec.id).await;
    let ibm = world.ibm();
    // No time passes: whatever takes time is still there.
    for _ in 0..3 {
        ibm.sweep(CONFIGURED).await.unwrap();
    }
    let left = world.inventory().join("\n");
    assert!(left.contains("resource_instances"), "{left}");
    assert!(
        !left.contains("back-door") && !left.contains("profile"),
        "{left}"
    );
}

#[actix_web::test]
async fn wrong_account_is_refused_before_a_single_write() {
    let world = World::new(Lags::none());
    mess::make(&world.owner().await, &world.spec.id).await;
    world.cloud.clear_requests();
    let wrong = world.ibm_with(|settings| {
        settings.api_key = Some(World::other_account().api_key);
    });
    let protected = world.ibm_with(|settings| {
        settings.protected.insert(settings.account.clone());
    });
    let credential = Credential {
        generation: FIRST,
        fence: Fence(1),
        service_id: "ServiceId-1".into(),
        key_id: "ApiKey-1".into(),
        policy_ids: vec!["p".into()],
        expires_at: in_a_day(),
    };
    for ibm in [wrong, protected] {
        let refusals = [
            ibm.verify(CONFIGURED).await.err(),
            ibm.revoke(CONFIGURED, Some(&credential)).await.err(),
            ibm.sweep(CONFIGURED).await.err(),
            ibm.prove(CONFIGURED).await.err(),
            ibm.mint(CONFIGURED, FIRST, Fence(1), in_a_day())
                .await
                .err(),
            ibm.probe(CONFIGURED, &credential).await.err(),
            ibm.rotate(CONFIGURED, key(1)).await.err(),
            ibm.retire(CONFIGURED).await.err(),
        ];
        for (verb, refusal) in refusals.iter().enumerate() {
            let wrong = matches!(refusal, Some(CloudError::WrongAccount(_)));
            assert!(wrong, "verb {verb}: {refusal:?}");
        }
    }
    assert_eq!(world.writes(), [""; 0]);
}

#[actix_web::test]
async fn minted_credential_works_once_its_policies_do() {
    let world = World::new(Lags::realistic());
    let ibm = world.ibm();
    let credential = ibm
        .mint(CONFIGURED, FIRST, Fence(3), in_a_day())
        .await
        .unwrap();
    assert_eq!(credential.policy_ids.len(), 2);
    assert_eq!(ibm.probe(CONFIGURED, &credential).await, Ok(Probe::NotYet));
    world.cloud.advance(Duration::from_mins(10));
    assert_eq!(ibm.probe(CONFIGURED, &credential).await, Ok(Probe::Works));
    let key = world.lease(3);
    let borrower = world.borrower(&key).await;
    borrower.instance("mine", PLAIN.plan_id).await;
}

#[actix_web::test]
async fn standard_rights_manage_no_account_and_administrators_do() {
    for (rights, expected) in [(Rights::Standard, 403), (Rights::Administrator, 201)] {
        let world = World::new(Lags::none());
        let ibm = world.ibm_with(|settings| settings.rights = rights);
        ibm.mint(CONFIGURED, FIRST, Fence(1), in_a_day())
            .await
            .unwrap();
        let key = world.lease(1);
        let borrower = world.borrower(&key).await;
        let account = &world.spec.id;
        for (path, body) in [
            (
                "/v1/serviceids/".to_owned(),
                json!({"account_id": account, "name": "x"}),
            ),
            (
                format!("/v2/groups?account_id={account}"),
                json!({"name": "x"}),
            ),
            (
                "/v2/resource_groups".to_owned(),
                json!({"account_id": account, "name": "x"}),
            ),
        ] {
            let (status, body) = borrower.try_call(Method::POST, &path, body).await;
            assert_eq!(status, expected, "{rights:?} {path} {body}");
        }
    }
}

#[actix_web::test]
async fn credential_is_minted_alone() {
    let world = World::new(Lags::none());
    let before = world.inventory();
    let ibm = world.ibm();
    ibm.mint(CONFIGURED, FIRST, Fence(1), in_a_day())
        .await
        .unwrap();
    let second = ibm
        .mint(CONFIGURED, FIRST, Fence(2), in_a_day())
        .await
        .unwrap();
    let first_value = world.lease(1);
    let second_value = world.lease(2);
    assert_eq!(world.key(&first_value), None);
    assert_eq!(world.key(&second_value), Some(second.key_id.clone()));
    ibm.revoke(CONFIGURED, Some(&second)).await.unwrap();
    assert_eq!(world.inventory(), before);
}

#[actix_web::test]
async fn revocation_disables_the_key_first() {
    let world = World::new(Lags::short());
    let ibm = world.ibm();
    let credential = ibm
        .mint(CONFIGURED, FIRST, Fence(1), in_a_day())
        .await
        .unwrap();
    world.cloud.clear_requests();
    ibm.revoke(CONFIGURED, Some(&credential)).await.unwrap();
    let first = format!("POST /v1/apikeys/{}/disable", credential.key_id);
    assert_eq!(world.writes()[0], first);
    let value = world.lease(1);
    assert_eq!(world.key(&value), None);
    // What is done already counts as done.
    assert_eq!(ibm.revoke(CONFIGURED, Some(&credential)).await, Ok(()));
}

#[actix_web::test]
async fn renamed_and_locked_credential_is_revoked_all_the_same() {
    let world = World::new(Lags::none());
    let before = world.inventory();
    let ibm = world.ibm();
    let credential = ibm
        .mint(CONFIGURED, FIRST, Fence(1), in_a_day())
        .await
        .unwrap();
    let owner = world.owner().await;
    for lock in [
        format!("/v1/serviceids/{}/lock", credential.service_id),
        format!("/v1/apikeys/{}/lock", credential.key_id),
    ] {
        owner.call(Method::POST, &lock, Value::Null).await;
    }
    ibm.revoke(CONFIGURED, Some(&credential)).await.unwrap();
    assert_eq!(world.inventory(), before);
}

#[actix_web::test]
async fn lost_replies_orphan_no_credential() {
    for path in ["/v1/serviceids/", "/v2/policies"] {
        let world = World::new(Lags::none());
        let before = world.inventory();
        let ibm = world.ibm();
        let fault = Fault::new(path, FaultAction::LostReply)
            .method("POST")
            .times(1);
        world.cloud.inject(fault);
        let outcome = ibm.mint(CONFIGURED, FIRST, Fence(1), in_a_day()).await;
        assert!(
            matches!(outcome, Err(CloudError::Transient(_))),
            "{path}: {outcome:?}"
        );
        assert_eq!(world.inventory(), before, "{path}");
        assert!(
            ibm.mint(CONFIGURED, FIRST, Fence(2), in_a_day())
                .await
                .is_ok()
        );
    }
}

#[actix_web::test]
async fn creation_that_lands_after_its_timeout_is_taken_away() {
    let world = World::new(Lags::none());
    let before = world.inventory();
    let ibm = world.ibm_with(|settings| {
        settings.limits.request_timeout = Duration::from_millis(300);
    });
    let late = FaultAction::Slow(Duration::from_millis(450));
    world
        .cloud
        .inject(Fault::new("/v1/serviceids/", late).method("POST").times(1));
    let outcome = ibm.mint(CONFIGURED, FIRST, Fence(1), in_a_day()).await;
    assert!(
        matches!(outcome, Err(CloudError::Transient(_))),
        "{outcome:?}"
    );
    let creations = world.cloud.requests().into_iter();
    let mut creations = creations.filter(|made| made.method == "POST" && made.applied);
    assert!(
        creations.any(|made| made.path == "/v1/serviceids/"),
        "it did land"
    );
    assert_eq!(world.inventory(), before);
}

#[actix_web::test]
async fn creation_behind_an_impatient_gateway_is_waited_for() {
    let world = World::new(Lags::none());
    let ibm = world.ibm_with(|settings| {
        settings.limits.request_timeout = Duration::from_millis(300);
    });
    world.cloud.inject(
        Fault::new("/v1/serviceids/", FaultAction::status(504))
            .method("POST")
            .times(1),
    );
    let begun = std::time::Instant::now();
    let outcome = ibm.mint(CONFIGURED, FIRST, Fence(1), in_a_day()).await;
    assert!(
        matches!(outcome, Err(CloudError::Transient(_))),
        "{outcome:?}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[actix_web::test]
async fn expired_token_is_replaced_in_the_middle_of_a_sweep() {
    let world = World::new(Lags::none());
    mess::make(&world.owner().await, &world.spec.id).await;
    let ibm = world.ibm();
    for skip in [0, 3, 9, 27] {
        let fault = Fault::new("/v", FaultAction::Unauthorized)
            .skip(skip)
            .times(1);
        world.cloud.inject(fault);
    }
    sweep_clean(&world, &ibm).await;
}

#[actix_web::test]
async fn token_is_fetched_once_while_it_lives() {
    let world = World::new(Lags::none());
    let ibm = world.ibm();
    ibm.sweep(CONFIGURED).await.unwrap();
    ibm.sweep(CONFIGURED).await.unwrap();
    let exchanges = || {
        let requests = world.cloud.requests();
        requests
            .iter()
            .filter(|request| request.path == "/identity/token")
            .count()
    };
    assert_eq!(exchanges(), 1);
    world.cloud.advance(Duration::from_mins(49));
    ibm.sweep(CONFIGURED).await.unwrap();
    assert_eq!(exchanges(), 2, "renewed at four fifths of an hour");
}

#[actix_web::test]
async fn key_without_rights_proves_nothing() {
    let world = World::new(Lags::none());
    let owner = world.owner().await;
    let blind = owner
        .post(
            "/v1/serviceids/",
            json!({"account_id": world.spec.id, "name": "blind", "apikey": {"name": "k"}}),
        )
        .await;
    let key = blind["apikey"]["apikey"].as_str().unwrap().to_owned();
    let ibm = world.ibm_with(|settings| settings.api_key = Some(key.into()));
    for outcome in [
        ibm.prove(CONFIGURED).await.map(drop),
        ibm.sweep(CONFIGURED).await.map(drop),
    ] {
        assert!(
            matches!(outcome, Err(CloudError::Unauthorised(_))),
            "{outcome:?}"
        );
    }
    let outcome = ibm.verify(CONFIGURED).await;
    assert!(
        matches!(outcome, Err(CloudError::Refused(_))),
        "{outcome:?}"
    );
}

#[actix_web::test]
async fn foreign_owner_is_refused_and_named() {
    let world = World::new(Lags::none());
    let ibm = world.ibm_with(|settings| settings.owner = Some("IBMid-OTHER".into()));
    let Err(CloudError::Refused(words)) = ibm.verify(CONFIGURED).await else {
        panic!("not refused");
    };
    assert!(words.contains("IBMid-OTHER") && words.contains(&world.spec.owner_iam_id));
}

#[actix_web::test]
async fn kept_resources_stay_and_are_no_leftovers() {
    let world = World::new(Lags::none());
    let owner = world.owner().await;
    let tag =
        |crn: &Value, name: &str| json!({"resources": [{"resource_id": crn}], "tag_names": [name]});
    let attach = "/v3/tags/attach?tag_type=user";
    let named = owner.instance("named", COS_STANDARD.plan_id).await;
    owner.post(attach, tag(&named["crn"], "label")).await;
    let tagged = owner.instance("tagged", PLAIN.plan_id).await;
    owner
        .post(attach, tag(&tagged["crn"], "AcctPool:Keep"))
        .await;
    let group = json!({"name": "ours", "account_id": world.spec.id});
    let group = owner.post("/v2/resource_groups", group).await;
    let group = group["id"].as_str().unwrap();
    owner.instance_in("placed", PLAIN.plan_id, group).await;
    world.cloud.advance(Duration::from_mins(10));
    let joined = world.cloud.now();
    let before = world.inventory();

    // A borrower tries to hide behind the operator's rules.
    let evasion = owner.instance("evasion", PLAIN.plan_id).await;
    owner
        .post(attach, tag(&evasion["crn"], "acctpool:keep"))
        .await;
    owner.instance_in("squatter", PLAIN.plan_id, group).await;
    let key = json!({"name": "key", "source": named["guid"], "role": "Writer"});
    owner.post("/v2/resource_keys", key).await;

    let ibm = world.ibm_with(|settings| {
        settings.keep = Keep {
            collections: [].into(),
            crns: [named["crn"].as_str().unwrap().to_owned()].into(),
            users: [].into(),
            places: Some(Places {
                resource_groups: ["ours".to_owned()].into(),
                tag: Some("acctpool:keep".to_owned()),
                created_before: joined,
            }),
        };
    });
    sweep_clean(&world, &ibm).await;
    assert_eq!(
        ibm.prove(CONFIGURED).await.map(|proof| proof.leftovers),
        Ok(vec![])
    );
    assert_eq!(world.inventory(), before);
}

#[actix_web::test]
async fn unknown_key_of_the_owner_is_reported_and_not_touched() {
    let world = World::new(Lags::none());
    let body = json!({"name": "mine", "iam_id": world.spec.owner_iam_id,
                      "account_id": world.spec.id});
    let made = world.owner().await.post("/v1/apikeys", body).await;
    let before = world.inventory();
    let ibm = world.ibm();
    let pass = ibm.sweep(CONFIGURED).await.unwrap();
    let [stuck] = pass.stuck.as_slice() else {
        panic!("{pass:?}");
    };
    assert_eq!(stuck.id, made["id"].as_str().unwrap());
    assert_eq!(world.inventory(), before);
    let crn = made["crn"].as_str().unwrap().to_owned();
    let ibm = world.ibm_with(|settings| {
        settings.keep.crns.insert(crn);
    });
    assert_eq!(
        ibm.prove(CONFIGURED).await.map(|proof| proof.leftovers),
        Ok(vec![])
    );
}

fn keys(current: u32, pending: Option<u32>, previous: Option<u32>) -> ManagementKeys {
    let newest = pending.into_iter().chain(previous).fold(current, u32::max);
    ManagementKeys {
        current: key(current),
        pending: pending.map(key),
        previous: previous.map(key),
        newest: Epoch(newest),
        verified: true,
    }
}

/// One whole rotation, the way the pool drives it.
async fn rotate_once(ibm: &Ibm, from: u32) {
    let to = from + 1;
    ibm.rotate(keys(from, Some(to), None), key(to))
        .await
        .unwrap();
    ibm.retire(keys(to, None, Some(from))).await.unwrap();
}

#[actix_web::test]
async fn rotation_leaves_one_key_that_works() {
    let world = World::new(Lags::none());
    let ibm = world.ibm();
    rotate_once(&ibm, 0).await;
    assert_eq!(
        world.key(&world.spec.api_key),
        None,
        "the configured key is dead by design"
    );
    rotate_once(&ibm, 1).await;
    assert_eq!(world.key(&world.management(1)), None);
    assert!(world.key(&world.management(2)).is_some());
    assert_eq!(
        ibm.sweep(keys(2, None, None))
            .await
            .map(|pass| pass.is_clean()),
        Ok(true)
    );
    let verified = ibm.verify(keys(2, None, None)).await.unwrap();
    assert_eq!((verified.current, verified.newest), (key(2), Epoch(2)));
}

#[actix_web::test]
async fn lost_store_loses_no_account() {
    let world = World::new(Lags::none());
    let ibm = world.ibm();
    rotate_once(&ibm, 0).await;
    rotate_once(&ibm, 1).await;
    let verified = world.ibm().verify(CONFIGURED).await.unwrap();
    assert_eq!((verified.current, verified.newest), (key(2), Epoch(2)));
}

#[actix_web::test]
async fn every_crash_of_a_rotation_leaves_a_key_that_works() {
    let actions = [
        FaultAction::Reset,
        FaultAction::LostReply,
        FaultAction::status(500),
        FaultAction::status(403),
        FaultAction::status(409),
    ];
    for action in actions {
        // The rotation has some twenty calls; each of them fails once, for good in that run.
        for skip in 0..24 {
            let world = World::new(Lags::none());
            let ibm = world.ibm();
            world
                .cloud
                .inject(Fault::new("/", action.clone()).skip(skip).times(4));
            let intended = keys(0, Some(1), None);
            let mut now = CONFIGURED;
            if ibm.rotate(intended, key(1)).await.is_ok() {
                now = keys(1, None, Some(0));
                if ibm.retire(now).await.is_ok() {
                    now = keys(1, None, None);
                }
            } else {
                now.pending = Some(key(1));
            }
            drop(ibm);
            world.cloud.clear_faults();
            // A new process, which knows what was durable.
            let ibm = world.ibm();
            let verified = ibm.verify(now).await;
            assert!(verified.is_ok(), "{action:?} at {skip}: {verified:?}");
            if verified.unwrap().current == key(0) {
                ibm.rotate(keys(0, Some(1), None), key(1)).await.unwrap();
            }
            ibm.retire(keys(1, None, Some(0))).await.unwrap();
            let api_keys = world.cloud.inventory(&world.spec.id);
            assert_eq!(api_keys.of("api_keys").len(), 1, "{action:?} at {skip}");
        }
    }
}

#[actix_web::test]
async fn new_key_that_is_not_accepted_yet_needs_no_person() {
    // The details and the list that the new key is proven with come after its creation.
    for (path, before) in [("/v1/apikeys/details", 1), ("/v2/resource_groups", 0)] {
        for action in [FaultAction::Unauthorized, FaultAction::status(403)] {
            let world = World::new(Lags::none());
            let ibm = world.ibm();
            let fault = Fault::new(path, action.clone()).skip(before).times(1);
            world.cloud.inject(fault);
            let intended = keys(0, Some(1), None);
            let outcome = ibm.rotate(intended, key(1)).await;
            let transient = matches!(outcome, Err(CloudError::Transient(_)));
            assert!(transient, "{action:?} at {path}: {outcome:?}");
            assert_eq!(ibm.rotate(intended, key(1)).await, Ok(()));
        }
    }
}

#[actix_web::test]
async fn former_key_works_again_if_the_current_one_fails_without_it() {
    let world = World::new(Lags::none());
    let ibm = world.ibm();
    ibm.rotate(keys(0, Some(1), None), key(1)).await.unwrap();
    world.cloud.clear_requests();
    // The current key is exchanged to begin with, and again once the former one is disabled.
    let second = Fault::new("/identity/token", FaultAction::status(403));
    world.cloud.inject(second.skip(1).times(1));
    let rotated = keys(1, None, Some(0));
    assert!(ibm.retire(rotated).await.is_err());
    let writes = world.writes();
    let disabled = |write: &String| write.starts_with("POST ") && write.ends_with("/disable");
    assert!(writes.iter().any(disabled), "{writes:?}");
    assert!(world.key(&world.spec.api_key).is_some(), "{writes:?}");
    assert_eq!(ibm.retire(rotated).await, Ok(()));
    assert_eq!(world.key(&world.spec.api_key), None);
}

#[actix_web::test]
async fn crowded_owner_gets_room_by_forgotten_keys_only() {
    let world = World::new(Lags::none());
    let owner = world.owner().await;
    let make = async |name: String| {
        let body = json!({"name": name, "iam_id": world.spec.owner_iam_id,
                          "account_id": world.spec.id});
        owner.post("/v1/apikeys", body).await;
    };
    for n in 0..17 {
        make(format!("private-{n}")).await;
    }
    for n in 7..9 {
        make(format!("acctpool-mgmt-{n}")).await;
    }
    let ibm = world.ibm();
    ibm.rotate(keys(0, Some(9), None), key(9)).await.unwrap();
    let left = world.inventory().join("\n");
    assert_eq!(left.matches("private-").count(), 17);
    assert!(!left.contains("acctpool-mgmt-7") && left.contains("acctpool-mgmt-9"));
}

#[actix_web::test]
async fn throttling_is_passed_on_with_its_wait() {
    use acctpool::simulator::RetryAfter;
    for form in [RetryAfter::Seconds(90), RetryAfter::HttpDate(90)] {
        let world = World::new(Lags::none());
        let ibm = world.ibm();
        world
            .cloud
            .inject(Fault::new("/v2/policies", FaultAction::throttled(form)));
        let outcome = ibm.sweep(CONFIGURED).await;
        let Err(CloudError::Throttled { retry_after, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(retry_after, Duration::from_secs(90));
    }
}

#[actix_web::test]
async fn epoch_in_a_name_is_believed_only_if_its_key_was_made() {
    let world = World::new(Lags::none());
    let ibm = world.ibm();
    rotate_once(&ibm, 0).await;
    let value = world.management(1);
    let path = format!("/v1/apikeys/{}", world.key(&value).unwrap());
    let owner = world.borrower(&value).await;
    owner.rename(&path, "acctpool-mgmt-4294967295").await;
    let verified = ibm.verify(keys(1, None, None)).await.unwrap();
    assert_eq!((verified.current, verified.newest), (key(1), Epoch(1)));
    // One that was made raises it, although the store knows nothing of it.
    ibm.rotate(keys(1, Some(4), None), key(4)).await.unwrap();
    let verified = world.ibm().verify(keys(1, None, None)).await.unwrap();
    assert_eq!((verified.current, verified.newest), (key(1), Epoch(4)));
}

#[actix_web::test]
async fn name_makes_nothing_kept_a_credential_of_ours() {
    let world = World::new(Lags::none());
    let owner = world.owner().await;
    let account = &world.spec.id;
    let mut crns = Vec::new();
    for n in 0..18 {
        let body = json!({"name": "theirs", "iam_id": world.spec.owner_iam_id,
                          "account_id": account});
        let key = owner.post("/v1/apikeys", body).await;
        let path = format!("/v1/apikeys/{}", key["id"].as_str().unwrap());
        owner
            .rename(&path, &format!("acctpool-mgmt-{}", n + 50))
            .await;
        crns.push(key["crn"].as_str().unwrap().to_owned());
    }
    let body = json!({"account_id": account, "name": "theirs", "apikey": {"name": "k"}});
    let kept = owner.post("/v1/serviceids/", body).await;
    let path = format!("/v1/serviceids/{}", kept["id"].as_str().unwrap());
    owner.rename(&path, "acctpool-lease-7").await;
    for crn in [&kept["crn"], &kept["apikey"]["crn"]] {
        crns.push(crn.as_str().unwrap().to_owned());
    }
    let before = world.inventory();
    let ibm = world.ibm_with(|settings| settings.keep.crns.extend(crns));
    ibm.revoke(CONFIGURED, None).await.unwrap();
    assert_eq!(world.inventory(), before, "a revocation");
    ibm.sweep(CONFIGURED).await.unwrap();
    assert_eq!(world.inventory(), before, "a sweep");
    ibm.rotate(keys(0, Some(1), None), key(1)).await.unwrap();
    ibm.retire(keys(1, None, Some(0))).await.unwrap();
    let left = world.cloud.inventory(account);
    assert_eq!(left.of("api_keys").len(), 18 + 1 + 1, "a rotation");
}

#[actix_web::test]
async fn tagged_instance_that_a_borrower_deleted_is_not_reclaimed() {
    let world = World::new(Lags::none());
    let owner = world.owner().await;
    let kept = owner.instance("theirs", COS_STANDARD.plan_id).await;
    let tag = json!({"resources": [{"resource_id": kept["crn"]}], "tag_names": ["acctpool:keep"]});
    owner.post("/v3/tags/attach?tag_type=user", tag).await;
    world.cloud.advance(Duration::from_mins(10));
    let joined = world.cloud.now();
    let path = format!("/v2/resource_instances/{}", kept["guid"].as_str().unwrap());
    owner.call(Method::DELETE, &path, Value::Null).await;
    world.cloud.advance(Duration::from_mins(10));
    let before = world.inventory();
    let ibm = world.ibm_with(|settings| {
        settings.keep.places = Some(Places {
            resource_groups: [].into(),
            tag: Some("acctpool:keep".to_owned()),
            created_before: joined,
        });
    });
    sweep_clean(&world, &ibm).await;
    assert_eq!(
        ibm.prove(CONFIGURED).await.map(|proof| proof.leftovers),
        Ok(vec![])
    );
    assert_eq!(world.inventory(), before, "its owner may still restore it");
}

#[actix_web::test]
async fn what_was_only_accepted_is_named() {
    let world = World::new(Lags::none());
    let made = world.owner().await.instance("mine", PLAIN.plan_id).await;
    let pass = world.ibm().sweep(CONFIGURED).await.unwrap();
    let [accepted] = pass.deleted.as_slice() else {
        panic!("{pass:?}");
    };
    assert_eq!(accepted.id, made["crn"].as_str().unwrap());
}

#[actix_web::test]
async fn names_cannot_forge_lines() {
    let world = World::new(Lags::none());
    let forged = "x\n2026-05-01T10:00:00Z INFO  account ready\u{1b}[2K\u{202e}";
    let body = json!({"account_id": world.spec.id, "name": forged.repeat(100)});
    world.owner().await.post("/v1/profiles", body).await;
    let leftovers = world.ibm().prove(CONFIGURED).await.unwrap().leftovers;
    let words = leftovers[0].to_string();
    assert!(words.len() < 1000, "{words}");
    assert!(!words.contains(['\n', '\u{1b}', '\u{202e}']), "{words:?}");
}
