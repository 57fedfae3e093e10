"""Policies, roles, access groups, users."""

from cloud import ADMINISTRATOR, EDITOR, Cloud, refused
from ibm_platform_services.iam_access_groups_v2 import AccessGroupMembersPager, AccessGroupsPager
from ibm_platform_services.iam_policy_management_v1 import PoliciesPager, V2PoliciesPager
from ibm_platform_services.user_management_v1 import UsersPager


def policies_are_the_same_in_both_versions(cloud: Cloud):
    service_id = cloud.identity.create_service_id(cloud.account, "subject").get_result()
    made = [
        cloud.make_policy(service_id["iam_id"], [EDITOR], serviceName=f"service-{n}")
        for n in range(5)
    ]
    one = PoliciesPager(client=cloud.policies, account_id=cloud.account, limit=2).get_all()
    two = V2PoliciesPager(client=cloud.policies, account_id=cloud.account, limit=2).get_all()
    assert sorted(policy["id"] for policy in one) == sorted(made)
    assert sorted(policy["id"] for policy in two) == sorted(made)
    assert one[0]["subjects"][0]["attributes"][0]["value"] == service_id["iam_id"]
    assert two[0]["control"]["grant"]["roles"][0]["role_id"] == EDITOR
    mine = cloud.policies.list_v2_policies(cloud.account, iam_id="iam-ServiceId-other").get_result()
    assert mine["policies"] == []
    error = refused(
        409, cloud.make_policy, service_id["iam_id"], [EDITOR], serviceName="service-0"
    )
    assert error.http_response.json()["errors"][0]["code"] == "policy_conflict_error"
    assert cloud.policies.delete_v2_policy(made[0]).get_status_code() == 204
    assert cloud.policies.delete_policy(made[1]).get_status_code() == 204
    error = refused(404, cloud.policies.get_v2_policy, made[0])
    assert error.http_response.json()["errors"][0]["code"] == "policy_not_found"
    # The rest goes with its subject.
    cloud.delete_service_id(service_id["id"])
    assert cloud.policies.list_v2_policies(cloud.account).get_result()["policies"] == []


def authorization_policies_are_known_to_version_one_only(cloud: Cloud):
    def attributes(service):
        return {
            "attributes": [
                {"name": "accountId", "value": cloud.account},
                {"name": "serviceName", "value": service},
            ]
        }

    policy = cloud.policies.create_policy(
        type="authorization",
        subjects=[attributes("cloud-object-storage")],
        roles=[{"role_id": "crn:v1:bluemix:public:iam::::serviceRole:Reader"}],
        resources=[attributes("kms")],
    ).get_result()
    found = cloud.policies.list_policies(cloud.account, type="authorization").get_result()
    assert [policy["id"] for policy in found["policies"]] == [policy["id"]]
    assert cloud.policies.list_v2_policies(cloud.account).get_result()["policies"] == []
    assert cloud.policies.delete_policy(policy["id"]).get_status_code() == 204


def a_locked_service_id_keeps_its_policies(cloud: Cloud):
    service_id = cloud.identity.create_service_id(cloud.account, "locked").get_result()
    policy = cloud.make_policy(service_id["iam_id"], [EDITOR], serviceType="service")
    cloud.identity.lock_service_id(service_id["id"])
    refused(409, cloud.policies.delete_v2_policy, policy)
    cloud.identity.unlock_service_id(service_id["id"])
    cloud.policies.delete_v2_policy(policy)
    cloud.delete_service_id(service_id["id"])


def roles_are_listed(cloud: Cloud):
    roles = cloud.policies.list_roles(account_id=cloud.account).get_result()
    assert roles["custom_roles"] == []
    assert ADMINISTRATOR in [role["crn"] for role in roles["system_roles"]]
    role = cloud.policies.create_role(
        display_name="Own", actions=["x.y"], name="Own", account_id=cloud.account, service_name="kms"
    ).get_result()
    assert cloud.policies.delete_role(role["id"]).get_status_code() == 204


def access_groups_have_members_and_pages(cloud: Cloud):
    made = [
        cloud.groups.create_access_group(cloud.account, f"group {n}").get_result()["id"]
        for n in range(3)
    ]
    pager = AccessGroupsPager(client=cloud.groups, account_id=cloud.account, limit=2)
    groups = pager.get_all()
    assert set(made) < {group["id"] for group in groups} and len(groups) == 4
    public = next(group["id"] for group in groups if group["name"] == "Public Access")
    refused(400, cloud.groups.delete_access_group, public, force=True)

    member = {"iam_id": cloud.owner(), "type": "user"}
    added = cloud.groups.add_members_to_access_group(made[0], members=[member])
    assert added.get_status_code() == 207
    assert added.get_result()["members"][0]["status_code"] == 200
    members = AccessGroupMembersPager(client=cloud.groups, access_group_id=made[0]).get_all()
    assert [found["iam_id"] for found in members] == [cloud.owner()]
    refused(400, cloud.groups.delete_access_group, made[0])
    for group in made:
        assert cloud.groups.delete_access_group(group, force=True).get_status_code() == 204
    settings = cloud.groups.get_account_settings(cloud.account).get_result()
    assert settings["public_access_enabled"] is False
    refused(409, _two_of_a_name, cloud)
    left = AccessGroupsPager(client=cloud.groups, account_id=cloud.account).get_all()
    for group in left:
        if group["name"] == "twice":
            cloud.groups.delete_access_group(group["id"])


def _two_of_a_name(cloud: Cloud):
    cloud.groups.create_access_group(cloud.account, "twice")
    cloud.groups.create_access_group(cloud.account, "twice")


def users_are_invited_paged_and_removed(cloud: Cloud):
    users = [{"email": f"guest-{n}@example.com", "account_role": "Member"} for n in range(3)]
    invited = cloud.users.invite_users(cloud.account, users=users)
    assert invited.get_status_code() == 202
    guests = [user["id"] for user in invited.get_result()["resources"]]
    listed = UsersPager(client=cloud.users, account_id=cloud.account, limit=2).get_all()
    assert sorted(user["iam_id"] for user in listed) == sorted([*guests, cloud.owner()])
    assert cloud.users.remove_user(cloud.account, guests[0]).get_status_code() == 204
    assert cloud.users.remove_user(cloud.account, guests[1]).get_status_code() == 204
    assert cloud.users.v3_remove_user(cloud.account, guests[2]).get_status_code() == 202
    cloud.until(
        lambda: len(UsersPager(client=cloud.users, account_id=cloud.account).get_all()) == 1,
        "the removal of the last guest",
    )
    refused(404, cloud.users.remove_user, cloud.account, guests[0])
    refused(400, cloud.users.remove_user, cloud.account, cloud.owner())


CHECKS = [
    policies_are_the_same_in_both_versions,
    authorization_policies_are_known_to_version_one_only,
    a_locked_service_id_keeps_its_policies,
    roles_are_listed,
    access_groups_have_members_and_pages,
    users_are_invited_paged_and_removed,
]
