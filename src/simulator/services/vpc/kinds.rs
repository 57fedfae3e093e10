//! The VPC model: every kind of resource, what it refers to, what holds it and how it ends
//! (`ibm-cloud.md` 8.2, and the docstrings of IBM's `ibm-vpc` SDK that it quotes).
//!
//! Depends on the quirks of the families by name only.

use super::kind::{Bond, Kind, Ref, child, dies, holds, lets_go, regional, zonal};
use super::resource::Phase;
use super::{balancing, compute, networks, storage};

#[rustfmt::skip]
mod lives {
    use super::super::kind::Life;

    const fn life(field: &'static str, words: [&'static str; 4]) -> Life {
        let [pending, ready, updating, deleting] = words;
        Life { field, pending, ready, updating, deleting, slow: false }
    }

    pub(super) static AT_ONCE: Life = life("", ["active"; 4]);
    pub(super) static STATUS: Life = life("status", ["pending", "available", "pending", "deleting"]);
    pub(super) static LIFECYCLE: Life = life("lifecycle_state", ["pending", "stable", "updating", "deleting"]);
    pub(super) static VOLUME: Life = life("status", ["pending", "available", "updating", "pending_deletion"]);
    pub(super) static GATEWAY: Life = Life { slow: true, ..life("lifecycle_state", ["pending", "stable", "updating", "deleting"]) };
    pub(super) static INSTANCE: Life = Life { slow: true, ..life("status", ["starting", "running", "running", "deleting"]) };
    pub(super) static GROUP: Life = Life { slow: true, ..life("status", ["scaling", "healthy", "scaling", "deleting"]) };
    pub(super) static BALANCER: Life = Life { slow: true, ..life("provisioning_status", ["create_pending", "active", "update_pending", "delete_pending"]) };
}

use lives::{AT_ONCE, BALANCER, GATEWAY, GROUP, INSTANCE, LIFECYCLE, STATUS, VOLUME};

pub(super) const VPCS: &str = "vpcs";
pub(super) const PREFIXES: &str = "vpcs/{}/address_prefixes";
pub(super) const TABLES: &str = "vpcs/{}/routing_tables";
pub(super) const ROUTES: &str = "vpcs/{}/routing_tables/{}/routes";
pub(super) const DNS_BINDINGS: &str = "vpcs/{}/dns_resolution_bindings";
pub(super) const SUBNETS: &str = "subnets";
pub(super) const PUBLIC_GATEWAYS: &str = "public_gateways";
pub(super) const FLOATING_IPS: &str = "floating_ips";
pub(super) const GROUPS: &str = "security_groups";
pub(super) const GROUP_RULES: &str = "security_groups/{}/rules";
pub(super) const ACLS: &str = "network_acls";
const ACL_RULES: &str = "network_acls/{}/rules";
pub(super) const VNIS: &str = "virtual_network_interfaces";
pub(super) const INSTANCES: &str = "instances";
pub(super) const NICS: &str = "instances/{}/network_interfaces";
pub(super) const ATTACHMENTS: &str = "instances/{}/network_attachments";
pub(super) const VOLUME_ATTACHMENTS: &str = "instances/{}/volume_attachments";
pub(super) const CLUSTER_ATTACHMENTS: &str = "instances/{}/cluster_network_attachments";
pub(super) const TEMPLATES: &str = "instance/templates";
pub(super) const INSTANCE_GROUPS: &str = "instance_groups";
const MANAGERS: &str = "instance_groups/{}/managers";
pub(super) const MEMBERSHIPS: &str = "instance_groups/{}/memberships";
pub(super) const SERVERS: &str = "bare_metal_servers";
pub(super) const SERVER_NICS: &str = "bare_metal_servers/{}/network_interfaces";
pub(super) const SERVER_ATTACHMENTS: &str = "bare_metal_servers/{}/network_attachments";
pub(super) const HOSTS: &str = "dedicated_hosts";
pub(super) const HOST_GROUPS: &str = "dedicated_host/groups";
pub(super) const PLACEMENT_GROUPS: &str = "placement_groups";
pub(super) const KEYS: &str = "keys";
pub(super) const RESERVATIONS: &str = "reservations";
pub(super) const VOLUMES: &str = "volumes";
pub(super) const SNAPSHOTS: &str = "snapshots";
pub(super) const SNAPSHOT_GROUPS: &str = "snapshot_consistency_groups";
pub(super) const IMAGES: &str = "images";
pub(super) const EXPORT_JOBS: &str = "images/{}/export_jobs";
pub(super) const SHARES: &str = "shares";
pub(super) const MOUNT_TARGETS: &str = "shares/{}/mount_targets";
pub(super) const POLICIES: &str = "backup_policies";
pub(super) const PLANS: &str = "backup_policies/{}/plans";
pub(super) const BALANCERS: &str = "load_balancers";
const LISTENERS: &str = "load_balancers/{}/listeners";
pub(super) const POOLS: &str = "load_balancers/{}/pools";
const MEMBERS: &str = "load_balancers/{}/pools/{}/members";
pub(super) const SERVICE_GATEWAYS: &str = "private_path_service_gateways";
pub(super) const ENDPOINT_GATEWAYS: &str = "endpoint_gateways";
pub(super) const VPN_GATEWAYS: &str = "vpn_gateways";
pub(super) const CONNECTIONS: &str = "vpn_gateways/{}/connections";
pub(super) const IKE_POLICIES: &str = "ike_policies";
pub(super) const IPSEC_POLICIES: &str = "ipsec_policies";
pub(super) const VPN_SERVERS: &str = "vpn_servers";
pub(super) const COLLECTORS: &str = "flow_log_collectors";
pub(super) const RANGES: &str = "public_address_ranges";
pub(super) const CLUSTER_NETWORKS: &str = "cluster_networks";
pub(super) const CLUSTER_SUBNETS: &str = "cluster_networks/{}/subnets";
pub(super) const CLUSTER_INTERFACES: &str = "cluster_networks/{}/interfaces";

/// What a floating IP may be bound to.
const ADDRESSABLE: &[&str] = &[NICS, SERVER_NICS, VNIS, PUBLIC_GATEWAYS];
/// What flow logs may be collected of.
const OBSERVABLE: &[&str] = &[VPCS, SUBNETS, INSTANCES, NICS, ATTACHMENTS, VNIS];
const IN_GROUPS: Ref = holds("security_groups[]", &[GROUPS]);

/// Every kind. The numbers are the groups of `ibm-cloud.md` 8.2, in which a cleaning has to go.
#[rustfmt::skip]
pub(super) static KINDS: &[Kind] = &[
    // 1: what makes others
    regional(POLICIES, "backup-policy", &LIFECYCLE).answers(202).parts(&[("plans", PLANS)]).shows(&[("plans", PLANS)]),
    child(PLANS, "backup-policy-plan", &LIFECYCLE).needs(&["cron_spec"]).answers(202).unpaged().made(storage::plan_made),
    regional(INSTANCE_GROUPS, "instance-group", &GROUP).needs(&["instance_template", "subnets"]).shows(&[("managers", MANAGERS)])
        .refs(&[lets_go("instance_template", &[TEMPLATES]), lets_go("subnets[]", &[SUBNETS]), lets_go("vpc", &[VPCS]), holds("load_balancer", &[BALANCERS]), holds("load_balancer_pool", &[POOLS])])
        .made(compute::group_made).may_go(compute::group_may_go).going(compute::group_going).changed(compute::regrow).view(compute::view_group),
    child(MANAGERS, "instance-group-manager", &AT_ONCE),
    child(MEMBERSHIPS, "instance-group-membership", &AT_ONCE).not_creatable()
        .refs(&[dies("instance", &[INSTANCES]), lets_go("instance_template", &[TEMPLATES])]).going(compute::membership_going).gone(compute::membership_gone),
    regional(COLLECTORS, "flow-log-collector", &LIFECYCLE).needs(&["storage_bucket", "target"])
        .refs(&[Ref { at: "target", to: OBSERVABLE, bond: Bond::DiesIfAuto }, lets_go("vpc", &[VPCS])]).made(networks::in_vpc),

    // 2: what computes
    zonal(INSTANCES, "instance", &INSTANCE).made(compute::instance_made)
        .shows(&[("network_interfaces", NICS), ("network_attachments", ATTACHMENTS), ("volume_attachments", VOLUME_ATTACHMENTS), ("cluster_network_attachments", CLUSTER_ATTACHMENTS)])
        .refs(&[holds("vpc", &[VPCS]), holds("placement_target", &[HOSTS, HOST_GROUPS, PLACEMENT_GROUPS]), lets_go("keys[]", &[KEYS]),
                lets_go("primary_network_interface", &[NICS]), lets_go("primary_network_attachment", &[ATTACHMENTS]), lets_go("boot_volume_attachment", &[VOLUME_ATTACHMENTS])]),
    child(NICS, "network-interface", &AT_ONCE).needs(&["subnet"]).refs(&[holds("subnet", &[SUBNETS]), IN_GROUPS]).may_go(compute::part_may_go).unpaged(),
    child(ATTACHMENTS, "network-attachment", &AT_ONCE).needs(&["virtual_network_interface"]).refs(&[holds("virtual_network_interface", &[VNIS])])
        .made(networks::attachment_made).may_go(compute::part_may_go).takes(networks::attachment_takes).answers(202).unpaged(),
    child(VOLUME_ATTACHMENTS, "volume-attachment", &AT_ONCE).needs(&["volume"]).refs(&[holds("volume", &[VOLUMES]), lets_go("instance", &[INSTANCES])])
        .made(compute::volume_attachment_made).may_go(compute::part_may_go).takes(compute::volume_attachment_takes).unpaged(),
    child(CLUSTER_ATTACHMENTS, "cluster-network-attachment", &AT_ONCE).needs(&["cluster_network_interface"])
        .refs(&[holds("cluster_network_interface", &[CLUSTER_INTERFACES])]).may_go(compute::cluster_attachment_may_go).answers(202),
    zonal(SERVERS, "bare-metal-server", &INSTANCE).needs(&["profile", "zone", "initialization"]).answers(202).made(compute::server_made)
        .refs(&[lets_go("vpc", &[VPCS]), lets_go("primary_network_interface", &[SERVER_NICS]), lets_go("primary_network_attachment", &[SERVER_ATTACHMENTS])])
        .shows(&[("network_interfaces", SERVER_NICS), ("network_attachments", SERVER_ATTACHMENTS)]),
    child(SERVER_NICS, "network-interface", &AT_ONCE).needs(&["subnet"]).refs(&[holds("subnet", &[SUBNETS]), IN_GROUPS]).may_go(compute::part_may_go),
    child(SERVER_ATTACHMENTS, "network-attachment", &AT_ONCE).needs(&["virtual_network_interface"]).refs(&[holds("virtual_network_interface", &[VNIS])])
        .made(networks::attachment_made).may_go(compute::part_may_go).takes(networks::attachment_takes).answers(202),
    regional(TEMPLATES, "instance-template", &AT_ONCE).unpaged().refs(&[lets_go("vpc", &[VPCS]), lets_go("keys[]", &[KEYS])]),
    zonal(CLUSTER_NETWORKS, "cluster-network", &LIFECYCLE).needs(&["profile", "vpc", "zone"]).answers(202).refs(&[holds("vpc", &[VPCS])]),
    child(CLUSTER_SUBNETS, "cluster-network-subnet", &LIFECYCLE).answers(202),
    child(CLUSTER_INTERFACES, "cluster-network-interface", &LIFECYCLE).answers(202).refs(&[holds("subnet", &[CLUSTER_SUBNETS])]),

    // 3: what serves others
    regional(BALANCERS, "load-balancer", &BALANCER).needs(&["subnets"]).answers(202).undeletable(&[Phase::Pending, Phase::Updating, Phase::Deleting])
        .refs(&[holds("subnets[]", &[SUBNETS]), IN_GROUPS]).parts(&[("pools", POOLS), ("listeners", LISTENERS)]).shows(&[("pools", POOLS), ("listeners", LISTENERS)]),
    child(LISTENERS, "listener", &AT_ONCE).needs(&["protocol"]).refs(&[holds("default_pool", &[POOLS])]).answers(202).unpaged().keeps_busy(),
    child(POOLS, "pool", &AT_ONCE).needs(&["algorithm", "protocol", "health_monitor"]).parts(&[("members", MEMBERS)]).shows(&[("members", MEMBERS)]).answers(202).unpaged().keeps_busy(),
    child(MEMBERS, "member", &AT_ONCE).needs(&["port", "target"]).refs(&[lets_go("target", &[INSTANCES, BALANCERS])]).answers(202).unpaged().keeps_busy(),
    regional(SERVICE_GATEWAYS, "private-path-service-gateway", &LIFECYCLE).needs(&["load_balancer", "service_endpoints"])
        .refs(&[holds("load_balancer", &[BALANCERS]), holds("vpc", &[VPCS])]).made(networks::in_vpc).view(balancing::view_service_gateway),
    regional(VPN_GATEWAYS, "vpn-gateway", &GATEWAY).needs(&["subnet"]).answers(202).undeletable(&[Phase::Pending])
        .refs(&[holds("subnet", &[SUBNETS]), lets_go("vpc", &[VPCS])]).shows(&[("connections", CONNECTIONS)]).made(networks::in_vpc),
    child(CONNECTIONS, "vpn-gateway-connection", &AT_ONCE).needs(&["peer", "psk"]).refs(&[holds("ike_policy", &[IKE_POLICIES]), holds("ipsec_policy", &[IPSEC_POLICIES])]).answers(202),
    regional(VPN_SERVERS, "vpn-server", &LIFECYCLE).needs(&["certificate", "client_authentication", "client_ip_pool", "subnets"]).answers(202)
        .refs(&[holds("subnets[]", &[SUBNETS]), IN_GROUPS, lets_go("vpc", &[VPCS])]).made(networks::in_vpc),
    regional(IKE_POLICIES, "ike-policy", &AT_ONCE).needs(&["ike_version"]).without_crn().shows(&[("connections", CONNECTIONS)]),
    regional(IPSEC_POLICIES, "ipsec-policy", &AT_ONCE).without_crn().shows(&[("connections", CONNECTIONS)]),
    regional(ENDPOINT_GATEWAYS, "endpoint-gateway", &LIFECYCLE).needs(&["target", "vpc"])
        .refs(&[holds("vpc", &[VPCS]), IN_GROUPS, lets_go("ips[].subnet", &[SUBNETS]), holds("target", &[SERVICE_GATEWAYS])]).may_go(balancing::endpoint_gateway_may_go),
    zonal(SHARES, "share", &LIFECYCLE).needs(&["profile", "zone"]).answers(202).undeletable(&[Phase::Updating]).parts(&[("mount_targets", MOUNT_TARGETS)]).shows(&[("mount_targets", MOUNT_TARGETS)])
        .refs(&[lets_go("source_share", &[SHARES]), lets_go("replica_share", &[SHARES])]).made(storage::share_made).may_go(storage::share_may_go).changed(storage::share_changed),
    child(MOUNT_TARGETS, "share-mount-target", &LIFECYCLE).answers(202).holding_parent()
        .refs(&[lets_go("vpc", &[VPCS]), holds("virtual_network_interface", &[VNIS])]).made(networks::attachment_made).takes(networks::attachment_takes),
    child("shares/{}/snapshots", "share-snapshot", &LIFECYCLE).answers(202),
    zonal(VNIS, "virtual-network-interface", &LIFECYCLE).needs(&["subnet"]).answers(202).refs(&[holds("subnet", &[SUBNETS]), IN_GROUPS, lets_go("vpc", &[VPCS])]).made(networks::in_vpc),

    // 4 and 5: networks
    zonal(SUBNETS, "subnet", &STATUS).needs(&["vpc"]).made(networks::subnet_made)
        .refs(&[holds("vpc", &[VPCS]), holds("network_acl", &[ACLS]), holds("routing_table", &[TABLES]), holds("public_gateway", &[PUBLIC_GATEWAYS])]),
    child("subnets/{}/reserved_ips", "reserved-ip", &LIFECYCLE).refs(&[lets_go("target", &[VNIS, ENDPOINT_GATEWAYS])]),
    zonal(PUBLIC_GATEWAYS, "public-gateway", &STATUS).needs(&["vpc", "zone"]).made(networks::public_gateway_made)
        .refs(&[holds("vpc", &[VPCS]), holds("floating_ip", &[FLOATING_IPS])]),
    zonal(FLOATING_IPS, "floating-ip", &STATUS).refs(&[lets_go("target", ADDRESSABLE)]).made(networks::floating_ip_made),
    regional(RANGES, "public-address-range", &LIFECYCLE).needs(&["ipv4_address_count"]).answers(202).refs(&[lets_go("target.vpc", &[VPCS])]),
    regional(GROUPS, "security-group", &AT_ONCE).needs(&["vpc"]).refs(&[dies("vpc", &[VPCS])]).parts(&[("rules", GROUP_RULES)]).shows(&[("rules", GROUP_RULES)])
        .may_go(networks::default_may_not_go).view(networks::view_security_group),
    child(GROUP_RULES, "security-group-rule", &AT_ONCE).needs(&["direction"]).refs(&[holds("remote", &[GROUPS])]).unpaged(),
    regional(ACLS, "network-acl", &AT_ONCE).needs(&["vpc"]).refs(&[dies("vpc", &[VPCS])]).parts(&[("rules", ACL_RULES)]).shows(&[("rules", ACL_RULES), ("subnets", SUBNETS)])
        .may_go(networks::default_may_not_go),
    child(ACL_RULES, "network-acl-rule", &AT_ONCE).needs(&["action", "direction"]),
    child(TABLES, "routing-table", &LIFECYCLE).with_crn().parts(&[("routes", ROUTES)]).shows(&[("routes", ROUTES), ("subnets", SUBNETS)]).may_go(networks::default_may_not_go),
    child(ROUTES, "route", &LIFECYCLE).zoned().needs(&["destination", "zone"]).refs(&[holds("next_hop", &[CONNECTIONS])]),
    child(PREFIXES, "address-prefix", &AT_ONCE).zoned().needs(&["cidr", "zone"]),
    child(DNS_BINDINGS, "dns-resolution-binding", &LIFECYCLE).needs(&["vpc"]).answers(202).refs(&[holds("vpc", &[VPCS])]).may_go(networks::dns_binding_may_go),

    // 5: what is kept
    regional(PLACEMENT_GROUPS, "placement-group", &LIFECYCLE).needs(&["strategy"]).answers(202),
    zonal(VOLUMES, "volume", &VOLUME).needs(&["profile", "zone"]).shows(&[("volume_attachments", VOLUME_ATTACHMENTS)]).view(storage::view_volume),
    regional(SNAPSHOTS, "snapshot", &LIFECYCLE).answers(202)
        .refs(&[lets_go("source_volume", &[VOLUMES]), lets_go("snapshot_consistency_group", &[SNAPSHOT_GROUPS])]).made(storage::snapshot_made).view(storage::view_snapshot),
    regional(SNAPSHOT_GROUPS, "snapshot-consistency-group", &LIFECYCLE).needs(&["snapshots"]).answers(202).shows(&[("snapshots", SNAPSHOTS)])
        .made(storage::snapshot_group_made).takes(storage::snapshot_group_takes),
    regional(IMAGES, "image", &STATUS).answers(202).undeletable(&[Phase::Deleting]).made(storage::image_made).may_go(storage::image_may_go),
    child(EXPORT_JOBS, "image-export-job", &AT_ONCE).needs(&["storage_bucket"]).unpaged(),
    regional(KEYS, "key", &AT_ONCE).needs(&["public_key"]),

    // 6 and 7: what holds them
    zonal(HOSTS, "dedicated-host", &LIFECYCLE).needs(&["profile"]).refs(&[holds("group", &[HOST_GROUPS])]).shows(&[("instances", INSTANCES)])
        .made(compute::host_made).may_go(compute::host_may_go),
    zonal(HOST_GROUPS, "dedicated-host-group", &AT_ONCE).needs(&["class", "family", "zone"]).shows(&[("dedicated_hosts", HOSTS)]),
    regional(VPCS, "vpc", &STATUS).made(networks::vpc_made)
        .refs(&[lets_go("default_network_acl", &[ACLS]), lets_go("default_routing_table", &[TABLES]), lets_go("default_security_group", &[GROUPS])]).view(networks::view_vpc),
    zonal(RESERVATIONS, "reservation", &LIFECYCLE).needs(&["capacity", "committed_use", "profile", "zone"]).answers(202).may_go(compute::reservation_may_go),
];
