//! What a borrower does to an account, over IBM Cloud's APIs, with nothing but the leased key.

use acctpool::simulator::catalog::{COS_STANDARD, DATABASE, PLAIN, Plan};
use awc::Client;
use serde_json::{Value, json};

pub(crate) struct Borrower {
    url: String,
    account: String,
    bearer: String,
    client: Client,
}

impl Borrower {
    /// Exchanges the leased key for a token.
    pub(crate) async fn enter(url: &str, account: &str, key: &str) -> Result<Self, u16> {
        let client = Client::default();
        let form = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", key),
        ];
        let mut answer = client
            .post(format!("{url}/identity/token"))
            .send_form(&form)
            .await
            .unwrap();
        if answer.status() != 200 {
            return Err(answer.status().as_u16());
        }
        let body: Value = answer.json().await.unwrap();
        Ok(Self {
            url: url.to_owned(),
            account: account.to_owned(),
            bearer: body["access_token"].as_str().unwrap().to_owned(),
            client,
        })
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let mut answer = self
            .client
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.bearer)
            .send_json(body)
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// Makes a resource instance; returns its CRN.
    pub(crate) async fn make_instance(&self, name: &str, plan: &Plan) -> String {
        let body = json!({
            "name": name, "target": "eu-de", "resource_plan_id": plan.plan_id,
            "resource_group": self.default_group().await,
        });
        let (status, made) = self.post("/v2/resource_instances", &body).await;
        assert!(matches!(status, 201 | 202), "{status} {made}");
        made["id"].as_str().unwrap().to_owned()
    }

    async fn default_group(&self) -> Value {
        let url = format!(
            "{}/v2/resource_groups?account_id={}",
            self.url, self.account
        );
        let mut answer = self
            .client
            .get(url)
            .bearer_auth(&self.bearer)
            .send()
            .await
            .unwrap();
        let groups: Value = answer.json().await.unwrap();
        groups["resources"][0]["id"].clone()
    }

    /// Leaves what a lease of standard rights can leave: instances of several kinds, a resource key,
    /// a lock.
    pub(crate) async fn make_a_mess(&self) {
        self.make_instance("plain", &PLAIN).await;
        self.make_instance("database", &DATABASE).await;
        let cos = self.make_instance("cos", &COS_STANDARD).await;
        let key = json!({ "name": "hmac", "source": cos, "parameters": { "HMAC": true } });
        let (status, made) = self.post("/v2/resource_keys", &key).await;
        assert_eq!(status, 201, "{made}");
        let locked =
            percent_encoding::utf8_percent_encode(&cos, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/v2/resource_instances/{locked}/lock");
        let (status, made) = self.post(&path, &json!({})).await;
        assert_eq!(status, 200, "{made}");
    }

    /// Leaves back doors, which takes administrator's rights.
    pub(crate) async fn make_back_doors(&self) {
        let account = &self.account;
        let door = json!({ "account_id": account, "name": "door", "apikey": { "name": "key" } });
        let (status, made) = self.post("/v1/serviceids/", &door).await;
        assert_eq!(status, 201, "{made}");
        let group = json!({ "name": "friends" });
        let path = format!("/v2/groups?account_id={account}");
        let (status, made) = self.post(&path, &group).await;
        assert_eq!(status, 201, "{made}");
        let profile = json!({ "account_id": account, "name": "disguise" });
        let (status, made) = self.post("/v1/profiles", &profile).await;
        assert_eq!(status, 201, "{made}");
        let group = json!({ "account_id": account, "name": "mine" });
        let (status, made) = self.post("/v2/resource_groups", &group).await;
        assert_eq!(status, 201, "{made}");
    }
}
