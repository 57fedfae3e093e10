"""One resource of every kind of VPC infrastructure in one region, made by IBM's SDK.

`KINDS` says for each kind which model class of the SDK reads it, and how it is listed, read and
deleted. Numbers are the groups in which a cleaning has to go (`ibm-cloud.md` 8.2).
"""

from collections import namedtuple

from cloud import Cloud
from ibm_vpc import vpc_v1

# The kind's name is that of the SDK's calls, in the singular. `of` is the name of what it is a part of.
Kind = namedtuple("Kind", "group name many model status of", defaults=(None,))

KINDS = [
    Kind(1, "backup_policy", "backup_policies", "BackupPolicyMatchResourceTypeVolume", 202),
    Kind(1, "instance_group", "instance_groups", "InstanceGroup", 204),
    Kind(1, "flow_log_collector", "flow_log_collectors", "FlowLogCollector", 204),
    Kind(2, "instance", "instances", "Instance", 204),
    Kind(2, "bare_metal_server", "bare_metal_servers", "BareMetalServer", 202),
    Kind(2, "instance_template", "instance_templates", None, 204),
    Kind(2, "cluster_network", "cluster_networks", "ClusterNetwork", 202),
    Kind(3, "private_path_service_gateway", "private_path_service_gateways",
         "PrivatePathServiceGateway", 204),
    Kind(3, "load_balancer", "load_balancers", "LoadBalancer", 202),
    Kind(3, "vpn_gateway", "vpn_gateways", None, 202),
    Kind(3, "vpn_server", "vpn_servers", "VPNServer", 202),
    Kind(3, "ike_policy", "ike_policies", "IKEPolicy", 204),
    Kind(3, "ipsec_policy", "ipsec_policies", "IPsecPolicy", 204),
    Kind(3, "endpoint_gateway", "endpoint_gateways", "EndpointGateway", 204),
    Kind(3, "share_mount_target", "share_mount_targets", "ShareMountTarget", 202, "share"),
    Kind(3, "share", "shares", "Share", 202),
    Kind(3, "virtual_network_interface", "virtual_network_interfaces",
         "VirtualNetworkInterface", 202),
    Kind(4, "subnet", "subnets", "Subnet", 204),
    Kind(5, "public_gateway", "public_gateways", "PublicGateway", 204),
    Kind(5, "floating_ip", "floating_ips", "FloatingIP", 204),
    Kind(5, "public_address_range", "public_address_ranges", "PublicAddressRange", 202),
    Kind(5, "security_group", "security_groups", "SecurityGroup", 204),
    Kind(5, "network_acl", "network_acls", "NetworkACL", 204),
    Kind(5, "vpc_routing_table", "vpc_routing_tables", "RoutingTable", 204, "vpc"),
    Kind(5, "vpc_dns_resolution_binding", "vpc_dns_resolution_bindings",
         "VPCDNSResolutionBinding", 202, "vpc"),
    Kind(5, "placement_group", "placement_groups", "PlacementGroup", 202),
    Kind(5, "volume", "volumes", "Volume", 204),
    Kind(5, "snapshot", "snapshots", "Snapshot", 202),
    Kind(5, "snapshot_consistency_group", "snapshot_consistency_groups",
         "SnapshotConsistencyGroup", 202),
    Kind(5, "image", "images", "Image", 202),
    Kind(5, "key", "keys", "Key", 204),
    Kind(6, "dedicated_host", "dedicated_hosts", "DedicatedHost", 204),
    Kind(6, "dedicated_host_group", "dedicated_host_groups", "DedicatedHostGroup", 204),
    Kind(7, "vpc", "vpcs", "VPC", 204),
    Kind(7, "reservation", "reservations", "Reservation", 202),
]

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFake"


class Estate:
    """What was made, by kind."""

    def __init__(self, cloud: Cloud, region: str):
        self.cloud = cloud
        self.region = region
        self.zone = {"name": f"{region}-1"}
        self.made = {}

    @property
    def sdk(self):
        return self.cloud.region(self.region)

    def __getattr__(self, kind: str) -> dict:
        """The identity of the one of this kind."""
        try:
            return {"id": self.__dict__["made"][kind]["id"]}
        except KeyError:
            raise AttributeError(kind) from None

    def make(self, kind: str, *arguments, **named) -> dict:
        made = getattr(self.sdk, f"create_{kind}")(*arguments, **named)
        assert made.get_status_code() == 201, (kind, made.get_status_code())
        self.made[kind] = made.get_result()
        return self.made[kind]

    def ids(self, kind: Kind) -> list:
        """The arguments that name the one of this kind."""
        parents = [self.made[kind.of]["id"]] if kind.of else []
        return [*parents, self.made[kind.name]["id"]]

    def read(self, kind: Kind) -> dict:
        return getattr(self.sdk, f"get_{kind.name}")(*self.ids(kind)).get_result()

    def listed(self, kind: Kind) -> list:
        lister = getattr(self.sdk, f"list_{kind.many}")
        extra = {"visibility": "private"} if kind.name == "image" else {}
        body = lister(*self.ids(kind)[:-1], **extra).get_result()
        items = next(value for value in body.values() if isinstance(value, list))
        return [item["id"] for item in items]

    def delete(self, kind: Kind):
        name = {"virtual_network_interface": "virtual_network_interfaces"}.get(kind.name, kind.name)
        return getattr(self.sdk, f"delete_{name}")(*self.ids(kind))

    def make_everything(self):
        self._networks()
        self._storage()
        self._gateways()
        self._computers()

    def _networks(self):
        zone = self.zone
        self.make("vpc", name="net", dns={"enable_hub": True})
        hub = self.vpc
        self.make("vpc", name="spoke")
        self.make("vpc_dns_resolution_binding", self.vpc["id"], hub)
        self.hub = hub
        self.make("public_gateway", self.vpc, zone)
        self.make("network_acl", {"name": "acl", "vpc": self.vpc, "rules": []})
        self.make("vpc_routing_table", self.vpc["id"], name="table")
        self.make("subnet", {
            "vpc": self.vpc, "zone": zone, "total_ipv4_address_count": 256,
            "public_gateway": self.public_gateway, "network_acl": self.network_acl,
            "routing_table": self.vpc_routing_table,
        })
        self.make("security_group", self.vpc, name="group")
        self.make("public_address_range", name="range", target={"vpc": self.vpc, "zone": zone},
                  ipv4_address_count=8)
        self.make("virtual_network_interface", subnet=self.subnet)
        self.make("floating_ip", {"zone": zone, "name": "address"})
        self.make("flow_log_collector", {"name": "bucket"}, self.subnet)

    def _storage(self):
        profile = {"name": "general-purpose"}
        self.make("volume", {"profile": profile, "zone": self.zone, "capacity": 10})
        self.make("snapshot", {"source_volume": self.volume})
        self.make("snapshot_consistency_group", {"snapshots": [{"source_volume": self.volume}]})
        self.make("share", {"profile": {"name": "dp2"}, "zone": self.zone, "size": 200})
        self.make("share_mount_target", self.share["id"], {
            "name": "mount", "virtual_network_interface": {"subnet": self.subnet}})
        self.make("image", {"file": {"href": "cos://eu-de/bucket/image.qcow2"},
                            "operating_system": {"name": "debian-12-amd64"}})
        self.make("backup_policy", {"match_user_tags": ["dev:test"],
                                    "plans": [{"cron_spec": "5 * * * *"}]})

    def _gateways(self):
        monitor = {"delay": 5, "max_retries": 2, "timeout": 2, "type": "http"}
        pool = {"algorithm": "round_robin", "protocol": "http", "health_monitor": monitor}
        self.make("load_balancer", True, [self.subnet], pools=[pool])
        self.make("private_path_service_gateway", self.load_balancer, ["svc.example.com"])
        crn = self.made["private_path_service_gateway"]["crn"]
        target = {"crn": crn, "resource_type": "private_path_service_gateway"}
        self.make("endpoint_gateway", target, self.vpc)
        self.make("ike_policy", 2)
        self.make("ipsec_policy")
        self.make("vpn_gateway", {"subnet": self.subnet, "mode": "route"})
        self.make("vpn_gateway_connection", self.vpn_gateway["id"], {
            "psk": "a shared secret", "peer": {"address": "192.0.2.5"},
            "ike_policy": self.ike_policy, "ipsec_policy": self.ipsec_policy,
        })
        self.make("vpn_server", {"crn": "crn:v1:bluemix:public:secrets-manager:::::"},
                  [{"method": "username", "identity_provider": {"provider_type": "iam"}}],
                  "172.16.0.0/16", [self.subnet])

    def _computers(self):
        zone = self.zone
        self.make("key", PUBLIC_KEY)
        self.make("placement_group", "host_spread")
        self.make("dedicated_host_group", "bx2d", "balanced", zone)
        self.make("dedicated_host", {"profile": {"name": "bx2d-host-152x608"},
                                     "group": self.dedicated_host_group})
        self.make("cluster_network", {"name": "h100"}, self.vpc, zone)
        interface = {"subnet": self.subnet, "security_groups": [self.security_group]}
        template = {"name": "template", "zone": zone, "vpc": self.vpc,
                    "profile": {"name": "bx2-2x8"}, "keys": [self.key],
                    "primary_network_interface": interface}
        self.make("instance_template", template)
        self.make("instance", {
            "name": "host", "zone": zone, "vpc": self.vpc, "profile": {"name": "bx2-2x8"},
            "keys": [self.key], "placement_target": self.dedicated_host,
            "primary_network_interface": interface,
            "volume_attachments": [{"volume": self.volume}],
        })
        self.make("bare_metal_server", {
            "profile": {"name": "bx2-metal-192x768"}, "zone": zone,
            "initialization": {"image": self.image, "keys": [self.key]},
            "primary_network_interface": {"subnet": self.subnet},
        })
        self.make("instance_group", self.instance_template, [self.subnet], membership_count=2)
        self.make("reservation", {"total": 1}, {"term": "one_year"},
                  {"name": "bx2-2x8", "resource_type": "instance_profile"}, zone)


def reads(kind: Kind, shown: dict):
    """Lets the SDK's own model class read an answer: it insists on what IBM promises."""
    if kind.model:
        getattr(vpc_v1, kind.model).from_dict(shown)
    else:
        assert shown["id"] and shown["href"] and shown["name"] and shown["created_at"], shown
