//! What a cleaning finds, deletes, proves and refuses to touch.

use std::time::Duration;

use acctpool::simulator::catalog::{PLAIN, REFUSING};
use acctpool::simulator::{Fault, FaultAction, Lags};
use acctpool_actors::cloud::{Cloud, CloudError, Verified};
use acctpool_actors::pool::{Credential, Epoch, Fence, ManagementKey};
use serde_json::json;

use super::mess;
use super::setup::{CONFIGURED, FIRST, World, in_a_day, key, sweep_clean};

const HOUR: Duration = Duration::from_hours(1);

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
