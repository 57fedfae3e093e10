//! Context-based restrictions (`ibm-cloud.md` 5.4): network zones, and rules that let nobody in from
//! elsewhere.
//!
//! Stands under `/cbr`. Promises that a zone stays while a rule names it; and that an enabled rule whose
//! zones do not hold this machine's address shuts everybody out of what it covers, the account's owner
//! included, some time after it was made until some time after it was deleted. The token endpoint and
//! the restrictions themselves are not subject to it. Rules that cover a part of a service only are kept
//! and have no effect.

#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::policies::Attribute;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{
    ACCESS_GROUPS, IDENTITY, Level, POLICIES, RESTRICTIONS, Target, USERS, covers,
};
use crate::simulator::settings::Lags;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/cbr/v1/rules", list_rules),
        route("POST", "/cbr/v1/rules", create_rule),
        route("GET", "/cbr/v1/rules/{id}", get_rule),
        route("DELETE", "/cbr/v1/rules/{id}", delete_rule),
        route("GET", "/cbr/v1/zones", list_zones),
        route("POST", "/cbr/v1/zones", create_zone),
        route("GET", "/cbr/v1/zones/{id}", get_zone),
        route("DELETE", "/cbr/v1/zones/{id}", delete_zone),
    ],
};

/// Where services that rules may cover have their calls: the beginning of a path, and the target.
const COVERABLE: &[(&str, Target<'static>)] = &[
    ("/vpc/", service("is")),
    ("/containers/", service("containers-kubernetes")),
    ("/registry/", service("container-registry")),
    ("/codeengine/", service("codeengine")),
    ("/schematics/", service("schematics")),
    ("/transit/", service("transit")),
    ("/directlink/", service("directlink")),
    ("/dns/", service("dns-svcs")),
    ("/keyprotect/", service("kms")),
    ("/cos/", service("cloud-object-storage")),
    ("/v1/apikeys", IDENTITY),
    ("/v1/serviceid", IDENTITY),
    ("/v1/profiles", IDENTITY),
    ("/v1/idps", IDENTITY),
    ("/v1/accounts/", IDENTITY),
    ("/v1/policies", POLICIES),
    ("/v2/policies", POLICIES),
    ("/v2/roles", POLICIES),
    ("/v2/groups", ACCESS_GROUPS),
    ("/v2/accounts/", USERS),
    ("/v3/accounts/", USERS),
];

const fn service(name: &'static str) -> Target<'static> {
    Target::Service {
        name,
        instance: "",
        resource_group: "",
    }
}

/// The zones and rules of an account.
#[derive(Default)]
pub(crate) struct Restrictions {
    pub(crate) zones: Vec<Zone>,
    pub(crate) rules: Vec<Rule>,
    /// Rules that were deleted and may still be in force, and since when.
    removed: Vec<(OffsetDateTime, Rule)>,
}

pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    admits_loopback: bool,
    json: Value,
}

pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) description: String,
    resource: Vec<Attribute>,
    zones: Vec<String>,
    /// Whether it is enforced, and this machine is in none of its zones.
    shuts_out: bool,
    created_at: OffsetDateTime,
    json: Value,
}

impl Restrictions {
    /// Whether calls of this path are refused at `now`.
    fn refuse(&self, path: &str, lags: &Lags, now: OffsetDateTime) -> bool {
        let mut coverable = COVERABLE.iter();
        let Some((_, target)) = coverable.find(|(start, _)| path.starts_with(start)) else {
            return false;
        };
        let effect = lags.policy_effect;
        let in_force = self
            .rules
            .iter()
            .filter(|rule| now >= rule.created_at + effect);
        let lingering = self.removed.iter().filter(|(at, rule)| {
            now < *at + lags.policy_removal && *at >= rule.created_at + effect
        });
        let mut rules = in_force.chain(lingering.map(|(_, rule)| rule));
        rules.any(|rule| rule.shuts_out && covers(&rule.resource, *target))
    }

    /// Drops deleted rules that have lost their force.
    pub(crate) fn forget_lapsed(&mut self, lags: &Lags, now: OffsetDateTime) {
        self.removed
            .retain(|(at, _)| now < *at + lags.policy_removal);
    }
}

impl Account {
    /// Refuses a call of this path that a rule shuts out.
    pub(crate) fn admit(&self, path: &str, now: OffsetDateTime) -> Result<(), Refusal> {
        if self.restrictions.refuse(path, &self.lags, now) {
            let message = "Access is denied by a context-based restriction.";
            return Err(Refusal::new(403, message));
        }
        Ok(())
    }
}

/// The rules, of a service or of a zone where these are asked for; not paged.
fn list_rules(world: &mut World, call: &Call) -> Answer {
    let account = viewed(world, call)?;
    let rules = account.restrictions.rules.iter();
    let rules: Vec<&Value> = rules
        .filter(|rule| {
            call.query("service_name").is_none_or(|name| {
                let mut resource = rule.resource.iter();
                resource.any(|attribute| attribute.key == "serviceName" && attribute.value == name)
            })
        })
        .filter(|rule| {
            call.query("zone_id")
                .is_none_or(|id| rule.zones.iter().any(|zone| zone == id))
        })
        .map(|rule| &rule.json)
        .collect();
    Ok(Reply::ok(json!({"count": rules.len(), "rules": rules})))
}

fn create_rule(world: &mut World, call: &Call) -> Answer {
    let resource = Attribute::named(&call.body["resources"][0]["attributes"])?;
    let of_service = |attribute: &Attribute| {
        ["serviceName", "serviceType", "service_group_id"].contains(&attribute.key.as_str())
    };
    if !resource.iter().any(of_service) {
        return Err(Refusal::bad_request("A rule must name a service."));
    }
    let zones = zones_in(&call.body["contexts"]);
    let account = edited(world, call)?;
    let known = |id: &String| {
        account
            .restrictions
            .zones
            .iter()
            .find(|zone| zone.id == *id)
    };
    if let Some(unknown) = zones.iter().find(|id| known(id).is_none()) {
        let message = format!("The network zone '{unknown}' is not found.");
        return Err(Refusal::bad_request(message));
    }
    let mut named = zones.iter().filter_map(known);
    let admits_loopback = named.any(|zone| zone.admits_loopback);
    let mode = call.text("enforcement_mode").unwrap_or("enabled");
    let description = call.text("description").unwrap_or_default().to_owned();
    let id = account.random.hex();
    let json = json!({
        "id": id, "description": description, "contexts": call.body["contexts"],
        "crn": format!("crn:v1:bluemix:public:context-based-restrictions:global:a/{}::rule:{id}", account.id),
        "resources": call.body["resources"], "enforcement_mode": mode,
        "href": format!("{}/cbr/v1/rules/{id}", call.base),
        "created_at": clock::controller(call.now), "created_by_id": call.caller.iam_id,
        "last_modified_at": clock::controller(call.now),
        "last_modified_by_id": call.caller.iam_id,
    });
    account.restrictions.rules.push(Rule {
        id,
        description,
        resource,
        zones,
        shuts_out: mode == "enabled" && !admits_loopback,
        created_at: call.now,
        json: json.clone(),
    });
    Ok(Reply::created(json))
}

/// The ids of the zones that contexts name.
fn zones_in(contexts: &Value) -> Vec<String> {
    let contexts = contexts.as_array().into_iter().flatten();
    contexts
        .filter_map(|context| context["attributes"].as_array())
        .flatten()
        .filter(|attribute| attribute["name"] == "networkZoneId")
        .filter_map(|attribute| attribute["value"].as_str().map(ToOwned::to_owned))
        .collect()
}

fn get_rule(world: &mut World, call: &Call) -> Answer {
    let restrictions = &viewed(world, call)?.restrictions;
    let rule = &restrictions.rules[position_of_rule(restrictions, call)?];
    Ok(Reply::ok(rule.json.clone()))
}

fn delete_rule(world: &mut World, call: &Call) -> Answer {
    let restrictions = &mut edited(world, call)?.restrictions;
    let position = position_of_rule(restrictions, call)?;
    let rule = restrictions.rules.remove(position);
    restrictions.removed.push((call.now, rule));
    Ok(Reply::empty(204))
}

fn position_of_rule(restrictions: &Restrictions, call: &Call) -> Result<usize, Refusal> {
    let id = call.param(0);
    let position = restrictions.rules.iter().position(|rule| rule.id == id);
    let missing = || Refusal::not_found("Rule", id).with_code("rule_not_found_in_store");
    position.ok_or_else(missing)
}

/// The zones in short; not paged.
fn list_zones(world: &mut World, call: &Call) -> Answer {
    let account = viewed(world, call)?;
    let zones = account.restrictions.zones.iter();
    let zones: Vec<&Value> = zones
        .filter(|zone| call.query("name").is_none_or(|name| zone.name == name))
        .map(|zone| &zone.json)
        .collect();
    Ok(Reply::ok(json!({"count": zones.len(), "zones": zones})))
}

fn create_zone(world: &mut World, call: &Call) -> Answer {
    let name = call.required("name")?.to_owned();
    let addresses = call.body["addresses"].as_array();
    let addresses = addresses.map(Vec::as_slice).unwrap_or_default();
    let account = edited(world, call)?;
    let id = account.random.hex();
    let preview: Vec<&Value> = addresses.iter().take(3).collect();
    let json = json!({
        "id": id, "name": name, "account_id": account.id,
        "crn": format!("crn:v1:bluemix:public:context-based-restrictions:global:a/{}::zone:{id}", account.id),
        "description": call.text("description").unwrap_or_default(), "addresses": addresses,
        "addresses_preview": preview, "address_count": addresses.len(), "excluded": [],
        "excluded_count": 0, "href": format!("{}/cbr/v1/zones/{id}", call.base),
        "created_at": clock::controller(call.now), "created_by_id": call.caller.iam_id,
        "last_modified_at": clock::controller(call.now),
        "last_modified_by_id": call.caller.iam_id,
    });
    account.restrictions.zones.push(Zone {
        id,
        name,
        admits_loopback: addresses.iter().any(holds_loopback),
        json: json.clone(),
    });
    Ok(Reply::created(json))
}

fn get_zone(world: &mut World, call: &Call) -> Answer {
    let restrictions = &viewed(world, call)?.restrictions;
    let zone = &restrictions.zones[position_of_zone(restrictions, call)?];
    Ok(Reply::ok(zone.json.clone()))
}

fn delete_zone(world: &mut World, call: &Call) -> Answer {
    let restrictions = &mut edited(world, call)?.restrictions;
    let position = position_of_zone(restrictions, call)?;
    let id = call.param(0);
    let mut rules = restrictions.rules.iter();
    if rules.any(|rule| rule.zones.iter().any(|zone| zone == id)) {
        // The text was seen [field TF#4997], its status was not.
        let message = format!(
            "The network zone '{id}' is referenced by one or more rules and cannot be deleted."
        );
        return Err(Refusal::conflict(message));
    }
    restrictions.zones.remove(position);
    Ok(Reply::empty(204))
}

fn position_of_zone(restrictions: &Restrictions, call: &Call) -> Result<usize, Refusal> {
    let id = call.param(0);
    let position = restrictions.zones.iter().position(|zone| zone.id == id);
    position.ok_or_else(|| Refusal::not_found("Zone", id))
}

/// Whether an entry of a zone holds this machine's address: one address, a range or a subnet.
fn holds_loopback(entry: &Value) -> bool {
    let value = entry["value"].as_str().unwrap_or_default();
    let ours = Ipv4Addr::LOCALHOST;
    let parse = |text: &str| text.parse::<Ipv4Addr>().ok();
    match entry["type"].as_str() {
        Some("ipAddress") => parse(value) == Some(ours),
        Some("ipRange") => value.split_once('-').is_some_and(|(first, last)| {
            let ends = parse(first).zip(parse(last));
            ends.is_some_and(|(first, last)| (first..=last).contains(&ours))
        }),
        Some("subnet") => value.split_once('/').is_some_and(|(network, length)| {
            let length = length.parse().ok().filter(|length| *length <= 32_u32);
            let mask = |length| u32::MAX.checked_shl(32 - length).unwrap_or(0);
            let same = |(network, length): (Ipv4Addr, u32)| {
                (u32::from(network) ^ u32::from(ours)) & mask(length) == 0
            };
            parse(network).zip(length).is_some_and(same)
        }),
        _ => false,
    }
}

/// The caller's account, whose restrictions the caller may see.
fn viewed<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Account, Refusal> {
    required(world, call, Level::View)
}

/// The same, and change.
fn edited<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Account, Refusal> {
    required(world, call, Level::Edit)
}

fn required<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<&'w mut Account, Refusal> {
    call.within_own_account()?;
    let account = world.account_mut(call);
    account.require(call, RESTRICTIONS, level)?;
    Ok(account)
}
