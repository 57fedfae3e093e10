//! The back doors that a borrower with administrator's rights can leave: each is gone, or what it changed
//! is restored.

use std::time::Duration;

use acctpool_actors::cloud::Cloud;
use acctpool_actors::pool::ManagementKeys;
use serde_json::{Value, json};

use crate::arena::{Arena, run};

#[test]
fn every_back_door_is_closed() {
    run(async {
        let arena = Arena::new(3);
        // The account joins before anybody can have touched it.
        let joined = arena.ibm().verify(ManagementKeys::default()).await;
        joined.unwrap();
        let account = arena.spec.id.clone();
        let other = "f".repeat(32);

        let group = arena.make(
            "/v1/serviceid_groups",
            json!({"account_id": account, "name": "hidden"}),
        );
        let door = json!({"account_id": account, "name": "door", "group_id": group["id"], "apikey": {"name": "k"}});
        arena.make("/v1/serviceids/", door);
        let profile = arena.make(
            "/v1/profiles",
            json!({"account_id": account, "name": "disguise"}),
        );
        let links = format!("/v1/profiles/{}/links", profile["id"].as_str().unwrap());
        let link = json!({"cr_type": "VSI", "link": {"crn": format!("crn:v1:bluemix:public:is:eu-de-1:a/{other}::instance:02b7_1")}});
        arena.make(&links, link);
        let invited = json!({"users": [{"email": "friend@example.com", "account_role": "Member"}]});
        arena.make(&format!("/v2/accounts/{account}/users"), invited);
        let attribute = |name: &str, value: &str| json!({"name": name, "value": value});
        let authorization = json!({
            "type": "authorization",
            "subjects": [{"attributes": [attribute("serviceName", "is"), attribute("accountId", &other)]}],
            "roles": [{"role_id": "crn:v1:bluemix:public:iam::::serviceRole:Reader"}],
            "resources": [{"attributes": [attribute("serviceName", "cloud-object-storage"), attribute("accountId", &account)]}],
        });
        arena.make("/v1/policies", authorization);
        let storage = json!({
            "name": "cos", "target": "global", "resource_plan_id": acctpool::simulator::catalog::COS_STANDARD.plan_id,
            "resource_group": arena.default_group(),
        });
        let storage = arena.make("/v2/resource_instances", storage);
        let key = json!({"name": "hmac", "source": storage["guid"], "role": "Writer", "parameters": {"HMAC": true}});
        arena.make("/v2/resource_keys", key);
        arena.make(
            &format!(
                "/v2/resource_instances/{}/lock",
                storage["guid"].as_str().unwrap()
            ),
            json!({}),
        );
        let zone = json!({"account_id": account, "name": "nowhere", "addresses": []});
        let zone = arena.make("/cbr/v1/zones", zone);
        let rule = json!({
            "description": "locks out", "enforcement_mode": "disabled",
            "contexts": [{"attributes": [{"name": "networkZoneId", "value": zone["id"]}]}],
            "resources": [{"attributes": [{"name": "accountId", "value": account}, {"name": "serviceName", "value": "is"}]}],
        });
        arena.make("/cbr/v1/rules", rule);
        // Last, as it locks the borrower out as well.
        let target = format!("/v1/accounts/{account}/settings/identity");
        let (_, mut settings) = arena.ask("GET", &target, &[], &Value::Null);
        let tag = settings["entity_tag"].as_str().unwrap().to_owned();
        settings["allowed_ip_addresses"] = json!("127.0.0.1,10.0.0.0/8");
        settings["mfa"] = json!("TOTP");
        let (status, _) = arena.ask("PUT", &target, &[("if-match", &tag)], &settings);
        assert_eq!(status, 200);
        let public = format!("/v2/groups/settings?account_id={account}");
        let (status, _) = arena.ask(
            "PATCH",
            &public,
            &[],
            &json!({"public_access_enabled": true}),
        );
        assert_eq!(status, 200);

        let cleaned = arena.clean().await;
        assert!(cleaned.quarantine.is_none(), "{:?}", cleaned.quarantine);
        let left = arena.excess(&cleaned);
        assert!(left.is_empty(), "{left:#?}");
    });
}

#[test]
fn rules_that_shut_the_pool_out_are_lifted_before_anything_else() {
    run(async {
        let arena = Arena::new(4);
        let joined = arena.ibm().verify(ManagementKeys::default()).await;
        joined.unwrap();
        let account = &arena.spec.id;
        let storage = json!({
            "name": "left", "target": "global", "resource_plan_id": acctpool::simulator::catalog::COS_STANDARD.plan_id,
            "resource_group": arena.default_group(),
        });
        arena.make("/v2/resource_instances", storage);
        let elsewhere = json!([{"type": "ipAddress", "value": "192.0.2.1"}]);
        let zone = json!({"account_id": account, "name": "elsewhere", "addresses": elsewhere});
        let zone = arena.make("/cbr/v1/zones", zone);
        for service in ["is", "iam-identity", "user-management"] {
            let rule = json!({
                "description": service, "enforcement_mode": "enabled",
                "contexts": [{"attributes": [{"name": "networkZoneId", "value": zone["id"]}]}],
                "resources": [{"attributes": [
                    {"name": "accountId", "value": account}, {"name": "serviceName", "value": service},
                ]}],
            });
            arena.make("/cbr/v1/rules", rule);
        }
        arena.wait(Duration::from_hours(1)).await;
        for target in [
            "/vpc/us-south/v1/vpcs?version=2026-05-01&generation=2",
            "/v1/serviceids/",
        ] {
            let (status, answer) = arena.ask("GET", target, &[], &Value::Null);
            assert_eq!(status, 403, "the rules are in force: {answer}");
        }

        let cleaned = arena.clean().await;
        assert!(cleaned.quarantine.is_none(), "{:?}", cleaned.quarantine);
        assert!(!cleaned.timed_out);
        let left = arena.excess(&cleaned);
        assert!(left.is_empty(), "{left:#?}");
    });
}
