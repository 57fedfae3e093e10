//! IBM Cloud without a server: the same services over the same world, called instead of sent to.
//!
//! For tests that live years in seconds. Depends on the server's handling of requests. Promises that
//! it answers, refuses and fails as [`Simulator`](super::Simulator) does, and that nothing happens in
//! it but by its calls: it has no thread and no time of its own.

use std::collections::HashMap;

use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;

use super::faults::{Fault, FaultAction};
use super::inventory::Inventory;
use super::server::{Arrived, Leaving, Shared};
use super::settings::Settings;
use super::world::World;

/// The address that stands in links of answers. Nothing is served there.
const BASE: &str = "http://127.0.0.1:1";

/// See the module.
pub struct Direct {
    shared: Shared,
}

/// An answer.
#[derive(Debug)]
pub struct DirectAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Headers by their lower-case names.
    pub headers: Vec<(&'static str, String)>,
    /// The body, where there is one: JSON, or XML as a string.
    pub body: Option<Value>,
}

impl Direct {
    /// Makes the world that `settings` describe. Its time is to be [`Frozen`](super::Time::Frozen),
    /// and moves by [`Direct::move_to`].
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let shared = Shared::new(World::new(settings), BASE.to_owned(), settings.seed);
        Self { shared }
    }

    /// The address that endpoints may be configured with.
    #[must_use]
    pub fn url(&self) -> &str {
        self.shared.base()
    }

    /// Moves the time forward to `moment`, unless it has passed; what falls due happens.
    pub fn move_to(&self, moment: OffsetDateTime) {
        self.shared.move_to(moment);
    }

    /// Does a request, given by its method, its path and query, its headers by their lower-case names
    /// and its body. `strike` says what goes wrong with it, unless a fault that was injected does;
    /// a slow answer is the caller's to delay. `None` means that the client hears nothing.
    #[must_use]
    pub fn answer(
        &self,
        method: &str,
        target: &str,
        headers: HashMap<String, String>,
        body: &[u8],
        strike: Option<FaultAction>,
    ) -> Option<DirectAnswer> {
        let arrived = Arrived::new(method, target, headers, body);
        let strike = self.shared.strike(&arrived).or(strike);
        let Leaving {
            status,
            headers,
            body,
        } = self.shared.serve(&arrived, strike.as_ref())?;
        Some(DirectAnswer {
            status,
            headers,
            body,
        })
    }

    /// Adds a scripted fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.state().faults.inject(fault);
    }

    /// Ends the scripted faults of an account.
    pub fn clear_faults_of(&self, account: &str) {
        self.shared.state().faults.clear_of(account);
    }

    /// Empties the log of requests.
    pub fn clear_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// See [`Simulator::order_classic`](super::Simulator::order_classic).
    #[must_use = "nothing but its CRN names it"]
    pub fn order_classic(&self, account_id: &str, kind: &str, name: &str) -> Option<String> {
        self.shared.order_classic(account_id, kind, name)
    }

    /// See [`Simulator::cancel_classic`](super::Simulator::cancel_classic).
    #[must_use = "an item that is not there cannot be cancelled"]
    pub fn cancel_classic(&self, account_id: &str, crn: &str) -> bool {
        self.shared.cancel_classic(account_id, crn)
    }

    /// See [`Simulator::inventory`](super::Simulator::inventory).
    #[must_use]
    pub fn inventory(&self, account_id: &str) -> Inventory {
        self.shared.inventory(account_id)
    }

    /// See [`Simulator::working_key`](super::Simulator::working_key).
    #[must_use]
    pub fn working_key(&self, value: &str) -> Option<String> {
        self.shared.working_key(value)
    }

    /// The secrets that came to exist since the first `known` ones: values of API keys, HMAC secrets,
    /// access tokens.
    #[must_use]
    pub fn secrets_after(&self, known: usize) -> Vec<SecretString> {
        self.shared.state().world.secrets[known..].to_vec()
    }
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use time::macros::datetime;

    use super::*;
    use crate::simulator::{AccountSpec, Lags, Time};

    fn cloud() -> (Direct, AccountSpec) {
        let account = AccountSpec::generate("test", 1, 7);
        let settings = Settings {
            accounts: vec![account.clone()],
            lags: Lags::none(),
            time: Time::Frozen(datetime!(2026-05-01 10:00 UTC)),
            seed: 7,
        };
        (Direct::new(&settings), account)
    }

    fn sign_in(cloud: &Direct, account: &AccountSpec) -> HashMap<String, String> {
        let form = format!(
            "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={}",
            account.api_key.expose_secret()
        );
        let media = "application/x-www-form-urlencoded".to_owned();
        let headers = [("content-type".to_owned(), media)].into();
        let answer = cloud.answer("POST", "/identity/token", headers, form.as_bytes(), None);
        let body = answer.unwrap().body.unwrap();
        let bearer = format!("Bearer {}", body["access_token"].as_str().unwrap());
        [("authorization".to_owned(), bearer)].into()
    }

    #[test]
    fn direct_call_is_authenticated_and_answered() {
        let (cloud, account) = cloud();
        let target = format!("/v2/resource_groups?account_id={}", account.id);
        let ask = |headers| cloud.answer("GET", &target, headers, b"", None).unwrap();
        assert_eq!(ask(HashMap::new()).status, 401);
        let answer = ask(sign_in(&cloud, &account));
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.body.unwrap()["resources"].as_array().unwrap().len(),
            1
        );
        assert!(
            answer
                .headers
                .iter()
                .any(|(name, _)| *name == "transaction-id")
        );
    }

    #[test]
    fn lost_reply_is_done_and_a_reset_is_not() {
        let (cloud, account) = cloud();
        let headers = sign_in(&cloud, &account);
        let body = serde_json::json!({"account_id": account.id, "name": "mine"}).to_string();
        let make = |strike| {
            let (target, body) = ("/v1/serviceids/", body.as_bytes());
            let answer = cloud.answer("POST", target, headers.clone(), body, Some(strike));
            assert!(answer.is_none());
            cloud.inventory(&account.id).of("service_ids").len()
        };
        assert_eq!(make(FaultAction::Reset), 0);
        assert_eq!(make(FaultAction::LostReply), 1);
    }

    #[test]
    fn injected_fault_goes_before_the_strike_and_ends_with_its_account() {
        let (cloud, account) = cloud();
        let headers = sign_in(&cloud, &account);
        let ask = || {
            let target = "/v1/apikeys";
            let strike = Some(FaultAction::status(500));
            let answer = cloud.answer("GET", target, headers.clone(), b"", strike);
            answer.unwrap().status
        };
        cloud.inject(Fault::new("/v1/apikeys", FaultAction::status(422)).account(&account.id));
        assert_eq!(ask(), 422);
        cloud.clear_faults_of("another");
        assert_eq!(ask(), 422);
        cloud.clear_faults_of(&account.id);
        assert_eq!(ask(), 500);
    }
}
