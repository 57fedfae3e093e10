//! For the tests of the services: an account without a socket, its owner's calls, and its time.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::simulator::catalog::Plan;
use crate::simulator::{AccountSpec, Direct, Lags, Settings, Time};

const START: OffsetDateTime = datetime!(2026-05-01 10:00 UTC);

/// How long every change takes that takes time in a lab.
pub(super) const LAG: Duration = Duration::from_secs(10);

pub(super) struct Lab {
    pub(super) cloud: Direct,
    pub(super) account: String,
    key: String,
    token: String,
    now: OffsetDateTime,
}

impl Lab {
    /// A lab in which everything that takes time takes [`LAG`], and nothing must be looked at.
    pub(super) fn new() -> Self {
        let lags = Lags {
            policy_effect: LAG,
            policy_removal: LAG,
            instance_delete: LAG,
            search_index: LAG,
            vpc_create: LAG,
            vpc_delete: LAG,
            vpc_slow_delete: LAG * 2,
            ..Lags::none()
        };
        let account = AccountSpec::generate("test", 1, 7);
        let settings = Settings {
            accounts: vec![account.clone()],
            lags,
            time: Time::Frozen(START),
            seed: 7,
        };
        let mut lab = Self {
            cloud: Direct::new(&settings),
            account: account.id.clone(),
            key: account.api_key.expose_secret().to_owned(),
            token: String::new(),
            now: START,
        };
        lab.token = lab.exchange(&lab.key);
        lab
    }

    /// A token for an API key.
    pub(super) fn exchange(&self, key: &str) -> String {
        let form = format!("grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={key}");
        let media = "application/x-www-form-urlencoded".to_owned();
        let headers = [("content-type".to_owned(), media)].into();
        let answer = self
            .cloud
            .answer("POST", "/identity/token", headers, form.as_bytes(), None);
        let body = answer.unwrap().body.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// A fresh token for the owner.
    pub(super) fn exchange_own(&self) -> String {
        self.exchange(&self.key)
    }

    /// A token of a service ID that has no rights.
    pub(super) fn stranger(&self) -> String {
        let body = json!({
            "account_id": self.account, "name": "stranger", "apikey": {"name": "its key"},
        });
        let made = self.made("POST", "/v1/serviceids/", &body);
        self.exchange(&text(&made["apikey"], "apikey"))
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, by: Duration) {
        self.now += by;
        self.cloud.move_to(self.now);
    }

    pub(super) fn send(&self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        self.send_with(method, target, &[], body)
    }

    pub(super) fn get(&self, target: &str) -> (u16, Value) {
        self.send("GET", target, &json!({}))
    }

    /// Sends a request with more headers, by their lower-case names.
    pub(super) fn send_with(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        self.send_as(&self.token, method, target, headers, body)
    }

    /// The same with the token of somebody. A bare string is sent as XML.
    pub(super) fn send_as(
        &self,
        token: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        let (media, body) = match body {
            Value::String(xml) => ("application/xml", xml.clone()),
            body => ("application/json", body.to_string()),
        };
        let bearer = format!("Bearer {token}");
        let own = [("authorization", bearer.as_str()), ("content-type", media)];
        let headers: HashMap<String, String> = own
            .iter()
            .chain(headers)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let answer = self
            .cloud
            .answer(method, target, headers, body.as_bytes(), None);
        let answer = answer.unwrap();
        (answer.status, answer.body.unwrap_or(Value::Null))
    }

    /// Sends a request that is answered with success, and gives the body.
    pub(super) fn made(&self, method: &str, target: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, target, body);
        assert!(status < 300, "{method} {target}: {status} {answer}");
        answer
    }

    /// Makes an active instance of a plan in `eu-de`, and gives its guid.
    pub(super) fn instance(&self, plan: &Plan, parameters: &Value) -> String {
        let groups = format!("/v2/resource_groups?account_id={}", self.account);
        let (_, groups) = self.get(&groups);
        let body = json!({
            "name": "mine", "target": "eu-de", "resource_plan_id": plan.plan_id,
            "resource_group": groups["resources"][0]["id"], "parameters": parameters,
        });
        text(&self.made("POST", "/v2/resource_instances", &body), "guid")
    }

    /// Deletes an instance; gives the status and the machine code or the text.
    pub(super) fn delete_instance(&self, guid: &str) -> (u16, String) {
        let path = format!("/v2/resource_instances/{guid}?recursive=true");
        let (status, answer) = self.send("DELETE", &path, &json!({}));
        (status, text(&answer, "message"))
    }

    /// Makes a resource of VPC infrastructure in `eu-de`.
    pub(super) fn infrastructure(&self, collection: &str, body: &Value) -> Value {
        self.made("POST", &vpc_path(collection), body)
    }

    /// The lines of a collection in the truth.
    pub(super) fn truth(&self, collection: &str) -> Vec<String> {
        let inventory = self.cloud.inventory(&self.account);
        let lines = inventory.of(collection).into_iter();
        lines.map(ToOwned::to_owned).collect()
    }

    /// What Global Search finds by a query: types, sorted.
    pub(super) fn found(&self, query: &str) -> Vec<String> {
        let path = "/v3/resources/search?limit=100&is_reclaimed=any";
        let found = self.made("POST", path, &json!({"query": query}));
        let items = found["items"].as_array().unwrap().iter();
        let mut types: Vec<String> = items.map(|item| text(item, "type")).collect();
        types.sort();
        types
    }
}

pub(super) fn vpc_path(path: &str) -> String {
    format!("/vpc/eu-de/v1/{path}?version=2026-05-01&generation=2")
}

pub(super) fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}
