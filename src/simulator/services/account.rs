//! Account Management: the account itself (`ibm-cloud.md` 5.5).

use serde_json::json;

use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::refusal::Family;
use crate::simulator::rights::{ACCOUNT, Level};
use crate::simulator::world::World;

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[route("GET", "/v4/accounts/{id}", get)],
};

fn get(world: &mut World, call: &Call) -> Answer {
    call.within(Some(call.param(0)))?;
    let account = world.account(call);
    account.require(call, ACCOUNT, Level::View)?;
    Ok(Reply::ok(json!({
        "name": account.name, "id": account.id, "owner": account.owner_email,
        "owner_userid": account.owner_email, "owner_iamid": account.owner_iam_id,
        "type": "PAYG", "status": "ACTIVE", "linked_softlayer_account": "",
        "team_directory_enabled": true,
        "traits": {"eu_supported": false, "poc": false, "hippa": false},
    })))
}
