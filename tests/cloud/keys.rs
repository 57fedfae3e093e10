//! Management keys: which of them are acctpool's, and which one works.

use acctpool::ibm::{Ibm, Settings};
use acctpool::keyring::MasterKey;
use acctpool::simulator::Lags;
use acctpool_actors::cloud::{Cloud, CloudError};
use acctpool_actors::pool::{Epoch, ManagementKey, ManagementKeys};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::setup::{CONFIGURED, FIRST, World, key};

fn keys(current: ManagementKey, previous: Option<ManagementKey>) -> ManagementKeys {
    ManagementKeys {
        current,
        pending: None,
        previous,
        newest: current.epoch,
        verified: true,
    }
}

/// One whole rotation, the way the pool drives it.
async fn rotate(ibm: &Ibm, from: ManagementKey, to: ManagementKey) {
    let intended = ManagementKeys {
        pending: Some(to),
        newest: to.epoch,
        ..keys(from, None)
    };
    ibm.rotate(intended, to).await.unwrap();
    ibm.retire(keys(to, Some(from))).await.unwrap();
}

/// Makes an API key of the owner's, as the owner does.
async fn make_key(world: &World, with: &SecretString, name: &str, value: &SecretString) -> Value {
    let body = json!({"name": name, "iam_id": world.spec.owner_iam_id,
                      "account_id": world.spec.id, "apikey": value.expose_secret()});
    world.borrower(with).await.post("/v1/apikeys", body).await
}

fn value(text: &str) -> SecretString {
    text.repeat(40).into()
}

#[actix_web::test]
async fn name_of_a_management_key_makes_no_key_one_of_ours() {
    let world = World::new(Lags::none());
    let made = make_key(&world, &world.spec.api_key, "acctpool-mgmt-7", &value("x")).await;
    let ibm = world.ibm();
    let pass = ibm.sweep(CONFIGURED).await.unwrap();
    let [stuck] = pass.stuck.as_slice() else {
        panic!("{pass:?}");
    };
    assert_eq!(stuck.id, made["id"].as_str().unwrap());
    assert!(stuck.reason.contains("did not make"), "{stuck}");
    rotate(&ibm, key(0), key(1)).await;
    assert!(
        world.key(&value("x")).is_some(),
        "nothing was deleted silently"
    );
    let leftovers = ibm.prove(keys(key(1), None)).await.unwrap().leftovers;
    assert_eq!(leftovers.len(), 1, "{leftovers:?}");
}

#[actix_web::test]
async fn forgotten_management_key_is_swept() {
    let world = World::new(Lags::none());
    let ibm = world.ibm();
    let intended = ManagementKeys {
        pending: Some(key(1)),
        ..CONFIGURED
    };
    ibm.rotate(intended, key(1)).await.unwrap();
    // Then everything was forgotten.
    let pass = ibm.sweep(CONFIGURED).await.unwrap();
    assert_eq!((pass.deleted.len(), pass.stuck.len()), (1, 0), "{pass:?}");
    assert_eq!(world.key(&world.management(1)), None);
}

async fn current(world: &World, keys: ManagementKeys, change: impl FnOnce(&mut Settings)) -> u32 {
    let verified = world.ibm_with(change).verify(keys).await.unwrap();
    verified.current.epoch.0
}

#[actix_web::test]
async fn key_that_was_configured_anew_is_the_new_start() {
    let world = World::new(Lags::none());
    rotate(&world.ibm(), key(0), key(1)).await;
    let rotated = keys(key(1), None);
    let anew = |settings: &mut Settings| settings.api_key = Some(value("y"));
    assert_eq!(current(&world, rotated, |_| {}).await, 1, "dead by design");
    assert_eq!(current(&world, rotated, anew).await, 1, "it does not work");

    let made = make_key(&world, &world.management(1), "mine", &value("y")).await;
    assert_eq!(current(&world, rotated, anew).await, 0);
    let leaving = keys(key(1), Some(ManagementKey::CONFIGURED));
    assert_eq!(
        current(&world, leaving, anew).await,
        1,
        "it is being left behind"
    );
    let crn = made["crn"].as_str().unwrap().to_owned();
    let kept = |settings: &mut Settings| {
        anew(settings);
        settings.keep.crns.insert(crn);
    };
    assert_eq!(
        current(&world, rotated, kept).await,
        1,
        "it is there for ever"
    );

    let ibm = world.ibm_with(anew);
    let adopted = ManagementKeys {
        newest: Epoch(1),
        ..keys(ManagementKey::CONFIGURED, Some(key(1)))
    };
    ibm.retire(adopted).await.unwrap();
    assert_eq!(world.key(&world.management(1)), None);
    rotate(&ibm, key(0), key(2)).await;
    assert_eq!(world.key(&value("y")), None);
}

#[actix_web::test]
async fn lost_store_loses_no_account_in_the_middle_of_a_new_master_key() {
    let world = World::new(Lags::none());
    let ibm = world.ibm();
    rotate(&ibm, key(0), key(1)).await;
    let second = world.keyring.add(MasterKey::random().unwrap());
    assert_eq!(
        world.ibm().verify(CONFIGURED).await.unwrap().current,
        key(1)
    );

    let moved = ManagementKey {
        epoch: Epoch(2),
        generation: second,
    };
    rotate(&ibm, key(1), moved).await;
    let verified = world.ibm().verify(CONFIGURED).await.unwrap();
    assert_eq!((verified.current, verified.newest), (moved, Epoch(2)));
    let found = keys(moved, None);
    assert_eq!(
        world.ibm().sweep(found).await.map(|pass| pass.is_clean()),
        Ok(true)
    );

    // The move was made, and the former key not retired: it is swept, whichever one is in use.
    let back = ManagementKey {
        epoch: Epoch(3),
        generation: FIRST,
    };
    let intended = ManagementKeys {
        pending: Some(back),
        ..found
    };
    ibm.rotate(intended, back).await.unwrap();
    let verified = world.ibm().verify(found).await.unwrap();
    assert_eq!((verified.current, verified.newest), (moved, Epoch(3)));
    assert_eq!(world.ibm().sweep(found).await.unwrap().deleted.len(), 1);
}

#[actix_web::test]
async fn account_out_of_the_file_is_cleaned_with_a_derived_key() {
    let world = World::new(Lags::none());
    rotate(&world.ibm(), key(0), key(1)).await;
    // Nobody knows any more who was expected to own it.
    let ibm = world.ibm_with(|settings| {
        settings.api_key = None;
        settings.owner = None;
    });
    let rotated = keys(key(1), None);
    assert_eq!(ibm.verify(rotated).await.unwrap().current, key(1));
    ibm.revoke(rotated, None).await.unwrap();
    assert_eq!(
        ibm.sweep(rotated).await.map(|pass| pass.is_clean()),
        Ok(true)
    );
    assert_eq!(
        ibm.prove(rotated).await.map(|proof| proof.leftovers),
        Ok(vec![])
    );
}

#[actix_web::test]
async fn account_out_of_the_file_without_a_derived_key_is_not_asked_in_vain() {
    let world = World::new(Lags::none());
    let ibm = world.ibm_with(|settings| {
        settings.api_key = None;
        settings.limits.searched_epochs = 0;
    });
    let refused = ibm.revoke(CONFIGURED, None).await.unwrap_err();
    let CloudError::Unauthorised(words) = &refused else {
        panic!("{refused:?}");
    };
    assert!(words.contains("not in the configuration any more") && words.contains("put"));
    assert_eq!(world.cloud.requests().len(), 0);
}
