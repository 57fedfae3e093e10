//! What borrowers do with the accounts that are lent to them, over IBM Cloud's APIs, with nothing but
//! the leased key.

use std::collections::BTreeMap;

use acctpool::simulator::catalog::{COS_STANDARD, DATABASE, PLAIN, Plan};
use acctpool_actors::pool::{AccountId, Fence};
use acctpool_soak::dice::Dice;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::cloud::Cloud;

/// What borrowers hold: tokens, which may outlive their keys, and the keys of back doors.
#[derive(Default)]
pub(crate) struct Borrowers {
    tokens: BTreeMap<(AccountId, Fence), String>,
    doors: BTreeMap<AccountId, SecretString>,
}

/// What is done with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Makes a resource.
    Resource,
    /// Makes one with a key, a tag and a lock.
    LockedResource,
    /// Makes one that will refuse to be deleted.
    Undeletable,
    /// Makes an identity with a key and rights of its own.
    BackDoor,
    /// Makes what an administrator can make.
    Furniture,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The key opens nothing, and no token is left.
    LockedOut,
    /// IBM Cloud refused, with this status.
    Refused(u16),
}

impl Borrowers {
    /// Does something with a lease.
    pub(crate) fn act(
        &mut self,
        cloud: &mut Cloud,
        account: &AccountId,
        lease: Fence,
        what: Use,
    ) -> Outcome {
        let key = cloud.lease_value(account, lease);
        let entered = enter(cloud, &key);
        let place = (account.clone(), lease);
        if let Some(token) = entered {
            self.tokens.insert(place.clone(), token);
        }
        let Some(token) = self.tokens.get(&place).cloned() else {
            return Outcome::LockedOut;
        };
        let mut borrower = Borrower {
            cloud,
            account,
            token: &token,
        };
        let done = match what {
            Use::Resource => borrower.instance(&PLAIN).map(drop),
            Use::LockedResource => borrower.locked_resource(),
            Use::Undeletable => borrower.undeletable(),
            Use::Furniture => borrower.furniture(),
            Use::BackDoor => borrower.back_door().map(|key| {
                self.doors.insert(account.clone(), key);
            }),
        };
        done.map_or_else(Outcome::Refused, |()| Outcome::Done)
    }

    /// Tries the back door that was last made in an account.
    pub(crate) fn sneak_in(&self, cloud: &mut Cloud, account: &AccountId) -> bool {
        let Some(token) = self.doors.get(account).and_then(|key| enter(cloud, key)) else {
            return false;
        };
        let mut burglar = Borrower {
            cloud,
            account,
            token: &token,
        };
        burglar.instance(&PLAIN).is_ok()
    }

    /// Forgets tokens of former leases.
    pub(crate) fn forget(&mut self, account: &AccountId, before: Fence) {
        self.tokens
            .retain(|(of, fence), _| of != account || *fence >= before);
    }
}

/// Picks something to do.
pub(crate) fn any_use(dice: &mut Dice, administrator: bool) -> Use {
    match dice.below(if administrator { 4 } else { 2 }) {
        0 => Use::Resource,
        1 => Use::LockedResource,
        2 => Use::BackDoor,
        _ => Use::Furniture,
    }
}

fn enter(cloud: &Cloud, key: &SecretString) -> Option<String> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ibm:params:oauth:grant-type:apikey")
        .append_pair("apikey", key.expose_secret())
        .finish();
    let form = ("application/x-www-form-urlencoded", form.as_str());
    let (status, body) = cloud.call("POST", "/identity/token", None, Some(form));
    let token = body["access_token"].as_str().filter(|_| status == 200);
    token.map(ToOwned::to_owned)
}

/// Somebody who is signed in.
struct Borrower<'a> {
    cloud: &'a mut Cloud,
    account: &'a AccountId,
    token: &'a str,
}

impl Borrower<'_> {
    fn post(&self, target: &str, body: &Value) -> Result<Value, u16> {
        let body = body.to_string();
        let body = ("application/json", body.as_str());
        let (status, answer) = self
            .cloud
            .call("POST", target, Some(self.token), Some(body));
        (200..300).contains(&status).then_some(answer).ok_or(status)
    }

    fn default_group(&self) -> Result<Value, u16> {
        let target = format!("/v2/resource_groups?account_id={}", self.account);
        let (status, groups) = self.cloud.call("GET", &target, Some(self.token), None);
        let group = &groups["resources"][0]["id"];
        // Who has no rights is shown nothing.
        match status {
            200 if group.is_string() => Ok(group.clone()),
            200 => Err(403),
            status => Err(status),
        }
    }

    fn instance(&mut self, plan: &Plan) -> Result<Value, u16> {
        let group = self.default_group()?;
        let body = json!({
            "name": "made by a borrower", "target": "eu-de", "resource_group": group,
            "resource_plan_id": plan.plan_id,
        });
        self.post("/v2/resource_instances", &body)
    }

    fn locked_resource(&mut self) -> Result<(), u16> {
        self.instance(&DATABASE)?;
        let storage = self.instance(&COS_STANDARD)?;
        let key = json!({"name": "hmac", "source": storage["guid"], "parameters": {"HMAC": true}});
        self.post("/v2/resource_keys", &key)?;
        let tags = json!({"resources": [{"resource_id": storage["crn"]}], "tag_names": ["mine"]});
        self.post("/v3/tags/attach?tag_type=user", &tags)?;
        let id = storage["id"].as_str().unwrap_or_default();
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        self.post(&format!("/v2/resource_instances/{id}/lock"), &json!({}))?;
        Ok(())
    }

    fn undeletable(&mut self) -> Result<(), u16> {
        let instance = self.instance(&PLAIN)?;
        let guid = instance["guid"].as_str().unwrap_or_default();
        self.cloud.forbid_deletion(self.account, guid);
        Ok(())
    }

    fn back_door(&mut self) -> Result<SecretString, u16> {
        let account = self.account.as_str();
        let door = json!({"account_id": account, "name": "door", "apikey": {"name": "key"}});
        let door = self.post("/v1/serviceids/", &door)?;
        let attribute = |key: &str, value: &str| json!({"key": key, "operator": "stringEquals", "value": value});
        let iam_id = door["iam_id"].as_str().unwrap_or_default();
        for right in [
            ("serviceType", "service"),
            ("resourceType", "resource-group"),
        ] {
            let policy = json!({
                "type": "access",
                "subject": {"attributes": [attribute("iam_id", iam_id)]},
                "resource": {"attributes": [
                    attribute("accountId", account),
                    attribute(right.0, right.1),
                ]},
                "control": {"grant": {"roles": [
                    {"role_id": "crn:v1:bluemix:public:iam::::role:Editor"},
                ]}},
            });
            self.post("/v2/policies", &policy)?;
        }
        let key = door["apikey"]["apikey"].as_str().unwrap_or_default();
        Ok(key.into())
    }

    fn furniture(&mut self) -> Result<(), u16> {
        let account = self.account.as_str();
        let named = |name: &str| json!({"account_id": account, "name": name});
        let groups = format!("/v2/groups?account_id={account}");
        for (target, body) in [
            (groups.as_str(), json!({"name": "friends"})),
            ("/v1/profiles", named("disguise")),
            ("/v2/resource_groups", named("mine")),
        ] {
            match self.post(target, &body) {
                // It is there already, or its name stays reserved for a while.
                Ok(_) | Err(409) => {}
                Err(status) => return Err(status),
            }
        }
        Ok(())
    }
}
