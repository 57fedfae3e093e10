//! Verification and proof of an account whose every list a test decides about.

use acctpool_actors::cloud::{Cloud, CloudError, Leftover};
use acctpool_actors::pool::{Epoch, Generation, ManagementKey, ManagementKeys};
use serde_json::{Value, json};

use super::server::{
    ACCOUNT, Answer, Asked, CONFIGURED, CONFIGURED_KEY, HandClock, Server, no_token, token,
};

/// An account that is empty but for its owner (`IBMid-1`), the owner's key and what every account
/// has. `change` may answer differently.
fn account(change: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Server {
    let key = json!({"id": "ApiKey-1", "name": "mine", "iam_id": "IBMid-1", "account_id": ACCOUNT,
                     "created_at": "1970-01-01T00:00+0000"});
    Server::signed_in(move |asked, _| {
        if let Some(answer) = change(asked) {
            return answer;
        }
        Answer::json(&match asked.path.as_str() {
            "/v1/apikeys/details" => key.clone(),
            "/v1/apikeys" if asked.query.contains("type=user") => json!({"apikeys": [key]}),
            "/v1/apikeys" => json!({"apikeys": []}),
            "/v2/accounts/acct/users" => json!({"resources": [{"iam_id": "IBMid-1"}]}),
            "/v2/resource_groups" => json!({"resources": [{"id": "g", "default": true}]}),
            "/v4/accounts/acct" => json!({"status": "ACTIVE", "owner_iamid": "IBMid-1"}),
            "/v1/serviceid_groups" => json!({"serviceid_groups": []}),
            "/v1/serviceids/" => json!({"serviceids": []}),
            "/v1/profiles" => json!({"profiles": []}),
            "/v2/groups" => json!({"groups": [], "total_count": 0}),
            "/v1/policies" | "/v2/policies" => json!({"policies": []}),
            "/v3/tags" => json!({"items": [], "total_count": 0}),
            "/v1/accounts/acct/settings/identity" => json!({"entity_tag": "1", "mfa": "NONE"}),
            "/v2/groups/settings" => json!({"public_access_enabled": false}),
            "/v3/resources/search" => json!({"items": []}),
            "/v1/idps/" => json!({"idps": []}),
            "/cbr/v1/rules" => json!({"count": 0, "rules": []}),
            "/cbr/v1/zones" => json!({"count": 0, "zones": []}),
            "/v2/roles" => json!({"custom_roles": [], "service_roles": [], "system_roles": []}),
            _ => json!({"resources": []}),
        })
    })
}

fn at(path: &'static str, body: Value) -> Server {
    account(move |asked| (asked.path == path).then(|| Answer::json(&body)))
}

async fn verified(server: &Server) -> Result<(), CloudError> {
    server.ibm().0.verify(CONFIGURED).await.map(drop)
}

async fn proven(server: &Server) -> Result<Vec<Leftover>, CloudError> {
    let proof = server.ibm().0.prove(CONFIGURED).await;
    proof.map(|proof| proof.leftovers)
}

#[actix_web::test]
async fn empty_account_is_verified_and_proven() {
    let server = account(|_| None);
    assert_eq!(verified(&server).await, Ok(()));
    assert_eq!(proven(&server).await, Ok(vec![]));
    let mut methods: Vec<_> = server
        .asked()
        .into_iter()
        .map(|asked| asked.method)
        .collect();
    methods.retain(|method| method != "GET");
    // Two exchanges and one search.
    assert_eq!(methods, ["POST"; 3]);
}

#[actix_web::test]
async fn empty_list_proves_nothing_unless_what_must_exist_is_seen() {
    for (path, body) in [
        ("/v1/apikeys", json!({"apikeys": []})),
        ("/v2/resource_groups", json!({"resources": []})),
        (
            "/v2/resource_groups",
            json!({"resources": [{"id": "g", "default": false}]}),
        ),
        ("/v2/accounts/acct/users", json!({"resources": []})),
    ] {
        let server = at(path, body);
        let outcome = proven(&server).await.map(drop);
        assert!(
            matches!(outcome, Err(CloudError::Unauthorised(_))),
            "{path}: {outcome:?}"
        );
        let outcome = verified(&server).await;
        assert!(
            matches!(outcome, Err(CloudError::Unauthorised(_))),
            "{path}: {outcome:?}"
        );
        let outcome = server.ibm().0.sweep(CONFIGURED).await.map(drop);
        assert!(
            matches!(outcome, Err(CloudError::Unauthorised(_))),
            "{path}: {outcome:?}"
        );
    }
}

#[actix_web::test]
async fn instance_is_found_in_whatever_state_it_hides() {
    for state in [
        "active",
        "provisioning",
        "inactive",
        "failed",
        "pre_provisioning",
        "pending_reclamation",
    ] {
        let shown_for = format!("state={state}&");
        let body = json!({"resources": [{"crn": "c", "guid": "g", "state": state}]});
        let server = account(move |asked| {
            let here = asked.path == "/v2/resource_instances" && asked.query.contains(&shown_for);
            here.then(|| Answer::json(&body))
        });
        assert_eq!(proven(&server).await.unwrap().len(), 1, "{state}");
    }
}

#[actix_web::test]
async fn list_that_cannot_be_read_fails_the_proof() {
    for path in [
        "/v2/resource_keys",
        "/v2/resource_instances",
        "/v1/reclamations",
        "/v1/profiles",
        "/v2/groups",
        "/v2/policies",
        "/v3/tags",
        "/v3/resources/search",
    ] {
        let server = account(move |asked| (asked.path == path).then(|| Answer::status(403)));
        let outcome = proven(&server).await;
        assert!(
            matches!(outcome, Err(CloudError::Unauthorised(_))),
            "{path}: {outcome:?}"
        );
        let server = account(move |asked| (asked.path == path).then(|| Answer::status(200)));
        let outcome = proven(&server).await;
        assert!(
            matches!(outcome, Err(CloudError::Transient(_))),
            "{path}: {outcome:?}"
        );
    }
}

#[actix_web::test]
async fn new_management_key_may_take_a_while_to_be_listed() {
    let server = at("/v1/apikeys", json!({"apikeys": []}));
    let (ibm, clock) = server.ibm();
    // The key was made at the epoch's beginning.
    let rewind = |clock: &HandClock, to: i64| clock.advance(to - 1_000_000);
    rewind(&clock, 14 * 60);
    let outcome = ibm.verify(CONFIGURED).await;
    assert!(
        matches!(outcome, Err(CloudError::Transient(_))),
        "{outcome:?}"
    );
    clock.advance(60);
    let outcome = ibm.verify(CONFIGURED).await;
    assert!(
        matches!(outcome, Err(CloudError::Unauthorised(_))),
        "{outcome:?}"
    );
}

#[actix_web::test]
async fn account_that_is_not_what_it_should_be_needs_a_person() {
    for details in [
        json!({"status": "SUSPENDED", "owner_iamid": "IBMid-1"}),
        json!({"status": "ACTIVE", "owner_iamid": "IBMid-2"}),
    ] {
        let server = at("/v4/accounts/acct", details);
        let outcome = verified(&server).await;
        assert!(
            matches!(outcome, Err(CloudError::Refused(_))),
            "{outcome:?}"
        );
    }
    let server = at(
        "/v4/accounts/acct",
        json!({"status": "ACTIVE", "owner_iamid": "IBMid-2"}),
    );
    let expected = server.ibm_with(|settings| settings.owner = Some("IBMid-1".into()));
    assert!(
        expected.0.verify(CONFIGURED).await.is_ok(),
        "the operator says who it is"
    );
}

#[actix_web::test]
async fn details_that_may_not_be_read_are_done_without() {
    for status in [401, 403, 404] {
        let server = account(move |asked| {
            (asked.path == "/v4/accounts/acct").then(|| Answer::status(status))
        });
        assert_eq!(verified(&server).await, Ok(()));
    }
}

fn found(crn: &str, family: &str) -> Server {
    let hit = json!({"items": [{"crn": crn, "name": "n", "family": family, "type": "t"}]});
    at("/v3/resources/search", hit)
}

#[actix_web::test]
async fn what_only_search_knows_is_a_leftover() {
    let crn = "crn:v1:bluemix:public:is:eu-de:a/acct::vpc:r010-1";
    let leftovers = proven(&found(crn, "is")).await.unwrap();
    let [leftover] = leftovers.as_slice() else {
        panic!("{leftovers:?}");
    };
    assert_eq!(
        (leftover.collection.as_str(), leftover.id.as_str()),
        ("search", crn)
    );

    let server = found(crn, "is");
    let (kept, _clock) = server.ibm_with(|settings| {
        settings.keep.crns.insert(crn.to_owned());
    });
    let proof = kept.prove(CONFIGURED).await.unwrap();
    assert_eq!(proof.leftovers, []);
    let server = found(
        "crn:v1:bluemix:public:is:eu-de:a/somebody::vpc:r010-1",
        "is",
    );
    assert_eq!(
        proven(&server).await,
        Ok(vec![]),
        "shared by another account"
    );
}

#[actix_web::test]
async fn what_search_has_not_forgotten_yet_is_no_leftover() {
    let crn = "crn:v1:bluemix:public:cos:global:a/acct:1b2c::";
    let with_state = |answer: fn() -> Answer| {
        account(move |asked| match asked.path.as_str() {
            "/v3/resources/search" => Some(Answer::json(&json!({
                "items": [{"crn": crn, "family": "resource_controller", "type": "t"}]
            }))),
            path if path.starts_with("/v2/resource_instances/") => Some(answer()),
            _ => None,
        })
    };
    for gone in [
        || Answer::json(&json!({"state": "removed"})),
        || Answer::status(404),
        || Answer::status(410),
    ] {
        assert_eq!(proven(&with_state(gone)).await, Ok(vec![]));
    }
    let there = with_state(|| Answer::json(&json!({"state": "active"})));
    assert_eq!(proven(&there).await.unwrap().len(), 1);
    let group = "crn:v1:bluemix:public:resource-controller::a/acct::resource-group:9a";
    let stale = found(group, "resource_controller");
    assert_eq!(
        proven(&stale).await,
        Ok(vec![]),
        "the list of groups is the truth"
    );
}

/// How a key of a value that exists already is refused is not documented.
#[actix_web::test]
async fn whether_a_key_exists_is_decided_by_its_exchange_and_not_by_a_refusal() {
    let to = ManagementKey {
        epoch: Epoch(1),
        generation: Generation::default(),
    };
    let intended = ManagementKeys {
        pending: Some(to),
        newest: Epoch(1),
        ..CONFIGURED
    };
    let key = json!({"id": "ApiKey-1", "name": "mine", "iam_id": "IBMid-1", "account_id": ACCOUNT});
    for status in [400, 409, 422] {
        for was_made in [true, false] {
            let key = key.clone();
            let server = Server::start(move |asked, before| match asked.path.as_str() {
                "/identity/token" if asked.body.contains(CONFIGURED_KEY) => token(ACCOUNT, before),
                // An earlier creation, whose answer was lost, has got through meanwhile.
                "/identity/token" if was_made && before > 2 => token(ACCOUNT, before),
                "/identity/token" => no_token(400, "BXNIM0415E"),
                "/v1/apikeys" if asked.method == "POST" => Answer::status(status),
                "/v1/apikeys" => Answer::json(&json!({"apikeys": [key]})),
                "/v1/apikeys/details" => Answer::json(&key),
                _ => Answer::json(&json!({"resources": [{"id": "g", "default": true}]})),
            });
            let outcome = server.ibm().0.rotate(intended, to).await;
            assert_eq!(outcome.is_ok(), was_made, "{status}: {outcome:?}");
            let made = server.asked_of("/v1/apikeys");
            let made = made.iter().filter(|asked| asked.method == "POST");
            assert_eq!(made.count(), 1);
        }
    }
}

#[actix_web::test]
async fn nothing_is_sent_after_the_end() {
    let server = account(|_| None);
    let (ibm, _clock) = server.ibm();
    ibm.verify(CONFIGURED).await.unwrap();
    let sent = server.asked().len();
    ibm.end();
    let outcome = ibm.sweep(CONFIGURED).await;
    assert!(
        matches!(outcome, Err(CloudError::Transient(_))),
        "{outcome:?}"
    );
    assert_eq!(server.asked().len(), sent);
}

#[actix_web::test]
async fn observation_tells_what_is_closed_and_what_search_hides() {
    let server = account(|asked| match asked.path.as_str() {
        "/v2/groups" => Some(Answer::json(
            &json!({"groups": [], "limit": 20, "total_count": 0}),
        )),
        "/v1/profiles" => Some(Answer::new(403, r#"{"message": "not for you"}"#)),
        "/v3/resources/search" => {
            let hit = json!({"crn": "crn:v1:x", "family": "is", "type": "vpc"});
            let all = asked.query.contains("is_reclaimed=any");
            let hits: Vec<_> = all.then_some(hit).into_iter().collect();
            Some(Answer::json(&json!({"items": hits})))
        }
        _ => None,
    });
    let seen = server.ibm().0.observe(CONFIGURED).await.unwrap();
    let finding = |subject: &str| {
        let mut seen = seen.iter();
        let found = seen.find(|seen| seen.subject == subject).unwrap();
        found.finding.clone()
    };
    let search = "0 by default, 1 with is_reclaimed=any; hidden by default: 1 of is";
    assert_eq!(finding("search (6)"), search);
    let iam = finding("iam");
    for words in ["some grant 20 (5)", "GET /v1/profiles: 403 not for you"] {
        assert!(iam.contains(words), "{iam}");
    }
    assert_eq!(finding("account (1)"), "type not told, status ACTIVE");
}
