"""A consumer of acctpool, and the administrator who looks after it, with `requests` and IBM's SDK only.

Reads steps from stdin, a JSON object a line: `step` names one of the functions in STEPS, the rest are
its arguments. Answers each with its result as a line of JSON on stdout. A step that fails ends the
program with a traceback.
"""

import json
import secrets
import sys
import time

import mess
import requests
from cloud import ADMINISTRATOR, Clients, refused
from ibm_cloud_sdk_core import ApiException
from ibm_cloud_sdk_core.token_managers.iam_token_manager import IAMTokenManager
from ibm_platform_services.iam_access_groups_v2 import AccessGroupMembersPager, AccessGroupsPager
from ibm_platform_services.iam_policy_management_v1 import PoliciesPager
from ibm_platform_services.resource_controller_v2 import ResourceInstancesPager, ResourceKeysPager
from ibm_platform_services.user_management_v1 import UsersPager
from resources import COS_LITE, COS_STANDARD, DATABASE, PLAIN

LIVING = ["active", "inactive", "provisioning", "failed", "pending_reclamation", "pre_provisioning"]
ACTIVE_KEY_REFUSALS = ["BXNIM0415E", "BXNIM0434E"]  # no such key; disabled


def reserve(pool: str, token: str, account_type: str, minutes: int) -> dict:
    """Asks for an account, follows the redirect, and polls until the account is there."""
    answer = requests.post(
        f"{pool}/reservations",
        params={"token": token, "type": account_type, "duration": minutes},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    assert [hop.status_code for hop in answer.history] == [302]
    assert answer.url.startswith(f"{pool}/reservations/"), "landed on the reservation's own address"
    location = answer.url.partition("?")[0]
    first = answer.json()
    assert location.endswith(first["id"])
    for _ in range(600):
        shown = _show(location, token)
        if shown["state"] != "pending":
            break
        assert "credentials" not in shown and "expiration" not in shown, shown
        assert shown["queue_position"] >= 1
        time.sleep(0.05)
    assert shown["state"] == "active", shown
    assert shown["expiration"] and shown["type"] == account_type
    return {"first_state": first["state"], "location": location, **shown}


def _show(location: str, token: str) -> dict:
    answer = requests.get(location, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def show(location: str, token: str) -> dict:
    """Looks at a reservation."""
    return _show(location, token)


def cancel(location: str, token: str) -> None:
    """Gives the account back, twice: the second time changes nothing."""
    for _ in range(2):
        answer = requests.delete(location, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert answer.status_code == 204, answer.text


def make_a_mess(iam_url: str, account: str, key: str) -> None:
    """Leaves what standard rights can leave: instances of several kinds, keys, locks, a tag."""
    cloud = Clients(iam_url, key)
    groups = cloud.manager.list_resource_groups(account_id=account).get_result()["resources"]
    group = next(group["id"] for group in groups if group["default"])
    made = {}
    for plan in (PLAIN, DATABASE, COS_STANDARD, COS_LITE):
        answer = cloud.controller.create_resource_instance(
            name=f"left behind {plan}", target="eu-de", resource_group=group, resource_plan_id=plan
        )
        assert answer.get_status_code() == 201
        made[plan] = answer.get_result()["id"]
    cloud.controller.create_resource_key("plain", made[PLAIN])
    hmac = cloud.controller.create_resource_key(
        "hmac", made[COS_STANDARD], parameters={"HMAC": True}
    ).get_result()
    assert hmac["credentials"]["cos_hmac_keys"]["secret_access_key"]
    for plan in (PLAIN, COS_STANDARD):
        assert cloud.controller.lock_resource_instance(made[plan]).get_result()["locked"]
    cloud.tags.attach_tag(resources=[{"resource_id": made[PLAIN]}], tag_names=["left:behind"])


def make_back_doors(iam_url: str, account: str, key: str, service_id: str) -> str:
    """Leaves what administrator's rights can leave; gives the key of the back-door service ID."""
    cloud = Clients(iam_url, key)
    value = secrets.token_urlsafe(32)
    hidden = cloud.identity.create_service_id_group(account, "hidden").get_result()
    for group in (None, hidden["id"]):
        door = cloud.identity.create_service_id(
            account, "back door", group_id=group, apikey={"name": "key", "apikey": value}
        ).get_result()
        door_key, value = value, secrets.token_urlsafe(32)
    # The borrower's own service ID gets a second key, too.
    cloud.identity.create_api_key("spare", f"iam-{service_id}", apikey=value)
    friends = cloud.groups.create_access_group(account, "friends").get_result()["id"]
    member = {"iam_id": door["iam_id"], "type": "service"}
    added = cloud.groups.add_members_to_access_group(friends, members=[member]).get_result()
    assert added["members"][0]["status_code"] == 200
    _make_policy(cloud, account, "iam_id", door["iam_id"])
    _make_policy(cloud, account, "access_group_id", friends)
    profile = cloud.identity.create_profile("disguise", account).get_result()
    cloud.identity.create_link(
        profile["id"], cr_type="VSI", link={"crn": "crn:v1:x", "namespace": "n"}
    )
    group = cloud.manager.create_resource_group(name="mine", account_id=account).get_result()["id"]
    cloud.controller.create_resource_instance("in my group", "eu-de", group, COS_STANDARD)
    Clients(iam_url, door_key).identity.list_api_keys(account_id=account)
    return door_key


def back_doors_are_refused(iam_url: str, account: str, key: str, service_id: str) -> None:
    """Tries each back door: standard rights allow none."""
    cloud = Clients(iam_url, key)
    iam_id = f"iam-{service_id}"
    refused(403, cloud.identity.create_service_id, account, "back door")
    refused(403, cloud.identity.create_service_id_group, account, "hidden")
    refused(403, cloud.identity.create_api_key, "spare", iam_id, account_id=account)
    refused(403, cloud.groups.create_access_group, account, "friends")
    refused(403, _make_policy, cloud, account, "iam_id", iam_id)
    refused(403, cloud.identity.create_profile, "disguise", account)
    refused(403, cloud.manager.create_resource_group, name="mine", account_id=account)


def _make_policy(cloud: Clients, account: str, subject: str, value: str):
    def attributes(**pairs):
        return {
            "attributes": [
                {"key": key, "operator": "stringEquals", "value": text}
                for key, text in pairs.items()
            ]
        }

    return cloud.policies.create_v2_policy(
        control={"grant": {"roles": [{"role_id": ADMINISTRATOR}]}},
        type="access",
        subject=attributes(**{subject: value}),
        resource=attributes(accountId=account, serviceType="service"),
    )


def await_refusal(iam_url: str, key: str) -> int:
    """Exchanges a key until IAM refuses it; gives how often that still worked."""
    for worked in range(200):
        try:
            IAMTokenManager(key, url=iam_url).get_token()
        except ApiException as error:
            assert error.status_code == 400, error
            assert error.http_response.json()["errorCode"] in ACTIVE_KEY_REFUSALS, error
            return worked
        time.sleep(0.01)
    raise AssertionError("the key still works")


def listing(iam_url: str, account: str, key: str) -> list:
    """Lists the whole account as its owner, but for acctpool's own lease credentials, sorted."""
    cloud = Clients(iam_url, key)
    groups = cloud.identity.list_service_id_group(account_id=account).get_result()
    groups = groups["serviceid_groups"]
    service_ids = [
        found
        for group in groups
        for found in cloud.identity.list_service_ids(
            account_id=account, group_id=group["id"], pagesize=100
        ).get_result()["serviceids"]
    ]
    leased = {found["iam_id"] for found in service_ids if found["name"].startswith("acctpool-lease-")}
    assert len(leased) <= 1, "one account has one lease credential"
    keys = cloud.identity.list_api_keys(
        account_id=account, scope="account", type="user", pagesize=100
    ).get_result()["apikeys"]
    for group in groups:
        keys += cloud.identity.list_api_keys(
            account_id=account, scope="account", type="serviceid", group_id=group["id"], pagesize=100
        ).get_result()["apikeys"]
    access_groups = AccessGroupsPager(client=cloud.groups, account_id=account).get_all()
    found = {
        "service ID group": groups,
        "service ID": service_ids,
        "API key": keys,
        "policy": PoliciesPager(client=cloud.policies, account_id=account).get_all(),
        "access group": access_groups,
        "member": [
            {"id": group["id"], **member}
            for group in access_groups
            if group["name"] != "Public Access"
            for member in AccessGroupMembersPager(
                client=cloud.groups, access_group_id=group["id"]
            ).get_all()
        ],
        "profile": cloud.identity.list_profiles(account).get_result()["profiles"],
        "user": UsersPager(client=cloud.users, account_id=account).get_all(),
        "resource group": cloud.manager.list_resource_groups(account_id=account).get_result()[
            "resources"
        ],
        "instance": [
            instance
            for state in LIVING
            for instance in ResourceInstancesPager(client=cloud.controller, state=state).get_all()
        ],
        "resource key": [
            key
            for key in ResourceKeysPager(client=cloud.controller).get_all()
            if key["state"] != "removed"
        ],
        "reclamation": cloud.controller.list_reclamations(account_id=account).get_result()[
            "resources"
        ],
        "search result": cloud.search.search(
            query="*", fields=["crn"], account_id=account, limit=100, is_reclaimed="any"
        ).get_result()["items"],
        "tag": cloud.tags.list_tags(tag_type="user", account_id=account).get_result()["items"],
    }
    lines = []
    for collection, things in found.items():
        for thing in things:
            if leased & {thing.get("iam_id"), _subject(thing)}:
                continue
            told = [thing.get(field) for field in ("id", "crn", "iam_id", "name", "state")]
            lines.append(" ".join([collection, *(text for text in told if text)]))
    return sorted(lines)


def listing_of_everything(iam_url: str, account: str, key: str) -> list:
    """Lists what any borrower can have left."""
    return listing(iam_url, account, key) + mess.listing(iam_url, account, key)


def _subject(policy: dict):
    subjects = policy.get("subjects") or [{}]
    attributes = subjects[0].get("attributes") or [{}]
    return attributes[0].get("value")


STEPS = {
    step.__name__: step
    for step in (
        reserve,
        show,
        cancel,
        make_a_mess,
        make_back_doors,
        back_doors_are_refused,
        await_refusal,
        listing,
        listing_of_everything,
        mess.make_everything,
    )
}


def main() -> None:
    for line in sys.stdin:
        arguments = json.loads(line)
        result = STEPS[arguments.pop("step")](**arguments)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
