//! A cloud without a socket for the tests of services: two accounts, frozen time, whole requests.
//!
//! Depends on the direct way in, so that a test sees what a client would: authentication, rights, the
//! search index and all.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::simulator::catalog::Plan;
use crate::simulator::{AccountSpec, Direct, Lags, Settings, Time};

const START: OffsetDateTime = datetime!(2026-05-01 10:00 UTC);

/// How long everything takes that takes time in a slow lab.
pub(super) const LAG: Duration = Duration::from_secs(10);

/// The role that may do everything.
pub(super) const ADMINISTRATOR: &str = "Administrator";

pub(super) struct Lab {
    pub(super) cloud: Direct,
    pub(super) account: String,
    pub(super) owner: Login,
    owner_key: SecretString,
    /// The owner of another account.
    pub(super) stranger: Login,
    now: OffsetDateTime,
}

/// Somebody with a token.
#[derive(Clone)]
pub(super) struct Login {
    /// The id of the service ID, or nothing for an owner.
    pub(super) id: String,
    bearer: String,
}

/// A request to be sent.
pub(super) struct Asking<'a> {
    lab: &'a Lab,
    headers: HashMap<String, String>,
}

impl Lab {
    pub(super) fn new(lags: Lags) -> Self {
        let accounts = [1, 2].map(|number| AccountSpec::generate("lab", number, 7));
        let settings = Settings {
            accounts: accounts.to_vec(),
            lags,
            time: Time::Frozen(START),
            seed: 7,
        };
        let cloud = Direct::new(&settings);
        let [owner, stranger] = [0, 1].map(|number: usize| {
            let account: &AccountSpec = &accounts[number];
            sign_in(&cloud, account.api_key.expose_secret())
        });
        Self {
            cloud,
            account: accounts[0].id.clone(),
            owner,
            owner_key: accounts[0].api_key.clone(),
            stranger,
            now: START,
        }
    }

    /// A lab in which what takes time takes [`LAG`], and nothing must be looked at.
    pub(super) fn slow() -> Self {
        Self::new(Lags {
            policy_effect: LAG,
            policy_removal: LAG,
            instance_delete: LAG,
            search_index: LAG,
            vpc_create: LAG,
            vpc_delete: LAG,
            vpc_slow_delete: LAG * 2,
            ..Lags::none()
        })
    }

    /// Moves the time; what falls due happens, and the owner gets a fresh token.
    pub(super) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.cloud.move_to(self.now);
        self.sign_in();
    }

    /// Gets the owner a fresh token.
    pub(super) fn sign_in(&mut self) {
        self.owner = sign_in(&self.cloud, self.owner_key.expose_secret());
    }

    /// Begins a request of somebody.
    pub(super) fn by(&self, login: &Login) -> Asking<'_> {
        let bearer = ("authorization".to_owned(), login.bearer.clone());
        Asking {
            lab: self,
            headers: [bearer].into(),
        }
    }

    /// Begins a request of the owner.
    pub(super) fn ask(&self) -> Asking<'_> {
        self.by(&self.owner)
    }

    pub(super) fn send(&self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        self.ask().send(method, target, body)
    }

    pub(super) fn get(&self, target: &str) -> Value {
        self.ask().get(target)
    }

    /// The status with which a reading is answered.
    pub(super) fn status_of(&self, target: &str) -> u16 {
        self.send("GET", target, &Value::Null).0
    }

    pub(super) fn post(&self, target: &str, body: &Value) -> Value {
        self.ask().post(target, body)
    }

    pub(super) fn made(&self, method: &str, target: &str, body: &Value) -> Value {
        self.ask().made(method, target, body)
    }

    pub(super) fn delete(&self, target: &str) -> u16 {
        self.send("DELETE", target, &Value::Null).0
    }

    /// Makes a resource group and gives its id.
    pub(super) fn group(&self, name: &str) -> String {
        let body = json!({"name": name, "account_id": self.account});
        text(&self.post("/v2/resource_groups", &body)["id"])
    }

    pub(super) fn default_group(&self) -> String {
        let groups = self.get(&format!("/v2/resource_groups?account_id={}", self.account));
        text(&groups["resources"][0]["id"])
    }

    /// The status with which the deletion of a resource group is answered.
    pub(super) fn delete_group(&self, id: &str) -> u16 {
        self.delete(&format!("/v2/resource_groups/{id}"))
    }

    /// Makes an active instance of a plan in Frankfurt and gives its GUID.
    pub(super) fn instance(&self, plan: &Plan, parameters: &Value) -> String {
        let body = json!({
            "name": "mine", "target": "eu-de", "resource_plan_id": plan.plan_id,
            "resource_group": self.default_group(), "parameters": parameters,
        });
        text(&self.post("/v2/resource_instances", &body)["guid"])
    }

    /// The status and the message with which the deletion of an instance is answered.
    pub(super) fn delete_instance(&self, guid: &str) -> (u16, String) {
        let target = format!("/v2/resource_instances/{guid}?recursive=true");
        let (status, answer) = self.send("DELETE", &target, &Value::Null);
        let message = answer["message"].as_str().unwrap_or_default();
        (status, message.to_owned())
    }

    /// Makes a service ID with a key and, for each role, a policy over services or one service of the
    /// platform.
    pub(super) fn service_id(&self, name: &str, roles: &[(&str, &str)]) -> Login {
        let body = json!({"account_id": self.account, "name": name, "apikey": {"name": name}});
        let made = self.post("/v1/serviceids/", &body);
        for (service, role) in roles {
            self.policy(&text(&made["iam_id"]), service, role);
        }
        Login {
            id: text(&made["id"]),
            ..sign_in(&self.cloud, &text(&made["apikey"]["apikey"]))
        }
    }

    /// Gives an identity a role on a service; gives the policy's id.
    pub(super) fn policy(&self, iam_id: &str, service: &str, role: &str) -> String {
        let attribute = |key: &str, value: &str| json!({"key": key, "operator": "stringEquals", "value": value});
        let role = format!("crn:v1:bluemix:public:iam::::role:{role}");
        let body = json!({
            "type": "access", "control": {"grant": {"roles": [{"role_id": role}]}},
            "subject": {"attributes": [attribute("iam_id", iam_id)]},
            "resource": {"attributes": [
                attribute("accountId", &self.account), attribute("serviceName", service),
            ]},
        });
        text(&self.post("/v2/policies", &body)["id"])
    }

    /// The lines of a collection in the inventory.
    pub(super) fn inventory(&self, collection: &str) -> Vec<String> {
        let inventory = self.cloud.inventory(&self.account);
        let lines = inventory.of(collection);
        lines.into_iter().map(ToOwned::to_owned).collect()
    }

    /// The items that a search finds.
    pub(super) fn search(&self, query: &str) -> Vec<Value> {
        let body = json!({"query": query, "fields": ["*"]});
        let found = self.post("/v3/resources/search?limit=100", &body);
        found["items"].as_array().unwrap().clone()
    }

    /// The types of the items that a search finds, sorted.
    pub(super) fn types(&self, query: &str) -> Vec<String> {
        let found = self.search(query).into_iter();
        let mut types: Vec<String> = found.map(|item| text(&item["type"])).collect();
        types.sort();
        types
    }

    /// Makes something of VPC infrastructure in Frankfurt and gives its id.
    pub(super) fn build(&self, collection: &str, body: &Value) -> String {
        text(&self.post(&vpc(collection), body)["id"])
    }

    /// The ids of a collection of VPC infrastructure in Frankfurt.
    pub(super) fn built(&self, collection: &str) -> Vec<String> {
        let list = self.get(&vpc(collection));
        let items = list[collection].as_array().unwrap().iter();
        items.map(|item| text(&item["id"])).collect()
    }
}

impl Asking<'_> {
    pub(super) fn with(mut self, header: &str, value: &str) -> Self {
        self.headers.insert(header.to_owned(), value.to_owned());
        self
    }

    /// Sends it; a bare string as XML.
    pub(super) fn send(mut self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let (media, body) = match body {
            Value::Null => ("application/json", String::new()),
            Value::String(xml) => ("application/xml", xml.clone()),
            body => ("application/json", body.to_string()),
        };
        let media = ("content-type".to_owned(), media.to_owned());
        self.headers.extend([media]);
        let cloud = &self.lab.cloud;
        let answer = cloud.answer(method, target, self.headers, body.as_bytes(), None);
        let answer = answer.unwrap();
        (answer.status, answer.body.unwrap_or(Value::Null))
    }

    pub(super) fn get(self, target: &str) -> Value {
        let (status, body) = self.send("GET", target, &Value::Null);
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    pub(super) fn post(self, target: &str, body: &Value) -> Value {
        self.made("POST", target, body)
    }

    /// Sends what must succeed, and gives the body of the answer.
    pub(super) fn made(self, method: &str, target: &str, body: &Value) -> Value {
        let (status, body) = self.send(method, target, body);
        assert!((200..300).contains(&status), "{target}: {status} {body}");
        body
    }
}

fn sign_in(cloud: &Direct, key: &str) -> Login {
    let form = format!("grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={key}");
    let media = "application/x-www-form-urlencoded".to_owned();
    let headers = [("content-type".to_owned(), media)].into();
    let answer = cloud.answer("POST", "/identity/token", headers, form.as_bytes(), None);
    let body = answer.unwrap().body.unwrap();
    Login {
        id: String::new(),
        bearer: format!("Bearer {}", text(&body["access_token"])),
    }
}

/// The target of a call for VPC infrastructure in Frankfurt.
pub(super) fn vpc(path: &str) -> String {
    format!("/vpc/eu-de/v1/{path}?version=2026-05-01&generation=2")
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
