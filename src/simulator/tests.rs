//! The simulator over its own socket: what lags, faults and the log do to whole requests. The shapes of
//! its APIs are judged by IBM's SDKs, in `tests/sdk`.

use std::time::Duration;

use awc::error::SendRequestError;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::macros::datetime;

use super::{
    AccountSpec, Fault, FaultAction, FaultPlan, Lags, RetryAfter, Settings, Simulator, Time,
    catalog,
};

/// A simulator of one account under frozen time, and a client of its owner.
struct Lab {
    simulator: Simulator,
    account: AccountSpec,
    client: awc::Client,
    token: String,
}

type Sent = Result<(u16, Value), SendRequestError>;

impl Lab {
    async fn start(lags: Lags) -> Self {
        let account = AccountSpec::generate("lite", 1, 7);
        let settings = Settings {
            accounts: vec![account.clone(), AccountSpec::generate("lite", 2, 7)],
            lags,
            time: Time::Frozen(datetime!(2026-05-01 10:00 UTC)),
            seed: 7,
        };
        let simulator = Simulator::start("127.0.0.1:0".parse().unwrap(), &settings).unwrap();
        // A second installation is refused, and the first serves all tests.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = awc::Client::builder().disable_redirects().finish();
        let mut lab = Self {
            simulator,
            account,
            client,
            token: String::new(),
        };
        lab.login().await;
        lab.simulator.clear_requests();
        lab
    }

    /// Gets the owner a fresh token.
    async fn login(&mut self) {
        let key = self.account.api_key.expose_secret();
        self.token = self.exchange(key).await.unwrap();
    }

    /// Exchanges a key for a token.
    async fn exchange(&self, key: &str) -> Result<String, Value> {
        let url = format!("{}/identity/token", self.simulator.url());
        let form = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", key),
        ];
        let mut response = self.client.post(url).send_form(&form).await.unwrap();
        let body: Value = response.json().await.unwrap();
        match body["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(body),
        }
    }

    async fn send_as(&self, token: &str, method: &str, path: &str, body: Value) -> Sent {
        let url = format!("{}{path}", self.simulator.url());
        let request = self
            .client
            .request(method.parse().unwrap(), url)
            .bearer_auth(token);
        let mut response = request.send_json(&body).await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await.unwrap_or(Value::Null)))
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.send_as(&self.token, method, path, body).await.unwrap()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, json!({})).await
    }

    /// Makes an instance and gives its path.
    async fn instance(&self, plan: &catalog::Plan) -> String {
        let groups = self.get("/v2/resource_groups").await.1;
        let body = json!({
            "name": "i", "target": "eu-de", "resource_group": groups["resources"][0]["id"],
            "resource_plan_id": plan.plan_id,
        });
        let (status, made) = self.send("POST", "/v2/resource_instances", body).await;
        assert_eq!(status, 201, "{made}");
        format!("/v2/resource_instances/{}", made["guid"].as_str().unwrap())
    }

    async fn state(&self, instance: &str) -> String {
        self.get(instance).await.1["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// How many reclamations are listed.
    async fn reclamations(&self) -> usize {
        let (_, body) = self.get("/v1/reclamations").await;
        body["resources"].as_array().unwrap().len()
    }

    /// Makes a service id that may do everything with services; gives its id and its key.
    async fn borrower(&self) -> (String, String) {
        let id = &self.account.id;
        let body = json!({"account_id": id, "name": "borrower", "apikey": {"name": "k"}});
        let (_, made) = self.send("POST", "/v1/serviceids/", body).await;
        let attribute =
            |key, value| json!({"key": key, "operator": "stringEquals", "value": value});
        let role = "crn:v1:bluemix:public:iam::::role:Editor";
        let policy = json!({
            "type": "access", "control": {"grant": {"roles": [{"role_id": role}]}},
            "subject": {"attributes": [attribute("iam_id", made["iam_id"].as_str().unwrap())]},
            "resource": {"attributes": [attribute("accountId", id), attribute("serviceType", "service")]},
        });
        assert_eq!(self.send("POST", "/v2/policies", policy).await.0, 201);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["id"]), text(&made["apikey"]["apikey"]))
    }
}

#[actix_web::test]
async fn rights_come_and_go_with_their_lags() {
    let lags = Lags {
        policy_effect: Duration::from_secs(20),
        policy_removal: Duration::from_mins(10),
        ..Lags::none()
    };
    let lab = Lab::start(lags).await;
    let instance = lab.instance(&catalog::PLAIN).await;
    let (id, key) = lab.borrower().await;
    let token = lab.exchange(&key).await.unwrap();
    let status = async || {
        lab.send_as(&token, "GET", &instance, json!({}))
            .await
            .unwrap()
            .0
    };
    assert_eq!(status().await, 403);
    lab.simulator.advance(Duration::from_secs(20));
    assert_eq!(status().await, 200);

    let deleted = lab
        .send("DELETE", &format!("/v1/serviceids/{id}"), json!({}))
        .await;
    assert_eq!(deleted.0, 204);
    assert_eq!(
        lab.exchange(&key).await.unwrap_err()["errorCode"],
        "BXNIM0415E"
    );
    lab.simulator.advance(Duration::from_secs(599));
    assert_eq!(
        status().await,
        200,
        "the token's rights outlive its subject"
    );
    lab.simulator.advance(Duration::from_secs(1));
    assert_eq!(status().await, 403);
    lab.simulator.advance(Duration::from_hours(1));
    assert_eq!(status().await, 401, "the token has expired");
}

#[actix_web::test]
async fn asynchronous_deletion_needs_its_time_and_its_polls() {
    let lags = Lags {
        instance_delete: Duration::from_secs(30),
        async_polls: 2,
        ..Lags::none()
    };
    let lab = Lab::start(lags).await;
    let instance = lab.instance(&catalog::PLAIN).await;
    assert_eq!(lab.send("DELETE", &instance, json!({})).await.0, 202);
    lab.simulator.advance(Duration::from_secs(30));
    for _ in 0..2 {
        let (_, read) = lab.get(&instance).await;
        assert_eq!(read["last_operation"]["state"], "in progress");
    }
    assert_eq!(lab.state(&instance).await, "removed");
    assert_eq!(lab.send("DELETE", &instance, json!({})).await.0, 410);
}

#[actix_web::test]
async fn reclamation_appears_late_and_ends_by_itself_after_a_week() {
    let lags = Lags {
        instance_delete: Duration::from_secs(30),
        reclamation_appears: Duration::from_secs(15),
        ..Lags::none()
    };
    let mut lab = Lab::start(lags).await;
    let instance = lab.instance(&catalog::COS_STANDARD).await;
    assert_eq!(lab.send("DELETE", &instance, json!({})).await.0, 204);
    assert_eq!(lab.state(&instance).await, "active");
    lab.simulator.advance(Duration::from_secs(30));
    assert_eq!(lab.state(&instance).await, "pending_reclamation");
    assert_eq!(lab.send("DELETE", &instance, json!({})).await.0, 422);
    assert_eq!(lab.reclamations().await, 0);
    lab.simulator.advance(Duration::from_secs(15));
    assert_eq!(lab.reclamations().await, 1);
    lab.simulator.advance(Duration::from_hours(7 * 24));
    lab.login().await;
    assert_eq!(lab.reclamations().await, 0);
    assert_eq!(lab.state(&instance).await, "removed");
}

#[actix_web::test]
async fn a_refusing_broker_refuses_for_ever() {
    let lab = Lab::start(Lags::none()).await;
    let instance = lab.instance(&catalog::REFUSING).await;
    for _ in 0..3 {
        let path = format!("{instance}?recursive=true");
        let (status, body) = lab.send("DELETE", &path, json!({})).await;
        assert_eq!(
            (status, &body["error_code"]),
            (422, &json!("RC-ServiceBrokerErrorResponse"))
        );
    }
    let account = &lab.account.id;
    assert_eq!(
        lab.simulator
            .inventory(account)
            .of("resource_instances")
            .len(),
        1
    );
}

#[actix_web::test]
async fn a_lost_reply_is_applied_and_a_reset_is_not() {
    let lab = Lab::start(Lags::none()).await;
    let (account, before) = (&lab.account.id, lab.simulator.inventory(&lab.account.id));
    let make = async |name: &str| {
        let body = json!({"account_id": account, "name": name});
        lab.send_as(&lab.token, "POST", "/v2/resource_groups", body)
            .await
    };
    let groups = "/v2/resource_groups";
    lab.simulator
        .inject(Fault::new(groups, FaultAction::Reset).times(1));
    assert!(make("reset").await.is_err());
    assert_eq!(lab.simulator.inventory(account), before);
    lab.simulator
        .inject(Fault::new(groups, FaultAction::LostReply).times(1));
    assert!(make("lost").await.is_err());
    assert_eq!(
        lab.simulator.inventory(account).lines.len(),
        before.lines.len() + 1
    );
    assert_eq!(make("plain").await.unwrap().0, 201);

    let log = lab.simulator.requests();
    let seen: Vec<_> = log
        .iter()
        .map(|request| (request.status, request.applied))
        .collect();
    assert_eq!(seen, [(None, false), (None, true), (Some(201), true)]);
    assert!(log.iter().all(|request| request.is_write));
    assert!(
        log.iter()
            .all(|request| request.account.as_ref() == Some(account))
    );
}

#[actix_web::test]
async fn an_injected_status_speaks_its_services_family_and_applies_nothing() {
    let lab = Lab::start(Lags::none()).await;
    let account = &lab.account.id;
    let before = lab.simulator.inventory(account);
    let key = lab.get("/v1/apikeys").await.1["apikeys"][0]["id"].clone();
    let path = format!("/v1/apikeys/{}", key.as_str().unwrap());
    lab.simulator.inject(
        Fault::new(&path, FaultAction::status(503))
            .method("DELETE")
            .times(1),
    );
    let (status, body) = lab.send("DELETE", &path, json!({})).await;
    assert_eq!(
        (status, &body["errors"][0]["message_code"]),
        (503, &json!("BXNIM0050E"))
    );
    lab.simulator
        .inject(Fault::new("", FaultAction::Unauthorized).times(1));
    assert_eq!(lab.send("DELETE", &path, json!({})).await.0, 401);
    lab.simulator.inject(
        Fault::new("", FaultAction::status(403))
            .account("another")
            .times(1),
    );
    assert_eq!(lab.get(&path).await.0, 200);
    assert_eq!(lab.simulator.inventory(account), before);
}

#[actix_web::test]
async fn retry_after_comes_in_both_forms() {
    let lab = Lab::start(Lags::none()).await;
    for (form, expected) in [
        (RetryAfter::Seconds(7), "7"),
        (RetryAfter::HttpDate(7), "Fri, 01 May 2026 10:00:07 GMT"),
    ] {
        lab.simulator
            .inject(Fault::new("", FaultAction::throttled(form)).times(1));
        let url = format!("{}/v1/apikeys", lab.simulator.url());
        let response = lab
            .client
            .get(url)
            .bearer_auth(&lab.token)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 429);
        assert_eq!(response.headers().get("Retry-After").unwrap(), expected);
    }
}

#[actix_web::test]
async fn poisoned_settings_shut_the_owner_out() {
    let lab = Lab::start(Lags::none()).await;
    let path = format!("/v1/accounts/{}/settings/identity", lab.account.id);
    let body = json!({"allowed_ip_addresses": "192.0.2.1"});
    let request = lab.client.put(format!("{}{path}", lab.simulator.url()));
    let request = request
        .bearer_auth(&lab.token)
        .insert_header(("If-Match", "*"));
    assert_eq!(
        request.send_json(&body).await.unwrap().status().as_u16(),
        200
    );
    let refused = lab
        .exchange(lab.account.api_key.expose_secret())
        .await
        .unwrap_err();
    assert_eq!(refused["errorCode"], "BXNIM0430E");
    let changed = lab.simulator.inventory(&lab.account.id);
    assert_eq!(changed.of("identity_settings").len(), 1);
}

#[actix_web::test]
async fn the_control_api_shows_no_secret() {
    let lab = Lab::start(Lags::none()).await;
    let (_, key) = lab.borrower().await;
    lab.exchange(&key).await.unwrap();
    let id = &lab.account.id;
    let paths = ["requests", "accounts", &format!("accounts/{id}"), "time"];
    let mut shown = String::new();
    for path in paths {
        let (status, body) = lab.get(&format!("/_simulator/{path}")).await;
        assert_eq!(status, 200);
        shown += &body.to_string();
    }
    assert!(shown.contains("borrower") && shown.contains("/identity/token"));
    let secrets = lab.simulator.secrets();
    assert!(secrets.contains(&key) && secrets.contains(&lab.token));
    assert!(
        secrets
            .iter()
            .all(|secret| !shown.contains(secret.as_str()))
    );
}

#[actix_web::test]
async fn a_mess_is_seen_through_every_door() {
    let lab = Lab::start(Lags {
        search_index: Duration::from_mins(1),
        ..Lags::none()
    })
    .await;
    let id = &lab.account.id;
    let before = lab.simulator.inventory(id);
    let mess = json!({"seed": 5, "size": 300, "undeletable": 2});
    let path = format!("/_simulator/accounts/{id}/mess");
    let (status, made) = lab.send("POST", &path, mess).await;
    assert_eq!(status, 200);
    let undeletable = made["undeletable"].as_array().unwrap();
    assert_eq!(undeletable.len(), 2);
    let after = lab.simulator.inventory(id);
    assert!(after.lines.len() >= before.lines.len() + 300);
    assert!(lab.simulator.requests().is_empty());
    // The other account has none of it.
    let other = AccountSpec::generate("lite", 2, 7);
    assert_eq!(
        lab.simulator.inventory(&other.id).of("vpcs"),
        Vec::<&str>::new()
    );

    let search = async || {
        let query = json!({"query": "family:is"});
        let path = "/v3/resources/search?limit=1000";
        lab.send("POST", path, query).await.1["items"].clone()
    };
    assert_eq!(search().await, json!([]));
    lab.simulator.advance(Duration::from_mins(1));
    let found = search().await;
    let found = found.as_array().unwrap();
    assert!(found.iter().any(|item| item["type"] == "vpc"));
    for crn in undeletable {
        let is_found = found.iter().any(|item| item["crn"] == *crn);
        assert_eq!(
            is_found,
            crn.as_str().unwrap().contains(":public:is:"),
            "{crn}"
        );
    }
}

#[actix_web::test]
async fn faults_strike_infrastructure_in_its_own_words() {
    let lab = Lab::start(Lags::none()).await;
    let path = "/vpc/eu-de/v1/keys?version=2026-05-01&generation=2";
    let key = json!({"public_key": "ssh-ed25519 AAAA"});
    lab.simulator
        .inject(Fault::new("/vpc/eu-de/v1/keys", FaultAction::status(503)).times(1));
    let (status, refused) = lab.send("POST", path, key.clone()).await;
    assert_eq!(status, 503);
    assert_eq!(refused["errors"][0]["code"], "internal_error");
    lab.simulator
        .inject(Fault::new("/vpc/", FaultAction::LostReply).times(1));
    assert!(lab.send_as(&lab.token, "POST", path, key).await.is_err());
    assert_eq!(lab.get(path).await.1["total_count"], 1);
    let (status, refused) = lab.get("/vpc/eu-de/v1/keys").await;
    assert_eq!(status, 400);
    assert_eq!(refused["errors"][0]["target"]["name"], "version");
    assert_eq!(
        lab.send_as("none", "GET", path, json!({})).await.unwrap().0,
        401
    );
}

#[actix_web::test]
async fn random_faults_strike_alike_for_equal_seeds() {
    let statuses = async || {
        let lab = Lab::start(Lags::none()).await;
        lab.simulator.inject_at_random(FaultPlan {
            seed: 11,
            server_errors: 300_000,
            throttled: 100_000,
            resets: 0,
            lost_replies: 0,
        });
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(lab.get("/v1/apikeys").await.0);
        }
        statuses
    };
    let first = statuses().await;
    assert_eq!(first, statuses().await);
    assert!(
        [200, 429, 500].iter().all(|status| first.contains(status)),
        "{first:?}"
    );
}

#[actix_web::test]
async fn a_stopped_simulator_serves_no_more() {
    let lab = Lab::start(Lags::none()).await;
    lab.get("/v1/apikeys").await;
    assert_eq!(lab.simulator.requests().len(), 1);
    lab.simulator.clone().stop();
    // Whether somebody answers is another matter: the port is free for other tests.
    let _ = lab
        .send_as(&lab.token, "GET", "/v1/apikeys", json!({}))
        .await;
    assert_eq!(lab.simulator.requests().len(), 1);
}
