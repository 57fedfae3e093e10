//! DNS Services (`ibm-cloud.md` 8.2, 9): zones with the networks that may ask them, and custom
//! resolvers.
//!
//! Stands under `/dns`; everything is in an instance of `dns-svcs`. Promises that a resolver holds a
//! network interface in each of its subnets, which no list shows and which outlives it for a while;
//! that an enabled one is not deleted (TF disables it first); and that the instance stays while it has a
//! resolver or a permitted network.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::life::Life;
use super::resource_instances::Instance;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::catalog::DNS_SERVICES;
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::random::Random;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::Level;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/dns/v1/instances/{instance}/dnszones", list_zones),
        route("POST", "/dns/v1/instances/{instance}/dnszones", create_zone),
        route(
            "GET",
            "/dns/v1/instances/{instance}/dnszones/{zone}",
            get_zone,
        ),
        route(
            "DELETE",
            "/dns/v1/instances/{instance}/dnszones/{zone}",
            delete_zone,
        ),
        route(
            "GET",
            "/dns/v1/instances/{instance}/dnszones/{zone}/permitted_networks",
            list_networks,
        ),
        route(
            "POST",
            "/dns/v1/instances/{instance}/dnszones/{zone}/permitted_networks",
            permit,
        ),
        route(
            "DELETE",
            "/dns/v1/instances/{instance}/dnszones/{zone}/permitted_networks/{network}",
            forbid,
        ),
        route(
            "GET",
            "/dns/v1/instances/{instance}/custom_resolvers",
            list_resolvers,
        ),
        route(
            "POST",
            "/dns/v1/instances/{instance}/custom_resolvers",
            create_resolver,
        ),
        route(
            "GET",
            "/dns/v1/instances/{instance}/custom_resolvers/{resolver}",
            get_resolver,
        ),
        route(
            "PATCH",
            "/dns/v1/instances/{instance}/custom_resolvers/{resolver}",
            update_resolver,
        ),
        route(
            "DELETE",
            "/dns/v1/instances/{instance}/custom_resolvers/{resolver}",
            delete_resolver,
        ),
    ],
};

/// What is in the DNS instances of an account.
#[derive(Default)]
pub(crate) struct Dns {
    pub(crate) zones: Vec<Zone>,
    pub(crate) resolvers: Vec<Resolver>,
}

pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) networks: Vec<Network>,
    instance: String,
    created_at: OffsetDateTime,
}

/// A network whose members may ask a zone.
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) vpc_crn: String,
    life: Life,
    created_at: OffsetDateTime,
}

pub(crate) struct Resolver {
    pub(crate) id: String,
    pub(crate) name: String,
    instance: String,
    enabled: bool,
    locations: Vec<Location>,
    /// A resolver that is going is in no list; only its interfaces are left.
    life: Life,
    created_at: OffsetDateTime,
}

struct Location {
    id: String,
    subnet_crn: String,
    enabled: bool,
}

impl Zone {
    pub(crate) fn state(&self) -> &'static str {
        if self.networks.is_empty() {
            "pending_network_add"
        } else {
            "active"
        }
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "instance_id": self.instance, "description": "",
            "label": "", "state": self.state(), "created_on": clock::controller(self.created_at),
            "modified_on": clock::controller(self.created_at),
        })
    }
}

impl Network {
    pub(crate) fn state(&self) -> &'static str {
        self.life.word(["ACTIVE", "ACTIVE", "REMOVAL_IN_PROGRESS"])
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id, "type": "vpc", "permitted_network": {"vpc_crn": self.vpc_crn},
            "state": self.state(), "created_on": clock::controller(self.created_at),
            "modified_on": clock::controller(self.created_at),
        })
    }
}

impl Resolver {
    pub(crate) fn state(&self) -> &'static str {
        match (self.life.is_going(), self.enabled) {
            (true, _) => "deleting",
            (false, true) => "enabled",
            (false, false) => "disabled",
        }
    }

    fn json(&self) -> Value {
        let health = if self.enabled { "HEALTHY" } else { "CRITICAL" };
        let locations = self.locations.iter().map(|location| {
            json!({
                "id": location.id, "subnet_crn": location.subnet_crn, "enabled": location.enabled,
                "healthy": self.enabled && location.enabled, "dns_server_ip": "10.0.0.8",
            })
        });
        json!({
            "id": self.id, "name": self.name, "description": "", "enabled": self.enabled,
            "health": health, "locations": locations.collect::<Value>(), "profile": "essential",
            "allow_disruptive_updates": false,
            "created_on": clock::controller(self.created_at),
            "modified_on": clock::controller(self.created_at),
        })
    }
}

impl Dns {
    /// When something changes next by time alone.
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        let networks = self.zones.iter().flat_map(|zone| &zone.networks);
        let resolvers = self.resolvers.iter();
        let lives = networks.map(|network| &network.life);
        lives
            .chain(resolvers.map(|resolver| &resolver.life))
            .filter_map(Life::due)
            .min()
    }
}

impl Account {
    pub(crate) fn settle_dns(&mut self, now: OffsetDateTime) {
        for zone in &mut self.dns.zones {
            let networks = &mut zone.networks;
            networks.retain_mut(|network| network.life.settle(now));
        }
        let vpc = &mut self.vpc;
        self.dns.resolvers.retain_mut(|resolver| {
            let stays = resolver.life.settle(now);
            if !stays {
                vpc.release(&resolver.id);
            }
            stays
        });
    }

    /// Refuses the deletion of an instance that still serves somebody.
    pub(crate) fn dns_holds(&self, instance: &Instance) -> Result<(), Refusal> {
        let of_instance = |guid: &str| guid == instance.guid;
        let mut zones = self.dns.zones.iter();
        let mut resolvers = self.dns.resolvers.iter();
        let is_asked = zones.any(|zone| of_instance(&zone.instance) && !zone.networks.is_empty());
        let is_resolving =
            resolvers.any(|resolver| of_instance(&resolver.instance) && !resolver.life.is_going());
        if is_asked || is_resolving {
            let message =
                "[409, Conflict] The instance has custom resolvers or permitted networks.";
            return Err(Refusal::broker(message));
        }
        Ok(())
    }

    /// Ends what was in an instance that has just been destroyed.
    pub(crate) fn forget_dns_of(&mut self, guid: &str) {
        self.dns.zones.retain(|zone| zone.instance != guid);
    }
}

fn list_zones(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call);
    let guid = instance(account, call, Level::View)?;
    let zones = account.dns.zones.iter();
    let zones = zones
        .filter(|zone| zone.instance == guid)
        .map(Zone::json)
        .collect();
    paging::offset_within(call, "dnszones", zones, (200, 200))
}

fn create_zone(world: &mut World, call: &Call) -> Answer {
    let name = call.required("name")?.to_owned();
    let account = world.account_mut(call);
    let guid = instance(account, call, Level::Edit)?;
    let zone = Zone {
        id: format!("{name}:{}", account.random.uuid()),
        name,
        networks: Vec::new(),
        instance: guid,
        created_at: call.now,
    };
    let json = zone.json();
    account.dns.zones.push(zone);
    Ok(Reply::ok(json))
}

fn get_zone(world: &mut World, call: &Call) -> Answer {
    let zone = find_zone(world.account_mut(call), call, Level::View)?;
    Ok(Reply::ok(zone.json()))
}

fn delete_zone(world: &mut World, call: &Call) -> Answer {
    let account = world.account_mut(call);
    let zone = find_zone(account, call, Level::Edit)?;
    if !zone.networks.is_empty() {
        return Err(Refusal::conflict("The zone has permitted networks."));
    }
    let id = zone.id.clone();
    account.dns.zones.retain(|zone| zone.id != id);
    Ok(Reply::empty(204))
}

fn list_networks(world: &mut World, call: &Call) -> Answer {
    let zone = find_zone(world.account_mut(call), call, Level::View)?;
    let networks: Value = zone.networks.iter().map(Network::json).collect();
    Ok(Reply::ok(json!({"permitted_networks": networks})))
}

fn permit(world: &mut World, call: &Call) -> Answer {
    let vpc_crn = call.body["permitted_network"]["vpc_crn"]
        .as_str()
        .filter(|_| call.text("type") == Some("vpc"))
        .ok_or_else(|| Refusal::bad_request("A permitted network is a VPC, by its CRN."))?;
    let account = world.account_mut(call);
    if account.vpc.named_by_crn(vpc_crn).is_none() {
        return Err(Refusal::not_found("VPC", vpc_crn));
    }
    let network = Network {
        id: account.random.uuid(),
        vpc_crn: vpc_crn.to_owned(),
        life: Life::begin(call.now, account.lags.vpc_create),
        created_at: call.now,
    };
    let json = network.json();
    let zone = find_zone(account, call, Level::Edit)?;
    zone.networks.push(network);
    Ok(Reply::ok(json))
}

fn forbid(world: &mut World, call: &Call) -> Answer {
    let account = world.account_mut(call);
    let lag = account.lags.vpc_delete;
    let zone = find_zone(account, call, Level::Edit)?;
    let id = call.param(2);
    let mut networks = zone.networks.iter_mut();
    let network = networks
        .find(|network| network.id == id)
        .ok_or_else(|| Refusal::not_found("Permitted network", id))?;
    network.life.end(call.now, lag);
    Ok(Reply::with(202, network.json()))
}

fn list_resolvers(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call);
    let guid = instance(account, call, Level::View)?;
    let resolvers = account.dns.resolvers.iter();
    let resolvers: Value = resolvers
        .filter(|resolver| resolver.instance == guid && !resolver.life.is_going())
        .map(Resolver::json)
        .collect();
    Ok(Reply::ok(json!({"custom_resolvers": resolvers})))
}

/// A new resolver is not enabled yet (TF enables it afterwards).
fn create_resolver(world: &mut World, call: &Call) -> Answer {
    let name = call.required("name")?.to_owned();
    let account = world.account_mut(call);
    let guid = instance(account, call, Level::Edit)?;
    let asked = call.body["locations"].as_array().into_iter().flatten();
    let locations: Vec<Location> = asked
        .map(|location| Location::read(location, &mut account.random))
        .collect::<Result<_, _>>()?;
    let mut subnets = Vec::new();
    for location in &locations {
        let crn = &location.subnet_crn;
        let subnet = account.vpc.named_by_crn(crn);
        let subnet = subnet.ok_or_else(|| Refusal::not_found("Subnet", crn))?;
        subnets.push(subnet.id.clone());
    }
    let resolver = Resolver {
        id: account.random.uuid(),
        name,
        instance: guid,
        enabled: false,
        locations,
        life: Life::begin(call.now, account.lags.vpc_create),
        created_at: call.now,
    };
    for subnet in subnets {
        account.vpc.hold(&subnet, &resolver.id, "network-interface");
    }
    let json = resolver.json();
    account.dns.resolvers.push(resolver);
    Ok(Reply::ok(json))
}

impl Location {
    fn read(asked: &Value, random: &mut Random) -> Result<Self, Refusal> {
        let subnet_crn = asked["subnet_crn"]
            .as_str()
            .ok_or_else(|| Refusal::bad_request("A location needs its subnet_crn."))?;
        Ok(Self {
            id: random.uuid(),
            subnet_crn: subnet_crn.to_owned(),
            enabled: asked["enabled"] != false,
        })
    }
}

fn get_resolver(world: &mut World, call: &Call) -> Answer {
    let resolver = find_resolver(world.account_mut(call), call, Level::View)?;
    Ok(Reply::ok(resolver.json()))
}

fn update_resolver(world: &mut World, call: &Call) -> Answer {
    let resolver = find_resolver(world.account_mut(call), call, Level::Edit)?;
    if let Some(enabled) = call.body["enabled"].as_bool() {
        if enabled && !resolver.locations.iter().any(|location| location.enabled) {
            let message = "A custom resolver needs an enabled location.";
            return Err(Refusal::bad_request(message));
        }
        resolver.enabled = enabled;
    }
    if let Some(name) = call.text("name") {
        name.clone_into(&mut resolver.name);
    }
    Ok(Reply::ok(resolver.json()))
}

fn delete_resolver(world: &mut World, call: &Call) -> Answer {
    let account = world.account_mut(call);
    let lag = account.lags.vpc_delete;
    let resolver = find_resolver(account, call, Level::Edit)?;
    if resolver.enabled {
        return Err(Refusal::conflict(
            "The custom resolver is enabled: disable it first.",
        ));
    }
    resolver.life.end(call.now, lag);
    Ok(Reply::empty(204))
}

/// The guid of the instance that the path names, on which the caller has `level`.
fn instance(account: &Account, call: &Call, level: Level) -> Result<String, Refusal> {
    let instance = account.serving(call, call.param(0), DNS_SERVICES.service, level)?;
    Ok(instance.guid.clone())
}

fn find_zone<'a>(
    account: &'a mut Account,
    call: &Call,
    level: Level,
) -> Result<&'a mut Zone, Refusal> {
    let guid = instance(account, call, level)?;
    let id = call.param(1);
    let mut zones = account.dns.zones.iter_mut();
    let found = zones.find(|zone| zone.instance == guid && zone.id == id);
    found.ok_or_else(|| Refusal::not_found("DNS zone", id))
}

fn find_resolver<'a>(
    account: &'a mut Account,
    call: &Call,
    level: Level,
) -> Result<&'a mut Resolver, Refusal> {
    let guid = instance(account, call, level)?;
    let id = call.param(1);
    let mut resolvers = account.dns.resolvers.iter_mut();
    let found = resolvers.find(|resolver| {
        resolver.instance == guid && resolver.id == id && !resolver.life.is_going()
    });
    found.ok_or_else(|| Refusal::not_found("Custom resolver", id))
}
