//! Transit Gateway (`ibm-cloud.md` 9): gateways, and the networks that they connect.
//!
//! Stands under `/transit`. Promises that both deletions answer 204 and are not the end, and that a
//! gateway stays while it has a connection, one that is going included. A connection does not hold its
//! network: no source says so.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::life::Life;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, Target};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/transit/v1/transit_gateways", list),
        route("POST", "/transit/v1/transit_gateways", create),
        route("GET", "/transit/v1/transit_gateways/{id}", get),
        route("DELETE", "/transit/v1/transit_gateways/{id}", delete),
        route(
            "GET",
            "/transit/v1/transit_gateways/{id}/connections",
            list_connections,
        ),
        route(
            "POST",
            "/transit/v1/transit_gateways/{id}/connections",
            connect,
        ),
        route(
            "GET",
            "/transit/v1/transit_gateways/{id}/connections/{connection}",
            get_connection,
        ),
        route(
            "DELETE",
            "/transit/v1/transit_gateways/{id}/connections/{connection}",
            disconnect,
        ),
    ],
};

/// The service's name in CRNs and policies.
const SERVICE_NAME: &str = "transit";

/// What a gateway may connect: NETGO, `NetworkTypeEnum`.
const NETWORK_TYPES: &[&str] = &[
    "classic",
    "directlink",
    "gre_tunnel",
    "unbound_gre_tunnel",
    "vpc",
    "power_virtual_server",
    "redundant_gre",
    "vpn_gateway",
];

pub(crate) struct Gateway {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) connections: Vec<Connection>,
    location: String,
    global: bool,
    life: Life,
    created_at: OffsetDateTime,
}

pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) name: String,
    network_type: String,
    network_id: Option<String>,
    life: Life,
    created_at: OffsetDateTime,
}

impl Gateway {
    pub(crate) fn state(&self) -> &'static str {
        self.life.word(["pending", "available", "deleting"])
    }

    /// When the gateway or a connection of it changes by itself.
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        let connections = self.connections.iter();
        let dues = connections.filter_map(|connection| connection.life.due());
        dues.chain(self.life.due()).min()
    }

    pub(crate) fn crn(&self, account: &str) -> String {
        let (location, id) = (&self.location, &self.id);
        format!("crn:v1:bluemix:public:{SERVICE_NAME}:{location}:a/{account}::gateway:{id}")
    }

    fn target(&self) -> Target<'_> {
        target(&self.id, &self.group)
    }

    fn json(&self, account: &str) -> Value {
        json!({
            "id": self.id, "crn": self.crn(account), "name": self.name, "location": self.location,
            "global": self.global, "status": self.state(), "gre_enhanced_route_propagation": false,
            "connection_count": self.connections.len(), "connection_needs_attention": false,
            "created_at": clock::controller(self.created_at),
            "updated_at": clock::controller(self.created_at),
            "resource_group": {
                "id": self.group,
                "href": format!("https://resource-manager.bluemix.net/v1/resource_groups/{}", self.group),
            },
        })
    }
}

impl Connection {
    /// A connection of a VPC detaches, and others are deleted: both words are in use (NETGO,
    /// `StatusEnum`), and clients have to know both.
    pub(crate) fn state(&self) -> &'static str {
        let going = match self.network_type.as_str() {
            "vpc" => "detaching",
            _ => "deleting",
        };
        self.life.word(["pending", "attached", going])
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "network_type": self.network_type,
            "network_id": self.network_id, "status": self.state(), "request_status": "approved",
            "prefix_filters_default": "permit",
            "created_at": clock::controller(self.created_at),
            "updated_at": clock::controller(self.created_at),
        })
    }
}

fn target<'a>(id: &'a str, group: &'a str) -> Target<'a> {
    Target::Service {
        name: SERVICE_NAME,
        instance: id,
        resource_group: group,
    }
}

impl Account {
    pub(crate) fn settle_transit_gateways(&mut self, now: OffsetDateTime) {
        for gateway in &mut self.transit_gateways {
            let connections = &mut gateway.connections;
            connections.retain_mut(|connection| connection.life.settle(now));
        }
        self.transit_gateways
            .retain_mut(|gateway| gateway.life.settle(now));
    }

    /// What the search index says of the gateways.
    pub(crate) fn searchable_transit_gateways(&self) -> impl Iterator<Item = Value> {
        self.transit_gateways.iter().map(|gateway| {
            let crn = gateway.crn(&self.id);
            json!({
                "name": gateway.name, "type": "gateway", "family": "resource_controller",
                "region": gateway.location, "resource_group_id": gateway.group,
                "account_id": self.id, "service_name": SERVICE_NAME, "guid": gateway.id,
                "state": gateway.state(), "tags": self.tags_of(&crn), "crn": crn,
            })
        })
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    call.dated()?;
    let account = world.account(call);
    let visible = account.transit_gateways.iter();
    let gateways = visible
        .filter(|gateway| account.allows(call, gateway.target(), Level::View))
        .map(|gateway| gateway.json(&account.id));
    paging::next_href_with_start(call, "transit_gateways", gateways.collect())
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.dated()?;
    let name = call.required("name")?.to_owned();
    let location = call.required("location")?.to_owned();
    let account = world.account_mut(call);
    let group = account.group_asked_for(call)?;
    account.require(call, target("", &group), Level::Edit)?;
    let mut gateways = account.transit_gateways.iter();
    if gateways.any(|gateway| gateway.name == name) {
        return Err(Refusal::conflict(
            "A gateway with the same name already exists.",
        ));
    }
    let gateway = Gateway {
        id: account.random.uuid(),
        name,
        group,
        connections: Vec::new(),
        location,
        global: call.body["global"] == true,
        life: Life::begin(call.now, account.lags.vpc_create),
        created_at: call.now,
    };
    let json = gateway.json(&account.id);
    account.transit_gateways.push(gateway);
    Ok(Reply::created(json))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    Ok(Reply::ok(
        account.transit_gateways[position].json(&account.id),
    ))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let gateway = &mut account.transit_gateways[position];
    if !gateway.connections.is_empty() {
        let message = "The gateway has connections: delete all of them first.";
        return Err(Refusal::conflict(message).with_code("gateway_has_connections"));
    }
    gateway.life.end(call.now, account.lags.vpc_delete);
    Ok(Reply::empty(204))
}

fn list_connections(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let connections = account.transit_gateways[position].connections.iter();
    let connections = connections.map(Connection::json).collect();
    paging::next_href_with_start(call, "connections", connections)
}

fn connect(world: &mut World, call: &Call) -> Answer {
    let network_type = call.required("network_type")?;
    if !NETWORK_TYPES.contains(&network_type) {
        return Err(Refusal::bad_request("network_type is not known."));
    }
    let network_id = match network_type {
        "vpc" | "directlink" | "power_virtual_server" => Some(call.required("network_id")?),
        _ => call.text("network_id"),
    };
    let (account, position) = find(world, call, Level::Edit)?;
    if let Some(vpc) = network_id.filter(|_| network_type == "vpc")
        && account.vpc.named_by_crn(vpc).is_none()
    {
        return Err(Refusal::not_found("Network", vpc));
    }
    let connection = Connection {
        id: account.random.uuid(),
        name: call.text("name").unwrap_or(network_type).to_owned(),
        network_type: network_type.to_owned(),
        network_id: network_id.map(ToOwned::to_owned),
        life: Life::begin(call.now, account.lags.vpc_create),
        created_at: call.now,
    };
    let gateway = &mut account.transit_gateways[position];
    if gateway.life.is_going() {
        return Err(Refusal::conflict("The gateway is being deleted."));
    }
    let json = connection.json();
    gateway.connections.push(connection);
    Ok(Reply::created(json))
}

fn get_connection(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let connection = find_connection(&mut account.transit_gateways[position], call)?;
    Ok(Reply::ok(connection.json()))
}

fn disconnect(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let connection = find_connection(&mut account.transit_gateways[position], call)?;
    connection.life.end(call.now, account.lags.vpc_delete);
    Ok(Reply::empty(204))
}

/// The gateway that the path names, on which the caller has `level`.
fn find<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<(&'w mut Account, usize), Refusal> {
    call.dated()?;
    let id = call.param(0);
    let account = world.account_mut(call);
    let mut gateways = account.transit_gateways.iter();
    let position = gateways
        .position(|gateway| gateway.id == id)
        .ok_or_else(|| Refusal::not_found("Gateway", id))?;
    account.require(call, account.transit_gateways[position].target(), level)?;
    Ok((account, position))
}

/// The connection that the path names.
fn find_connection<'g>(
    gateway: &'g mut Gateway,
    call: &Call,
) -> Result<&'g mut Connection, Refusal> {
    let id = call.param(1);
    let mut connections = gateway.connections.iter_mut();
    let found = connections.find(|connection| connection.id == id);
    found.ok_or_else(|| Refusal::not_found("Connection", id))
}
