//! Quirks of what is stored: backups, snapshots, replicas, and images that are nobody's.
//!
//! Depends on the store.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::kinds::{SNAPSHOTS, VOLUME_ATTACHMENTS, VOLUMES};
use super::regions::Region;
use super::resource::{Phase, Resource, named, prototype};
use super::store::{Event, Vpc};
use crate::simulator::refusal::Refusal;

/// How many snapshots a plan keeps of a volume where it does not say.
const KEPT: u64 = 2;

pub(super) fn plan_made(vpc: &mut Vpc, id: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    let schedule = vpc.get(id).text("cron_spec");
    if schedule.split_whitespace().count() != 5 {
        let refusal = Refusal::bad_request("Property cron_spec must have five fields.");
        return Err(refusal.with_target("field", "cron_spec", schedule));
    }
    if !vpc.lags.vpc_backup.is_zero() {
        vpc.note(now + vpc.lags.vpc_backup, id, Event::BackUp);
    }
    Ok(())
}

/// Makes a snapshot of every volume that carries a tag of the plan's policy, and deletes those of the
/// plan that are too many.
pub(super) fn back_up(vpc: &mut Vpc, plan: &str, now: OffsetDateTime) {
    let found = vpc.get(plan);
    let Some(policy) = found.parent.as_deref().map(|policy| vpc.get(policy)) else {
        return;
    };
    if found.phase == Phase::Deleting || policy.phase == Phase::Deleting {
        return;
    }
    let kept = found.body.get("deletion_trigger");
    let kept = kept.and_then(|trigger| trigger["delete_over_count"].as_u64());
    let kept = usize::try_from(kept.unwrap_or(KEPT)).unwrap_or(usize::MAX);
    for volume in volumes_with_tags(vpc, policy) {
        let snapshot = json!({"source_volume": named(&volume), "backup_policy_plan": named(plan)});
        // A volume that is going is not backed up.
        let _ = vpc.make_beside(SNAPSHOTS, &volume, snapshot, now);
        for old in snapshots_by(vpc, plan, &volume).iter().rev().skip(kept) {
            vpc.begin_deletion(old, now);
        }
    }
    vpc.note(now + vpc.lags.vpc_backup, plan, Event::BackUp);
}

fn volumes_with_tags(vpc: &Vpc, policy: &Resource) -> Vec<String> {
    let tags = |resource: &Resource, field: &str| -> Vec<Value> {
        let tags = resource.body.get(field).and_then(Value::as_array);
        tags.cloned().unwrap_or_default()
    };
    let matched = tags(policy, "match_user_tags");
    let volumes = vpc.listed(policy.region, Vpc::kind(VOLUMES), None);
    volumes
        .filter(|id| {
            let carried = tags(vpc.get(id), "user_tags");
            carried.iter().any(|tag| matched.contains(tag))
        })
        .map(ToOwned::to_owned)
        .collect()
}

/// The snapshots of a volume that a plan has made and that stay, the oldest first.
fn snapshots_by(vpc: &Vpc, plan: &str, volume: &str) -> Vec<String> {
    let snapshots = vpc.referrers_from(volume, SNAPSHOTS);
    let mut snapshots: Vec<&Resource> = snapshots
        .filter(|snapshot| snapshot.phase != Phase::Deleting)
        .filter(|snapshot| {
            let by = snapshot.body.get("backup_policy_plan");
            by.is_some_and(|by| by["id"] == plan)
        })
        .collect();
    snapshots.sort_by_key(|snapshot| snapshot.created_at);
    let ids = snapshots.iter();
    ids.map(|snapshot| snapshot.id.clone()).collect()
}

pub(super) fn view_volume(vpc: &Vpc, volume: &Resource, _: &str, json: &mut Map<String, Value>) {
    let attached = vpc.referrers_from(&volume.id, VOLUME_ATTACHMENTS).next();
    let state = if attached.is_some() {
        "attached"
    } else {
        "unattached"
    };
    json.insert("attachment_state".into(), state.into());
}

pub(super) fn snapshot_made(vpc: &mut Vpc, id: &str, _: OffsetDateTime) -> Result<(), Refusal> {
    let snapshot = vpc.get(id);
    if snapshot.link("source_volume").is_some() || snapshot.body.contains_key("source_snapshot") {
        return Ok(());
    }
    let refusal = Refusal::bad_request("Property source_volume is missing.");
    Err(refusal.with_target("field", "source_volume", ""))
}

/// Says of a volume that is gone that it is gone.
pub(super) fn view_snapshot(_: &Vpc, _: &Resource, _: &str, json: &mut Map<String, Value>) {
    let more_info = "https://cloud.ibm.com/apidocs/vpc#deleted-resources";
    let gone = json!({
        "id": "deleted", "crn": "deleted", "name": "deleted", "href": more_info,
        "resource_type": "volume", "deleted": {"more_info": more_info},
    });
    json.entry("source_volume").or_insert(gone);
}

pub(super) fn snapshot_group_made(
    vpc: &mut Vpc,
    id: &str,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let Some(Value::Array(snapshots)) = vpc.take(id, "snapshots") else {
        return Err(Refusal::bad_request("Property snapshots must be a list."));
    };
    for snapshot in snapshots {
        let mut snapshot = prototype(Some(snapshot))?;
        snapshot["snapshot_consistency_group"] = named(id);
        vpc.make_beside(SNAPSHOTS, id, snapshot, now)?;
    }
    Ok(())
}

/// A group takes its snapshots along unless it was told otherwise.
pub(super) fn snapshot_group_takes(vpc: &Vpc, group: &Resource, _: bool) -> Vec<String> {
    if group.body.get("delete_snapshots_on_delete") == Some(&Value::Bool(false)) {
        return Vec::new();
    }
    let snapshots = vpc.referrers_from(&group.id, SNAPSHOTS);
    snapshots.map(|snapshot| snapshot.id.clone()).collect()
}

/// Ties a replica to its source.
pub(super) fn share_made(vpc: &mut Vpc, id: &str, _: OffsetDateTime) -> Result<(), Refusal> {
    let share = vpc.get(id);
    let Some(source) = share.link("source_share").map(ToOwned::to_owned) else {
        let has_size = share.body.contains_key("size");
        let missing = || Refusal::bad_request("Property size is missing.");
        return has_size.then_some(()).ok_or_else(missing);
    };
    if vpc.get(&source).link("replica_share").is_some() {
        return Err(Refusal::conflict("The share has a replica already."));
    }
    let size = vpc.get(&source).body.get("size").cloned();
    vpc.edit(id, |body| {
        body.insert("replication_role".into(), "replica".into());
        body.insert("size".into(), size.unwrap_or_default());
    })?;
    vpc.edit(&source, |body| {
        body.insert("replication_role".into(), "source".into());
        body.insert("replica_share".into(), named(id));
    })
}

/// Neither a replica nor its source goes while they are tied.
pub(super) fn share_may_go(_: &Vpc, share: &Resource) -> Result<(), Refusal> {
    if share.link("source_share").is_some() || share.link("replica_share").is_some() {
        let message = "The share takes part in a replication.";
        return Err(Refusal::conflict(message).with_code("share_replication_in_progress"));
    }
    Ok(())
}

pub(super) fn share_changed(vpc: &mut Vpc, id: &str, now: OffsetDateTime) {
    if vpc.get(id).phase == Phase::Ready && !vpc.lags.vpc_create.is_zero() {
        vpc.enter(id, Phase::Updating, now + vpc.lags.vpc_create);
    }
}

/// Makes a replica a share of its own.
pub(super) fn split(vpc: &mut Vpc, replica: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    let share = vpc.get(replica);
    let Some(source) = share.link("source_share").map(ToOwned::to_owned) else {
        return Err(Refusal::conflict("The share is no replica.").with_code("share_not_replica"));
    };
    let ids = [replica, source.as_str()];
    if ids.iter().any(|id| vpc.get(id).phase != Phase::Ready) {
        let message = "The share or its source is being changed.";
        return Err(Refusal::conflict(message).with_code("share_updating"));
    }
    for id in ids {
        vpc.edit(id, |body| {
            body.remove("source_share");
            body.remove("replica_share");
            body.insert("replication_role".into(), "none".into());
        })?;
        share_changed(vpc, id, now);
    }
    Ok(())
}

pub(super) fn image_made(vpc: &mut Vpc, id: &str, _: OffsetDateTime) -> Result<(), Refusal> {
    let body = &vpc.get(id).body;
    if body.contains_key("file") || body.contains_key("source_volume") {
        return Ok(());
    }
    let refusal = Refusal::bad_request("Property file is missing.");
    Err(refusal.with_target("field", "file", ""))
}

/// What another account shares, or the catalogue manages, is not this account's to delete.
pub(super) fn image_may_go(_: &Vpc, image: &Resource) -> Result<(), Refusal> {
    let is = |field: &str, inner: &str| {
        let value = image.body.get(field).map(|value| &value[inner]);
        value.is_some_and(|value| value.is_object() || *value == true)
    };
    if is("remote", "account") || is("catalog_offering", "managed") {
        let message = "The image is shared by another account or managed by the catalogue.";
        return Err(Refusal::conflict(message).with_code("image_not_deletable"));
    }
    Ok(())
}

/// IBM's own images, which every account sees in every region and none can delete.
pub(super) fn stock_images(region: &Region, base: &str) -> Vec<Value> {
    let names = ["ibm-debian-12", "ibm-redhat-9", "ibm-ubuntu-24-04"].iter();
    let image = |(number, name): (usize, &&str)| {
        let id = format!(
            "{}-00000000-0000-4000-8000-00000000000{number}",
            region.code
        );
        let mut json = super::view::shape(super::kinds::IMAGES).clone();
        json.extend([
            (
                "href".to_owned(),
                format!("{}/v1/images/{id}", region.endpoint(base)).into(),
            ),
            (
                "crn".to_owned(),
                format!("crn:v1:bluemix:public:is:{}:a/ibm::image:{id}", region.name).into(),
            ),
            ("created_at".to_owned(), "2026-01-01T00:00:00.000Z".into()),
            (
                "resource_group".to_owned(),
                json!({"id": "ibm", "href": "", "name": "ibm"}),
            ),
            ("status".to_owned(), "available".into()),
            ("visibility".to_owned(), "public".into()),
            ("name".to_owned(), (*name).into()),
            ("id".to_owned(), id.into()),
        ]);
        json.into()
    };
    names.enumerate().map(image).collect()
}
