//! The simulator's own API under `/_simulator/`, for those who run it alone or test it from another
//! language.
//!
//! Depends on the server's state. Needs no authentication and shows no secret.
//!
//! | Call | Answer |
//! |---|---|
//! | `GET /_simulator/requests` | the log of requests |
//! | `DELETE /_simulator/requests` | empties it |
//! | `GET /_simulator/time`, `POST /_simulator/advance` `{"seconds":60}` | the simulator's now |
//! | `POST`, `DELETE /_simulator/faults` | adds a fault (fields of [`Fault`](super::Fault); `action` is `status`, `unauthorized`, `reset`, `slow` or `lost_reply`); removes all |
//! | `GET /_simulator/accounts`, `GET /_simulator/accounts/{id}` | ids and names; one inventory |
//! | `POST /_simulator/accounts/{id}/mess` `{"seed":1,"size":500,"undeletable":0,"networking":false,"services":false}` | makes a [`Mess`] |
//! | `POST /_simulator/accounts/{id}/classic` `{"kind":"virtual-server","name":"old-1"}` | orders classic infrastructure, as a person does; gives its CRN |
//! | `POST /_simulator/accounts/{id}/classic/cancel` `{"crn":"crn:…"}` | cancels it |

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::clock;
use super::faults;
use super::inventory::Inventory;
use super::journal::LoggedRequest;
use super::mess::{self, Mess};
use super::server::Shared;

/// Where the simulator's own API begins.
pub(super) const PREFIX: &str = "/_simulator/";

/// The size of the largest mess that can be asked for.
const LARGEST_MESS: usize = 100_000;

pub(super) fn answer(request: &HttpRequest, body: &[u8], shared: &Shared) -> HttpResponse {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let path: Vec<&str> = request.path()[PREFIX.len()..].split('/').collect();
    let (mut state, now) = shared.settled();
    match (request.method().as_str(), path.as_slice()) {
        ("GET", ["requests"]) => {
            let requests = state.requests.iter().map(LoggedRequest::json);
            ok(&json!({"requests": requests.collect::<Value>()}))
        }
        ("DELETE", ["requests"]) => {
            state.requests.clear();
            HttpResponse::NoContent().finish()
        }
        ("GET", ["time"]) => ok(&json!({"now": clock::controller(now)})),
        ("POST", ["advance"]) => {
            let Some(seconds) = body["seconds"].as_f64().and_then(duration) else {
                return bad_request("seconds must be a number that is not negative");
            };
            state.world.clock.advance(seconds);
            let now = state.world.clock.now();
            state.world.settle(now);
            ok(&json!({"now": clock::controller(now)}))
        }
        ("POST", ["faults"]) => match faults::from_json(&body) {
            Ok(fault) => {
                state.faults.inject(fault);
                HttpResponse::NoContent().finish()
            }
            Err(message) => bad_request(&message),
        },
        ("DELETE", ["faults"]) => {
            state.faults.clear();
            HttpResponse::NoContent().finish()
        }
        ("GET", ["accounts"]) => {
            let accounts = state.world.accounts.values();
            let accounts: Value = accounts
                .map(|account| json!({"id": account.id, "name": account.name}))
                .collect();
            ok(&json!({"accounts": accounts}))
        }
        ("GET", ["accounts", id]) => match state.world.accounts.get(*id) {
            Some(account) => {
                let inventory = Inventory::take(account).lines;
                ok(&json!({"id": account.id, "name": account.name, "inventory": inventory}))
            }
            None => HttpResponse::NotFound().json(json!({"error": "no such account"})),
        },
        ("POST", ["accounts", id, "mess"]) if state.world.accounts.contains_key(*id) => {
            let number = |name: &str| body[name].as_u64().unwrap_or(0);
            let count = |name: &str| usize::try_from(number(name)).unwrap_or(usize::MAX);
            let mess = Mess {
                seed: number("seed"),
                size: count("size"),
                undeletable: count("undeletable"),
                networking: body["networking"] == true,
                services: body["services"] == true,
            };
            if mess.size.max(mess.undeletable) > LARGEST_MESS {
                return bad_request("size and undeletable must be 100000 at most");
            }
            let made = mess::make(&mut state.world, id, shared.base(), &mess, now);
            match made {
                Ok(made) => ok(&json!({"undeletable": made.undeletable})),
                Err(refusal) => bad_request(&refusal.message),
            }
        }
        ("POST", ["accounts", id, "classic"]) => {
            let text = |name: &str| body[name].as_str();
            let (Some(kind), Some(name)) = (text("kind"), text("name")) else {
                return bad_request("kind and name must be texts");
            };
            drop(state);
            match shared.order_classic(id, kind, name) {
                Some(crn) => ok(&json!({"crn": crn})),
                None => HttpResponse::NotFound().json(json!({"error": "no such account"})),
            }
        }
        ("POST", ["accounts", id, "classic", "cancel"]) => {
            drop(state);
            let crn = body["crn"].as_str().unwrap_or_default();
            if shared.cancel_classic(id, crn) {
                HttpResponse::NoContent().finish()
            } else {
                HttpResponse::NotFound().json(json!({"error": "no such item"}))
            }
        }
        _ => HttpResponse::NotFound().json(json!({"error": "no such call of the simulator"})),
    }
}

fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn ok(body: &Value) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

fn bad_request(message: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({"error": message}))
}
