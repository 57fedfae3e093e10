"""A mess of every kind that IBM's SDKs can make with one key, and the lists in which it would show.

`MADE_BY` says which call of the SDKs makes what; what is made is told in its terms.
"""

import json
import secrets

from cloud import ADMINISTRATOR, Clients, refused
from estate import KINDS, Estate
from ibm_cloud_networking_services import direct_link_v1
from networking import COS_STANDARD, DNS_SERVICES, KEY_PROTECT
from resources import COS_LITE, DATABASE, PLAIN

REGIONS = ["eu-de", "us-south"]
REGISTRIES = ["de", "us"]
# Which call makes what, by the names of the cleaning plan; None is what goes with what it is a part of.
MADE_BY = {
    "create_service_id_group": "service ID groups",
    "create_service_id": "service IDs",
    "create_api_key": None,
    "create_access_group": "access groups",
    "add_members_to_access_group": None,
    "create_v2_policy": "policies",
    "create_policy": "authorization policies",
    "create_role": "custom roles",
    "create_idp": "identity providers",
    "create_profile": "trusted profiles",
    "create_claim_rule": None,
    "create_link": None,
    "create_resource_group": "resource groups",
    "create_resource_instance": "resource instances",
    "create_resource_key": "resource keys",
    "create_resource_binding": None,
    "create_resource_alias": "resource aliases",
    "attach_tag": "user tags",
    "create_tag": "access tags",
    "create_backup_policy": "backup policies",
    "create_backup_policy_plan": None,
    "create_instance_group": "instance groups",
    "create_instance_group_manager": None,
    "create_flow_log_collector": "flow log collectors",
    "create_instance": "VPC instances",
    "create_instance_network_interface": None,
    "create_instance_volume_attachment": None,
    "create_bare_metal_server": "bare metal servers",
    "create_instance_template": "instance templates",
    "create_vpc_routing_table_route": "VPC routes",
    "create_cluster_network": "cluster networks",
    "create_cluster_network_subnet": None,
    "create_cluster_network_interface": None,
    "create_load_balancer": "load balancers",
    "create_endpoint_gateway": "endpoint gateways",
    "create_private_path_service_gateway": "private path service gateways",
    "create_vpn_gateway": "VPN gateways",
    "create_vpn_gateway_connection": None,
    "create_vpn_server": "VPN servers",
    "create_share_mount_target": "share mount targets",
    "create_share_snapshot": None,
    "create_security_group_rule": "security group rules",
    "create_vpc_dns_resolution_binding": "DNS resolution bindings",
    "create_share": "shares",
    "create_ike_policy": "IKE policies",
    "create_ipsec_policy": "IPsec policies",
    "create_virtual_network_interface": "virtual network interfaces",
    "create_subnet": "subnets",
    "create_subnet_reserved_ip": None,
    "create_public_gateway": "public gateways",
    "create_floating_ip": "floating IPs",
    "create_public_address_range": "public address ranges",
    "create_security_group": "security groups",
    "create_network_acl": "network ACLs",
    "create_network_acl_rule": None,
    "create_vpc_routing_table": "routing tables",
    "create_vpc_address_prefix": None,
    "create_placement_group": "placement groups",
    "create_volume": "volumes",
    "create_snapshot_consistency_group": "snapshot groups",
    "create_snapshot": "snapshots",
    "create_image": "images",
    "create_image_export_job": None,
    "create_key": "SSH keys",
    "create_dedicated_host": "dedicated hosts",
    "create_dedicated_host_group": "dedicated host groups",
    "create_reservation": "reservations",
    "create_vpc": "VPCs",
    "create_transit_gateway": "transit gateways",
    "create_transit_gateway_connection": "transit connections",
    "create_gateway": "Direct Link gateways",
    "create_gateway_virtual_connection": "Direct Link connections",
    "create_custom_resolver": "DNS custom resolvers",
    "create_dnszone": "DNS zones",
    "create_permitted_network": "DNS permitted networks",
    "create_project": "Code Engine projects",
    "create_namespace": "registry namespaces",
    "create_workspace": "Schematics workspaces",
    "create_key_protect_key": "Key Protect keys",
    "create_zone": "network zones",
    "create_rule": "context-based rules",
}


class Mess:
    """Makes things, and keeps count by the calls that made them."""

    def __init__(self, iam_url: str, account: str, key: str):
        self.cloud = Clients(iam_url, key)
        self.account = account
        self.made = {}
        groups = self.cloud.manager.list_resource_groups(account_id=account).get_result()
        self.group = next(group["id"] for group in groups["resources"] if group["default"])

    def make(self, call, *arguments, as_call: str = None, **named):
        """Calls one of the SDK's functions; gives what it made."""
        response = call(*arguments, **named)
        assert 200 <= response.get_status_code() < 300, (call, response)
        self.count(as_call or call.__name__)
        return response.get_result()

    def count(self, call: str):
        assert call in MADE_BY, f"say what {call} makes"
        self.made[call] = self.made.get(call, 0) + 1

    def instance(self, plan: str) -> dict:
        create = self.cloud.controller.create_resource_instance
        return self.make(create, f"left {plan}", "eu-de", self.group, plan)

    def identities(self):
        """Identities, and what they may do."""
        identity, groups, account = self.cloud.identity, self.cloud.groups, self.account
        hidden = self.make(identity.create_service_id_group, account, "hidden")
        for group in (None, hidden["id"]):
            door = self.make(identity.create_service_id, account, "door", group_id=group)
        self.make(identity.create_api_key, "key", door["iam_id"], apikey=secrets.token_urlsafe(32))
        friends = self.make(groups.create_access_group, account, "friends")
        member = {"iam_id": door["iam_id"], "type": "service"}
        self.make(groups.add_members_to_access_group, friends["id"], members=[member])
        profile = self.make(identity.create_profile, "disguise", account)
        self.make(
            identity.create_claim_rule, profile["id"], type="Profile-SAML", realm_name="realm",
            conditions=[{"claim": "name", "operator": "EQUALS", "value": "x"}], expiration=3600,
        )
        link = {"crn": "crn:v1:x", "namespace": "n"}
        self.make(identity.create_link, profile["id"], cr_type="VSI", link=link)
        self.make(identity.create_idp, account, "corporate", "saml", active=True)
        # That takes a person.
        refused(403, self.cloud.users.invite_users, account, users=[{"email": "guest@example.com"}])
        self._policies(door["iam_id"])
        identity.lock_service_id(door["id"])

    def _policies(self, iam_id: str):
        def attributes(**pairs):
            return [{"key": key, "operator": "stringEquals", "value": value}
                    for key, value in pairs.items()]

        policies, account = self.cloud.policies, self.account
        self.make(
            policies.create_v2_policy, type="access",
            control={"grant": {"roles": [{"role_id": ADMINISTRATOR}]}},
            subject={"attributes": attributes(iam_id=iam_id)},
            resource={"attributes": attributes(accountId=account, serviceType="service")},
        )

        def service(name: str):
            named = {"accountId": account, "serviceName": name}
            return {"attributes": [{"name": key, "value": named[key]} for key in named]}

        self.make(
            policies.create_policy, type="authorization",
            subjects=[service("cloud-object-storage")], resources=[service("kms")],
            roles=[{"role_id": "crn:v1:bluemix:public:iam::::serviceRole:Reader"}],
        )
        self.make(policies.create_role, display_name="Own", actions=["x.y"], name="Own",
                  account_id=account, service_name="kms")

    def settings(self):
        """Changes what cannot be deleted, only set back."""
        identity = self.cloud.identity
        settings = identity.get_account_settings(self.account).get_result()
        identity.update_account_settings(
            settings["entity_tag"], self.account, system_access_token_expiration_in_seconds="900"
        )
        self.cloud.groups.update_account_settings(self.account, public_access_enabled=True)

    def resources(self):
        """Instances of several plans, and what hangs on them."""
        controller, tags = self.cloud.controller, self.cloud.tags
        own = self.make(self.cloud.manager.create_resource_group, name="mine",
                        account_id=self.account)
        self.make(controller.create_resource_instance, "mine", "eu-de", own["id"], PLAIN)
        crns = [self.instance(plan)["id"] for plan in (COS_STANDARD, DATABASE, COS_LITE, PLAIN)]
        self.make(controller.create_resource_key, "hmac", crns[0], parameters={"HMAC": True})
        alias = self.make(controller.create_resource_alias, "alias", crns[0], "crn:v1:an:app")
        self.make(controller.create_resource_binding, alias["id"], "crn:v1:an:app")
        controller.lock_resource_instance(crns[0])
        self.make(tags.attach_tag, resources=[{"resource_id": crns[3]}], tag_names=["left:behind"])
        self.make(tags.create_tag, tag_names=["project:left"], account_id=self.account,
                  tag_type="access")
        keeper = self.instance(KEY_PROTECT)["guid"]
        body = {"metadata": {"collectionTotal": 1}, "resources": [{"name": "root"}]}
        self.make(self.cloud.keys("eu-de").create_key, keeper, json.dumps(body),
                  as_call="create_key_protect_key")

    def infrastructure(self, region: str) -> Estate:
        """Every kind of VPC infrastructure."""
        estate = Estate(self.cloud, region)
        estate.make_everything()
        self.count("create_vpc")  # of two, the estate remembers the second
        for kind in estate.made:
            self.count(f"create_{kind}")
        self._parts(estate)
        return estate

    def _parts(self, estate: Estate):
        """What the estate's things can have."""
        sdk, made, zone = estate.sdk, estate.made, estate.zone
        vpc, instance = made["vpc"]["id"], made["instance"]["id"]
        for group in (made["security_group"], made["vpc"]["default_security_group"]):
            rule = {"direction": "inbound", "protocol": "tcp", "port_min": 22, "port_max": 22,
                    "remote": estate.security_group}
            self.make(sdk.create_security_group_rule, group["id"], rule)
        self.make(sdk.create_network_acl_rule, made["network_acl"]["id"], {
            "action": "allow", "direction": "inbound", "protocol": "all",
            "source": "0.0.0.0/0", "destination": "0.0.0.0/0"})
        self.make(sdk.create_vpc_address_prefix, vpc, "10.9.0.0/16", zone)
        for table in (made["vpc_routing_table"], made["vpc"]["default_routing_table"]):
            self.make(sdk.create_vpc_routing_table_route, vpc, table["id"], "10.9.0.0/24", zone,
                      next_hop={"id": made["vpn_gateway_connection"]["id"]})
        self.make(sdk.create_subnet_reserved_ip, made["subnet"]["id"])
        self.make(sdk.create_backup_policy_plan, made["backup_policy"]["id"], "9 * * * *")
        self.make(sdk.create_instance_group_manager, made["instance_group"]["id"],
                  {"manager_type": "autoscale", "max_membership_count": 3})
        self.make(sdk.create_image_export_job, made["image"]["id"], {"name": "bucket"})
        self.make(sdk.create_share_snapshot, made["share"]["id"])
        self.make(sdk.create_instance_network_interface, instance, estate.subnet)
        volume = self.make(sdk.create_volume, {
            "profile": {"name": "general-purpose"}, "zone": zone, "capacity": 10})
        self.make(sdk.create_instance_volume_attachment, instance, {"id": volume["id"]},
                  delete_volume_on_instance_delete=False)
        network = made["cluster_network"]["id"]
        subnet = self.make(sdk.create_cluster_network_subnet, network,
                           {"total_ipv4_address_count": 256})
        self.make(sdk.create_cluster_network_interface, network, subnet={"id": subnet["id"]})
        # Alone they would have to wait until their load balancer is there.
        pool = {"name": "pool", "algorithm": "round_robin", "protocol": "http",
                "health_monitor": {"delay": 5, "max_retries": 2, "timeout": 2, "type": "http"},
                "members": [{"port": 80, "target": {"id": instance}}]}
        listener = {"port": 80, "protocol": "http", "default_pool": {"name": "pool"}}
        self.make(sdk.create_load_balancer, False, [estate.subnet], pools=[pool],
                  listeners=[listener])
        twin = self.make(sdk.create_security_group, estate.vpc)
        for one, other in ((twin, made["security_group"]), (made["security_group"], twin)):
            self.make(sdk.create_security_group_rule, one["id"], {
                "direction": "outbound", "protocol": "all", "remote": {"id": other["id"]}})

    def networks(self, estate: Estate):
        """What connects networks."""
        transit, direct = self.cloud.transit, self.cloud.direct
        vpc, subnet = estate.made["vpc"]["crn"], estate.made["subnet"]["crn"]
        gateway = self.make(transit.create_transit_gateway, location="eu-de", name="left")
        self.make(transit.create_transit_gateway_connection, gateway["id"], "vpc", network_id=vpc)
        cable = {"bgp_asn": 64999, "global_": True, "metered": False, "speed_mbps": 1000}
        connect = direct_link_v1.GatewayTemplateGatewayTypeConnectTemplate(
            **cable, name="link", type="connect",
            port=direct_link_v1.GatewayPortIdentity(id="54321b1a-fee4-41c7-9e11-9cd99e000aaa"),
        )
        link = self.make(direct.create_gateway, connect)
        self.make(direct.create_gateway_virtual_connection, link["id"], "vc", "classic")
        self.make(direct.create_gateway, direct_link_v1.GatewayTemplateGatewayTypeDedicatedTemplate(
            **cable, name="cable", type="dedicated", carrier_name="carrier",
            cross_connect_router="xcr01.dal03", customer_name="customer", location_name="dal03",
        ))
        dns, guid = self.cloud.dns, self.instance(DNS_SERVICES)["guid"]
        locations = [{"subnet_crn": subnet, "enabled": True}]
        resolver = self.make(dns.create_custom_resolver, guid, name="resolver", locations=locations)
        dns.update_custom_resolver(guid, resolver["id"], enabled=True)
        zone = self.make(dns.create_dnszone, guid, name="example.com")
        self.make(dns.create_permitted_network, guid, zone["id"], type="vpc",
                  permitted_network={"vpc_crn": vpc})

    def services(self, region: str):
        """What is neither infrastructure nor an instance that anybody asked for."""
        self.make(self.cloud.projects(region).create_project, "left")
        self.make(
            self.cloud.workspaces(region).create_workspace, name="left", location=region,
            type=["terraform_v1.5"], template_repo={"url": "https://git.example.com/template"},
            template_data=[{"folder": ".", "type": "terraform_v1.5", "variablestore": [
                {"name": "resource", "value": "key"}, {"name": "region", "value": region}]}],
        )

    def namespace(self, registry: str):
        """A namespace of Container Registry."""
        registry_sdk = self.cloud.registry(registry, self.account)
        self.make(registry_sdk.create_namespace, f"left-{registry}-{self.account[:8]}")

    def restrictions(self):
        """What shuts everybody out of infrastructure: it comes last."""
        sdk = self.cloud.restrictions
        addresses = [{"type": "ipAddress", "value": "192.0.2.7"}]
        zone = self.make(sdk.create_zone, name="office", account_id=self.account,
                         addresses=addresses)
        context = {"attributes": [{"name": "networkZoneId", "value": zone["id"]}]}
        service = {"attributes": [{"name": "accountId", "value": self.account},
                                  {"name": "serviceName", "value": "is"}]}
        self.make(sdk.create_rule, contexts=[context], resources=[service])


def make_everything(iam_url: str, account: str, key: str) -> dict:
    """Makes a mess with every call of `MADE_BY`; gives how many things each made, and what of."""
    mess = Mess(iam_url, account, key)
    mess.identities()
    mess.resources()
    estates = [mess.infrastructure(region) for region in REGIONS]
    mess.networks(estates[0])
    for region in REGIONS:
        mess.services(region)
    for registry in REGISTRIES:
        mess.namespace(registry)
    mess.settings()
    mess.restrictions()
    unused = sorted(set(MADE_BY) - set(mess.made))
    assert not unused, f"nothing was made by {unused}"
    return [{"call": call, "makes": MADE_BY[call], "count": mess.made[call]} for call in MADE_BY]


def listing(iam_url: str, account: str, key: str) -> list:
    """Lists as the owner what `consumer.listing` does not: a line for everything in these lists."""
    cloud = Clients(iam_url, key)
    lists = {
        "identity provider": (cloud.identity.list_idps, "idps", [account]),
        "custom role": (lambda: cloud.policies.list_roles(account_id=account), "custom_roles", []),
        "authorization": (lambda: cloud.policies.list_policies(account, type="authorization"),
                          "policies", []),
        "zone": (cloud.restrictions.list_zones, "zones", [account]),
        "rule": (cloud.restrictions.list_rules, "rules", [account]),
        "access tag": (lambda: cloud.tags.list_tags(tag_type="access", account_id=account),
                       "items", []),
        "alias": (cloud.controller.list_resource_aliases, "resources", []),
        "binding": (cloud.controller.list_resource_bindings, "resources", []),
        "transit gateway": (cloud.transit.list_transit_gateways, "transit_gateways", []),
        "Direct Link": (cloud.direct.list_gateways, "gateways", []),
    }
    for registry in REGISTRIES:
        lists[f"namespace in {registry}"] = (
            cloud.registry(registry, account).list_namespace_details, None, [])
    for region in REGIONS:
        lists[f"project in {region}"] = (cloud.projects(region).list_projects, "projects", [])
        lists[f"workspace in {region}"] = (
            cloud.workspaces(region).list_workspaces, "workspaces", [])
        for kind in KINDS:
            # What is a part of something is gone with it.
            if kind.of is None:
                call = getattr(cloud.region(region), f"list_{kind.many}")
                lists[f"{kind.name} in {region}"] = (call, kind, [])
    lines = []
    for name, (call, within, arguments) in lists.items():
        extra = {"visibility": "private"} if name.startswith("image ") else {}
        body = call(*arguments, **extra).get_result()
        if within in KINDS:
            found = next(value for value in body.values() if isinstance(value, list))
        else:
            found = body if within is None else body[within]
        lines += [f"{name} {item.get('id')} {item.get('name')}" for item in found]
    settings = cloud.identity.get_account_settings(account).get_result()
    lines.append(f"token seconds {settings['system_access_token_expiration_in_seconds']}")
    public = cloud.groups.get_account_settings(account).get_result()["public_access_enabled"]
    lines.append(f"public access {public}")
    return sorted(lines)
