//! The table itself, in the order in which a sweep goes through it.
//!
//! A row says what people call the collection, its stage, its list (path, name of the array, style of
//! pages) and the path that deletes an item; then what is special about it. Sources are sections of
//! `ibm-cloud.md`. For all rows: a CRN on the keep list keeps anything; what is on its way out is waited
//! for; what is missing here is found by Global Search in the proof.

use super::super::api::Api::{
    CodeEngine, DirectLink, Dns, KeyProtect, Registry, Restrictions, Schematics, TransitGateway,
    UserManagement,
};
use super::super::paging::Style::{
    NextHref, NextStart, Offset, OffsetByPage, PageToken, UnderscoreStart, Whole,
};
use super::Stage::{
    Attachments, Clouds, Entrances, Gateways, Grants, Groups, Hosts, Identities, Instances,
    Interfaces, Machines, Makers, Networks, Reclamations, Remainder, Services, Subnets,
};
use super::call::Call;
use super::row::{clusters, controller, iam, row, service, tags, vpc};
use super::source::{Each, Parent, Where, Within};
use super::{Collection, judge, refusal};

const INSTANCES: &str = "resource instances";
const RECLAMATIONS: &str = "reclamations";

/// Without `state` only active and provisioning instances are listed (6.1). In the order of an
/// instance's life, so that one that goes on while the lists are read is met again.
const STATES: Each = Each::Value(
    "state",
    &[
        "pre_provisioning",
        "provisioning",
        "active",
        "inactive",
        "failed",
        "pending_reclamation",
    ],
);

/// Where Container Registry is (IBM's "Container Registry regions"); `global` is `icr.io` itself.
const REGISTRIES: Where = Where::Named(&[
    "global", "us", "uk", "de", "au", "jp", "jp2", "ca", "ca2", "br", "es", "in", "in2",
]);

/// The locations of Schematics: each lists its own workspaces.
const LOCATIONS: Where =
    Where::Named(&["us-south", "us-east", "eu-de", "eu-gb", "ca-tor", "ca-mon"]);

const fn list(name: &'static str, list: &'static str, items: &'static str) -> Parent {
    Parent {
        name,
        list,
        items,
        style: NextHref,
        only: |_| true,
        within: Within::Nothing,
    }
}

static VPCS: Parent = list("vpc", "/v1/vpcs", "vpcs");
static BOUND_VPCS: Parent = Parent {
    only: |vpc| vpc["dns"]["resolution_binding_count"] != 0,
    ..list("vpc", "/v1/vpcs", "vpcs")
};
static TABLES: Parent = Parent {
    within: Within::Other(&VPCS),
    ..list("table", "/v1/vpcs/{vpc}/routing_tables", "routing_tables")
};
static SECURITY_GROUPS: Parent = list("group", "/v1/security_groups", "security_groups");
static SHARES: Parent = list("share", "/v1/shares", "shares");
static TRANSIT_GATEWAYS: Parent = list("gateway", "/v1/transit_gateways", "transit_gateways");
static DIRECT_LINKS: Parent = Parent {
    style: Whole,
    ..list("gateway", "/v1/gateways", "gateways")
};
static ZONES: Parent = Parent {
    style: Offset,
    within: Within::Instance("dns-svcs"),
    ..list("zone", "/v1/instances/{instance}/dnszones", "dnszones")
};

/// Every collection that is cleaned.
#[rustfmt::skip]
pub(in super::super) static TABLE: &[Collection] = &[
    // Ways in, and what could lock us out. 6.2: a key may have made a service ID, which goes next.
    controller("resource keys", Entrances, "/v2/resource_keys", "/v2/resource_keys/{guid}").kinds(&[("", "resource-key")]),
    iam("users", Entrances, ("/v2/accounts/{account}/users", "resources", UnderscoreStart), "/v2/accounts/{account}/users/{iam_id}")
        .of(UserManagement).by("iam_id", "user_id").judged(judge::user), // 5.3
    iam("access groups", Entrances, ("/v2/groups?account_id={account}&show_crn=true", "groups", Offset), "/v2/groups/{id}?force=true").judged(judge::access_group), // 5.2
    iam("trusted profiles", Entrances, ("/v1/profiles?account_id={account}", "profiles", PageToken), "/v1/profiles/{id}"), // 3.3
    iam("identity providers", Entrances, ("/v1/idps/?account_id={account}", "idps", PageToken), "/v1/idps/{idp_id}").by("idp_id", "name"), // 3.3
    iam("context-based rules", Entrances, ("/v1/rules?account_id={account}", "rules", Whole), "/v1/rules/{id}").of(Restrictions).by("id", "description"), // 5.4
    iam("network zones", Identities, ("/v1/zones?account_id={account}", "zones", Whole), "/v1/zones/{id}").of(Restrictions), // 5.4: rules first
    iam("service IDs", Identities, ("/v1/serviceids/?account_id={account}", "serviceids", PageToken), "/v1/serviceids/{id}")
        .each(Each::ServiceIdGroup).judged(judge::identity).unlocked_by("/v1/serviceids/{id}/lock"), // 3.2: takes its keys and policies along; 409 while it does
    iam("API keys of service IDs", Grants, ("/v1/apikeys?account_id={account}&scope=account&type=serviceid", "apikeys", PageToken), "/v1/apikeys/{id}")
        .each(Each::ServiceIdGroup).judged(judge::identity).unlocked_by("/v1/apikeys/{id}/lock"), // 3.1: what is left are keys made for service IDs that the operator keeps
    iam("API keys of users", Grants, ("/v1/apikeys?account_id={account}&scope=account&type=user", "apikeys", PageToken), "/v1/apikeys/{id}")
        .judged(judge::user_key).unlocked_by("/v1/apikeys/{id}/lock"), // 13.2
    iam("policies", Grants, ("/v2/policies?account_id={account}&type=access", "policies", NextStart), "/v2/policies/{id}").by("id", "description").judged(judge::policy), // 5.1

    // What makes other things (8.2, group 1; 9).
    service("Schematics workspaces", Makers, Schematics, ("/v1/workspaces", "workspaces", Offset), "/v1/workspaces/{id}").at(LOCATIONS).kinds(&[("schematics", "workspace")]),
    service("Code Engine projects", Makers, CodeEngine, ("/v2/projects", "projects", NextStart), "/v2/projects/{id}").at(Where::Regions).judged(judge::project),
    vpc("backup policies", Makers, ("/v1/backup_policies", "backup_policies"), "/v1/backup_policies/{id}", &[("is", "backup-policy")]),
    vpc("instance groups", Makers, ("/v1/instance_groups", "instance_groups"), "/v1/instance_groups/{id}", &[("is", "instance-group")]),
    vpc("flow log collectors", Makers, ("/v1/flow_log_collectors", "flow_log_collectors"), "/v1/flow_log_collectors/{id}", &[("is", "flow-log-collector")]),

    // Clusters (9).
    clusters("VPC clusters", "/v2/vpc/getClusters").kinds(&[("containers-kubernetes", "")]),
    clusters("classic clusters", "/v1/clusters"),
    clusters("Satellite clusters", "/v2/satellite/getClusters"),

    // What computes (8.2, group 2), and routes, which hold the connections of VPN gateways.
    vpc("VPC instances", Machines, ("/v1/instances", "instances"), "/v1/instances/{id}", &[("is", "instance")]),
    vpc("bare metal servers", Machines, ("/v1/bare_metal_servers", "bare_metal_servers"), "/v1/bare_metal_servers/{id}", &[("is", "bare-metal-server")])
        .before(|server, _| server["status"] == "running", Call::post("/v1/bare_metal_servers/{id}/stop", r#"{"type":"hard"}"#)),
    vpc("instance templates", Machines, ("/v1/instance/templates", "templates"), "/v1/instance/templates/{id}", &[("is", "instance-template")]).whole(),
    vpc("VPC routes", Machines, ("", ""), "/v1/vpcs/{vpc}/routing_tables/{table}/routes/{id}", &[]).each(Each::Inside(&TABLES, "routes")),

    // What leads in and out (8.2, group 3; 9), and what refers to each other.
    vpc("cluster networks", Gateways, ("/v1/cluster_networks", "cluster_networks"), "/v1/cluster_networks/{id}", &[("is", "cluster-network")]),
    vpc("load balancers", Gateways, ("/v1/load_balancers", "load_balancers"), "/v1/load_balancers/{id}", &[("is", "load-balancer")]).judged(judge::load_balancer),
    vpc("endpoint gateways", Gateways, ("/v1/endpoint_gateways", "endpoint_gateways"), "/v1/endpoint_gateways/{id}", &[("is", "endpoint-gateway")]),
    vpc("private path service gateways", Gateways, ("/v1/private_path_service_gateways", "private_path_service_gateways"), "/v1/private_path_service_gateways/{id}", &[("is", "private-path-service-gateway")]),
    vpc("VPN gateways", Gateways, ("/v1/vpn_gateways", "vpn_gateways"), "/v1/vpn_gateways/{id}", &[("is", "vpn-gateway"), ("is", "vpn")]).judged(judge::vpn_gateway),
    vpc("VPN servers", Gateways, ("/v1/vpn_servers", "vpn_servers"), "/v1/vpn_servers/{id}", &[("is", "vpn-server")]),
    vpc("share mount targets", Gateways, ("", ""), "/v1/shares/{share}/mount_targets/{id}", &[]).each(Each::Inside(&SHARES, "mount_targets")),
    vpc("security group rules", Gateways, ("", ""), "/v1/security_groups/{group}/rules/{id}", &[]).each(Each::Inside(&SECURITY_GROUPS, "rules")).judged(judge::group_rule),
    vpc("DNS resolution bindings", Gateways, ("/v1/vpcs/{vpc}/dns_resolution_bindings", "dns_resolution_bindings"), "/v1/vpcs/{vpc}/dns_resolution_bindings/{id}", &[]).each(Each::In(&BOUND_VPCS))
        .before(|_, vpc| vpc["dns"]["resolver"]["type"] == "delegated", Call::patch("/v1/vpcs/{vpc}", r#"{"dns":{"resolver":{"type":"system"}}}"#)),
    service("transit connections", Gateways, TransitGateway, ("/v1/transit_gateways/{gateway}/connections", "connections", NextHref), "/v1/transit_gateways/{gateway}/connections/{id}").each(Each::In(&TRANSIT_GATEWAYS)),
    service("Direct Link connections", Gateways, DirectLink, ("/v1/gateways/{gateway}/virtual_connections", "virtual_connections", Whole), "/v1/gateways/{gateway}/virtual_connections/{id}").each(Each::In(&DIRECT_LINKS)),
    // A resolver keeps an interface in a subnet that no list shows (8.2).
    row("DNS custom resolvers", Gateways, Dns, ("/v1/instances/{instance}/custom_resolvers", "custom_resolvers", Whole), Call::delete("/v1/instances/{instance}/custom_resolvers/{id}")).each(Each::Instance("dns-svcs"))
        .before(|resolver, _| resolver["enabled"] == true, Call::patch("/v1/instances/{instance}/custom_resolvers/{id}", r#"{"enabled":false}"#)),
    row("DNS permitted networks", Gateways, Dns, ("/v1/instances/{instance}/dnszones/{zone}/permitted_networks", "permitted_networks", Whole), Call::delete("/v1/instances/{instance}/dnszones/{zone}/permitted_networks/{id}")).each(Each::In(&ZONES)),

    // What serves others.
    vpc("shares", Services, ("/v1/shares", "shares"), "/v1/shares/{id}", &[("is", "share")])
        .before(|share, _| share["replication_role"] == "replica", Call::delete("/v1/shares/{id}/source")),
    vpc("IKE policies", Services, ("/v1/ike_policies", "ike_policies"), "/v1/ike_policies/{id}", &[]),
    vpc("IPsec policies", Services, ("/v1/ipsec_policies", "ipsec_policies"), "/v1/ipsec_policies/{id}", &[]),
    service("transit gateways", Services, TransitGateway, ("/v1/transit_gateways", "transit_gateways", NextHref), "/v1/transit_gateways/{id}").kinds(&[("transit", "gateway")]),
    service("Direct Link gateways", Services, DirectLink, ("/v1/gateways", "gateways", Whole), "/v1/gateways/{id}").kinds(&[("directlink", "dedicated"), ("directlink", "connect")]),
    row("DNS zones", Services, Dns, ("/v1/instances/{instance}/dnszones", "dnszones", Offset), Call::delete("/v1/instances/{instance}/dnszones/{id}")).each(Each::Instance("dns-svcs")).kinds(&[("dns-svcs", "zone")]),

    // Networks (8.2, groups 3 to 5).
    vpc("virtual network interfaces", Interfaces, ("/v1/virtual_network_interfaces", "virtual_network_interfaces"), "/v1/virtual_network_interfaces/{id}", &[("is", "virtual-network-interface")]),
    vpc("subnets", Subnets, ("/v1/subnets", "subnets"), "/v1/subnets/{id}", &[("is", "subnet")]),
    vpc("public gateways", Networks, ("/v1/public_gateways", "public_gateways"), "/v1/public_gateways/{id}", &[("is", "public-gateway")]),
    vpc("floating IPs", Networks, ("/v1/floating_ips", "floating_ips"), "/v1/floating_ips/{id}", &[("is", "floating-ip")]),
    vpc("public address ranges", Networks, ("/v1/public_address_ranges", "public_address_ranges"), "/v1/public_address_ranges/{id}", &[("is", "public-address-range")]),
    vpc("security groups", Networks, ("/v1/security_groups", "security_groups"), "/v1/security_groups/{id}", &[("is", "security-group")])
        .each(Each::ButDefaultsOf(&VPCS, "default_security_group")).judged(judge::unless_default),
    vpc("network ACLs", Networks, ("/v1/network_acls", "network_acls"), "/v1/network_acls/{id}", &[("is", "network-acl")])
        .each(Each::ButDefaultsOf(&VPCS, "default_network_acl")).judged(judge::unless_default),
    vpc("routing tables", Networks, ("/v1/vpcs/{vpc}/routing_tables", "routing_tables"), "/v1/vpcs/{vpc}/routing_tables/{id}", &[("is", "routing-table")]).each(Each::In(&VPCS)).judged(judge::unless_default),

    // What stands for itself (8.2, group 5).
    vpc("placement groups", Networks, ("/v1/placement_groups", "placement_groups"), "/v1/placement_groups/{id}", &[("is", "placement-group")]),
    vpc("volumes", Networks, ("/v1/volumes", "volumes"), "/v1/volumes/{id}", &[("is", "volume")]),
    vpc("snapshot groups", Networks, ("/v1/snapshot_consistency_groups", "snapshot_consistency_groups"), "/v1/snapshot_consistency_groups/{id}", &[("is", "snapshot-consistency-group")]),
    vpc("snapshots", Networks, ("/v1/snapshots", "snapshots"), "/v1/snapshots/{id}", &[("is", "snapshot")]),
    vpc("images", Networks, ("/v1/images?visibility=private", "images"), "/v1/images/{id}", &[("is", "image")]).judged(judge::image),
    vpc("SSH keys", Networks, ("/v1/keys", "keys"), "/v1/keys/{id}", &[("is", "key")]),
    vpc("dedicated hosts", Hosts, ("/v1/dedicated_hosts", "dedicated_hosts"), "/v1/dedicated_hosts/{id}", &[("is", "dedicated-host")])
        .before(|host, _| host["instance_placement_enabled"] == true, Call::patch("/v1/dedicated_hosts/{id}", r#"{"instance_placement_enabled":false}"#)),
    vpc("reservations", Hosts, ("/v1/reservations", "reservations"), "/v1/reservations/{id}", &[("is", "reservation")]).judged(judge::reservation),
    vpc("dedicated host groups", Clouds, ("/v1/dedicated_host/groups", "groups"), "/v1/dedicated_host/groups/{id}", &[("is", "dedicated-host-group")]),
    vpc("VPCs", Clouds, ("/v1/vpcs", "vpcs"), "/v1/vpcs/{id}", &[("is", "vpc")]), // defaults go with it

    // What hangs on resource instances.
    service("registry namespaces", Attachments, Registry, ("/api/v1/namespaces", "", Whole), "/api/v1/namespaces/{name}").at(REGISTRIES).with_header("account", "{account}").kinds(&[("container-registry", "namespace")]),
    row("Key Protect keys", Attachments, KeyProtect, ("/api/v2/keys", "resources", OffsetByPage), Call::delete("/api/v2/keys/{id}?force=true"))
        .each(Each::Instance("kms")).with_header("bluemix-instance", "{instance}").judged(judge::key_protect_key).kinds(&[("kms", "key")]).refused(refusal::of_key),
    controller("resource bindings", Attachments, "/v2/resource_bindings", "/v2/resource_bindings/{guid}").kinds(&[("", "resource-binding")]), // 6.2
    controller("resource aliases", Attachments, "/v2/resource_aliases", "/v2/resource_aliases/{guid}?recursive=true").kinds(&[("", "resource-alias")]), // 6.2
    // 6.1: neither 202 nor 204 is an end; the next list tells.
    controller(INSTANCES, Instances, "/v2/resource_instances", "/v2/resource_instances/{crn}?recursive=true")
        .each(STATES).judged(judge::instance).unlocked_by("/v2/resource_instances/{crn}/lock").refused(refusal::of_instance),
    // 6.3: one appears some seconds after its instance was deleted.
    controller(RECLAMATIONS, Reclamations, "/v1/reclamations?account_id={account}", "").whole().by("id", "entity_crn").judged(judge::reclamation)
        .deleted_by(Call::post("/v1/reclamations/{id}/actions/reclaim", "{}")),

    // What may only go when instances are gone, and labels.
    // 5.1: v2 lacks these. A service may need its own until it is reclaimed.
    iam("authorization policies", Remainder, ("/v1/policies?account_id={account}&type=authorization", "policies", NextStart), "/v1/policies/{id}").by("id", "description").after(&[INSTANCES, RECLAMATIONS]),
    iam("custom roles", Remainder, ("/v2/roles?account_id={account}", "custom_roles", Whole), "/v2/roles/{id}").refused(refusal::passes), // 5.1
    iam("service ID groups", Remainder, ("/v1/serviceid_groups?account_id={account}", "serviceid_groups", PageToken), "/v1/serviceid_groups/{id}").judged(judge::service_id_group).refused(refusal::passes), // 3.2: only empty ones can go
    tags("user tags", "/v3/tags?tag_type=user&providers=ghost&account_id={account}", "/v3/tags/{name}?tag_type=user&account_id={account}"),
    tags("access tags", "/v3/tags?tag_type=access&account_id={account}", "/v3/tags/{name}?tag_type=access&account_id={account}"),
    // 6.4: one that is not empty answers 500.
    controller("resource groups", Groups, "/v2/resource_groups?account_id={account}", "").whole().by("id", "name").judged(judge::resource_group).kinds(&[("", "resource-group")])
        .deleted_by(Call::delete("/v2/resource_groups/{id}").answered_by(&[500])).refused(refusal::passes).after(&[INSTANCES, RECLAMATIONS]),
];
