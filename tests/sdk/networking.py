"""Transit Gateway, Direct Link, DNS Services, Key Protect, context-based restrictions, buckets."""

import json

import requests
from cloud import Cloud, refused
from ibm_cloud_networking_services import direct_link_v1
from ibm_cloud_networking_services.direct_link_v1 import (
    GatewayCollectionGatewaysItemGateway,
    GatewayVirtualConnection,
)
from ibm_cloud_networking_services.dns_svcs_v1 import CustomResolver, Dnszone, PermittedNetwork
from ibm_cloud_networking_services.transit_gateway_apis_v1 import (
    TransitGateway,
    TransitGatewayConnectionCust,
    TransitGatewayConnectionsPager,
    TransitGatewaysPager,
)
from ibm_platform_services.context_based_restrictions_v1 import Rule, RuleList, Zone, ZoneList
from infrastructure import code, gone
from keyprotect import ListKeys

REGION = "eu-de"

# What the simulator's catalogue calls them.
KEY_PROTECT = "eedd3585-90c6-4c8f-be3d-062069e99fc3"
DNS_SERVICES = "2c8fa097-d7c2-4df2-b53e-2efb7874cdf7"
COS_STANDARD = "744bfc56-d12c-4866-88d5-dac9139e0e5d"


def made_by(response, status: int = 201) -> dict:
    assert response.get_status_code() == status, response
    return response.get_result()


def make_network(cloud: Cloud):
    """A VPC and a subnet in it."""
    sdk = cloud.region(REGION)
    vpc = made_by(sdk.create_vpc(name="networking"))
    subnet = {
        "name": "networking",
        "vpc": {"id": vpc["id"]},
        "zone": {"name": f"{REGION}-1"},
        "total_ipv4_address_count": 8,
    }
    return vpc, made_by(sdk.create_subnet(subnet))


def delete_network(cloud: Cloud, vpc: dict, subnet: dict):
    sdk = cloud.region(REGION)
    sdk.delete_subnet(subnet["id"])
    gone(cloud, sdk.get_subnet, subnet["id"])
    sdk.delete_vpc(vpc["id"])
    gone(cloud, sdk.get_vpc, vpc["id"])


def destroy_instance(cloud: Cloud, guid: str):
    """Deletes an instance, and reclaims it if it has to be."""
    deleted = cloud.controller.delete_resource_instance(guid, recursive=True)
    assert deleted.get_status_code() in (202, 204)

    def state():
        return cloud.controller.get_resource_instance(guid).get_result()["state"]

    cloud.until(lambda: state() in ("removed", "pending_reclamation"), "the end of an instance")
    if state() == "removed":
        return

    def reclamations():
        listed = cloud.controller.list_reclamations(resource_instance_id=guid).get_result()
        return listed["resources"]

    reclamation = cloud.until(reclamations, "a reclamation")[0]
    cloud.controller.run_reclamation_action(reclamation["id"], "reclaim")
    cloud.until(lambda: not reclamations() and state() == "removed", "the end of a reclamation")


def transit_gateways_outlive_their_connections(cloud: Cloud):
    sdk = cloud.transit
    vpc, subnet = make_network(cloud)
    made = [
        made_by(sdk.create_transit_gateway(location=REGION, name=f"transit-{number}"))
        for number in range(5)
    ]
    seen = TransitGatewaysPager(client=sdk, limit=2).get_all()
    assert {item["id"] for item in made} <= {item["id"] for item in seen}
    gateway = TransitGateway.from_dict(sdk.get_transit_gateway(made[0]["id"]).get_result())
    assert gateway.crn.endswith(f"::gateway:{gateway.id}"), gateway.crn

    connection = made_by(
        sdk.create_transit_gateway_connection(gateway.id, "vpc", network_id=vpc["crn"])
    )
    TransitGatewayConnectionCust.from_dict(connection)
    pager = TransitGatewayConnectionsPager(client=sdk, transit_gateway_id=gateway.id, limit=1)
    assert [item["id"] for item in pager.get_all()] == [connection["id"]]
    refused(409, sdk.delete_transit_gateway, gateway.id)
    deleted = sdk.delete_transit_gateway_connection(gateway.id, connection["id"])
    assert deleted.get_status_code() == 204
    shown = sdk.get_transit_gateway_connection(gateway.id, connection["id"]).get_result()
    assert shown["status"] in ("deleting", "detaching"), shown
    refused(409, sdk.delete_transit_gateway, gateway.id)
    gone(cloud, sdk.get_transit_gateway_connection, gateway.id, connection["id"])
    for item in made:
        assert sdk.delete_transit_gateway(item["id"]).get_status_code() == 204
    for item in made:
        gone(cloud, sdk.get_transit_gateway, item["id"])
    delete_network(cloud, vpc, subnet)


def direct_links_outlive_their_virtual_connections(cloud: Cloud):
    sdk = cloud.direct
    template = direct_link_v1.GatewayTemplateGatewayTypeConnectTemplate(
        bgp_asn=64999,
        global_=True,
        metered=False,
        name="link",
        speed_mbps=1000,
        type="connect",
        port=direct_link_v1.GatewayPortIdentity(id="54321b1a-fee4-41c7-9e11-9cd99e000aaa"),
    )
    gateway = made_by(sdk.create_gateway(template))
    refused(409, sdk.create_gateway, template)
    listed = sdk.list_gateways().get_result()["gateways"]
    assert gateway["id"] in [item["id"] for item in listed]
    GatewayCollectionGatewaysItemGateway.from_dict(listed[0])
    connection = made_by(sdk.create_gateway_virtual_connection(gateway["id"], "vc", "classic"))
    GatewayVirtualConnection.from_dict(connection)
    refused(409, sdk.delete_gateway, gateway["id"])
    arguments = gateway["id"], connection["id"]
    assert sdk.delete_gateway_virtual_connection(*arguments).get_status_code() == 204
    gone(cloud, sdk.get_gateway_virtual_connection, *arguments)
    assert sdk.delete_gateway(gateway["id"]).get_status_code() == 204
    gone(cloud, sdk.get_gateway, gateway["id"])


def dedicated_link_is_deleted_before_it_is_cabled(cloud: Cloud):
    sdk = cloud.direct
    template = direct_link_v1.GatewayTemplateGatewayTypeDedicatedTemplate(
        bgp_asn=64999,
        global_=True,
        metered=False,
        name="cable",
        speed_mbps=1000,
        type="dedicated",
        carrier_name="carrier",
        cross_connect_router="xcr01.dal03",
        customer_name="customer",
        location_name="dal03",
    )
    gateway = made_by(sdk.create_gateway(template))
    assert gateway["operational_status"] == "loa_created"
    sdk.delete_gateway(gateway["id"])
    gone(cloud, sdk.get_gateway, gateway["id"])


def custom_resolver_holds_its_subnet_unseen(cloud: Cloud):
    sdk = cloud.dns
    vpc, subnet = make_network(cloud)
    guid = cloud.make_instance("dns", DNS_SERVICES)["guid"]
    locations = [{"subnet_crn": subnet["crn"], "enabled": True}]
    created = sdk.create_custom_resolver(guid, name="resolver", locations=locations)
    resolver = made_by(created, 200)
    CustomResolver.from_dict(resolver)
    sdk.update_custom_resolver(guid, resolver["id"], enabled=True)
    refused(409, sdk.delete_custom_resolver, guid, resolver["id"])
    refused(422, cloud.controller.delete_resource_instance, guid, recursive=True)
    held = refused(409, cloud.region(REGION).delete_subnet, subnet["id"])
    assert code(held) == "subnet_in_use_network_interface_exists"
    sdk.update_custom_resolver(guid, resolver["id"], enabled=False)
    assert sdk.delete_custom_resolver(guid, resolver["id"]).get_status_code() == 204
    assert sdk.list_custom_resolvers(guid).get_result() == {"custom_resolvers": []}
    cloud.advance(60)
    destroy_instance(cloud, guid)
    delete_network(cloud, vpc, subnet)


def dns_zone_stays_while_a_network_is_permitted(cloud: Cloud):
    sdk = cloud.dns
    vpc, subnet = make_network(cloud)
    guid = cloud.make_instance("dns", DNS_SERVICES)["guid"]
    zone = made_by(sdk.create_dnszone(guid, name="example.com"), 200)
    for number in range(2):
        sdk.create_dnszone(guid, name=f"{number}.example.com")
    Dnszone.from_dict(zone)
    pages = [sdk.list_dnszones(guid, limit=2, offset=offset).get_result() for offset in (0, 2)]
    assert [len(page["dnszones"]) for page in pages] == [2, 1]
    assert "offset=2" in pages[0]["next"]["href"] and "next" not in pages[1]
    network = {"vpc_crn": vpc["crn"]}
    created = sdk.create_permitted_network(guid, zone["id"], type="vpc", permitted_network=network)
    permitted = made_by(created, 200)
    PermittedNetwork.from_dict(permitted)
    refused(409, sdk.delete_dnszone, guid, zone["id"])
    refused(422, cloud.controller.delete_resource_instance, guid, recursive=True)
    removed = sdk.delete_permitted_network(guid, zone["id"], permitted["id"])
    assert made_by(removed, 202)["state"] == "REMOVAL_IN_PROGRESS"

    def networks():
        listed = sdk.list_permitted_networks(guid, zone["id"]).get_result()
        return listed["permitted_networks"]

    cloud.until(lambda: not networks(), "the end of a permitted network")
    assert sdk.delete_dnszone(guid, zone["id"]).get_status_code() == 204
    destroy_instance(cloud, guid)
    delete_network(cloud, vpc, subnet)


def keys_are_destroyed_before_their_instance(cloud: Cloud):
    guid = cloud.make_instance("keys", KEY_PROTECT)["guid"]
    sdk = cloud.keys(REGION)
    body = {"metadata": {"collectionTotal": 1}, "resources": [{"name": "root"}]}
    created = [made_by(sdk.create_key(guid, json.dumps(body)))["resources"][0] for _ in range(3)]
    pages = [sdk.get_keys(guid, limit=2, offset=offset).get_result() for offset in (0, 2)]
    assert [page["metadata"]["collectionTotal"] for page in pages] == [2, 1]
    ListKeys.from_dict(pages[0])
    storage = make_bucket(cloud, "encrypted", created[0]["crn"])
    key = created[0]["id"]
    registered = sdk.get_registrations(key, guid).get_result()
    assert registered["metadata"]["collectionTotal"] == 1
    error = refused_key(409, sdk.delete_key, key, guid)
    assert error == "PROTECTED_RESOURCE_ERR", error
    held = refused(422, cloud.controller.delete_resource_instance, guid, recursive=True)
    assert "[409, Conflict] CONTAINS_ACTIVE_KEYS" in held.message, held.message
    for key in created:
        assert sdk.delete_key(key["id"], guid, force=True).get_status_code() == 204
    assert refused_key(410, sdk.delete_key, key["id"], guid) == "KEY_DELETED_ERR"
    assert sdk.get_keys(guid).get_result()["metadata"]["collectionTotal"] == 0
    destroyed = sdk.get_keys(guid, state=[5]).get_result()
    assert destroyed["metadata"]["collectionTotal"] == 3
    destroy_instance(cloud, guid)
    destroy_instance(cloud, storage)


def refused_key(status: int, call, *arguments, **named) -> str:
    """Asserts that a call of Key Protect is refused, and gives the reason's code.

    The core of IBM's SDKs finds no message in the bodies of this service.
    """
    try:
        call(*arguments, **named)
    except Exception as error:  # pylint: disable=broad-except
        assert error.status_code == status, error
        return error.http_response.json()["resources"][0]["reasons"][0]["code"]
    raise AssertionError(f"not refused with {status}")


def make_bucket(cloud: Cloud, name: str, key: str = "") -> str:
    """Makes an Object Storage with a bucket over plain HTTP; gives its guid."""
    guid = cloud.make_instance("storage", COS_STANDARD)["guid"]
    headers = {"ibm-service-instance-id": guid}
    if key:
        headers["ibm-sse-kp-customer-root-key-crn"] = key
    assert cloud.storage("PUT", f"{REGION}/{name}", headers).status_code == 200
    return guid


def immutable_object_keeps_its_instance_until_it_is_released(cloud: Cloud):
    guid = make_bucket(cloud, "held")
    headers = {"ibm-service-instance-id": guid}
    listed = cloud.storage("GET", f"{REGION}/?extended", headers)
    assert "<Name>held</Name>" in listed.text and "X-Clv-Request-Id" in listed.headers
    assert listed.headers["Content-Type"] == "application/xml"
    held = f"{REGION}/held/object"
    assert cloud.storage("PUT", held, headers).status_code == 200
    full = cloud.storage("DELETE", f"{REGION}/held", headers)
    assert full.status_code == 409 and "<Code>BucketNotEmpty</Code>" in full.text
    assert cloud.storage("POST", f"{held}?legalHold&add=case", headers).status_code == 200
    vague = refused(400, cloud.controller.delete_resource_instance, guid, recursive=True)
    assert "hold" not in vague.message.lower()
    assert cloud.storage("POST", f"{held}?legalHold&remove=case", headers).status_code == 200
    destroy_instance(cloud, guid)


def restriction_shuts_the_owner_out_until_it_is_deleted(cloud: Cloud):
    sdk = cloud.restrictions
    addresses = [{"type": "ipAddress", "value": "192.0.2.7"}]
    zone = made_by(
        sdk.create_zone(name="office", account_id=cloud.account, addresses=addresses)
    )
    Zone.from_dict(zone)
    context = {"attributes": [{"name": "networkZoneId", "value": zone["id"]}]}
    resource = {
        "attributes": [
            {"name": "accountId", "value": cloud.account},
            {"name": "serviceName", "value": "is"},
        ]
    }
    rule = made_by(sdk.create_rule(contexts=[context], resources=[resource]))
    Rule.from_dict(rule)
    assert RuleList.from_dict(sdk.list_rules(cloud.account).get_result()).count == 1
    assert ZoneList.from_dict(sdk.list_zones(cloud.account).get_result()).count == 1
    cloud.advance(1)
    refused(403, cloud.region(REGION).list_vpcs)
    refused(409, sdk.delete_zone, zone["id"])
    assert sdk.delete_rule(rule["id"]).get_status_code() == 204
    refused(403, cloud.region(REGION).list_vpcs)
    cloud.advance(1)
    cloud.region(REGION).list_vpcs()
    assert sdk.delete_zone(zone["id"]).get_status_code() == 204
    refused(404, sdk.get_rule, rule["id"])


def classic_item_is_found_by_search_only(cloud: Cloud):
    place = f"{cloud.url}/_simulator/accounts/{cloud.account}/classic"
    item = {"kind": "virtual-server", "name": "old"}
    crn = requests.post(place, json=item, timeout=10).json()["crn"]

    def found():
        answer = cloud.search.search(query="family:ims", is_reclaimed="any").get_result()
        return [item["crn"] for item in answer["items"]]

    cloud.until(lambda: found() == [crn], "an item in the index")
    cancelled = requests.post(f"{place}/cancel", json={"crn": crn}, timeout=10)
    assert cancelled.status_code == 204
    cloud.until(lambda: not found(), "the end of an item in the index")


CHECKS = [
    transit_gateways_outlive_their_connections,
    direct_links_outlive_their_virtual_connections,
    dedicated_link_is_deleted_before_it_is_cabled,
    custom_resolver_holds_its_subnet_unseen,
    dns_zone_stays_while_a_network_is_permitted,
    keys_are_destroyed_before_their_instance,
    immutable_object_keeps_its_instance_until_it_is_released,
    restriction_shuts_the_owner_out_until_it_is_deleted,
    classic_item_is_found_by_search_only,
]
