"""IAM Identity Services: tokens, API keys, service ids, profiles, settings."""

import base64
import json
import secrets
import time

from cloud import Cloud, refused
from ibm_cloud_sdk_core.token_managers.iam_token_manager import IAMTokenManager


def a_key_is_exchanged_for_a_jwt(cloud: Cloud):
    token = IAMTokenManager(cloud.key, url=cloud.url).get_token()
    parts = token.split(".")
    assert len(parts) == 3
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    assert claims["account"] == {"valid": True, "bss": cloud.account, "frozen": True}
    assert claims["iam_id"] == cloud.owner() and "sub_type" not in claims
    assert claims["exp"] > claims["iat"]


def an_unknown_key_is_refused(cloud: Cloud):
    stranger = cloud.login(secrets.token_urlsafe(32))
    error = refused(400, stranger.identity.list_api_keys)
    assert error.http_response.json()["errorCode"] == "BXNIM0415E"
    assert error.message == error.http_response.json()["errorMessage"]


def the_details_of_a_key_name_its_owner(cloud: Cloud):
    details = cloud.identity.get_api_keys_details(iam_api_key=cloud.key).get_result()
    account = cloud.accounts.get_account(cloud.account).get_result()
    assert details["account_id"] == cloud.account == account["id"]
    assert details["iam_id"] == account["owner_iamid"]
    assert cloud.key not in json.dumps(details)


def a_chosen_key_value_works_and_is_shown_once(cloud: Cloud):
    value = secrets.token_urlsafe(32)
    owner = cloud.owner()
    made = cloud.identity.create_api_key("chosen", owner, account_id=cloud.account, apikey=value)
    assert made.get_status_code() == 201
    key = made.get_result()
    assert key["apikey"] == value
    assert cloud.identity.get_api_key(key["id"]).get_result()["apikey"] == ""
    listed = cloud.identity.list_api_keys(account_id=cloud.account, scope="account").get_result()
    assert value not in json.dumps(listed)
    other = cloud.login(value)
    assert other.identity.get_api_keys_details(iam_api_key=value).get_result()["id"] == key["id"]
    refused(409, cloud.identity.create_api_key, "again", owner, apikey=value)
    refused(400, cloud.identity.create_api_key, "short", owner, apikey="short")

    refused(412, cloud.identity.update_api_key, key["id"], "1-stale", name="renamed")
    renamed = cloud.identity.update_api_key(key["id"], key["entity_tag"], name="renamed")
    assert renamed.get_result()["name"] == "renamed"

    assert cloud.identity.lock_api_key(key["id"]).get_status_code() == 204
    refused(409, cloud.identity.delete_api_key, key["id"])
    assert cloud.identity.unlock_api_key(key["id"]).get_status_code() == 204
    assert cloud.identity.disable_api_key(key["id"]).get_status_code() == 204
    error = refused(400, cloud.login(value).identity.list_api_keys)
    assert error.http_response.json()["errorCode"] == "BXNIM0434E"
    assert cloud.identity.enable_api_key(key["id"]).get_status_code() == 204
    assert cloud.identity.delete_api_key(key["id"]).get_status_code() == 204
    refused(400, cloud.login(value).identity.list_api_keys)
    # The token that was issued before still works, until it expires.
    other.identity.list_api_keys(account_id=cloud.account)
    assert refused(404, cloud.identity.get_api_key, key["id"]).http_response.json()["errors"]


def an_expired_key_is_refused(cloud: Cloud):
    value = secrets.token_urlsafe(32)
    token = IAMTokenManager(cloud.key, url=cloud.url).request_token()
    soon = time.gmtime(token["expiration"] - token["expires_in"] + 120)
    expires_at = time.strftime("%Y-%m-%dT%H:%M+0000", soon)
    key = cloud.identity.create_api_key(
        "brief", cloud.owner(), apikey=value, expires_at=expires_at
    ).get_result()
    assert key["expires_at"] == expires_at
    cloud.login(value).identity.list_api_keys()
    cloud.advance(180)
    refused(400, cloud.login(value).identity.list_api_keys)
    cloud.identity.delete_api_key(key["id"])


def api_keys_come_in_pages(cloud: Cloud):
    made = [
        cloud.identity.create_api_key(f"page {n}", cloud.owner()).get_result()["id"]
        for n in range(5)
    ]
    seen, token = [], None
    while True:
        page = cloud.identity.list_api_keys(
            account_id=cloud.account, scope="account", pagesize=2, pagetoken=token
        ).get_result()
        seen += [key["id"] for key in page["apikeys"]]
        if "next" not in page:
            break
        assert page["next"].startswith("http")
        token = page["next"].split("pagetoken=")[1].split("&")[0]
    assert set(made) <= set(seen) and len(seen) == len(set(seen))
    for key in made:
        cloud.identity.delete_api_key(key)


def an_identity_has_at_most_twenty_keys(cloud: Cloud):
    service_id = cloud.identity.create_service_id(cloud.account, "many").get_result()
    for n in range(20):
        cloud.identity.create_api_key(f"key {n}", service_id["iam_id"])
    refused(400, cloud.identity.create_api_key, "one more", service_id["iam_id"])
    cloud.delete_service_id(service_id["id"])


def a_service_id_comes_with_its_key_and_goes_with_it(cloud: Cloud):
    value = secrets.token_urlsafe(32)
    service_id = cloud.identity.create_service_id(
        cloud.account, "lease", apikey={"name": "lease key", "apikey": value, "store_value": False}
    ).get_result()
    assert service_id["apikey"]["apikey"] == value
    assert service_id["iam_id"] == f"iam-{service_id['id']}"
    by_name = cloud.identity.list_service_ids(account_id=cloud.account, name="lease").get_result()
    assert [found["id"] for found in by_name["serviceids"]] == [service_id["id"]]
    token = IAMTokenManager(value, url=cloud.url).get_token()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["sub_type"] == "ServiceId" and claims["iam_id"] == service_id["iam_id"]

    assert cloud.identity.lock_service_id(service_id["id"]).get_status_code() == 204
    refused(409, cloud.identity.delete_service_id, service_id["id"])
    assert cloud.identity.unlock_service_id(service_id["id"]).get_status_code() == 204
    tag = cloud.identity.get_service_id(service_id["id"]).get_result()["entity_tag"]
    refused(412, cloud.identity.update_service_id, service_id["id"], "1-stale", name="x")
    cloud.identity.update_service_id(service_id["id"], tag, name="renamed")
    cloud.delete_service_id(service_id["id"])
    refused(400, cloud.login(value).identity.list_api_keys)
    error = refused(404, cloud.identity.get_service_id, service_id["id"])
    assert error.http_response.json()["errors"][0]["message_code"] == "BXNIM0102E"


def groups_hide_their_service_ids(cloud: Cloud):
    group = cloud.identity.create_service_id_group(cloud.account, "hidden").get_result()
    value = secrets.token_urlsafe(32)
    service_id = cloud.identity.create_service_id(
        cloud.account, "in group", group_id=group["id"], apikey={"name": "k", "apikey": value}
    ).get_result()

    def listed(**query):
        page = cloud.identity.list_service_ids(account_id=cloud.account, **query).get_result()
        return [found["id"] for found in page["serviceids"]]

    assert service_id["id"] not in listed()
    assert listed(group_id=group["id"]) == [service_id["id"]]
    groups = cloud.identity.list_service_id_group(account_id=cloud.account).get_result()
    assert group["id"] in json.dumps(groups)
    keys = cloud.identity.list_api_keys(
        account_id=cloud.account, scope="account", type="serviceid", group_id=group["id"]
    ).get_result()["apikeys"]
    assert [key["iam_id"] for key in keys] == [service_id["iam_id"]]
    refused(409, cloud.identity.delete_service_id_group, group["id"])
    cloud.delete_service_id(service_id["id"])
    assert cloud.identity.delete_service_id_group(group["id"]).get_status_code() == 204


def trusted_profiles_and_their_entrances(cloud: Cloud):
    profile = cloud.identity.create_profile("way in", cloud.account).get_result()
    rule = cloud.identity.create_claim_rule(
        profile["id"],
        type="Profile-SAML",
        conditions=[{"claim": "name", "operator": "EQUALS", "value": "x"}],
        realm_name="realm",
        expiration=3600,
    ).get_result()
    link = cloud.identity.create_link(
        profile["id"], cr_type="VSI", link={"crn": "crn:v1:x", "namespace": "n"}
    ).get_result()
    identity = cloud.identity.set_profile_identity(
        profile["id"], "user", cloud.owner(), "user"
    ).get_result()
    assert identity["identifier"] == cloud.owner()
    listed = cloud.identity.list_profiles(cloud.account).get_result()["profiles"]
    assert [found["id"] for found in listed] == [profile["id"]]
    rules = cloud.identity.list_claim_rules(profile["id"]).get_result()["rules"]
    links = cloud.identity.list_links(profile["id"]).get_result()["links"]
    assert rules[0]["id"] == rule["id"] and links[0]["id"] == link["id"]
    assert cloud.identity.delete_link(profile["id"], link["id"]).get_status_code() == 204
    assert cloud.identity.delete_claim_rule(profile["id"], rule["id"]).get_status_code() == 204
    assert cloud.identity.delete_profile(profile["id"]).get_status_code() == 204
    refused(404, cloud.identity.get_profile, profile["id"])
    assert cloud.identity.list_idps(cloud.account).get_result() == {"idps": []}


def settings_are_guarded_by_their_entity_tag(cloud: Cloud):
    settings = cloud.identity.get_account_settings(cloud.account).get_result()
    update = cloud.identity.update_account_settings
    refused(412, update, "1-stale", cloud.account, mfa="NONE")
    changed = update(
        settings["entity_tag"], cloud.account, system_access_token_expiration_in_seconds="900"
    ).get_result()
    assert changed["system_access_token_expiration_in_seconds"] == "900"
    token = IAMTokenManager(cloud.key, url=cloud.url).request_token()
    assert token["expires_in"] == 900
    update(changed["entity_tag"], cloud.account, system_access_token_expiration_in_seconds="3600")


CHECKS = [
    a_key_is_exchanged_for_a_jwt,
    an_unknown_key_is_refused,
    the_details_of_a_key_name_its_owner,
    a_chosen_key_value_works_and_is_shown_once,
    an_expired_key_is_refused,
    api_keys_come_in_pages,
    an_identity_has_at_most_twenty_keys,
    a_service_id_comes_with_its_key_and_goes_with_it,
    groups_hide_their_service_ids,
    trusted_profiles_and_their_entrances,
    settings_are_guarded_by_their_entity_tag,
]
