//! User Management (`ibm-cloud.md` 5.3).
//!
//! Promises that only persons invite and remove users, that removing a user deletes their keys and
//! rights, and that the owner stays.

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::random::Random;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, USERS};
use crate::simulator::settings::AccountSpec;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/v2/accounts/{id}/users", list),
        route("POST", "/v2/accounts/{id}/users", invite),
        route("GET", "/v2/accounts/{id}/users/{user}", get),
        route("DELETE", "/v2/accounts/{id}/users/{user}", delete),
        route("DELETE", "/v3/accounts/{id}/users/{user}", delete_later),
    ],
};

pub(crate) struct User {
    pub(crate) iam_id: String,
    pub(crate) email: String,
    pub(crate) state: &'static str,
    id: String,
    added_at: OffsetDateTime,
    /// When an asynchronous removal is over.
    gone_at: Option<OffsetDateTime>,
}

impl User {
    pub(crate) fn owner(spec: &AccountSpec, random: &mut Random, now: OffsetDateTime) -> Self {
        Self {
            iam_id: spec.owner_iam_id.clone(),
            email: spec.owner_email.clone(),
            state: "ACTIVE",
            id: random.hex(),
            added_at: now,
            gone_at: None,
        }
    }

    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        self.gone_at
    }

    fn json(&self, account: &str) -> Value {
        json!({
            "id": self.id, "iam_id": self.iam_id, "realm": "IBMid", "user_id": self.email,
            "firstname": "", "lastname": "", "state": self.state, "email": self.email,
            "phonenumber": "", "altphonenumber": "", "photo": "", "account_id": account,
            "added_on": clock::controller(self.added_at),
        })
    }
}

impl Account {
    pub(crate) fn settle_users(&mut self, now: OffsetDateTime) {
        while let Some(position) = self
            .users
            .iter()
            .position(|user| user.gone_at.is_some_and(|at| at <= now))
        {
            self.remove_user(position, now);
        }
    }

    fn remove_user(&mut self, position: usize, now: OffsetDateTime) {
        let user = self.users.remove(position);
        self.api_keys.retain(|key| key.iam_id != user.iam_id);
        self.remove_policies_of(&user.iam_id, now);
        self.access_groups.remove_everywhere(&user.iam_id, now);
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    call.within(Some(call.param(0)))?;
    let account = world.account(call);
    let sees_all = account.allows(call, USERS, Level::View);
    let users = account
        .users
        .iter()
        .filter(|user| sees_all || user.iam_id == call.caller.iam_id)
        .map(|user| user.json(&account.id))
        .collect();
    paging::underscore_start(call, users)
}

fn invite(world: &mut World, call: &Call) -> Answer {
    let account = manageable(world, call)?;
    let wanted = call.body["users"].as_array().cloned().unwrap_or_default();
    let mut invited = Vec::new();
    for user in &wanted {
        let email = user["email"]
            .as_str()
            .ok_or_else(|| Refusal::bad_request("Users must have an email."))?;
        if account.users.iter().any(|user| user.email == email) {
            return Err(
                Refusal::conflict("The user is in the account already.").with_code("Conflict")
            );
        }
        let user = User {
            iam_id: format!("IBMid-{}", &account.random.hex()[..10].to_uppercase()),
            email: email.to_owned(),
            state: "PENDING",
            id: account.random.hex(),
            added_at: call.now,
            gone_at: None,
        };
        invited.push(json!({"email": email, "id": user.iam_id, "state": "PROCESSING"}));
        account.users.push(user);
    }
    Ok(Reply::with(202, json!({"resources": invited})))
}

fn get(world: &mut World, call: &Call) -> Answer {
    call.within(Some(call.param(0)))?;
    let account = world.account(call);
    if call.param(1) != call.caller.iam_id {
        account.require(call, USERS, Level::View)?;
    }
    let user = find(account, call)?;
    Ok(Reply::ok(account.users[user].json(&account.id)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let account = manageable(world, call)?;
    let position = removable(account, call)?;
    account.remove_user(position, call.now);
    Ok(Reply::empty(204))
}

fn delete_later(world: &mut World, call: &Call) -> Answer {
    let account = manageable(world, call)?;
    let position = removable(account, call)?;
    let gone_at = call.now + account.lags.user_removal;
    let user = &mut account.users[position];
    user.gone_at.get_or_insert(gone_at);
    Ok(Reply::empty(202))
}

/// The account, for a person who may manage its users.
fn manageable<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Account, Refusal> {
    call.within(Some(call.param(0)))?;
    let account = world.account_mut(call);
    if !call.caller.is_user() {
        return Err(Refusal::forbidden());
    }
    account.require(call, USERS, Level::Edit)?;
    Ok(account)
}

fn find(account: &Account, call: &Call) -> Result<usize, Refusal> {
    let iam_id = call.param(1);
    account
        .users
        .iter()
        .position(|user| user.iam_id == iam_id)
        .ok_or_else(|| Refusal::not_found("User", iam_id))
}

fn removable(account: &Account, call: &Call) -> Result<usize, Refusal> {
    let position = find(account, call)?;
    if account.users[position].iam_id == account.owner_iam_id {
        return Err(Refusal::bad_request(
            "The account's owner cannot be removed.",
        ));
    }
    Ok(position)
}
