//! Lease credentials: minted, proven to work, and revoked whatever happens in between.

use std::time::Duration;

use acctpool::ibm::Rights;
use acctpool::simulator::catalog::PLAIN;
use acctpool::simulator::{Fault, FaultAction, Lags};
use acctpool_actors::cloud::{Cloud, CloudError, Probe};
use acctpool_actors::pool::Fence;
use awc::http::Method;
use serde_json::{Value, json};

use super::setup::{CONFIGURED, FIRST, World, in_a_day};

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
