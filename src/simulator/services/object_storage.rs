//! Object Storage (`ibm-cloud.md` 9): buckets, and what in them refuses the end of their instance.
//!
//! Stands under `/cos/{region}` and speaks S3's XML; the header `ibm-service-instance-id` names the
//! instance. Promises that an instance takes its buckets along, that it is refused with a vague 400
//! while a bucket is immutable or a credential in use is locked, and that a bucket's name is taken in
//! every account until the bucket is really gone.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use time::OffsetDateTime;

use super::resource_instances::Instance;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::catalog::COS_STANDARD;
use crate::simulator::clock;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::Level;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Storage,
    routes: &[
        route("GET", "/cos/{region}", list),
        route("PUT", "/cos/{region}/{bucket}", put_bucket),
        route("DELETE", "/cos/{region}/{bucket}", delete_bucket),
        route("PUT", "/cos/{region}/{bucket}/{object}", put_object),
        route("POST", "/cos/{region}/{bucket}/{object}", hold_object),
        route("DELETE", "/cos/{region}/{bucket}/{object}", delete_object),
    ],
};

pub(crate) struct Bucket {
    pub(crate) name: String,
    /// The CRN of the key of Key Protect that it is encrypted with.
    pub(crate) root_key: Option<String>,
    instance: String,
    region: String,
    object_lock: bool,
    retention: bool,
    /// The names of the objects, with their legal holds.
    objects: BTreeMap<String, BTreeSet<String>>,
    created_at: OffsetDateTime,
}

impl Bucket {
    pub(crate) fn state(&self) -> &'static str {
        if self.is_immutable() {
            "immutable"
        } else {
            "active"
        }
    }

    /// Whether the bucket, or an object of it, may not be deleted.
    pub(crate) fn is_immutable(&self) -> bool {
        let mut holds = self.objects.values();
        self.object_lock || self.retention || holds.any(|holds| !holds.is_empty())
    }

    pub(crate) fn crn(&self, account: &str) -> String {
        let (service, instance, name) = (COS_STANDARD.service, &self.instance, &self.name);
        format!("crn:v1:bluemix:public:{service}:global:a/{account}:{instance}:bucket:{name}")
    }
}

impl Account {
    /// Refuses the deletion of an instance, and does not say why.
    pub(crate) fn storage_holds(&self, instance: &Instance) -> Result<(), Refusal> {
        let mut buckets = self.buckets.iter();
        let immutable =
            buckets.any(|bucket| bucket.instance == instance.guid && bucket.is_immutable());
        if immutable || self.has_locked_credential(&instance.guid) {
            return Err(Refusal::bad_request("The instance cannot be deleted."));
        }
        Ok(())
    }

    /// Ends what was in an instance that has just been destroyed.
    pub(crate) fn forget_buckets_of(&mut self, guid: &str) {
        self.buckets.retain(|bucket| bucket.instance != guid);
    }
}

/// Only the extended list is made, which has the regions as well (D-COS, api-reference-buckets.md).
fn list(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call);
    let guid = instance(account, call, Level::View)?;
    let extended = call.query.iter().any(|(name, _)| name == "extended");
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\
         <ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Owner><ID>{guid}</ID><DisplayName>{guid}</DisplayName></Owner>\
         <IsTruncated>false</IsTruncated><Buckets>"
    );
    let buckets = account.buckets.iter();
    for bucket in buckets.filter(|bucket| bucket.instance == guid) {
        let location = if extended {
            format!(
                "<LocationConstraint>{}-smart</LocationConstraint>",
                bucket.region
            )
        } else {
            String::new()
        };
        write!(
            xml,
            "<Bucket><Name>{}</Name><CreationDate>{}</CreationDate>{location}</Bucket>",
            bucket.name,
            clock::controller(bucket.created_at),
        )
        .expect("a String takes everything");
    }
    xml += "</Buckets></ListAllMyBucketsResult>";
    Ok(Reply::ok(xml.into()))
}

/// Makes a bucket, or protects one that is there.
fn put_bucket(world: &mut World, call: &Call) -> Answer {
    if call.query.iter().any(|(name, _)| name == "protection") {
        return protect(world, call);
    }
    let name = call.param(1);
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if !(3..=63).contains(&name.len()) || !name.bytes().all(fits) {
        let refusal = Refusal::bad_request("The specified bucket is not valid.");
        return Err(refusal.with_code("InvalidBucketName"));
    }
    let mut everywhere = world.accounts.values();
    let taken = everywhere.any(|account| {
        let mut buckets = account.buckets.iter();
        buckets.any(|bucket| bucket.name == name)
    });
    if taken {
        let refusal = Refusal::conflict("The requested bucket name is not available.");
        return Err(refusal.with_code("BucketAlreadyExists"));
    }
    let account = world.account_mut(call);
    let guid = instance(account, call, Level::Edit)?;
    let root_key = call.header("ibm-sse-kp-customer-root-key-crn");
    if let Some(crn) = root_key.filter(|crn| !account.has_key(crn)) {
        let refusal = Refusal::bad_request(format!("The key {crn} cannot be used."));
        return Err(refusal.with_code("KMS.InvalidKey"));
    }
    account.buckets.push(Bucket {
        name: name.to_owned(),
        root_key: root_key.map(ToOwned::to_owned),
        instance: guid,
        region: call.param(0).to_owned(),
        object_lock: call.header_flag("x-amz-bucket-object-lock-enabled"),
        retention: false,
        objects: BTreeMap::new(),
        created_at: call.now,
    });
    Ok(Reply::empty(200))
}

/// Puts a bucket under immutable retention, which cannot be taken back.
fn protect(world: &mut World, call: &Call) -> Answer {
    let asked = call.text("xml").unwrap_or_default();
    if !asked.contains("<Status>Retention</Status>") {
        let refusal = Refusal::bad_request("The XML provided is not well formed.");
        return Err(refusal.with_code("MalformedXML"));
    }
    find(world, call, Level::Edit)?.retention = true;
    Ok(Reply::empty(200))
}

fn delete_bucket(world: &mut World, call: &Call) -> Answer {
    let bucket = find(world, call, Level::Edit)?;
    if !bucket.objects.is_empty() {
        let refusal = Refusal::conflict("The bucket you tried to delete is not empty.");
        return Err(refusal.with_code("BucketNotEmpty"));
    }
    let account = world.account_mut(call);
    account
        .buckets
        .retain(|bucket| bucket.name != call.param(1));
    Ok(Reply::empty(204))
}

fn put_object(world: &mut World, call: &Call) -> Answer {
    let bucket = find(world, call, Level::Edit)?;
    let name = call.param(2).to_owned();
    bucket.objects.entry(name).or_default();
    Ok(Reply::empty(200))
}

/// Adds or removes a legal hold.
fn hold_object(world: &mut World, call: &Call) -> Answer {
    let bucket = find(world, call, Level::Edit)?;
    let holds = bucket
        .objects
        .get_mut(call.param(2))
        .ok_or_else(|| no_such("Key", call.param(2)))?;
    match (call.query("add"), call.query("remove")) {
        (Some(hold), None) => drop(holds.insert(hold.to_owned())),
        (None, Some(hold)) => drop(holds.remove(hold)),
        _ => return Err(Refusal::bad_request("Say which hold to add or to remove.")),
    }
    Ok(Reply::empty(200))
}

fn delete_object(world: &mut World, call: &Call) -> Answer {
    let bucket = find(world, call, Level::Edit)?;
    let name = call.param(2);
    let held = bucket
        .objects
        .get(name)
        .is_some_and(|holds| !holds.is_empty());
    if held || bucket.retention || bucket.object_lock {
        let refusal = Refusal::forbidden();
        return Err(refusal.with_code("AccessDenied"));
    }
    bucket.objects.remove(name);
    Ok(Reply::empty(204))
}

/// The guid of the instance that the header names.
fn instance(account: &Account, call: &Call, level: Level) -> Result<String, Refusal> {
    let id = call
        .header("ibm-service-instance-id")
        .ok_or_else(|| Refusal::bad_request("Header ibm-service-instance-id is missing."))?;
    let instance = account.serving(call, id, COS_STANDARD.service, level)?;
    Ok(instance.guid.clone())
}

/// The bucket that the path names, on whose instance the caller has `level`.
fn find<'w>(world: &'w mut World, call: &Call, level: Level) -> Result<&'w mut Bucket, Refusal> {
    let name = call.param(1);
    let account = world.account_mut(call);
    let mut buckets = account.buckets.iter();
    let position = buckets
        .position(|bucket| bucket.name == name)
        .ok_or_else(|| no_such("Bucket", name))?;
    let guid = &account.buckets[position].instance;
    account.serving(call, guid, COS_STANDARD.service, level)?;
    Ok(&mut account.buckets[position])
}

fn no_such(what: &str, name: &str) -> Refusal {
    Refusal::not_found(what, name).with_code(format!("NoSuch{what}"))
}
