"""What a service id may do: by its policies, when they have taken effect, and no more."""

import secrets
from contextlib import contextmanager

from cloud import ADMINISTRATOR, EDITOR, MANAGER, Cloud, refused
from ibm_cloud_sdk_core import ApiException
from resources import PLAIN


@contextmanager
def made_service_id(cloud: Cloud, policies: list):
    """A service id with these policies in effect; gives its record and its clients."""
    value = secrets.token_urlsafe(32)
    service_id = cloud.identity.create_service_id(
        cloud.account, "borrower", apikey={"name": "borrower", "apikey": value}
    ).get_result()
    try:
        for roles, attributes in policies:
            cloud.make_policy(service_id["iam_id"], roles, **attributes)
        cloud.advance(600)
        yield service_id, cloud.login(value)
    finally:
        cloud.delete_service_id(service_id["id"])


STANDARD = [
    ([EDITOR, MANAGER], {"serviceType": "service"}),
    ([EDITOR], {"resourceType": "resource-group"}),
]
ADMINISTRATOR_RIGHTS = [
    ([ADMINISTRATOR, MANAGER], {"serviceType": "service"}),
    ([ADMINISTRATOR], {"serviceType": "platform_service"}),
]


def _make_and_delete_instance(cloud: Cloud, borrower):
    group = borrower.manager.list_resource_groups(account_id=cloud.account).get_result()
    group = group["resources"][0]["id"]
    instance = borrower.controller.create_resource_instance(
        "borrowed", "eu-de", group, PLAIN
    ).get_result()
    borrower.controller.create_resource_key("key", instance["id"])
    borrower.controller.lock_resource_instance(instance["id"])
    borrower.controller.unlock_resource_instance(instance["id"])
    borrower.controller.delete_resource_instance(instance["id"], recursive=True)
    cloud.until(
        lambda: borrower.controller.get_resource_instance(instance["id"]).get_result()["state"]
        == "removed",
        "the removal of an instance",
    )


def standard_rights_reach_services_but_not_account_management(cloud: Cloud):
    with made_service_id(cloud, STANDARD) as (service_id, borrower):
        _make_and_delete_instance(cloud, borrower)
        refused(403, borrower.identity.create_service_id, cloud.account, "backdoor")
        refused(403, borrower.identity.create_api_key, "backdoor", service_id["iam_id"])
        refused(403, borrower.groups.create_access_group, cloud.account, "backdoor")
        refused(
            403, borrower.manager.create_resource_group, name="mine", account_id=cloud.account
        )
        refused(403, borrower.manager.delete_resource_group, cloud.default_group())
        refused(403, borrower.policies.delete_v2_policy, _own_policy(cloud, service_id))
        refused(403, borrower.users.invite_users, cloud.account, users=[{"email": "x@y.z"}])
        refused(403, borrower.identity.get_account_settings, cloud.account)


def _own_policy(cloud: Cloud, service_id: dict) -> str:
    found = cloud.policies.list_v2_policies(cloud.account, iam_id=service_id["iam_id"])
    return found.get_result()["policies"][0]["id"]


def lists_without_rights_are_empty_and_not_refused(cloud: Cloud):
    with made_service_id(cloud, STANDARD) as (service_id, borrower):
        own = borrower.identity.list_service_ids(account_id=cloud.account).get_result()
        assert [found["id"] for found in own["serviceids"]] == [service_id["id"]]
        keys = borrower.identity.list_api_keys(account_id=cloud.account, scope="account")
        assert {key["iam_id"] for key in keys.get_result()["apikeys"]} == {service_id["iam_id"]}
        assert borrower.policies.list_v2_policies(cloud.account).get_result()["policies"] == []
        assert borrower.policies.list_policies(cloud.account).get_result()["policies"] == []
        assert borrower.groups.list_access_groups(cloud.account).get_result()["groups"] == []
        assert borrower.users.list_users(cloud.account).get_result()["resources"] == []
        assert borrower.identity.list_profiles(cloud.account).get_result()["profiles"] == []


def an_administrator_may_manage_the_account_but_not_its_users(cloud: Cloud):
    with made_service_id(cloud, ADMINISTRATOR_RIGHTS) as (_, borrower):
        _make_and_delete_instance(cloud, borrower)
        backdoor = borrower.identity.create_service_id(
            cloud.account, "backdoor", apikey={"name": "key"}
        ).get_result()
        assert len(backdoor["apikey"]["apikey"]) >= 32
        group = borrower.groups.create_access_group(cloud.account, "backdoor").get_result()
        borrower.groups.delete_access_group(group["id"])
        made = borrower.manager.create_resource_group(
            name=f"group {secrets.token_hex(4)}", account_id=cloud.account
        ).get_result()
        borrower.manager.delete_resource_group(made["id"])
        assert len(borrower.users.list_users(cloud.account).get_result()["resources"]) == 1
        refused(403, borrower.users.invite_users, cloud.account, users=[{"email": "x@y.z"}])
        refused(403, borrower.users.remove_user, cloud.account, cloud.owner())
        cloud.delete_service_id(backdoor["id"])


def rights_of_an_access_group_reach_its_members(cloud: Cloud):
    with made_service_id(cloud, []) as (service_id, borrower):
        refused(403, borrower.groups.create_access_group, cloud.account, "no")
        group = cloud.groups.create_access_group(cloud.account, "admins").get_result()["id"]
        cloud.policies.create_v2_policy(
            control={"grant": {"roles": [{"role_id": ADMINISTRATOR}]}},
            type="access",
            subject={
                "attributes": [
                    {"key": "access_group_id", "operator": "stringEquals", "value": group}
                ]
            },
            resource={
                "attributes": [
                    {"key": "accountId", "operator": "stringEquals", "value": cloud.account},
                    {"key": "service_group_id", "operator": "stringEquals", "value": "IAM"},
                ]
            },
        )
        member = {"iam_id": service_id["iam_id"], "type": "service"}
        cloud.groups.add_members_to_access_group(group, members=[member])
        cloud.advance(600)
        assert len(borrower.groups.list_access_groups(cloud.account).get_result()["groups"]) == 2
        cloud.groups.delete_access_group(group, force=True)
        cloud.advance(700)
        assert borrower.groups.list_access_groups(cloud.account).get_result()["groups"] == []


def a_token_outlives_its_subject_without_rights(cloud: Cloud):
    with made_service_id(cloud, STANDARD) as (_, borrower):
        group = cloud.default_group()
        borrower.manager.get_resource_group(group)
    # The subject is deleted. Its rights go when the caches lapse, its token later.
    cloud.advance(700)
    refused(403, borrower.manager.get_resource_group, group)
    assert borrower.controller.list_resource_instances().get_result()["resources"] == []
    cloud.advance(3600)
    try:
        borrower.manager.get_resource_group(group)
        raise AssertionError("an expired token was accepted")
    except ApiException as error:
        # 401 for the token, or 400 if the SDK has noticed and tried to exchange the key again.
        assert error.status_code in (400, 401), error


def a_token_reaches_no_other_account(cloud: Cloud):
    other = "f" * 32
    refused(403, cloud.accounts.get_account, other)
    refused(403, cloud.users.list_users, other)
    refused(403, cloud.policies.list_v2_policies, other)
    refused(403, cloud.identity.list_service_ids, account_id=other)


CHECKS = [
    standard_rights_reach_services_but_not_account_management,
    lists_without_rights_are_empty_and_not_refused,
    an_administrator_may_manage_the_account_but_not_its_users,
    rights_of_an_access_group_reach_its_members,
    a_token_outlives_its_subject_without_rights,
    a_token_reaches_no_other_account,
]
