//! A consumer: what one does over HTTP, a method per action.

use awc::Client;
use serde_json::Value;

#[derive(Clone)]
pub(crate) struct Consumer {
    url: String,
    token: String,
    client: Client,
}

impl Consumer {
    pub(crate) fn new(url: String, token: String) -> Self {
        let client = Client::builder().disable_redirects().finish();
        Self { url, token, client }
    }

    /// Asks for an account; returns the reservation's id.
    pub(crate) async fn reserve(&self, account_type: &str, minutes: u32) -> String {
        let url = format!(
            "{}/reservations?type={account_type}&duration={minutes}",
            self.url
        );
        let mut answer = self
            .client
            .post(url)
            .bearer_auth(&self.token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 302, "{:?}", answer.body().await);
        let location = answer
            .headers()
            .get("location")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body.get("credentials"), None, "only GET shows credentials");
        let id = location.strip_prefix("/reservations/").unwrap().to_owned();
        assert_eq!(body["id"], *id);
        id
    }

    pub(crate) async fn show(&self, id: &str) -> Value {
        let url = format!("{}/reservations/{id}", self.url);
        let mut answer = self
            .client
            .get(url)
            .bearer_auth(&self.token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{:?}", answer.body().await);
        answer.json().await.unwrap()
    }

    pub(crate) async fn cancel(&self, id: &str) {
        let url = format!("{}/reservations/{id}", self.url);
        let answer = self
            .client
            .delete(url)
            .bearer_auth(&self.token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 204);
    }

    /// Returns the API key of an active reservation.
    pub(crate) async fn key(&self, id: &str) -> String {
        let shown = self.show(id).await;
        assert_eq!(shown["state"], "active", "{shown}");
        shown["credentials"]["api_key"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn status(&self) -> Value {
        let mut answer = self.client.get(&self.url).send().await.unwrap();
        answer.json().await.unwrap()
    }
}
