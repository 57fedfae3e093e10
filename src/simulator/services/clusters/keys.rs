//! Infrastructure keys: the API keys with which the service works in an account, one for each region
//! and resource group (`ibm-cloud.md` 9, "Clusters hold API keys").
//!
//! Depends on the world. Promises that a stored key is one of the identity that asked last, or of the one
//! that made the first cluster there, and that replacing it leaves the former key's record in IAM.

use serde_json::json;
use time::OffsetDateTime;

use super::calls::{find, group_header, region_header, within_account};
use super::{Place, target};
use crate::simulator::call::{Answer, Call, Reply};
use crate::simulator::refusal::Refusal;
use crate::simulator::rights::{IDENTITY, Level};
use crate::simulator::world::{Account, World};

/// What every such key is called in IAM.
pub(super) const KEY_NAME: &str = "containers-kubernetes-key";

/// A stored key.
pub(super) struct InfrastructureKey {
    api_key_id: String,
    iam_id: String,
}

impl Account {
    /// Whether anything can be done with the key that is stored for a place: its record is there and can
    /// be exchanged, and its identity has rights.
    pub(super) fn has_living_key(&self, place: &Place, now: OffsetDateTime) -> bool {
        let Some(stored) = self.clusters.keys.get(place) else {
            return false;
        };
        let mut keys = self.api_keys.iter();
        let key = keys.find(|key| key.id == stored.api_key_id);
        let works = key.is_some_and(|key| {
            !key.disabled && key.expires_at.is_none_or(|expires_at| now < expires_at)
        });
        works && self.has_rights(&stored.iam_id, now)
    }

    /// Refuses to go on without a stored key that lives, unless there is none and the caller may have
    /// one stored.
    pub(super) fn check_key(&self, call: &Call, place: &Place) -> Result<(), Refusal> {
        if !self.clusters.keys.contains_key(place) {
            return self.may_store_key(call);
        }
        if self.has_living_key(place, call.now) {
            Ok(())
        } else {
            Err(Refusal::bad_request("The API key could not be found."))
        }
    }

    /// A service ID needs rights on IAM Identity for this; a person's key cannot be made under a
    /// restriction.
    fn may_store_key(&self, call: &Call) -> Result<(), Refusal> {
        if !call.caller.is_user() {
            return self.require(call, IDENTITY, Level::Operate);
        }
        if self.identity_settings.restricts_user_keys() {
            return Err(Refusal::forbidden());
        }
        Ok(())
    }
}

impl World {
    /// Makes a key of the caller and stores it for a place.
    pub(super) fn store_key(&mut self, call: &Call, place: &Place) -> Result<(), Refusal> {
        let Place { region, group } = place;
        let description = format!("Clusters in {region}, resource group {group}");
        let wanted = json!({"name": KEY_NAME, "description": description});
        let iam_id = call.caller.iam_id.clone();
        let api_key_id = self.mint_key(call, &iam_id, &wanted)?.id.clone();
        let key = InfrastructureKey { api_key_id, iam_id };
        self.account_mut(call)
            .clusters
            .keys
            .insert(place.clone(), key);
        Ok(())
    }

    /// The same where there is none.
    pub(super) fn store_first_key(&mut self, call: &Call, place: &Place) -> Result<(), Refusal> {
        if self.account(call).clusters.keys.contains_key(place) {
            return Ok(());
        }
        self.store_key(call, place)
    }
}

/// Sets the stored key of a region and a resource group to one of the caller.
pub(super) fn reset(world: &mut World, call: &Call) -> Answer {
    within_account(call)?;
    let Some(region) = region_header(call) else {
        return Err(Refusal::bad_request("Header X-Region is missing."));
    };
    let account = world.account(call);
    let place = account.place(region, group_header(call))?;
    account.require(call, target(&place.group), Level::Administer)?;
    account.may_store_key(call)?;
    world.store_key(call, &place)?;
    world.account_mut(call).resume_deletions(&place, call.now);
    Ok(Reply::empty(204))
}

/// Says whose key a cluster works with.
pub(super) fn owner(world: &mut World, call: &Call) -> Answer {
    within_account(call)?;
    let account = world.account(call);
    let cluster = find(account, call, call.param(0), Level::View)?;
    if !account.has_living_key(&cluster.place, call.now) {
        return Err(Refusal::new(404, "The API key could not be found."));
    }
    let iam_id = &account.clusters.keys[&cluster.place].iam_id;
    let user = account.users.iter().find(|user| user.iam_id == *iam_id);
    let email = user.map_or("", |user| &user.email);
    let service_id = account.service_id_of(iam_id);
    let name = service_id.map_or(email, |service_id| &service_id.name);
    Ok(Reply::ok(
        json!({"id": iam_id, "name": name, "email": email}),
    ))
}
