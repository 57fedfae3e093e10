"""VPC infrastructure: every kind's life, what holds what, and the quirks."""

from cloud import Cloud, refused
from estate import KINDS, PUBLIC_KEY, Estate, reads
from ibm_cloud_sdk_core import ApiException
from ibm_vpc.vpc_v1 import KeysPager, VPCCollection

REGION, OTHER = "eu-de", "us-south"

# What holds each kind of the estate, as the code of the refusal says.
HELD = {
    "vpc": "vpc_in_use",
    "subnet": "subnet_in_use_",
    "public_gateway": "public_gateway_in_use_subnet_exists",
    "network_acl": "network_acl_in_use_subnet_exists",
    "vpc_routing_table": "routing_table_in_use_subnet_exists",
    "security_group": "security_group_in_use_network_interface_exists",
    "volume": "volume_in_use_volume_attachment_exists",
    "share": "share_in_use_share_mount_target_exists",
    "ike_policy": "ike_policy_in_use_vpn_gateway_connection_exists",
    "ipsec_policy": "ipsec_policy_in_use_vpn_gateway_connection_exists",
    "load_balancer": "load_balancer_in_use_private_path_service_gateway_exists",
    "private_path_service_gateway": "private_path_service_gateway_in_use_endpoint_gateway_exists",
    "dedicated_host": "dedicated_host_placement_enabled",
    "dedicated_host_group": "dedicated_host_group_in_use_dedicated_host_exists",
}

# Each VPC has its own, and the hub stays to the end. Its spoke has the virtual interface of a share.
OF_EVERY_VPC = ["vpc", "security_group", "network_acl"]


def code(error: ApiException) -> str:
    return error.http_response.json()["errors"][0]["code"]


def conflict(call, *arguments, **named) -> str:
    """Asserts that a call is refused with 409, and gives the code."""
    return code(refused(409, call, *arguments, **named))


def gone(cloud: Cloud, call, *arguments):
    """Waits until a resource can no longer be read."""

    def is_gone():
        try:
            call(*arguments)
            return False
        except ApiException as error:
            assert error.status_code == 404, error
            return True

    cloud.until(is_gone, f"the end of {arguments}")


def delete(cloud: Cloud, kind: str, *arguments):
    sdk = cloud.region(REGION)
    getattr(sdk, f"delete_{kind}")(*arguments)
    single = "virtual_network_interface" if kind == "virtual_network_interfaces" else kind
    gone(cloud, getattr(sdk, f"get_{single}"), *arguments)


def every_kind_is_made_held_and_deleted(cloud: Cloud):
    estate = Estate(cloud, REGION)
    estate.make_everything()
    cloud.advance(60)
    for kind in KINDS:
        shown = estate.read(kind)
        reads(kind, shown)
        assert shown["id"] in estate.listed(kind), kind.name
        assert shown["name"] == estate.made[kind.name]["name"], kind.name

    for kind in KINDS:
        if kind.name in HELD:
            refusal = refused(409, estate.delete, kind)
            error = refusal.http_response.json()["errors"][0]
            assert error["code"].startswith(HELD[kind.name]), (kind.name, error)
            assert error["target"]["value"] == estate.made[kind.name]["id"]
            assert refusal.http_response.headers["X-Request-Id"]
    # Nothing of that was the beginning of an end.
    cloud.advance(60)
    for kind in KINDS:
        estate.read(kind)

    sdk = estate.sdk
    sdk.update_dedicated_host(estate.dedicated_host["id"], {"instance_placement_enabled": False})
    for group in range(1, 8):
        kinds = [kind for kind in KINDS if kind.group == group]
        # What another of the group holds is refused until that one is gone.
        waiting = list(kinds)

        def one_pass(waiting=waiting):
            waiting[:] = [kind for kind in waiting if not _deleted(estate, kind)]
            return not waiting

        cloud.until(one_pass, f"the deletion of group {group}")
        for kind in kinds:
            gone(cloud, getattr(sdk, f"get_{kind.name}"), *estate.ids(kind))
            if kind.name in OF_EVERY_VPC or kind.of:
                continue
            assert estate.listed(kind) == [], kind.name
    delete(cloud, "vpc", estate.hub["id"])
    for kind in KINDS:
        assert kind.of or estate.listed(kind) == [], kind.name


def _deleted(estate: Estate, kind) -> bool:
    try:
        answer = estate.delete(kind)
    except ApiException as error:
        if error.status_code == 404:
            return True
        assert error.status_code == 409, error
        return False
    assert answer.get_status_code() == kind.status, (kind.name, answer.get_status_code())
    return True


def neither_202_nor_204_is_an_end(cloud: Cloud):
    sdk = cloud.region(REGION)
    vpc = sdk.create_vpc(name="brief").get_result()
    assert vpc["status"] == "pending"
    cloud.until(lambda: sdk.get_vpc(vpc["id"]).get_result()["status"] == "available", "the VPC")
    volume = sdk.create_volume({"profile": {"name": "general-purpose"}, "capacity": 10,
                                "zone": {"name": f"{REGION}-2"}}).get_result()
    cloud.advance(60)
    assert sdk.delete_vpc(vpc["id"]).get_status_code() == 204
    assert sdk.get_vpc(vpc["id"]).get_result()["status"] == "deleting"
    assert sdk.list_vpcs().get_result()["vpcs"][0]["status"] == "deleting"
    assert sdk.delete_volume(volume["id"]).get_status_code() == 204
    assert sdk.get_volume(volume["id"]).get_result()["status"] == "pending_deletion"
    refused(409, sdk.create_security_group, {"id": vpc["id"]})
    gone(cloud, sdk.get_vpc, vpc["id"])
    gone(cloud, sdk.get_volume, volume["id"])
    refused(404, sdk.delete_vpc, vpc["id"])


def a_call_names_its_version_and_its_generation(cloud: Cloud):
    for name, value in (("version", ""), ("version", "tomorrow"), ("generation", 1)):
        sdk = cloud.new_region(REGION)
        setattr(sdk, name, value)
        error = refused(400, sdk.list_vpcs)
        target = error.http_response.json()["errors"][0]["target"]
        assert target["name"] == name, target


def regions_are_apart(cloud: Cloud):
    regions = cloud.region(OTHER).list_regions().get_result()["regions"]
    assert len(regions) >= 5 and {REGION, OTHER} <= {region["name"] for region in regions}
    key = cloud.region(REGION).create_key(PUBLIC_KEY).get_result()
    for region in regions:
        sdk = cloud.new_region(region["name"])
        sdk.set_service_url(f"{region['endpoint']}/v1")
        assert len(sdk.list_region_zones(region["name"]).get_result()["zones"]) == 3
        found = [found["id"] for found in sdk.list_keys().get_result()["keys"]]
        assert found == ([key["id"]] if region["name"] == REGION else [])
    refused(404, cloud.region(OTHER).delete_key, key["id"])
    cloud.region(REGION).delete_key(key["id"])
    refused(404, cloud.new_region("nowhere").list_keys)


def lists_come_in_pages(cloud: Cloud):
    sdk = cloud.region(REGION)
    made = [sdk.create_key(PUBLIC_KEY, name=f"k{n}").get_result()["id"] for n in range(5)]
    first = sdk.list_keys(limit=2).get_result()
    assert first["limit"] == 2 and first["total_count"] == 5 and len(first["keys"]) == 2
    assert first["next"]["href"].startswith(f"{cloud.url}/vpc/{REGION}/v1/keys?")
    assert "generation=2" in first["next"]["href"] and "start=" in first["next"]["href"]
    paged = [key["id"] for key in KeysPager(client=sdk, limit=2).get_all()]
    assert sorted(paged) == sorted(made) and len(paged) == len(set(paged))
    assert "next" not in sdk.list_keys(limit=5).get_result()
    refused(400, sdk.list_keys, limit=101)
    # Deleting while paging neither skips nor repeats.
    page, start, seen = sdk.list_keys(limit=2).get_result(), None, []
    while True:
        seen += [key["id"] for key in page["keys"]]
        for key in page["keys"]:
            sdk.delete_key(key["id"])
        if "next" not in page:
            break
        start = page["next"]["href"].split("start=")[1].split("&")[0]
        page = sdk.list_keys(limit=2, start=start).get_result()
    assert sorted(seen) == sorted(made)
    VPCCollection.from_dict(sdk.list_vpcs().get_result())


CHECKS = [
    every_kind_is_made_held_and_deleted,
    neither_202_nor_204_is_an_end,
    a_call_names_its_version_and_its_generation,
    regions_are_apart,
    lists_come_in_pages,
]
