//! What is known of an account before anything in it is judged, and the canary (`ibm-cloud.md` 12).
//!
//! IBM Cloud answers lists with an empty one where rights are missing. So each sweep and each proof
//! begins by looking at three things that are known to exist: the key in use, the default resource
//! group and the owner. Only where those are seen does an empty list mean something.
//!
//! Depends on sessions and the services' files. Promises to read only.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::ManagementKey;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::api::{Api, Region};
use super::baseline::{self, Baseline};
use super::collections::KeptItem;
use super::fault::Fault;
use super::identity::{self, KeyRecord, moment};
use super::management;
use super::paging::{List, Style};
use super::request::{encode, field};
use super::session::Session;
use super::settings::Keep;
use super::tags;

/// So long after its creation a key may be missing in lists that have not caught up.
const LIST_LAG: time::Duration = time::Duration::minutes(15);

/// What an account's items are judged by.
pub(super) struct Scope<'a> {
    keep: &'a Keep,
    owner: String,
    /// IAM ids of the users that the operator keeps, without the owner.
    kept_users: BTreeSet<String>,
    /// Ids of the management keys that may be in use.
    management_keys: BTreeSet<String>,
    /// Ids of management keys that acctpool made and forgot.
    forgotten_keys: BTreeSet<String>,
    /// The configured key, where IBM knows it.
    configured_key: Option<KeyRecord>,
    /// Ids of the resource groups that the operator keeps by name.
    kept_groups: BTreeSet<String>,
    baseline: Baseline,
    /// The IAM id of the janitor, while it is at work.
    janitor: Option<String>,
    service_id_groups: Vec<String>,
    found: RefCell<Found>,
    shared: RefCell<SharedLists>,
}

/// What came to light while the account was read.
#[derive(Default)]
struct Found {
    /// CRNs of everything that some collection listed.
    listed: HashSet<String>,
    /// CRNs of what the operator keeps.
    kept: BTreeSet<String>,
    /// Resource groups that hold something kept: IBM would not delete them.
    holders: BTreeSet<String>,
    /// Tags that are attached to something kept.
    kept_tags: BTreeSet<String>,
    /// What goes with its VPC and not without: default groups and lists.
    defaults: HashSet<String>,
}

/// What is remembered of an item that others are inside of: what names and places it, its state, and
/// what of it belongs to it. Items may be large, and there may be thousands.
const REMEMBERED: &[&str] = &[
    "id",
    "crn",
    "guid",
    "created_at",
    "resource_group",
    "resource_group_id",
    "provisioning_status",
    "lifecycle_state",
    "status",
    "state",
    "dns",
    "default_security_group",
    "default_network_acl",
];

/// Lists that several collections start from, each read once.
type SharedLists = HashMap<String, Rc<OnceCell<Rc<Vec<Value>>>>>;

impl<'a> Scope<'a> {
    /// Reads what is needed, and makes sure that the session sees what it must.
    pub(super) async fn read(session: &Session<'a>) -> Result<Self, Fault> {
        let keep = &session.ibm.settings.keep;
        let own = session.own_key().await?;
        let of_owner = see_own_key(session, &own).await?;
        let (management_keys, configured_key) = management_keys(session, &own).await?;
        let mut forgotten_keys = BTreeSet::new();
        for record in of_owner {
            if !management_keys.contains(&record.id)
                && management::derived(session, &record).await?.is_some()
            {
                forgotten_keys.insert(record.id);
            }
        }
        let kept_users = read_users(session, keep, &own.iam_id).await?;
        let kept_groups = read_resource_groups(session, keep).await?;
        let janitor = session.ibm.janitor.lock().await;
        Ok(Self {
            keep,
            baseline: baseline::join(session).await?,
            janitor: janitor.as_ref().map(|janitor| janitor.iam_id().to_owned()),
            management_keys,
            forgotten_keys,
            configured_key,
            owner: own.iam_id,
            kept_users,
            kept_groups,
            service_id_groups: identity::service_id_groups(session).await?,
            found: RefCell::default(),
            shared: RefCell::default(),
        })
    }

    /// Makes the scope of an account that nobody reads.
    #[cfg(test)]
    pub(super) fn imagine(
        keep: &'a Keep,
        owner: &str,
        kept_users: &[&str],
        management_keys: &[&str],
        forgotten_keys: &[&str],
        kept_groups: &[&str],
    ) -> Self {
        let set = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        Self {
            keep,
            owner: owner.to_owned(),
            kept_users: set(kept_users),
            management_keys: set(management_keys),
            forgotten_keys: set(forgotten_keys),
            configured_key: None,
            baseline: Baseline::default(),
            janitor: None,
            kept_groups: set(kept_groups),
            service_id_groups: Vec::new(),
            found: RefCell::default(),
            shared: RefCell::default(),
        }
    }

    /// Tells whether the operator keeps what this CRN or id names.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.keep.crns.contains(name)
    }

    /// Returns what the account was when it joined.
    pub(super) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Tells why the operator keeps an item, whatever it is, where they do.
    pub(super) fn keeps_item(
        &self,
        collection: &str,
        region: Option<&Region>,
        id: &str,
    ) -> Option<&'static str> {
        if self.keep.collections.contains(collection) {
            return Some("the keep list has its collection");
        }
        let is_there = self.baseline.has(collection, region, id);
        is_there.then_some("the baseline has it")
    }

    /// Tells whether an IAM id is the janitor's, who is still needed.
    pub(super) fn is_janitor(&self, iam_id: &str) -> bool {
        self.janitor.as_deref() == Some(iam_id)
    }

    /// Tells whether an IAM id is the owner's.
    pub(super) fn is_owner(&self, iam_id: &str) -> bool {
        iam_id == self.owner
    }

    /// Tells whether the operator keeps the identity or access group with this id.
    pub(super) fn keeps_identity(&self, id: &str) -> bool {
        self.kept_users.contains(id)
            || self.keep.crns.iter().any(|crn| {
                // `…::serviceid:ServiceId-1` is the IAM id `iam-ServiceId-1`.
                let named = crn.rsplit(':').next().unwrap_or_default();
                !named.is_empty() && (named == id || Some(named) == id.strip_prefix("iam-"))
            })
    }

    /// Tells whether a key is one of the management keys in use.
    pub(super) fn is_management_key(&self, id: &str) -> bool {
        self.management_keys.contains(id)
    }

    /// Tells whether acctpool made a key, and needs it no more.
    pub(super) fn is_forgotten_key(&self, id: &str) -> bool {
        self.forgotten_keys.contains(id)
    }

    /// Returns the configured key, where IBM knows it.
    pub(super) fn configured_key(&self) -> Option<&KeyRecord> {
        self.configured_key.as_ref()
    }

    /// Tells whether the operator keeps resource groups of this name.
    pub(super) fn keeps_group_named(&self, name: &str) -> bool {
        let places = self.keep.places.as_ref();
        places.is_some_and(|places| places.resource_groups.contains(name))
    }

    /// Tells whether a resource is kept by its place, or would be by its tag.
    pub(super) fn place_of(&self, resource: &Value) -> Place {
        let Some(places) = &self.keep.places else {
            return Place::Anywhere;
        };
        let created_at = resource["created_at"].as_str().and_then(moment);
        // A resource of unknown age is not kept: the age is what cannot be forged.
        if created_at.is_none_or(|at| at >= places.created_before) {
            return Place::Anywhere;
        }
        if group_of(resource).is_some_and(|group| self.kept_groups.contains(group)) {
            Place::Kept
        } else if places.tag.is_some() {
            Place::KeptIfTagged
        } else {
            Place::Anywhere
        }
    }

    /// Tells whether the operator's tag is on the resource with this CRN, in any case: to IBM Cloud
    /// they are the same.
    ///
    /// The tagging service is asked, never the search index, which is stale: what it has not seen
    /// yet would be deleted.
    pub(super) async fn is_tagged(&self, session: &Session<'_>, crn: &str) -> Result<bool, Fault> {
        let places = self.keep.places.as_ref();
        let Some(tag) = places.and_then(|places| places.tag.as_deref()) else {
            return Ok(false);
        };
        let tags = tags::attached_to(session, crn, "user").await?;
        Ok(tags.iter().any(|name| name.eq_ignore_ascii_case(tag)))
    }

    /// Returns the groups in which service IDs hide.
    pub(super) fn service_id_groups(&self) -> &[String] {
        &self.service_id_groups
    }

    /// Notes that a collection lists this CRN.
    pub(super) fn note_listed(&self, crn: &str) {
        self.found.borrow_mut().listed.insert(crn.to_owned());
    }

    /// Notes what was found to be kept when it was last looked at.
    pub(super) fn note_again(&self, kept: &KeptItem) {
        if let Some(crn) = &kept.crn {
            self.note_kept(crn, kept.group.as_deref());
        }
    }

    /// Notes that what has this id goes with something else.
    pub(super) fn note_default(&self, id: &str) {
        self.found.borrow_mut().defaults.insert(id.to_owned());
    }

    /// Tells whether what has this id goes with something else, and not without.
    pub(super) fn is_default(&self, id: &str) -> bool {
        self.found.borrow().defaults.contains(id)
    }

    /// Returns what is remembered of each item of a list, which is read once however many ask for it.
    pub(super) async fn shared(
        &self,
        list: &List<'_>,
        session: &Session<'_>,
    ) -> Result<Rc<Vec<Value>>, Fault> {
        let region = list.region.map_or("", Region::as_str);
        let key = format!("{region} {}", list.target);
        let cell = Rc::clone(self.shared.borrow_mut().entry(key).or_default());
        let read = || async {
            let mut all = Vec::new();
            list.each_page(session, |page| all.extend(page.iter().map(essence)))
                .await?;
            Ok(Rc::new(all))
        };
        cell.get_or_try_init(read).await.map(Rc::clone)
    }

    /// Notes that the operator keeps what this CRN names, and where it is.
    pub(super) fn note_kept(&self, crn: &str, resource_group: Option<&str>) {
        let mut found = self.found.borrow_mut();
        found.kept.insert(crn.to_owned());
        found.holders.extend(resource_group.map(str::to_owned));
    }

    /// Tells whether something with this CRN was found to be kept.
    pub(super) fn is_kept(&self, crn: &str) -> bool {
        self.keeps(crn) || self.found.borrow().kept.contains(crn)
    }

    /// Tells whether some collection listed this CRN.
    pub(super) fn is_listed(&self, crn: &str) -> bool {
        self.found.borrow().listed.contains(crn)
    }

    /// Tells whether a resource group holds something kept.
    pub(super) fn holds_kept(&self, group: &str) -> bool {
        self.found.borrow().holders.contains(group)
    }

    /// Tells whether a tag is attached to something kept, or is the operator's own.
    pub(super) fn keeps_tag(&self, name: &str) -> bool {
        let places = self.keep.places.as_ref();
        let tag = places.and_then(|places| places.tag.as_deref());
        tag.is_some_and(|tag| tag.eq_ignore_ascii_case(name))
            || self.found.borrow().kept_tags.contains(name)
    }

    /// Reads which tags are attached to what is kept: those cannot be deleted, and need not be.
    pub(super) async fn learn_kept_tags(&self, session: &Session<'_>) -> Result<(), Fault> {
        let kept: Vec<String> = self.found.borrow().kept.iter().cloned().collect();
        for crn in kept {
            for kind in ["user", "access"] {
                let tags = tags::attached_to(session, &crn, kind).await?;
                self.found.borrow_mut().kept_tags.extend(tags);
            }
        }
        Ok(())
    }
}

/// Returns the id of the resource group that a resource says it is in.
pub(super) fn group_of(resource: &Value) -> Option<&str> {
    let group = &resource["resource_group"];
    let names = [&resource["resource_group_id"], &group["id"], group];
    names.into_iter().find_map(Value::as_str)
}

fn essence(item: &Value) -> Value {
    let fields = REMEMBERED.iter().copied();
    let fields = fields.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone())));
    Value::Object(fields.collect())
}

/// Whether a resource is kept without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    Kept,
    KeptIfTagged,
}

/// Returns the ids of the keys that sessions may be opened with, and the configured one.
///
/// Found by value, so that no key can pass for one by its name.
async fn management_keys(
    session: &Session<'_>,
    own: &KeyRecord,
) -> Result<(BTreeSet<String>, Option<KeyRecord>), Fault> {
    let in_use = session.access().await?.key;
    // The configured key is the operator's own, also after rotation has left it behind.
    let known = session.keys.known().chain([ManagementKey::CONFIGURED]);
    let mut ids = BTreeSet::new();
    let mut configured = None;
    for key in known.collect::<BTreeSet<_>>() {
        let found = match session.ibm.management_key(key) {
            Ok(_) if key == in_use => Some(own.clone()),
            Ok(value) => identity::key_details(session, &value).await?,
            // It is not configured any more: nobody can have opened a session with it.
            Err(_) => None,
        };
        ids.extend(found.as_ref().map(|record| record.id.clone()));
        if key == ManagementKey::CONFIGURED {
            configured = found;
        }
    }
    ids.insert(own.id.clone());
    Ok((ids, configured))
}

/// Makes sure that the session sees the key that it was opened with; returns all of the owner's.
async fn see_own_key(session: &Session<'_>, own: &KeyRecord) -> Result<Vec<KeyRecord>, Fault> {
    let keys = identity::keys_of(session, &own.iam_id).await?;
    if keys.iter().any(|key| key.id == own.id) {
        return Ok(keys);
    }
    let now = session.ibm.clock.now();
    if own.created_at.is_some_and(|at| now - at < LIST_LAG) {
        return Err(CloudError::Transient(format!(
            "account {}: the new management key is not listed yet",
            session.account()
        ))
        .into());
    }
    Err(blind(session, "its own API key"))
}

/// Returns the IAM ids of the users that the operator keeps, once the owner has been seen.
async fn read_users(
    session: &Session<'_>,
    keep: &Keep,
    owner: &str,
) -> Result<BTreeSet<String>, Fault> {
    let target = format!("/v2/accounts/{}/users", encode(session.account()));
    let users = List::new(
        Api::UserManagement,
        &target,
        "resources",
        Style::UnderscoreStart,
    );
    let wanted: BTreeSet<String> = keep.users.iter().map(|user| user.to_lowercase()).collect();
    let mut kept = BTreeSet::new();
    let mut owner_seen = false;
    for user in users.read(session).await? {
        let iam_id = field("GET /v2/accounts/{account}/users", &user, "iam_id")?;
        if iam_id == owner {
            owner_seen = true;
            continue;
        }
        let names = ["iam_id", "user_id", "email"];
        let mut names = names.iter().filter_map(|name| user[*name].as_str());
        if names.any(|name| wanted.contains(&name.to_lowercase())) {
            kept.insert(iam_id);
        }
    }
    if owner_seen {
        Ok(kept)
    } else {
        Err(blind(session, "the account's owner"))
    }
}

/// Returns the ids of the resource groups that the operator keeps, once the default one was seen.
async fn read_resource_groups(
    session: &Session<'_>,
    keep: &Keep,
) -> Result<BTreeSet<String>, Fault> {
    let target = format!(
        "/v2/resource_groups?account_id={}",
        encode(session.account())
    );
    let groups = List::new(Api::ResourceController, &target, "resources", Style::Whole);
    let mut kept = BTreeSet::new();
    let mut default_seen = false;
    for group in groups.read(session).await? {
        default_seen |= group["default"] == true;
        let name = group["name"].as_str().unwrap_or_default();
        let places = keep.places.as_ref();
        if places.is_some_and(|places| places.resource_groups.contains(name)) {
            kept.insert(field("GET /v2/resource_groups", &group, "id")?);
        }
    }
    if default_seen {
        Ok(kept)
    } else {
        Err(blind(session, "the default resource group"))
    }
}

fn blind(session: &Session<'_>, what: &str) -> Fault {
    CloudError::Unauthorised(format!(
        "the management key of account {} does not see {what}: its rights are not sufficient, so \
         an empty list proves nothing",
        session.account()
    ))
    .into()
}
