"""VPC infrastructure: what makes its deletion harder than a list of calls (`ibm-cloud.md` 8.2)."""

from cloud import Cloud, refused
from estate import Estate
from infrastructure import REGION, conflict, delete, gone

ZONE = {"name": f"{REGION}-1"}
PROFILE = {"name": "general-purpose"}


class Yard(Estate):
    """A VPC with a subnet, which is given back at the end."""

    def __enter__(self):
        self.make("vpc", name="yard")
        self.make("subnet", {"vpc": self.vpc, "zone": ZONE, "total_ipv4_address_count": 256})
        self.cloud.advance(60)
        return self

    def __exit__(self, failed, *_):
        if not failed:
            delete(self.cloud, "subnet", self.subnet["id"])
            delete(self.cloud, "vpc", self.vpc["id"])

    def make_instance(self, **named) -> dict:
        return self.make("instance", {
            "zone": ZONE, "vpc": self.vpc, "profile": {"name": "bx2-2x8"},
            "primary_network_interface": {"subnet": self.subnet}, **named,
        })

    def nic(self) -> str:
        return self.made["instance"]["primary_network_interface"]["id"]


def yard(cloud: Cloud) -> Yard:
    return Yard(cloud, REGION)


def the_defaults_go_with_their_vpc_only(cloud: Cloud):
    with yard(cloud) as place:
        sdk, vpc = place.sdk, place.made["vpc"]
        defaults = ["network_acl", "security_group"]
        for kind in defaults:
            found = getattr(sdk, f"get_vpc_default_{kind}")(vpc["id"]).get_result()
            assert found["id"] == vpc[f"default_{kind}"]["id"]
            code = conflict(getattr(sdk, f"delete_{kind}"), found["id"])
            assert code == f"{kind}_is_default", code
        table = vpc["default_routing_table"]["id"]
        assert conflict(sdk.delete_vpc_routing_table, vpc["id"], table) == "routing_table_is_default"
        assert len(sdk.list_vpc_address_prefixes(vpc["id"]).get_result()["address_prefixes"]) == 3
    assert sdk.list_security_groups().get_result()["security_groups"] == []
    assert sdk.list_network_acls().get_result()["network_acls"] == []


def security_groups_that_refer_to_each_other_hold_each_other(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        one, other = (sdk.create_security_group(place.vpc).get_result()["id"] for _ in range(2))

        def admit(group, by):
            rule = {"direction": "inbound", "protocol": "any", "remote": {"id": by}}
            return sdk.create_security_group_rule(group, rule).get_result()["id"]

        admit(one, by=one)
        rules = [(one, admit(one, by=other)), (other, admit(other, by=one))]
        for group in (one, other):
            code = conflict(sdk.delete_security_group, group)
            assert code == "security_group_in_use_security_group_rule_exists", code
        sdk.delete_security_group_rule(*rules[1])
        assert sdk.delete_security_group(one).get_status_code() == 204
        assert sdk.delete_security_group(other).get_status_code() == 204


def a_target_is_taken_out_of_a_group_if_it_is_in_another(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        group = sdk.create_security_group(place.vpc).get_result()["id"]
        place.make_instance()
        sdk.create_security_group_target_binding(group, place.nic())
        targets = sdk.list_security_group_targets(group).get_result()["targets"]
        assert [target["id"] for target in targets] == [place.nic()]
        conflict(sdk.delete_security_group, group)
        code = conflict(sdk.delete_security_group_target_binding, group, place.nic())
        assert code == "security_group_last_of_target", code
        default = place.made["vpc"]["default_security_group"]["id"]
        sdk.create_security_group_target_binding(default, place.nic())
        sdk.delete_security_group_target_binding(group, place.nic())
        assert sdk.delete_security_group(group).get_status_code() == 204
        delete(cloud, "instance", place.instance["id"])


def a_load_balancer_that_changes_cannot_be_deleted(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        balancer = place.make("load_balancer", True, [place.subnet])["id"]
        assert place.made["load_balancer"]["provisioning_status"] == "create_pending"
        assert conflict(sdk.delete_load_balancer, balancer) == "load_balancer_create_pending"

        def is_active():
            found = sdk.get_load_balancer(balancer).get_result()
            return found["provisioning_status"] == "active"

        cloud.until(is_active, "the load balancer")
        monitor = {"delay": 5, "max_retries": 2, "timeout": 2, "type": "http"}
        pool = sdk.create_load_balancer_pool(balancer, "round_robin", monitor, "http")
        pool = {"id": pool.get_result()["id"]}
        code = conflict(sdk.create_load_balancer_listener, balancer, "http", port=80)
        assert code == "load_balancer_update_conflict", code
        assert conflict(sdk.delete_load_balancer, balancer) == "load_balancer_update_pending"
        cloud.until(is_active, "the load balancer")
        sdk.create_load_balancer_listener(balancer, "http", port=80, default_pool=pool)
        cloud.until(is_active, "the load balancer")
        assert conflict(sdk.delete_load_balancer_pool, balancer, pool["id"]).startswith("pool_in_use")
        assert conflict(sdk.delete_subnet, place.subnet["id"]) == "subnet_in_use_load_balancer_exists"
        assert sdk.delete_load_balancer(balancer).get_status_code() == 202
        assert conflict(sdk.delete_load_balancer, balancer) == "load_balancer_delete_pending"
        gone(cloud, sdk.get_load_balancer, balancer)


def an_instance_group_grows_again(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        template = place.make("instance_template", {
            "zone": ZONE, "vpc": place.vpc, "profile": {"name": "bx2-2x8"},
            "primary_network_interface": {"subnet": place.subnet},
        })
        balancer = place.make("load_balancer", True, [place.subnet])["id"]
        group = place.make("instance_group", {"id": template["id"]}, [place.subnet],
                           membership_count=2, load_balancer=place.load_balancer)["id"]
        cloud.advance(60)

        def members():
            found = sdk.list_instance_group_memberships(group).get_result()["memberships"]
            return {member["instance"]["id"] for member in found}

        before = members()
        assert len(before) == 2
        victim = before.pop()
        assert sdk.delete_instance(victim).get_status_code() == 204
        gone(cloud, sdk.get_instance, victim)
        cloud.until(lambda: len(members()) == 2, "another member")
        assert before < members() and victim not in members()

        code = conflict(sdk.delete_load_balancer, balancer)
        assert code == "load_balancer_in_use_instance_group_exists", code
        sdk.update_load_balancer(balancer, {"name": "renamed"})
        assert conflict(sdk.delete_instance_group, group) == "conflict_field"
        cloud.advance(60)
        instances = members()
        assert sdk.delete_instance_group(group).get_status_code() == 204
        assert sdk.get_instance_group(group).get_result()["status"] == "deleting"
        gone(cloud, sdk.get_instance_group, group)
        for instance in instances:
            gone(cloud, sdk.get_instance, instance)
        cloud.advance(60)
        assert sdk.list_instances().get_result()["instances"] == []
        delete(cloud, "load_balancer", balancer)
        delete(cloud, "instance_template", template["id"])


def an_instance_takes_along_what_is_marked(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        kept = sdk.create_volume({"profile": PROFILE, "zone": ZONE, "capacity": 10}).get_result()
        place.make("floating_ip", {"zone": ZONE})
        place.make_instance(volume_attachments=[
            {"volume": {"id": kept["id"]}},
            {"volume": {"profile": PROFILE, "capacity": 10},
             "delete_volume_on_instance_delete": True},
        ])
        instance, address = place.instance["id"], place.floating_ip["id"]
        attached = sdk.list_instance_volume_attachments(instance).get_result()
        assert len(attached["volume_attachments"]) == 3
        code = conflict(sdk.delete_instance_volume_attachment, instance,
                        place.made["instance"]["boot_volume_attachment"]["id"])
        assert code == "primary_cannot_be_deleted", code
        sdk.add_instance_network_interface_floating_ip(instance, place.nic(), address)
        assert sdk.get_floating_ip(address).get_result()["target"]["id"] == place.nic()
        assert conflict(sdk.delete_volume, kept["id"]).startswith("volume_in_use")
        assert sdk.delete_instance(instance).get_status_code() == 204
        # Until it is gone, it holds what it held.
        assert sdk.get_instance(instance).get_result()["status"] == "deleting"
        assert conflict(sdk.delete_subnet, place.subnet["id"]).startswith("subnet_in_use")
        gone(cloud, sdk.get_instance, instance)
        left = sdk.list_volumes().get_result()["volumes"]
        assert [volume["id"] for volume in left] == [kept["id"]]
        assert left[0]["attachment_state"] == "unattached"
        assert "target" not in sdk.get_floating_ip(address).get_result()
        delete(cloud, "volume", kept["id"])
        delete(cloud, "floating_ip", address)


def a_network_attachment_has_a_virtual_interface(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        own = place.make("virtual_network_interface", subnet=place.subnet)["id"]
        place.make("instance", {
            "zone": ZONE, "vpc": place.vpc, "profile": {"name": "bx2-2x8"},
            "primary_network_attachment": {"virtual_network_interface": {"subnet": place.subnet}},
            "network_attachments": [{"virtual_network_interface": {"id": own}}],
        })
        interfaces = sdk.list_virtual_network_interfaces().get_result()["virtual_network_interfaces"]
        assert len(interfaces) == 2
        for interface in interfaces:
            code = conflict(sdk.delete_virtual_network_interfaces, interface["id"])
            assert code == "virtual_network_interface_in_use_network_attachment_exists", code
        delete(cloud, "instance", place.instance["id"])
        left = sdk.list_virtual_network_interfaces().get_result()["virtual_network_interfaces"]
        assert [interface["id"] for interface in left] == [own]
        delete(cloud, "virtual_network_interfaces", own)


def a_public_gateway_has_an_address(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        given = place.make("floating_ip", {"zone": ZONE})["id"]
        first = sdk.create_public_gateway(place.vpc, ZONE).get_result()
        second = sdk.create_public_gateway(place.vpc, ZONE, floating_ip={"id": given}).get_result()
        made = first["floating_ip"]["id"]
        for address in (made, given):
            code = conflict(sdk.delete_floating_ip, address)
            assert code == "floating_ip_in_use_public_gateway_exists", code
        sdk.set_subnet_public_gateway(place.subnet["id"], {"id": first["id"]})
        code = conflict(sdk.delete_public_gateway, first["id"])
        assert code == "public_gateway_in_use_subnet_exists", code
        unset = sdk.unset_subnet_public_gateway(place.subnet["id"])
        assert unset.get_status_code() == 204
        refused(404, sdk.get_subnet_public_gateway, place.subnet["id"])
        cloud.advance(60)
        delete(cloud, "public_gateway", first["id"])
        delete(cloud, "public_gateway", second["id"])
        refused(404, sdk.get_floating_ip, made)
        assert "target" not in sdk.get_floating_ip(given).get_result()
        delete(cloud, "floating_ip", given)


def a_route_holds_its_vpn_gateway(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        gateway = place.make("vpn_gateway", {"subnet": place.subnet, "mode": "route"})["id"]
        connection = sdk.create_vpn_gateway_connection(
            gateway, {"psk": "a shared secret", "peer": {"address": "192.0.2.5"}}
        ).get_result()["id"]
        assert conflict(sdk.delete_vpn_gateway, gateway) == "vpn_gateway_pending"
        cloud.advance(60)
        table = place.made["vpc"]["default_routing_table"]["id"]
        route = sdk.create_vpc_routing_table_route(
            place.vpc["id"], table, "10.9.0.0/24", ZONE, next_hop={"id": connection}
        ).get_result()["id"]
        assert conflict(sdk.delete_vpn_gateway, gateway) == "vpn_gateway_in_use_route_exists"
        delete(cloud, "vpc_routing_table_route", place.vpc["id"], table, route)
        delete(cloud, "vpn_gateway", gateway)


def a_stopped_instance_leaves_its_cluster_network(cloud: Cloud):
    with yard(cloud) as place:
        sdk = place.sdk
        network = place.make("cluster_network", {"name": "h100"}, place.vpc, ZONE)["id"]
        subnet = sdk.create_cluster_network_subnet(
            network, {"total_ipv4_address_count": 256}
        ).get_result()
        interface = sdk.create_cluster_network_interface(
            network, subnet={"id": subnet["id"]}
        ).get_result()
        place.make_instance(cluster_network_attachments=[
            {"cluster_network_interface": {"id": interface["id"]}}])
        cloud.advance(60)
        instance = place.instance["id"]
        code = conflict(sdk.delete_cluster_network, network)
        assert code == "cluster_network_in_use_cluster_network_attachment_exists", code
        attached = sdk.list_instance_cluster_network_attachments(instance).get_result()
        attached = attached["cluster_network_attachments"][0]["id"]
        detach = sdk.delete_instance_cluster_network_attachment
        assert conflict(detach, instance, attached) == "instance_not_stopped"
        sdk.create_instance_action(instance, "stop")
        assert detach(instance, attached).get_status_code() == 202
        delete(cloud, "cluster_network", network)
        delete(cloud, "instance", instance)


CHECKS = [
    the_defaults_go_with_their_vpc_only,
    security_groups_that_refer_to_each_other_hold_each_other,
    a_target_is_taken_out_of_a_group_if_it_is_in_another,
    a_load_balancer_that_changes_cannot_be_deleted,
    an_instance_group_grows_again,
    an_instance_takes_along_what_is_marked,
    a_network_attachment_has_a_virtual_interface,
    a_public_gateway_has_an_address,
    a_route_holds_its_vpn_gateway,
    a_stopped_instance_leaves_its_cluster_network,
]
