"""Resource controller, reclamations, resource groups, search and tags."""

import json
import secrets

from cloud import Cloud, refused
from ibm_platform_services.resource_controller_v2 import ResourceInstancesPager, ResourceKeysPager

# Plans of the simulator's catalogue.
COS_STANDARD = "744bfc56-d12c-4866-88d5-dac9139e0e5d"
COS_LITE = "2fdf0c08-2d32-4f46-84b5-32e0c92fffd8"
DATABASE = "databases-for-postgresql-standard"
PLAIN = "51a1e000-0000-4000-8000-0000000000a1"


def _state(cloud: Cloud, crn: str) -> str:
    return cloud.controller.get_resource_instance(crn).get_result()["state"]


def _delete_plain(cloud: Cloud, crn: str):
    assert cloud.controller.delete_resource_instance(crn, recursive=True).get_status_code() == 202
    cloud.until(lambda: _state(cloud, crn) == "removed", "the removal of an instance")


def _reclaim(cloud: Cloud, guid: str):
    def listed():
        found = cloud.controller.list_reclamations(
            account_id=cloud.account, resource_instance_id=guid
        )
        return found.get_result()["resources"]

    reclamation = cloud.until(listed, "a reclamation")[0]
    assert reclamation["state"] == "SCHEDULED"
    answer = cloud.controller.run_reclamation_action(reclamation["id"], "reclaim")
    assert answer.get_status_code() == 200 and answer.get_result()["state"] == "RECLAIMING"
    cloud.until(lambda: not listed(), "the end of a reclamation")


def a_removed_instance_stays_readable(cloud: Cloud):
    instance = cloud.make_instance("plain", PLAIN)
    crn = instance["id"]
    assert crn.startswith("crn:v1:") and "/" in crn
    assert _state(cloud, crn) == "active" == _state(cloud, instance["guid"])
    assert cloud.controller.lock_resource_instance(crn).get_result()["locked"] is True
    refused(422, cloud.controller.delete_resource_instance, crn, recursive=True)
    assert cloud.controller.unlock_resource_instance(crn).get_result()["locked"] is False
    renamed = cloud.controller.update_resource_instance(crn, name="renamed").get_result()
    assert renamed["name"] == "renamed"
    _delete_plain(cloud, crn)
    refused(410, cloud.controller.delete_resource_instance, crn)
    refused(404, cloud.controller.get_resource_instance, "no-such-instance")


def states_other_than_active_must_be_asked_for(cloud: Cloud):
    instance = cloud.make_instance("cos", COS_STANDARD)
    crn = instance["id"]
    deleted = cloud.controller.delete_resource_instance(crn, recursive=True)
    assert deleted.get_status_code() == 204
    cloud.until(lambda: _state(cloud, crn) == "pending_reclamation", "pending reclamation")

    def listed(**query):
        pager = ResourceInstancesPager(client=cloud.controller, limit=10, **query)
        return [found["id"] for found in pager.get_all()]

    assert crn not in listed()
    assert crn in listed(state="pending_reclamation")
    try:
        cloud.controller.delete_resource_instance(crn, recursive=True)
        raise AssertionError("deleted a second time")
    except Exception as error:  # pylint: disable=broad-except
        assert getattr(error, "status_code", None) in (400, 422), error
    _reclaim(cloud, instance["guid"])
    assert _state(cloud, crn) == "removed"


def a_reclamation_can_be_taken_back(cloud: Cloud):
    instance = cloud.make_instance("restored", COS_STANDARD)
    cloud.controller.delete_resource_instance(instance["id"], recursive=True)

    def listed():
        found = cloud.controller.list_reclamations(account_id=cloud.account)
        return found.get_result()["resources"]

    reclamation = cloud.until(listed, "a reclamation")[0]
    cloud.controller.run_reclamation_action(reclamation["id"], "restore")
    cloud.until(
        lambda: not listed() and _state(cloud, instance["id"]) == "active", "the restoration"
    )
    cloud.controller.delete_resource_instance(instance["id"], recursive=True)
    _reclaim(cloud, instance["guid"])


def a_database_comes_and_goes_slowly(cloud: Cloud):
    instance = cloud.make_instance("database", DATABASE)
    assert instance["state"] == "provisioning"
    assert instance["last_operation"]["state"] == "in progress"
    cloud.until(lambda: _state(cloud, instance["id"]) == "active", "the database")
    deleted = cloud.controller.delete_resource_instance(instance["id"], recursive=True)
    assert deleted.get_status_code() == 202
    cloud.until(
        lambda: _state(cloud, instance["id"]) == "pending_reclamation", "pending reclamation"
    )
    _reclaim(cloud, instance["guid"])


def a_lite_plan_has_one_instance_and_no_reclamation(cloud: Cloud):
    instance = cloud.make_instance("lite", COS_LITE)
    refused(422, cloud.make_instance, "second", COS_LITE)
    deleted = cloud.controller.delete_resource_instance(instance["id"])
    assert deleted.get_status_code() == 204
    assert _state(cloud, instance["id"]) == "removed"


def instances_come_in_pages(cloud: Cloud):
    made = [cloud.make_instance(f"page {n}", PLAIN)["id"] for n in range(5)]
    first = cloud.controller.list_resource_instances(limit=2).get_result()
    assert first["rows_count"] == 2 and first["next_url"].startswith("/v2/resource_instances?")
    pager = ResourceInstancesPager(client=cloud.controller, limit=2)
    assert sorted(found["id"] for found in pager.get_all()) == sorted(made)
    for crn in made:
        _delete_plain(cloud, crn)


def keys_hold_their_instance(cloud: Cloud):
    instance = cloud.make_instance("with keys", PLAIN)
    key = cloud.controller.create_resource_key(name="key", source=instance["id"]).get_result()
    alias = cloud.controller.create_resource_alias(
        name="alias", source=instance["id"], target="crn:v1:bluemix:public:cf:eu-de:s/x::cf-space:y"
    ).get_result()
    binding = cloud.controller.create_resource_binding(
        source=alias["id"], target="crn:v1:bluemix:public:cf:eu-de:s/x::cf-application:z"
    ).get_result()
    refused(400, cloud.controller.delete_resource_instance, instance["id"])
    keys = ResourceKeysPager(client=cloud.controller, limit=10).get_all()
    assert [found["id"] for found in keys] == [key["id"]]
    assert cloud.controller.list_resource_aliases().get_result()["rows_count"] == 1
    assert cloud.controller.list_resource_bindings().get_result()["rows_count"] == 1
    refused(400, cloud.controller.delete_resource_alias, alias["id"])
    assert cloud.controller.delete_resource_binding(binding["id"]).get_status_code() == 204
    assert cloud.controller.delete_resource_key(key["id"]).get_status_code() == 204
    assert cloud.controller.get_resource_key(key["id"]).get_result()["state"] == "removed"
    refused(410, cloud.controller.delete_resource_key, key["id"])
    _delete_plain(cloud, instance["id"])
    assert cloud.controller.get_resource_alias(alias["id"]).get_result()["state"] == "removed"


def an_hmac_key_leaves_a_service_id_behind(cloud: Cloud):
    instance = cloud.make_instance("hmac", COS_LITE)
    key = cloud.controller.create_resource_key(
        name="hmac", source=instance["id"], parameters={"HMAC": True}
    ).get_result()
    backdoor = cloud.login(key["credentials"]["apikey"])
    backdoor.identity.list_api_keys()
    cloud.controller.delete_resource_key(key["id"])
    cloud.controller.delete_resource_instance(instance["id"])
    service_ids = cloud.identity.list_service_ids(account_id=cloud.account).get_result()
    left = [found["id"] for found in service_ids["serviceids"]]
    assert len(left) == 1 and left[0] in key["credentials"]["iam_serviceid_crn"]
    cloud.delete_service_id(left[0])


def a_resource_group_is_kept_by_what_it_holds(cloud: Cloud):
    name = f"group {secrets.token_hex(4)}"
    made = cloud.manager.create_resource_group(name=name, account_id=cloud.account)
    assert made.get_status_code() == 201
    group = made.get_result()["id"]
    instance = cloud.make_instance("cos", COS_STANDARD, group)
    cloud.controller.delete_resource_instance(instance["id"], recursive=True)
    error = refused(500, cloud.manager.delete_resource_group, group)
    assert error.http_response.json()["errors"]
    cloud.until(
        lambda: _state(cloud, instance["id"]) == "pending_reclamation", "pending reclamation"
    )
    refused(500, cloud.manager.delete_resource_group, group)
    _reclaim(cloud, instance["guid"])
    assert cloud.manager.delete_resource_group(group).get_status_code() == 204
    refused(404, cloud.manager.get_resource_group, group)
    refused(400, cloud.manager.delete_resource_group, cloud.default_group())


def _search(cloud: Cloud, **query) -> list:
    items, cursor = [], None
    while True:
        page = cloud.search.search(
            query="*", fields=["crn", "name", "type"], account_id=cloud.account, limit=2,
            is_reclaimed="any", search_cursor=cursor, **query,
        ).get_result()
        items += page["items"]
        cursor = page.get("search_cursor")
        if cursor is None or len(page["items"]) < page["limit"]:
            return [item["crn"] for item in items]


def search_follows_the_truth_and_shows_reclamations(cloud: Cloud):
    made = [cloud.make_instance(f"found {n}", PLAIN)["id"] for n in range(4)]
    cloud.until(lambda: set(made) <= set(_search(cloud)), "the index")
    assert len(_search(cloud)) == len(set(_search(cloud)))
    for crn in made:
        _delete_plain(cloud, crn)
    cloud.until(lambda: not set(made) & set(_search(cloud)), "the index")
    reclaimed = cloud.make_instance("reclaimed", COS_STANDARD)
    cloud.controller.delete_resource_instance(reclaimed["id"])
    cloud.until(lambda: _state(cloud, reclaimed["id"]) == "pending_reclamation", "reclamation")
    cloud.until(lambda: reclaimed["id"] in _search(cloud), "the index")
    cloud.advance(120)
    usual = cloud.search.search(query="*", limit=100).get_result()
    assert reclaimed["id"] not in json.dumps(usual)
    _reclaim(cloud, reclaimed["guid"])


def tags_hide_errors_inside_200(cloud: Cloud):
    instance = cloud.make_instance("tagged", PLAIN)
    resource = {"resource_id": instance["id"]}
    unknown = {"resource_id": "crn:v1:bluemix:public:none:::::"}
    results = cloud.tags.attach_tag(
        resources=[resource, unknown], tag_names=["env:x"]
    ).get_result()["results"]
    assert [result["is_error"] for result in results] == [False, True]
    listed = cloud.tags.list_tags(tag_type="user", account_id=cloud.account).get_result()
    assert listed["total_count"] == 1 and listed["items"] == [{"name": "env:x"}]
    found = cloud.until(
        lambda: cloud.search.search(query='tags:"env:x"').get_result()["items"], "the index"
    )
    assert [item["crn"] for item in found] == [instance["id"]]
    deleted = cloud.tags.delete_tag("env:x", tag_type="user", account_id=cloud.account)
    assert deleted.get_status_code() == 200
    assert deleted.get_result()["results"][0]["is_error"] is True
    cloud.tags.detach_tag(resources=[resource], tag_names=["env:x"])
    swept = cloud.tags.delete_tag_all(tag_type="user", account_id=cloud.account).get_result()
    assert swept["errors"] is False
    _delete_plain(cloud, instance["id"])

    created = cloud.tags.create_tag(
        tag_names=["project:a", "no-colon"], tag_type="access", account_id=cloud.account
    ).get_result()["results"]
    assert [result["is_error"] for result in created] == [False, True]
    swept = cloud.tags.delete_tag_all(tag_type="access", account_id=cloud.account).get_result()
    assert [item["tag_name"] for item in swept["items"]] == ["project:a"]


CHECKS = [
    a_removed_instance_stays_readable,
    states_other_than_active_must_be_asked_for,
    a_reclamation_can_be_taken_back,
    a_database_comes_and_goes_slowly,
    a_lite_plan_has_one_instance_and_no_reclamation,
    instances_come_in_pages,
    keys_hold_their_instance,
    an_hmac_key_leaves_a_service_id_behind,
    a_resource_group_is_kept_by_what_it_holds,
    search_follows_the_truth_and_shows_reclamations,
    tags_hide_errors_inside_200,
]
