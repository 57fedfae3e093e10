//! Key Protect (`ibm-cloud.md` 9): keys, which must be destroyed before their instance.
//!
//! Stands under `/keyprotect/{region}`; the header `bluemix-instance` names the instance. Promises that
//! destroyed keys must be asked for, that a key in use is destroyed by force only, one of a resource
//! under retention not even so, and one under dual authorisation never: nobody acts in this account as
//! the second user that it takes.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::object_storage::Bucket;
use super::resource_instances::Instance;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::catalog::KEY_PROTECT;
use crate::simulator::clock;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::Level;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Keys,
    routes: &[
        route("GET", "/keyprotect/{region}/api/v2/keys", list),
        route("POST", "/keyprotect/{region}/api/v2/keys", create),
        route("GET", "/keyprotect/{region}/api/v2/keys/{id}/metadata", get),
        route(
            "GET",
            "/keyprotect/{region}/api/v2/keys/{id}/registrations",
            registrations,
        ),
        route(
            "PUT",
            "/keyprotect/{region}/api/v2/keys/{id}/policies",
            require_two,
        ),
        route("DELETE", "/keyprotect/{region}/api/v2/keys/{id}", delete),
    ],
};

/// States of NIST SP 800-57 that keys have here.
const ACTIVE: u8 = 1;
const DESTROYED: u8 = 5;

/// What a list shows that is not asked for states: all but destroyed keys.
const USUAL_STATES: &str = "0,1,2,3";

pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) crn: String,
    instance: String,
    state: u8,
    extractable: bool,
    /// Whether its deletion takes two users.
    dual_authorisation: bool,
    created_by: String,
    created_at: OffsetDateTime,
}

impl Key {
    pub(crate) fn state(&self) -> &'static str {
        if self.is_destroyed() {
            "destroyed"
        } else {
            "active"
        }
    }

    fn is_destroyed(&self) -> bool {
        self.state == DESTROYED
    }

    fn json(&self) -> Value {
        json!({
            "type": "application/vnd.ibm.kms.key+json", "id": self.id, "name": self.name,
            "crn": self.crn, "state": self.state, "extractable": self.extractable,
            "imported": false, "deleted": self.is_destroyed(), "keyRingID": "default",
            "algorithmType": "AES", "createdBy": self.created_by,
            "creationDate": clock::controller(self.created_at),
            "lastUpdateDate": clock::controller(self.created_at),
            "dualAuthDelete": {"enabled": self.dual_authorisation},
        })
    }
}

impl Account {
    /// Refuses the deletion of an instance that has a key (`ibm-cloud.md` 6.1).
    pub(crate) fn keys_hold(&self, instance: &Instance) -> Result<(), Refusal> {
        let mut keys = self.keys.iter();
        if keys.any(|key| key.instance == instance.guid && !key.is_destroyed()) {
            let message = "[409, Conflict] CONTAINS_ACTIVE_KEYS: The instance has active keys.";
            return Err(Refusal::broker(message));
        }
        Ok(())
    }

    /// Ends what was in an instance that has just been destroyed.
    pub(crate) fn forget_keys_of(&mut self, guid: &str) {
        self.keys.retain(|key| key.instance != guid);
    }

    /// Whether there is such a key, which can be used.
    pub(crate) fn has_key(&self, crn: &str) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|key| key.crn == crn && !key.is_destroyed())
    }

    /// What is encrypted with a key: buckets, as nothing else registers itself here.
    fn protected_by(&self, key: &Key) -> impl Iterator<Item = &Bucket> {
        let buckets = self.buckets.iter();
        buckets.filter(|bucket| bucket.root_key.as_deref() == Some(&key.crn))
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call);
    let guid = instance(account, call, Level::View)?;
    let limit = call.limit("limit", 200, 5000)?;
    let offset: usize = match call.query("offset") {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::bad_request("offset must be a number."))?,
    };
    let states = call.query("state").unwrap_or(USUAL_STATES);
    let wanted = |key: &&Key| {
        let mut states = states.split(',');
        key.instance == guid && states.any(|state| state == key.state.to_string())
    };
    let mut keys: Vec<&Key> = account.keys.iter().filter(wanted).collect();
    keys.sort_by_key(|key| &key.id);
    let page = keys.into_iter().skip(offset).take(limit);
    Ok(Reply::ok(collection("key", page.map(Key::json).collect())))
}

/// What everything comes in; a collection of nothing has no resources (the SDK says optional).
fn collection(of: &str, resources: Vec<Value>) -> Value {
    let mut body = json!({"metadata": {
        "collectionType": format!("application/vnd.ibm.kms.{of}+json"),
        "collectionTotal": resources.len(),
    }});
    if !resources.is_empty() {
        body["resources"] = resources.into();
    }
    body
}

fn create(world: &mut World, call: &Call) -> Answer {
    let asked = &call.body["resources"][0];
    let name = asked["name"]
        .as_str()
        .ok_or_else(|| Refusal::bad_request("A key needs a name.").with_code("BAD_BODY_ERR"))?;
    let account = world.account_mut(call);
    let guid = instance(account, call, Level::Edit)?;
    let id = account.random.uuid();
    let service = KEY_PROTECT.service;
    let key = Key {
        crn: format!(
            "crn:v1:bluemix:public:{service}:{}:a/{}:{guid}:key:{id}",
            call.param(0),
            account.id
        ),
        id,
        name: name.to_owned(),
        instance: guid,
        state: ACTIVE,
        extractable: asked["extractable"] != false,
        dual_authorisation: false,
        created_by: call.caller.iam_id.clone(),
        created_at: call.now,
    };
    let json = key.json();
    account.keys.push(key);
    Ok(Reply::created(collection("key", vec![json])))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let json = account.keys[position].json();
    Ok(Reply::ok(collection("key", vec![json])))
}

fn registrations(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let key = &account.keys[position];
    let registered = account.protected_by(key).map(|bucket| {
        json!({
            "keyId": key.id, "resourceCrn": bucket.crn(&account.id),
            "preventKeyDeletion": bucket.is_immutable(),
        })
    });
    let registered = registered.collect();
    Ok(Reply::ok(collection("registration", registered)))
}

/// Puts a key under dual authorisation, which cannot be taken back.
fn require_two(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let asked = &call.body["resources"][0]["dualAuthDelete"]["enabled"];
    let key = &mut account.keys[position];
    match asked.as_bool() {
        Some(true) => key.dual_authorisation = true,
        Some(false) if !key.dual_authorisation => {}
        Some(false) => {
            let refusal = Refusal::conflict("The policy cannot be taken back.");
            return Err(refusal.with_code("CONFIG_RULE_CONFLICT_ERR"));
        }
        None => {
            let refusal = Refusal::bad_request("The body names no policy that is known.");
            return Err(refusal.with_code("BAD_BODY_ERR"));
        }
    }
    let policy = json!({"dualAuthDelete": {"enabled": key.dual_authorisation}});
    Ok(Reply::ok(collection("policy", vec![policy])))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let key = &account.keys[position];
    may_go(account, key, call)?;
    let crn = key.crn.clone();
    for bucket in &mut account.buckets {
        bucket.root_key.take_if(|key| *key == crn);
    }
    let key = &mut account.keys[position];
    key.state = DESTROYED;
    if call.header("prefer") == Some("return=representation") {
        return Ok(Reply::ok(collection("key", vec![key.json()])));
    }
    Ok(Reply::empty(204))
}

/// Statuses and codes are those of D-KP `error-messages.md`; that of missing authorisations is (inf).
fn may_go(account: &Account, key: &Key, call: &Call) -> Result<(), Refusal> {
    let refused = |status, code, message| Err(Refusal::new(status, message).with_code(code));
    if key.is_destroyed() {
        let message = "Key has already been deleted. Please delete references to this key.";
        return refused(410, "KEY_DELETED_ERR", message);
    }
    if key.dual_authorisation {
        let message = "Number of authorizations required to delete is not met.";
        return refused(409, "AUTHORIZATIONS_NOT_MET", message);
    }
    let mut protected = account.protected_by(key).peekable();
    if protected.peek().is_some() && !call.flag("force") {
        let message = "Key is protecting one or more cloud resources";
        return refused(409, "PROTECTED_RESOURCE_ERR", message);
    }
    if protected.any(Bucket::is_immutable) {
        let message = "The key cannot be deleted because it's protecting a cloud resource that has \
                       a retention policy.";
        return refused(409, "PREV_KEY_DEL_ERR", message);
    }
    Ok(())
}

/// The guid of the instance that the header names, in the region of the path.
fn instance(account: &Account, call: &Call, level: Level) -> Result<String, Refusal> {
    let guid = call
        .header("bluemix-instance")
        .ok_or_else(|| Refusal::bad_request("Header Bluemix-Instance is missing."))?;
    let instance = account.serving(call, guid, KEY_PROTECT.service, level)?;
    if instance.region != call.param(0) {
        return Err(Refusal::not_found("Instance", guid));
    }
    Ok(instance.guid.clone())
}

/// The key that the path names, on whose instance the caller has `level`.
fn find<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<(&'w mut Account, usize), Refusal> {
    let account = world.account_mut(call);
    let guid = instance(account, call, level)?;
    let id = call.param(1);
    let mut keys = account.keys.iter();
    let position = keys
        .position(|key| key.instance == guid && key.id == id)
        .ok_or_else(|| Refusal::not_found("Key", id))?;
    Ok((account, position))
}
