"""VPC infrastructure: what is stored, who sees it, and what other services know of it."""

from cloud import Cloud, refused
from infrastructure import OTHER, REGION, conflict, delete, gone
from rights import STANDARD, made_service_id

ZONE = {"name": f"{REGION}-1"}
PROFILE = {"name": "general-purpose"}
FILE = {"file": {"href": "cos://eu-de/bucket/image.qcow2"},
        "operating_system": {"name": "debian-12-amd64"}}


def _volume(cloud: Cloud, **named) -> str:
    volume = {"profile": PROFILE, "zone": ZONE, "capacity": 10, **named}
    return cloud.region(REGION).create_volume(volume).get_result()["id"]


def ibms_own_images_are_nobodys(cloud: Cloud):
    sdk = cloud.region(REGION)
    own = sdk.create_image(FILE).get_result()["id"]
    everything = sdk.list_images().get_result()
    stock = [image["id"] for image in everything["images"] if image["visibility"] == "public"]
    assert len(stock) >= 3 and everything["total_count"] == len(stock) + 1
    private = sdk.list_images(visibility="private").get_result()["images"]
    assert [image["id"] for image in private] == [own]
    assert sdk.get_image(stock[0]).get_result()["status"] == "available"
    refused(403, sdk.delete_image, stock[0])
    sdk.create_image_export_job(own, {"name": "bucket"})
    cloud.advance(60)
    assert sdk.delete_image(own).get_status_code() == 202
    conflict(sdk.delete_image, own)
    gone(cloud, sdk.get_image, own)


def a_replica_and_its_source_hold_each_other(cloud: Cloud):
    sdk = cloud.region(REGION)
    source = sdk.create_share({"profile": {"name": "dp2"}, "zone": ZONE, "size": 200}).get_result()
    replica = sdk.create_share({
        "profile": {"name": "dp2"}, "zone": ZONE, "source_share": {"id": source["id"]},
        "replication_cron_spec": "5 * * * *",
    }).get_result()
    cloud.advance(60)
    assert replica["replication_role"] == "replica"
    assert sdk.get_share(source["id"]).get_result()["replication_role"] == "source"
    for share in (source, replica):
        assert conflict(sdk.delete_share, share["id"]) == "share_replication_in_progress"
    assert sdk.delete_share_source(replica["id"]).get_status_code() == 202
    assert conflict(sdk.delete_share, source["id"]) == "share_updating"
    cloud.advance(60)
    delete(cloud, "share", source["id"])
    delete(cloud, "share", replica["id"])


def snapshots_of_a_volume_go_together(cloud: Cloud):
    sdk = cloud.region(REGION)
    volume = _volume(cloud)
    other = _volume(cloud)
    made = [sdk.create_snapshot({"source_volume": {"id": volume}}).get_result() for _ in range(3)]
    spared = sdk.create_snapshot({"source_volume": {"id": other}}).get_result()["id"]
    clone = sdk.create_snapshot_clone(made[0]["id"], ZONE["name"])
    assert clone.get_result()["available"]
    cloud.advance(60)
    delete(cloud, "volume", volume)
    left = sdk.list_snapshots().get_result()["snapshots"]
    assert len(left) == 4
    assert sdk.delete_snapshots(other).get_status_code() == 202
    gone(cloud, sdk.get_snapshot, spared)
    for snapshot in made:
        delete(cloud, "snapshot", snapshot["id"])
    delete(cloud, "volume", other)


def a_backup_policy_makes_snapshots_until_it_is_gone(cloud: Cloud):
    sdk = cloud.region(REGION)
    volume = _volume(cloud, user_tags=["keep:daily"])
    untagged = _volume(cloud)
    policy = sdk.create_backup_policy({
        "match_user_tags": ["keep:daily"], "match_resource_type": "volume",
        "plans": [{"cron_spec": "5 * * * *", "deletion_trigger": {"delete_over_count": 2}}],
    }).get_result()["id"]

    def made():
        found = sdk.list_snapshots().get_result()["snapshots"]
        assert all(snapshot["source_volume"]["id"] == volume for snapshot in found)
        return {snapshot["id"] for snapshot in found}

    first = cloud.until(made, "a backup")
    cloud.advance(600)
    assert 2 <= len(made()) <= 3 and not first & made()
    delete(cloud, "backup_policy", policy)
    for snapshot in made():
        delete(cloud, "snapshot", snapshot)
    cloud.advance(600)
    assert made() == set()
    delete(cloud, "volume", volume)
    delete(cloud, "volume", untagged)


def search_follows_infrastructure_late(cloud: Cloud):
    sdk = cloud.region(OTHER)
    vpc = sdk.create_vpc(name="sought").get_result()

    def found(query):
        items = cloud.search.search(query=query, limit=100).get_result()["items"]
        return [item["crn"] for item in items]

    query = "family:is AND type:vpc"
    assert found(query) == []
    cloud.until(lambda: found(query) == [vpc["crn"]], "the index")
    assert vpc["crn"].startswith(f"crn:v1:bluemix:public:is:{OTHER}:a/{cloud.account}::vpc:")
    cloud.tags.attach_tag(resources=[{"resource_id": vpc["crn"]}], tag_names=["env:vpc"])
    cloud.until(lambda: found('tags:"env:vpc"') == [vpc["crn"]], "the tag in the index")
    sdk.delete_vpc(vpc["id"])
    gone(cloud, sdk.get_vpc, vpc["id"])
    cloud.until(lambda: found("family:is") == [], "the index")
    cloud.until(lambda: cloud.tags.list_tags().get_result()["items"] == [], "the end of the tag")


def infrastructure_keeps_its_resource_group(cloud: Cloud):
    sdk = cloud.region(REGION)
    made = cloud.manager.create_resource_group(name="infrastructure", account_id=cloud.account)
    group = {"id": made.get_result()["id"]}
    volume = _volume(cloud, resource_group=group)
    refused(404, sdk.create_vpc, resource_group={"id": "f" * 32})
    refused(500, cloud.manager.delete_resource_group, group["id"])
    delete(cloud, "volume", volume)
    assert cloud.manager.delete_resource_group(group["id"]).get_status_code() == 204


def rights_on_infrastructure_come_from_policies(cloud: Cloud):
    volume = _volume(cloud)
    with made_service_id(cloud, STANDARD) as (_, borrower):
        sdk = borrower.region(REGION)
        assert [found["id"] for found in sdk.list_volumes().get_result()["volumes"]] == [volume]
        key = sdk.create_key("ssh-ed25519 AAAA").get_result()["id"]
        assert sdk.delete_key(key).get_status_code() == 204
    with made_service_id(cloud, []) as (_, stranger):
        sdk = stranger.region(REGION)
        assert sdk.list_volumes().get_result()["volumes"] == []
        refused(403, sdk.get_volume, volume)
        refused(403, sdk.delete_volume, volume)
        refused(403, sdk.create_key, "ssh-ed25519 AAAA")
    delete(cloud, "volume", volume)


CHECKS = [
    ibms_own_images_are_nobodys,
    a_replica_and_its_source_hold_each_other,
    snapshots_of_a_volume_go_together,
    a_backup_policy_makes_snapshots_until_it_is_gone,
    search_follows_infrastructure_late,
    infrastructure_keeps_its_resource_group,
    rights_on_infrastructure_come_from_policies,
]
