//! Direct Link (`ibm-cloud.md` 9): gateways, which are circuits, and their virtual connections.
//!
//! Stands under `/directlink`. A `connect` gateway is made and deleted by calls alone. A `dedicated` one
//! is a cable: once its letter of authorisation, which is there at once, is accepted, somebody is to plug
//! it in, and until a person has reported that it is refused deletion: here for ever (inf). Promises that
//! a gateway stays while it has a virtual connection.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::life::Life;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, Target};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/directlink/v1/gateways", list),
        route("POST", "/directlink/v1/gateways", create),
        route("GET", "/directlink/v1/gateways/{id}", get),
        route("PATCH", "/directlink/v1/gateways/{id}", update),
        route("DELETE", "/directlink/v1/gateways/{id}", delete),
        route(
            "GET",
            "/directlink/v1/gateways/{id}/virtual_connections",
            list_connections,
        ),
        route(
            "POST",
            "/directlink/v1/gateways/{id}/virtual_connections",
            connect,
        ),
        route(
            "GET",
            "/directlink/v1/gateways/{id}/virtual_connections/{connection}",
            get_connection,
        ),
        route(
            "DELETE",
            "/directlink/v1/gateways/{id}/virtual_connections/{connection}",
            disconnect,
        ),
    ],
};

/// The service's name in CRNs and policies.
const SERVICE_NAME: &str = "directlink";

pub(crate) struct Gateway {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) connections: Vec<VirtualConnection>,
    offering: Offering,
    location: String,
    speed_mbps: u64,
    life: Life,
    created_at: OffsetDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offering {
    Connect,
    Dedicated {
        /// Whether the letter of authorisation was accepted, so that a cable is being laid.
        loa_accepted: bool,
    },
}

pub(crate) struct VirtualConnection {
    pub(crate) id: String,
    pub(crate) name: String,
    kind: String,
    network_id: Option<String>,
    life: Life,
    created_at: OffsetDateTime,
}

impl Offering {
    fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Dedicated { .. } => "dedicated",
        }
    }
}

impl Gateway {
    pub(crate) fn state(&self) -> &'static str {
        let (coming, ready) = match self.offering {
            Offering::Connect => ("create_pending", "provisioned"),
            Offering::Dedicated {
                loa_accepted: false,
            } => ("loa_created", "loa_created"),
            Offering::Dedicated { loa_accepted: true } => {
                ("awaiting_completion_notice", "awaiting_completion_notice")
            }
        };
        self.life.word([coming, ready, "delete_pending"])
    }

    /// When the gateway or a connection of it changes by itself.
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        let connections = self.connections.iter();
        let dues = connections.filter_map(|connection| connection.life.due());
        dues.chain(self.life.due()).min()
    }

    pub(crate) fn crn(&self, account: &str) -> String {
        let (location, word, id) = (&self.location, self.offering.word(), &self.id);
        format!("crn:v1:bluemix:public:{SERVICE_NAME}:{location}:a/{account}::{word}:{id}")
    }

    fn target(&self) -> Target<'_> {
        target(&self.id, &self.group)
    }

    fn json(&self, account: &str) -> Value {
        json!({
            "id": self.id, "crn": self.crn(account), "name": self.name,
            "type": self.offering.word(), "location_name": self.location,
            "location_display_name": self.location, "speed_mbps": self.speed_mbps,
            "operational_status": self.state(), "global": true, "metered": false,
            "bgp_asn": 64999, "bgp_ibm_asn": 13884, "bgp_status": "idle",
            "default_export_route_filter": "permit", "default_import_route_filter": "permit",
            "operational_status_reasons": [], "cross_account": false, "provider_api_managed": false, "connection_mode": "direct",
            "created_at": clock::controller(self.created_at),
            "resource_group": {"id": self.group},
        })
    }
}

impl VirtualConnection {
    pub(crate) fn state(&self) -> &'static str {
        self.life.word(["pending", "attached", "deleting"])
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "type": self.kind, "network_id": self.network_id,
            "status": self.state(), "created_at": clock::controller(self.created_at),
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
    pub(crate) fn settle_direct_links(&mut self, now: OffsetDateTime) {
        for gateway in &mut self.direct_links {
            let connections = &mut gateway.connections;
            connections.retain_mut(|connection| connection.life.settle(now));
        }
        self.direct_links
            .retain_mut(|gateway| gateway.life.settle(now));
    }

    /// What the search index says of the gateways.
    pub(crate) fn searchable_direct_links(&self) -> impl Iterator<Item = Value> {
        self.direct_links.iter().map(|gateway| {
            let crn = gateway.crn(&self.id);
            json!({
                "name": gateway.name, "type": gateway.offering.word(),
                "family": "resource_controller", "region": gateway.location,
                "resource_group_id": gateway.group, "account_id": self.id,
                "service_name": SERVICE_NAME, "guid": gateway.id, "state": gateway.state(),
                "tags": self.tags_of(&crn), "crn": crn,
            })
        })
    }
}

/// The list is not paged (NETGO, `list_gateways`).
fn list(world: &mut World, call: &Call) -> Answer {
    call.dated()?;
    let account = world.account(call);
    let visible = account.direct_links.iter();
    let gateways: Value = visible
        .filter(|gateway| account.allows(call, gateway.target(), Level::View))
        .map(|gateway| gateway.json(&account.id))
        .collect();
    Ok(Reply::ok(json!({"gateways": gateways})))
}

fn create(world: &mut World, call: &Call) -> Answer {
    call.dated()?;
    let name = call.required("name")?.to_owned();
    let (offering, location) = match call.required("type")? {
        "connect" => (
            Offering::Connect,
            call.text("location_name").unwrap_or("dal03"),
        ),
        "dedicated" => {
            let loa_accepted = false;
            call.required("cross_connect_router")?;
            (
                Offering::Dedicated { loa_accepted },
                call.required("location_name")?,
            )
        }
        _ => {
            return Err(Refusal::bad_request("Invalid Direct Link Offering Type."));
        }
    };
    let speed_mbps = call.body["speed_mbps"]
        .as_u64()
        .ok_or_else(|| Refusal::bad_request("Property speed_mbps is missing."))?;
    let account = world.account_mut(call);
    let group = account.group_asked_for(call)?;
    account.require(call, target("", &group), Level::Edit)?;
    let mut gateways = account.direct_links.iter();
    if gateways.any(|gateway| gateway.name == name) {
        let message = "A gateway with the same name already exists";
        return Err(Refusal::conflict(message));
    }
    let gateway = Gateway {
        id: account.random.uuid(),
        name,
        group,
        connections: Vec::new(),
        offering,
        location: location.to_owned(),
        speed_mbps,
        life: Life::begin(call.now, account.lags.vpc_create),
        created_at: call.now,
    };
    let json = gateway.json(&account.id);
    account.direct_links.push(gateway);
    Ok(Reply::created(json))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    Ok(Reply::ok(account.direct_links[position].json(&account.id)))
}

/// Accepts or rejects the letter of authorisation of a dedicated gateway; nothing else changes.
fn update(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let gateway = &mut account.direct_links[position];
    match (gateway.state(), call.text("operational_status")) {
        (_, None) => {}
        ("loa_created", Some(status @ ("loa_accepted" | "loa_rejected"))) => {
            let loa_accepted = status == "loa_accepted";
            gateway.offering = Offering::Dedicated { loa_accepted };
        }
        _ => {
            let message = "operational_status can be set when there is a letter to decide on.";
            return Err(Refusal::bad_request(message));
        }
    }
    Ok(Reply::ok(gateway.json(&account.id)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let gateway = &mut account.direct_links[position];
    if !gateway.connections.is_empty() {
        let message = "The gateway has virtual connections: delete all of them first.";
        return Err(Refusal::conflict(message));
    }
    if gateway.offering == (Offering::Dedicated { loa_accepted: true }) {
        let message = "The gateway is being cabled and cannot be deleted: open a support case.";
        return Err(Refusal::conflict(message));
    }
    gateway.life.end(call.now, account.lags.vpc_slow_delete);
    Ok(Reply::empty(204))
}

fn list_connections(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let connections = account.direct_links[position].connections.iter();
    let connections: Value = connections.map(VirtualConnection::json).collect();
    Ok(Reply::ok(json!({"virtual_connections": connections})))
}

fn connect(world: &mut World, call: &Call) -> Answer {
    let name = call.required("name")?.to_owned();
    let kind = call.required("type")?;
    let network_id = match kind {
        "vpc" => Some(call.required("network_id")?),
        "classic" | "transit" => call.text("network_id"),
        _ => {
            return Err(Refusal::bad_request(
                "type must be vpc, classic or transit.",
            ));
        }
    };
    let (account, position) = find(world, call, Level::Edit)?;
    if let Some(vpc) = network_id.filter(|_| kind == "vpc")
        && account.vpc.named_by_crn(vpc).is_none()
    {
        return Err(Refusal::not_found("Network", vpc));
    }
    let connection = VirtualConnection {
        id: account.random.uuid(),
        name,
        kind: kind.to_owned(),
        network_id: network_id.map(ToOwned::to_owned),
        life: Life::begin(call.now, account.lags.vpc_create),
        created_at: call.now,
    };
    let gateway = &mut account.direct_links[position];
    if gateway.life.is_going() {
        return Err(Refusal::conflict("The gateway is being deleted."));
    }
    let json = connection.json();
    gateway.connections.push(connection);
    Ok(Reply::created(json))
}

fn get_connection(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let connection = find_connection(&mut account.direct_links[position], call)?;
    Ok(Reply::ok(connection.json()))
}

fn disconnect(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let connection = find_connection(&mut account.direct_links[position], call)?;
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
    let mut gateways = account.direct_links.iter();
    let position = gateways
        .position(|gateway| gateway.id == id)
        .ok_or_else(|| Refusal::not_found("Gateway", id))?;
    account.require(call, account.direct_links[position].target(), level)?;
    Ok((account, position))
}

/// The connection that the path names.
fn find_connection<'g>(
    gateway: &'g mut Gateway,
    call: &Call,
) -> Result<&'g mut VirtualConnection, Refusal> {
    let id = call.param(1);
    let mut connections = gateway.connections.iter_mut();
    let found = connections.find(|connection| connection.id == id);
    found.ok_or_else(|| Refusal::not_found("Virtual connection", id))
}
