//! The inventory: the truth about one account, read past the API, so that a test can compare what an
//! account holds before and after.
//!
//! Depends on the world. Holds ids, names and states; no secrets.

use std::fmt;

use super::world::Account;

/// Everything in an account that is not removed, as sorted lines `collection id name state`. Lines are
/// equal when the things are: no line holds a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The lines, sorted.
    pub lines: Vec<String>,
}

impl Inventory {
    /// The lines of one collection, such as `resource_instances`.
    #[must_use]
    pub fn of(&self, collection: &str) -> Vec<&str> {
        let lines = self.lines.iter().map(String::as_str);
        lines
            .filter(|line| line.split(' ').next() == Some(collection))
            .collect()
    }

    pub(super) fn take(account: &Account) -> Self {
        let mut inventory = Self { lines: Vec::new() };
        inventory.add_identity(account);
        inventory.add_access(account);
        inventory.add_resources(account);
        inventory.add_infrastructure(account);
        inventory.add_standalone(account);
        inventory.add_networking(account);
        inventory.add_contents(account);
        inventory.lines.sort();
        inventory
    }

    fn add(&mut self, collection: &str, id: &str, name: &str, state: &str) {
        self.lines
            .push(format!("{collection} {id} {name:?} {state}"));
    }

    fn add_identity(&mut self, account: &Account) {
        for key in &account.api_keys {
            let state = match (key.disabled, key.locked) {
                (true, true) => "disabled,locked",
                (true, false) => "disabled",
                (false, true) => "active,locked",
                (false, false) => "active",
            };
            self.add(
                "api_keys",
                &key.id,
                &key.name,
                &format!("{state} of {}", key.iam_id),
            );
        }
        for service_id in &account.service_ids {
            let state = if service_id.locked {
                "locked"
            } else {
                "active"
            };
            self.add("service_ids", &service_id.id, &service_id.name, state);
        }
        for group in &account.service_id_groups {
            self.add("service_id_groups", &group.id, &group.name, "active");
        }
        for profile in &account.profiles {
            let state = format!("active with {} entrances", profile.entrances());
            self.add("profiles", &profile.id, &profile.name, &state);
        }
        for provider in &account.identity_providers {
            self.add("identity_providers", &provider.id, &provider.name, "active");
        }
        for change in account.identity_settings.changed() {
            self.add("identity_settings", &account.id, &change, "changed");
        }
    }

    fn add_access(&mut self, account: &Account) {
        for policy in &account.policies {
            self.add("policies", &policy.id, &policy.description, "active");
        }
        for role in &account.custom_roles {
            self.add("custom_roles", &role.id, &role.name, "active");
        }
        for group in &account.access_groups.groups {
            self.add("access_groups", &group.id, &group.name, "active");
            for member in &group.members {
                self.add("access_group_members", &group.id, &member.iam_id, "active");
            }
        }
        if account.access_groups.public_access_enabled {
            self.add(
                "access_group_settings",
                &account.id,
                "public_access_enabled",
                "changed",
            );
        }
        for zone in &account.restrictions.zones {
            self.add("cbr_zones", &zone.id, &zone.name, "active");
        }
        for rule in &account.restrictions.rules {
            self.add("cbr_rules", &rule.id, &rule.description, "active");
        }
        for user in &account.users {
            self.add("users", &user.iam_id, &user.email, user.state);
        }
    }

    fn add_infrastructure(&mut self, account: &Account) {
        for resource in account.vpc.all() {
            let (name, state) = (&resource.name, resource.state());
            self.add(&resource.collection(), &resource.id, name, state);
        }
    }

    fn add_standalone(&mut self, account: &Account) {
        for found in account.standalone() {
            self.add(found.collection, found.id, found.name, found.state);
        }
        for cluster in account.clusters.lingering() {
            self.add("cluster_workers", cluster, "", "lingering");
        }
    }

    fn add_networking(&mut self, account: &Account) {
        for gateway in &account.transit_gateways {
            let crn = gateway.crn(&account.id);
            self.add("transit_gateways", &crn, &gateway.name, gateway.state());
            for connection in &gateway.connections {
                let (id, name) = (&connection.id, &connection.name);
                self.add("transit_connections", id, name, connection.state());
            }
        }
        for gateway in &account.direct_links {
            let crn = gateway.crn(&account.id);
            self.add("direct_links", &crn, &gateway.name, gateway.state());
            for connection in &gateway.connections {
                let (id, name) = (&connection.id, &connection.name);
                self.add("direct_link_connections", id, name, connection.state());
            }
        }
        for zone in &account.dns.zones {
            self.add("dns_zones", &zone.id, &zone.name, zone.state());
            for network in &zone.networks {
                let (id, vpc) = (&network.id, &network.vpc_crn);
                self.add("dns_permitted_networks", id, vpc, network.state());
            }
        }
        for resolver in &account.dns.resolvers {
            let (id, name) = (&resolver.id, &resolver.name);
            self.add("dns_custom_resolvers", id, name, resolver.state());
        }
    }

    /// What is inside of resource instances, and what is in no service.
    fn add_contents(&mut self, account: &Account) {
        for key in &account.keys {
            self.add("key_protect_keys", &key.crn, &key.name, key.state());
        }
        for bucket in &account.buckets {
            let crn = bucket.crn(&account.id);
            self.add("buckets", &crn, &bucket.name, bucket.state());
        }
        for item in &account.classic {
            self.add("classic", &item.crn, &item.name, &item.kind);
        }
    }

    fn add_resources(&mut self, account: &Account) {
        let instances = account.instances.iter();
        for instance in instances.filter(|instance| !instance.is_removed()) {
            let state = instance.state.word();
            self.add("resource_instances", &instance.crn, &instance.name, state);
        }
        let attachments = account.attachments.iter();
        for attachment in attachments.filter(|attachment| attachment.removed_at.is_none()) {
            let kind = attachment.kind.word().replace('-', "_") + "s";
            self.add(&kind, &attachment.guid, &attachment.name, "active");
        }
        for reclamation in &account.reclamations {
            self.add(
                "reclamations",
                &reclamation.id,
                "",
                reclamation.state.word(),
            );
        }
        for group in &account.resource_groups.groups {
            self.add("resource_groups", &group.id, &group.name, "ACTIVE");
        }
        for tag in &account.tags {
            let state = if tag.attached_to.is_empty() {
                "detached"
            } else {
                "attached"
            };
            self.add("tags", tag.kind.word(), &tag.name, state);
        }
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
