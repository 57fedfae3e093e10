//! What is not acctpool's to delete: it stays, and is told of where it must be.

use std::time::Duration;

use acctpool::ibm::{Keep, Places};
use acctpool::simulator::Lags;
use acctpool::simulator::catalog::{COS_STANDARD, PLAIN};
use acctpool_actors::cloud::Cloud;
use awc::http::Method;
use serde_json::{Value, json};

use super::setup::{CONFIGURED, World, key, keys, sweep_clean};

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
