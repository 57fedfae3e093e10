//! The token endpoint: exchanges an API key for an access token (`ibm-cloud.md` 2).
//!
//! Promises that a token is a three-part JWT which IBM's SDKs decode, that no two are alike, and that
//! it works until its `exp`, whatever becomes of the key.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::api_keys::ApiKey;
use crate::simulator::call::{Answer, Call, Caller, Reply, Route, Service};
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::world::{Account, Token, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Token,
    routes: &[Route {
        method: "POST",
        pattern: PATH,
        handler: exchange,
        open: true,
    }],
};

/// Where keys are exchanged.
pub(crate) const PATH: &str = "/identity/token";

const GRANT: &str = "urn:ibm:params:oauth:grant-type:apikey";

fn exchange(world: &mut World, call: &Call) -> Answer {
    match call.text("grant_type") {
        Some(GRANT) => {}
        Some(_) => {
            let refusal = Refusal::bad_request("Grant type is not supported.");
            return Err(refusal.with_code("BXNIM0106E"));
        }
        None => return Err(Refusal::bad_request("Property grant_type is missing.")),
    }
    let value = call.required("apikey")?;
    let (account, key) = world.find_key(value).ok_or_else(unknown_key)?;
    check(account, key, call)?;
    let caller = Caller {
        account: account.id.clone(),
        iam_id: key.iam_id.clone(),
        api_key_id: key.id.clone(),
    };
    let lifetime = account
        .lags
        .token_lifetime
        .unwrap_or_else(|| account.identity_settings.token_lifetime());
    let account = world
        .accounts
        .get_mut(&caller.account)
        .expect("the key was found in this account");
    let (issued, expires) = (call.now, call.now + lifetime);
    let claims = json!({
        "iam_id": caller.iam_id, "id": caller.iam_id,
        "realmid": if caller.is_user() { "IBMid" } else { "iam" },
        "jti": account.random.uuid(),
        "identifier": caller.iam_id.trim_start_matches("iam-"),
        "sub": caller.iam_id.trim_start_matches("iam-"),
        "account": {"valid": true, "bss": caller.account, "frozen": true},
        "iat": issued.unix_timestamp(), "exp": expires.unix_timestamp(),
        "iss": "https://iam.cloud.ibm.com/identity",
        "grant_type": GRANT, "scope": "ibm openid", "client_id": "default", "acr": 1, "amr": ["pwd"],
    });
    let token = encode(claims, caller.is_user(), &account.random.key_value());
    let reply = json!({
        "access_token": token, "refresh_token": "not_supported", "ims_user_id": 1_234_567,
        "token_type": "Bearer", "expires_in": lifetime.as_secs(),
        "expiration": expires.unix_timestamp(), "scope": "ibm openid",
    });
    // The claim has whole seconds, and it is what the services judge by.
    let expires_at = expires - Duration::from_nanos(expires.nanosecond().into());
    world.remember_token(&token, Token { caller, expires_at });
    Ok(Reply::ok(reply))
}

fn unknown_key() -> Refusal {
    Refusal::bad_request("Provided API key could not be found.").with_code("BXNIM0415E")
}

/// Refuses keys that exist and may not be used, here and now.
fn check(account: &Account, key: &ApiKey, call: &Call) -> Result<(), Refusal> {
    if key.disabled {
        return Err(Refusal::bad_request("Provided API key is disabled.").with_code("BXNIM0434E"));
    }
    if key.expires_at.is_some_and(|expires| call.now >= expires) {
        return Err(unknown_key());
    }
    if !account.identity_settings.admits_loopback() {
        let refusal = Refusal::new(
            401,
            "Your IP address is not allowed by the account's settings.",
        );
        return Err(refusal.with_code("BXNIM0430E"));
    }
    Ok(())
}

/// A JWT whose signature is only random: offline verification is out of the simulator's reach.
fn encode(mut claims: Value, of_user: bool, signature: &str) -> String {
    if !of_user {
        claims["sub_type"] = "ServiceId".into();
    }
    let header = json!({"kid": "simulated", "alg": "RS256"});
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}
