//! The imitated services, one file each: its records, its routes and its handlers.
//!
//! Each depends on the world, on calls and on what it shows; adding a service is adding a file, its
//! line in [`ALL`], and its collection in the account.

pub(super) mod access_groups;
pub(super) mod account;
pub(super) mod api_keys;
pub(super) mod classic;
pub(super) mod clusters;
pub(super) mod code_engine;
pub(super) mod context_restrictions;
pub(super) mod direct_links;
pub(super) mod dns;
pub(super) mod identity_settings;
pub(super) mod key_protect;
#[cfg(test)]
mod lab;
mod life;
pub(super) mod object_storage;
pub(super) mod policies;
pub(super) mod reclamations;
pub(super) mod registry;
pub(super) mod resource_attachments;
pub(super) mod resource_groups;
pub(super) mod resource_instances;
pub(super) mod roles;
pub(super) mod schematics;
pub(super) mod search;
pub(super) mod service_ids;
pub(super) mod standalone;
pub(super) mod tags;
pub(super) mod token;
pub(super) mod transit_gateways;
pub(super) mod trusted_profiles;
pub(super) mod users;
pub(super) mod vpc;

use super::call::Service;

/// Every service that the server answers for.
pub(super) const ALL: &[Service] = &[
    token::SERVICE,
    api_keys::SERVICE,
    service_ids::SERVICE,
    trusted_profiles::SERVICE,
    identity_settings::SERVICE,
    policies::SERVICE,
    roles::SERVICE,
    access_groups::SERVICE,
    users::SERVICE,
    account::SERVICE,
    resource_instances::SERVICE,
    resource_attachments::SERVICE,
    reclamations::SERVICE,
    resource_groups::SERVICE,
    search::SERVICE,
    tags::SERVICE,
    vpc::SERVICE,
    clusters::SERVICE,
    registry::SERVICE,
    code_engine::SERVICE,
    schematics::SERVICE,
    transit_gateways::SERVICE,
    direct_links::SERVICE,
    dns::SERVICE,
    key_protect::SERVICE,
    object_storage::SERVICE,
    context_restrictions::SERVICE,
];
