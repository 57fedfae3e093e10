//! Rotations of the management key: at every moment one works.

use acctpool::ibm::Ibm;
use acctpool::simulator::{Fault, FaultAction, Lags};
use acctpool_actors::cloud::{Cloud, CloudError};
use acctpool_actors::pool::Epoch;
use serde_json::json;

use super::setup::{CONFIGURED, World, key, keys};

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
