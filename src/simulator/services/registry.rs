//! Container Registry: namespaces, in registry regions of their own (`ibm-cloud.md` 9; shapes from IBM's
//! `ibm-container-registry` SDK, rules from `ibm-cloud-docs/Registry`).
//!
//! Each registry's API stands under its own prefix, `/registry/{region}`, whose region is the label of
//! its host: `de` for `de.icr.io`, and `global` for `icr.io`. Promises that no call goes without the header that names the account,
//! and that a name is given once in a registry, over all accounts.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::standalone::Standalone;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, Target};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Registry,
    routes: &[
        route("GET", "/registry/{region}/api/v1/namespaces", list),
        route(
            "GET",
            "/registry/{region}/api/v1/namespaces/details",
            details,
        ),
        route("PUT", "/registry/{region}/api/v1/namespaces/{name}", create),
        route(
            "PATCH",
            "/registry/{region}/api/v1/namespaces/{name}",
            assign,
        ),
        route(
            "DELETE",
            "/registry/{region}/api/v1/namespaces/{name}",
            delete,
        ),
    ],
};

/// The service's name in CRNs and policies.
const SERVICE_NAME: &str = "container-registry";

/// At most this many in each registry.
const MOST: usize = 100;

/// A registry, by its host's label, and the region that it is in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Registry {
    pub(crate) label: &'static str,
    region: &'static str,
}

/// Every registry. The global one is `icr.io` itself, and takes namespaces as the others do.
pub(crate) static REGISTRIES: [Registry; 13] = [
    registry("global", "global"),
    registry("au", "au-syd"),
    registry("br", "br-sao"),
    registry("ca2", "ca-mon"),
    registry("ca", "ca-tor"),
    registry("de", "eu-de"),
    registry("es", "eu-es"),
    registry("uk", "eu-gb"),
    registry("in", "in-che"),
    registry("in2", "in-mum"),
    registry("jp2", "jp-osa"),
    registry("jp", "jp-tok"),
    registry("us", "us-south"),
];

const fn registry(label: &'static str, region: &'static str) -> Registry {
    Registry { label, region }
}

pub(crate) struct Namespace {
    name: String,
    registry: &'static Registry,
    /// The id of its resource group; empty for one that is in none.
    group: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl Namespace {
    pub(crate) fn standalone(&self, account: &str) -> Standalone<'_> {
        Standalone {
            collection: "namespaces",
            id: &self.name,
            crn: self.crn(account),
            name: &self.name,
            state: "active",
            region: self.registry.region,
            group: &self.group,
            service: SERVICE_NAME,
            family: SERVICE_NAME,
            kind: "namespace",
        }
    }

    fn crn(&self, account: &str) -> String {
        let (region, name) = (self.registry.region, &self.name);
        format!("crn:v1:bluemix:public:{SERVICE_NAME}:{region}:a/{account}::namespace:{name}")
    }

    fn is_in(&self, registry: &Registry) -> bool {
        self.registry == registry
    }

    /// The target that rights on it are judged for.
    fn target(&self) -> Target<'_> {
        target(&self.group)
    }

    fn json(&self, account: &str) -> Value {
        let created = clock::controller(self.created_at);
        json!({
            "account": account, "name": self.name, "crn": self.crn(account),
            "resource_group": self.group, "created_date": created, "resource_created_date": created,
            "updated_date": clock::controller(self.updated_at),
        })
    }
}

fn target(group: &str) -> Target<'_> {
    Target::Service {
        name: SERVICE_NAME,
        instance: "",
        resource_group: group,
    }
}

impl Account {
    fn namespaces_in(&self, registry: &Registry) -> impl Iterator<Item = &Namespace> {
        let namespaces = self.namespaces.iter();
        namespaces.filter(move |namespace| namespace.is_in(registry))
    }

    /// How many more namespaces the account may have in a registry.
    pub(crate) fn namespaces_left(&self, registry: &Registry) -> usize {
        MOST.saturating_sub(self.namespaces_in(registry).count())
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    each_visible(world, call, |namespace, _| namespace.name.clone().into())
}

fn details(world: &mut World, call: &Call) -> Answer {
    each_visible(world, call, Namespace::json)
}

fn each_visible(
    world: &mut World,
    call: &Call,
    show: impl Fn(&Namespace, &str) -> Value,
) -> Answer {
    let registry = registry_of(call)?;
    let account = world.account(call);
    let visible = account
        .namespaces_in(registry)
        .filter(|namespace| account.allows(call, namespace.target(), Level::View));
    let shown: Value = visible.map(|found| show(found, &account.id)).collect();
    Ok(Reply::ok(shown))
}

fn create(world: &mut World, call: &Call) -> Answer {
    let registry = registry_of(call)?;
    let name = call.param(1);
    check_name(name)?;
    let group = group_of(world.account(call), call)?;
    world
        .account(call)
        .require(call, target(&group), Level::Edit)?;
    let reply = json!({"namespace": name});
    let is_this = |namespace: &Namespace| namespace.is_in(registry) && namespace.name == name;
    let mut accounts = world.accounts.values();
    let owner = accounts.find(|account| account.namespaces.iter().any(is_this));
    match owner.map(|account| account.id == call.caller.account) {
        Some(true) => return Ok(Reply::ok(reply)),
        Some(false) => {
            let message = format!("The namespace {name} is taken by another account.");
            return Err(Refusal::conflict(message));
        }
        None => {}
    }
    let account = world.account_mut(call);
    if account.namespaces_left(registry) == 0 {
        let message =
            format!("There are {MOST} namespaces in this registry, the most there may be.");
        return Err(Refusal::bad_request(message));
    }
    account.namespaces.push(Namespace {
        name: name.to_owned(),
        registry,
        group,
        created_at: call.now,
        updated_at: call.now,
    });
    Ok(Reply::created(reply))
}

fn assign(world: &mut World, call: &Call) -> Answer {
    let group = group_of(world.account(call), call)?;
    let (account, position) = find(world, call, Level::Edit)?;
    let namespace = &mut account.namespaces[position];
    (namespace.group, namespace.updated_at) = (group, call.now);
    Ok(Reply::ok(json!({"namespace": namespace.name})))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let namespace = account.namespaces.remove(position);
    let crn = namespace.crn(&account.id);
    account.detach_all_tags(&crn, call.now);
    Ok(Reply::empty(204))
}

/// The registry that the path names, for a call whose header names the token's account.
fn registry_of(call: &Call) -> Result<&'static Registry, Refusal> {
    let label = call.param(0);
    let mut registries = REGISTRIES.iter();
    let registry = registries.find(|registry| registry.label == label);
    let registry = registry.ok_or_else(|| Refusal::not_found("Registry", label))?;
    match call.header("account") {
        None | Some("") => Err(Refusal::bad_request("Header Account is missing.")),
        Some(account) if account != call.caller.account => {
            let message = "You are not authorized to access the specified account.";
            Err(Refusal::new(401, message).with_code("CRG0009E"))
        }
        Some(_) => Ok(registry),
    }
}

/// The resource group that the header names, which must be there, or the default one.
fn group_of(account: &Account, call: &Call) -> Result<String, Refusal> {
    let named = call.header("x-auth-resource-group");
    let named = named.filter(|group| !group.is_empty());
    let group = named.unwrap_or(account.vpc.default_group());
    if account.resource_groups.contains(group) {
        Ok(group.to_owned())
    } else {
        Err(Refusal::not_found("Resource group", group))
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = |letter: u8| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'-' | b'_')
    };
    if (4..=30).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    let message = "A namespace has 4 to 30 characters: lower-case letters, digits, - and _.";
    Err(Refusal::bad_request(message))
}

fn find<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<(&'w mut Account, usize), Refusal> {
    let registry = registry_of(call)?;
    let name = call.param(1);
    let account = world.account_mut(call);
    let mut namespaces = account.namespaces.iter();
    let position =
        namespaces.position(|namespace| namespace.is_in(registry) && namespace.name == name);
    let position = position.ok_or_else(|| Refusal::not_found("Namespace", name))?;
    account.require(call, account.namespaces[position].target(), level)?;
    Ok((account, position))
}
