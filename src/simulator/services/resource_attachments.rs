//! Resource Controller: resource keys, bindings and aliases, which hang on instances
//! (`ibm-cloud.md` 6.2).
//!
//! Promises that a deleted one stays readable as `removed`, and that a key asked for with HMAC
//! credentials leaves a service id and an API key behind that its own deletion does not take away.

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, Target};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Controller,
    routes: &[
        route("GET", "/v2/resource_keys", list_keys),
        route("POST", "/v2/resource_keys", create_key),
        route("GET", "/v2/resource_keys/{id}", get_key),
        route("DELETE", "/v2/resource_keys/{id}", delete_key),
        route("GET", "/v2/resource_bindings", list_bindings),
        route("POST", "/v2/resource_bindings", create_binding),
        route("GET", "/v2/resource_bindings/{id}", get_binding),
        route("DELETE", "/v2/resource_bindings/{id}", delete_binding),
        route("GET", "/v2/resource_aliases", list_aliases),
        route("POST", "/v2/resource_aliases", create_alias),
        route("GET", "/v2/resource_aliases/{id}", get_alias),
        route("DELETE", "/v2/resource_aliases/{id}", delete_alias),
        route(
            "GET",
            "/v2/resource_instances/{instance}/resource_keys",
            list_keys,
        ),
        route(
            "GET",
            "/v2/resource_instances/{instance}/resource_aliases",
            list_aliases,
        ),
    ],
};

pub(crate) struct Attachment {
    pub(crate) kind: Kind,
    pub(crate) guid: String,
    pub(crate) name: String,
    pub(crate) removed_at: Option<OffsetDateTime>,
    crn: String,
    instance: String,
    /// The alias that a binding binds, if it is not the instance itself.
    alias: Option<String>,
    resource_group_id: String,
    role: Option<String>,
    target: Value,
    credentials: Value,
    created_by: String,
    created_at: OffsetDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    Binding,
    Alias,
}

impl Kind {
    /// The kind's word in CRNs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Key => "resource-key",
            Self::Binding => "resource-binding",
            Self::Alias => "resource-alias",
        }
    }

    fn collection(self) -> &'static str {
        match self {
            Self::Key => "resource_keys",
            Self::Binding => "resource_bindings",
            Self::Alias => "resource_aliases",
        }
    }
}

impl Attachment {
    fn is_called(&self, id: &str) -> bool {
        self.guid == id || self.crn == id
    }

    fn hangs_on(&self, guid: &str) -> bool {
        self.removed_at.is_none() && (self.instance == guid || self.alias.as_deref() == Some(guid))
    }

    fn json(&self, account: &Account) -> Value {
        let source = account.instance(&self.instance);
        let state = if self.removed_at.is_some() {
            "removed"
        } else {
            "active"
        };
        let mut json = json!({
            "id": self.crn, "guid": self.guid, "crn": self.crn, "name": self.name,
            "url": format!("/v2/{}/{}", self.kind.collection(), self.guid),
            "created_at": clock::controller(self.created_at), "created_by": self.created_by,
            "updated_at": clock::controller(self.removed_at.unwrap_or(self.created_at)),
            "deleted_at": self.removed_at.map(clock::controller), "account_id": account.id,
            "resource_group_id": self.resource_group_id, "state": state,
            "source_crn": source.map(|instance| &instance.crn),
            "resource_id": source.map(|instance| instance.plan.resource_id),
            "resource_instance_url": format!("/v2/resource_instances/{}", self.instance),
            "iam_compatible": self.kind == Kind::Key, "migrated": false,
        });
        match self.kind {
            Kind::Key | Kind::Binding => {
                json["role"] = self.role.clone().into();
                json["credentials"] = self.credentials.clone();
            }
            Kind::Alias => json["resource_instance_id"] = json["source_crn"].clone(),
        }
        if self.kind != Kind::Key {
            json["target_crn"] = self.target.clone();
        }
        json
    }
}

impl Account {
    pub(crate) fn has_attachments(&self, guid: &str) -> bool {
        self.attachments
            .iter()
            .any(|attachment| attachment.hangs_on(guid))
    }

    /// Whether a service ID that was made for a key of this instance is locked, or a key of that
    /// service ID.
    pub(crate) fn has_locked_credential(&self, guid: &str) -> bool {
        let attachments = self.attachments.iter();
        let crns = attachments
            .filter(|attachment| attachment.hangs_on(guid))
            .filter_map(|attachment| attachment.credentials["iam_serviceid_crn"].as_str());
        let mut ids = crns.filter_map(|crn| crn.rsplit(':').next());
        ids.any(|id| {
            let mut service_ids = self.service_ids.iter();
            let mut keys = self.api_keys.iter();
            let owner = format!("iam-{id}");
            service_ids.any(|service_id| service_id.id == id && service_id.locked)
                || keys.any(|key| key.iam_id == owner && key.locked)
        })
    }

    /// Removes what hangs on an instance or an alias.
    pub(crate) fn remove_attachments_of(&mut self, guid: &str, now: OffsetDateTime) {
        let attachments = self.attachments.iter_mut();
        for attachment in attachments.filter(|attachment| attachment.hangs_on(guid)) {
            attachment.removed_at = Some(now);
        }
    }

    /// The target that rights on an attachment are judged for: its instance.
    fn target_of(&self, attachment: &Attachment) -> Target<'_> {
        let instance = self.instance(&attachment.instance);
        instance
            .expect("an attachment is made on an instance, and instances stay as removed")
            .target()
    }
}

fn list_keys(world: &mut World, call: &Call) -> Answer {
    list(world, call, Kind::Key)
}

fn list_bindings(world: &mut World, call: &Call) -> Answer {
    list(world, call, Kind::Binding)
}

fn list_aliases(world: &mut World, call: &Call) -> Answer {
    list(world, call, Kind::Alias)
}

fn list(world: &mut World, call: &Call, kind: Kind) -> Answer {
    let account = world.account(call);
    let instance = call.params.first().map(String::as_str);
    let wanted = |name: &str, value: &str| call.query(name).is_none_or(|wanted| wanted == value);
    let attachments = account
        .attachments
        .iter()
        .filter(|attachment| attachment.kind == kind && attachment.removed_at.is_none())
        .filter(|attachment| {
            wanted("guid", &attachment.guid)
                && wanted("name", &attachment.name)
                && wanted("resource_group_id", &attachment.resource_group_id)
        })
        .filter(|attachment| {
            let source = account.instance(&attachment.instance);
            instance
                .is_none_or(|id| source.is_some_and(|source| source.guid == id || source.crn == id))
        })
        .filter(|attachment| account.allows(call, account.target_of(attachment), Level::View))
        .map(|attachment| attachment.json(account))
        .collect();
    paging::next_url(call, attachments)
}

fn create_key(world: &mut World, call: &Call) -> Answer {
    create(world, call, Kind::Key)
}

fn create_binding(world: &mut World, call: &Call) -> Answer {
    create(world, call, Kind::Binding)
}

fn create_alias(world: &mut World, call: &Call) -> Answer {
    create(world, call, Kind::Alias)
}

fn create(world: &mut World, call: &Call, kind: Kind) -> Answer {
    let source = call.required("source")?;
    let name = match kind {
        Kind::Binding => call.text("name").unwrap_or_default(),
        Kind::Key | Kind::Alias => call.required("name")?,
    };
    if kind != Kind::Key {
        call.required("target")?;
    }
    let account = world.account_mut(call);
    let alias = account
        .attachments
        .iter()
        .find(|attachment| attachment.kind == Kind::Alias && attachment.is_called(source));
    let source = alias.map_or(source, |alias| alias.instance.as_str());
    let instance = account
        .instance(source)
        .filter(|instance| !instance.is_removed())
        .ok_or_else(|| Refusal::not_found("Source", source).with_code("RC-InstanceNotFound"))?;
    account.require(call, instance.target(), Level::Edit)?;
    let prefix = instance.crn.trim_end_matches("::");
    let (prefix, instance_guid) = (prefix.to_owned(), instance.guid.clone());
    let resource_group_id = instance.resource_group_id.clone();
    let alias = alias.map(|alias| alias.guid.clone());
    let guid = account.random.uuid();
    let credentials = if kind == Kind::Key && call.body["parameters"]["HMAC"] == true {
        hmac_credentials(world, call, name)?
    } else {
        json!({"instance_id": instance_guid})
    };
    let role = call.text("role").unwrap_or("Writer");
    let attachment = Attachment {
        kind,
        crn: format!("{prefix}:{}:{guid}", kind.word()),
        guid,
        name: name.to_owned(),
        removed_at: None,
        instance: instance_guid,
        alias: alias.filter(|_| kind == Kind::Binding),
        resource_group_id,
        role: (kind != Kind::Alias).then(|| role.to_owned()),
        target: call.body["target"].clone(),
        credentials,
        created_by: call.caller.iam_id.clone(),
        created_at: call.now,
    };
    let account = world.account_mut(call);
    let json = attachment.json(account);
    account.attachments.push(attachment);
    Ok(Reply::created(json))
}

/// Makes the service id and the API key that the broker of Object Storage makes behind the caller's
/// back, whatever the caller's own rights in IAM are.
fn hmac_credentials(world: &mut World, call: &Call, name: &str) -> Result<Value, Refusal> {
    let account = world.account_mut(call);
    let suffix = account.random.uuid();
    let id = account.add_service_id(
        &format!("auto-generated-serviceId-{suffix}"),
        &format!("Auto-generated for key {name}"),
        None,
        call.now,
    );
    let hmac_secret = account.random.key_value();
    let access_key = account.random.hex();
    let crn = format!(
        "crn:v1:bluemix:public:iam-identity::a/{}::serviceid:{id}",
        account.id
    );
    world.secrets.push(hmac_secret.clone().into());
    let request = json!({"name": format!("auto-generated-apikey-{suffix}")});
    let account_id = call.caller.account.clone();
    let key = world.mint_key(call, &format!("iam-{id}"), &request)?;
    let key_json = key.json_with_value(&account_id);
    Ok(json!({
        "apikey": key_json["apikey"], "iam_apikey_name": key_json["name"],
        "iam_serviceid_crn": crn,
        "cos_hmac_keys": {"access_key_id": access_key, "secret_access_key": hmac_secret},
    }))
}

fn get_key(world: &mut World, call: &Call) -> Answer {
    get(world, call, Kind::Key)
}

fn get_binding(world: &mut World, call: &Call) -> Answer {
    get(world, call, Kind::Binding)
}

fn get_alias(world: &mut World, call: &Call) -> Answer {
    get(world, call, Kind::Alias)
}

fn get(world: &mut World, call: &Call, kind: Kind) -> Answer {
    let (account, position) = find(world, call, kind, Level::View)?;
    Ok(Reply::ok(account.attachments[position].json(account)))
}

fn delete_key(world: &mut World, call: &Call) -> Answer {
    delete(world, call, Kind::Key)
}

fn delete_binding(world: &mut World, call: &Call) -> Answer {
    delete(world, call, Kind::Binding)
}

fn delete_alias(world: &mut World, call: &Call) -> Answer {
    delete(world, call, Kind::Alias)
}

fn delete(world: &mut World, call: &Call, kind: Kind) -> Answer {
    let (account, position) = find(world, call, kind, Level::Edit)?;
    let guid = account.attachments[position].guid.clone();
    if account.attachments[position].removed_at.is_some() {
        return Err(Refusal::gone(kind.word(), &guid));
    }
    if account.has_attachments(&guid) && !call.flag("recursive") {
        return Err(Refusal::bad_request("The alias has bindings."));
    }
    account.remove_attachments_of(&guid, call.now);
    account.attachments[position].removed_at = Some(call.now);
    Ok(Reply::empty(204))
}

/// The attachment that the path names, on whose instance the caller has `level`.
fn find<'w>(
    world: &'w mut World,
    call: &Call,
    kind: Kind,
    level: Level,
) -> Result<(&'w mut Account, usize), Refusal> {
    let id = call.param(0);
    let account = world.account_mut(call);
    let position = account
        .attachments
        .iter()
        .position(|attachment| attachment.kind == kind && attachment.is_called(id))
        .ok_or_else(|| Refusal::not_found(kind.word(), id))?;
    let target = account.target_of(&account.attachments[position]);
    account.require(call, target, level)?;
    Ok((account, position))
}
