//! IAM Policy Management: policies in both versions of the API (`ibm-cloud.md` 5.1).
//!
//! One record is shown by both versions, but for authorization policies, which v1 alone knows.
//! Promises that a removed policy goes on giving its rights for the removal lag.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::access_groups::PUBLIC_ACCESS;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, POLICIES};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Platform,
    routes: &[
        route("GET", "/v1/policies", list_v1),
        route("POST", "/v1/policies", create_v1),
        route("GET", "/v1/policies/{id}", get_v1),
        route("DELETE", "/v1/policies/{id}", delete_v1),
        route("GET", "/v2/policies", list_v2),
        route("POST", "/v2/policies", create_v2),
        route("GET", "/v2/policies/{id}", get_v2),
        route("DELETE", "/v2/policies/{id}", delete_v2),
    ],
};

/// The only time pattern that the simulator judges.
const ONCE: &str = "time-based-conditions:once";

/// A version of the API: how it names things and which policies it knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) subject: Vec<Attribute>,
    pub(crate) resource: Vec<Attribute>,
    pub(crate) roles: Vec<String>,
    pub(crate) created_at: OffsetDateTime,
    kind: Kind,
    tags: Value,
    pattern: Option<String>,
    rule: Option<Value>,
    created_by: String,
}

/// A policy that is deleted and may still give its rights for a while.
pub(crate) struct RemovedPolicy {
    pub(crate) policy: Policy,
    pub(crate) at: OffsetDateTime,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Access,
    Authorization,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Authorization => "authorization",
        }
    }
}

/// One attribute of a subject or a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attribute {
    pub(crate) key: String,
    pub(crate) value: String,
    operator: String,
}

impl Attribute {
    /// An attribute of the usual operator.
    #[cfg(test)]
    pub(crate) fn equals(key: &str, value: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_owned(),
            operator: "stringEquals".to_owned(),
        }
    }

    /// Whether a target's value satisfies the attribute. In `stringMatch` a trailing `*` stands for
    /// anything.
    pub(crate) fn fits(&self, value: &str) -> bool {
        match (self.operator.as_str(), self.value.strip_suffix('*')) {
            ("stringExists", _) => (self.value == "true") != value.is_empty(),
            ("stringMatch", Some(start)) => value.starts_with(start),
            _ => self.value == value,
        }
    }

    /// Reads a list of attributes whose key field is called `name`.
    pub(crate) fn named(list: &Value) -> Result<Vec<Self>, Refusal> {
        Self::read(list, Version::One)
    }

    /// Reads a list of attributes, whose key field v1 calls `name` and v2 `key`.
    fn read(list: &Value, version: Version) -> Result<Vec<Self>, Refusal> {
        let invalid = || Refusal::bad_request("Attributes must have a name and a text value.");
        let key_field = version.key_field();
        list.as_array()
            .ok_or_else(invalid)?
            .iter()
            .map(|attribute| {
                let text = |field: &str| attribute[field].as_str().map(ToOwned::to_owned);
                // `stringExists` takes a boolean.
                let flag = || attribute["value"].as_bool().map(|flag| flag.to_string());
                let operator = text("operator").unwrap_or_else(|| "stringEquals".to_owned());
                if !["stringEquals", "stringMatch", "stringExists"].contains(&operator.as_str()) {
                    let message = format!("Operator {operator} is not supported.");
                    return Err(Refusal::bad_request(message));
                }
                Ok(Self {
                    key: text(key_field).ok_or_else(invalid)?,
                    value: text("value").or_else(flag).ok_or_else(invalid)?,
                    operator,
                })
            })
            .collect()
    }

    fn write(&self, version: Version) -> Value {
        json!({
            version.key_field(): self.key, "operator": self.operator, "value": self.value,
        })
    }
}

impl Version {
    fn key_field(self) -> &'static str {
        match self {
            Self::One => "name",
            Self::Two => "key",
        }
    }

    /// Version 2 knows access policies only.
    fn shows(self, policy: &Policy) -> bool {
        self == Self::One || policy.kind == Kind::Access
    }
}

impl Policy {
    pub(crate) fn is_access(&self) -> bool {
        self.kind == Kind::Access
    }

    /// The value of the subject's attribute `key`.
    pub(crate) fn subject(&self, key: &str) -> Option<&str> {
        value_of(&self.subject, key)
    }

    /// Whether the policy's time conditions, if it has any, hold at `now`.
    pub(crate) fn holds_at(&self, now: OffsetDateTime) -> bool {
        match (&self.pattern, &self.rule) {
            (Some(_), Some(rule)) => holds(rule, now).unwrap_or(false),
            _ => true,
        }
    }

    fn read(call: &Call, version: Version, id: String) -> Result<Self, Refusal> {
        let body = &call.body;
        let kind = match call.required("type")? {
            "access" => Kind::Access,
            "authorization" if version == Version::One => Kind::Authorization,
            _ => return Err(Refusal::bad_request("Property type is not valid.")),
        };
        let (subject, resource, roles) = match version {
            Version::One => (&body["subjects"][0], &body["resources"][0], &body["roles"]),
            Version::Two => (
                &body["subject"],
                &body["resource"],
                &body["control"]["grant"]["roles"],
            ),
        };
        let roles: Vec<String> = roles
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|role| role["role_id"].as_str().map(ToOwned::to_owned))
            .collect();
        if roles.is_empty() {
            return Err(Refusal::bad_request("A policy needs at least one role."));
        }
        let policy = Self {
            id,
            kind,
            description: call.text("description").unwrap_or_default().to_owned(),
            subject: Attribute::read(&subject["attributes"], version)?,
            resource: Attribute::read(&resource["attributes"], version)?,
            tags: resource["tags"].clone(),
            roles,
            pattern: call.text("pattern").map(ToOwned::to_owned),
            rule: Some(body["rule"].clone()).filter(Value::is_object),
            created_at: call.now,
            created_by: call.caller.iam_id.clone(),
        };
        policy.check(call)?;
        Ok(policy)
    }

    fn check(&self, call: &Call) -> Result<(), Refusal> {
        if value_of(&self.resource, "accountId") != Some(call.caller.account.as_str()) {
            let message = "The resource must name the account of the token in accountId.";
            return Err(Refusal::bad_request(message));
        }
        match (self.pattern.as_deref(), &self.rule) {
            (None, None) => {}
            (Some(ONCE), Some(rule)) if holds(rule, call.now).is_some() => {}
            _ => {
                let message = "The pattern is not supported, or does not fit the rule.";
                return Err(Refusal::bad_request(message));
            }
        }
        let names_subject = ["iam_id", "access_group_id"]
            .iter()
            .any(|key| self.subject(key).is_some());
        if self.is_access() && !names_subject {
            let message = "The subject must name an iam_id or an access_group_id.";
            return Err(Refusal::bad_request(message));
        }
        Ok(())
    }

    /// Whether another policy says the same.
    fn repeats(&self, other: &Self) -> bool {
        let sorted = |attributes: &[Attribute]| -> Vec<Attribute> {
            let mut attributes = attributes.to_vec();
            attributes.sort();
            attributes
        };
        let roles = |policy: &Self| -> BTreeSet<String> { policy.roles.iter().cloned().collect() };
        self.kind == other.kind
            && roles(self) == roles(other)
            && sorted(&self.subject) == sorted(&other.subject)
            && sorted(&self.resource) == sorted(&other.resource)
            && self.tags == other.tags
            && self.rule == other.rule
    }

    fn json(&self, version: Version, base: &str) -> Value {
        let write = |attributes: &[Attribute]| -> Value {
            attributes
                .iter()
                .map(|attribute| attribute.write(version))
                .collect()
        };
        let mut resource = json!({"attributes": write(&self.resource)});
        if !self.tags.is_null() {
            resource["tags"] = self.tags.clone();
        }
        let subject = json!({"attributes": write(&self.subject)});
        let roles: Value = self
            .roles
            .iter()
            .map(|role| json!({"role_id": role}))
            .collect();
        let number = if version == Version::One { 1 } else { 2 };
        let mut json = json!({
            "id": self.id, "type": self.kind.word(), "description": self.description,
            "href": format!("{base}/v{number}/policies/{}", self.id), "state": "active",
            "created_at": clock::controller(self.created_at), "created_by_id": self.created_by,
            "last_modified_at": clock::controller(self.created_at),
            "last_modified_by_id": self.created_by,
        });
        match version {
            Version::One => {
                json["subjects"] = json!([subject]);
                json["resources"] = json!([resource]);
                json["roles"] = roles;
            }
            Version::Two => {
                json["subject"] = subject;
                json["resource"] = resource;
                json["control"] = json!({"grant": {"roles": roles}});
                if let (Some(pattern), Some(rule)) = (&self.pattern, &self.rule) {
                    json["pattern"] = pattern.as_str().into();
                    json["rule"] = rule.clone();
                }
            }
        }
        json
    }
}

fn value_of<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    found.map(|attribute| attribute.value.as_str())
}

/// Judges a rule of date-and-time conditions; `None` when it holds something else.
fn holds(rule: &Value, now: OffsetDateTime) -> Option<bool> {
    if let Some(conditions) = rule["conditions"].as_array() {
        let judged: Option<Vec<bool>> = conditions
            .iter()
            .map(|condition| holds(condition, now))
            .collect();
        let judged = judged?;
        return match rule["operator"].as_str()? {
            "and" => Some(judged.iter().all(|held| *held)),
            "or" => Some(judged.contains(&true)),
            _ => None,
        };
    }
    if rule["key"] != "{{environment.attributes.current_date_time}}" {
        return None;
    }
    let bound = clock::parse(rule["value"].as_str()?)?;
    match rule["operator"].as_str()? {
        "dateTimeGreaterThanOrEquals" => Some(now >= bound),
        "dateTimeGreaterThan" => Some(now > bound),
        "dateTimeLessThanOrEquals" => Some(now <= bound),
        "dateTimeLessThan" => Some(now < bound),
        _ => None,
    }
}

impl Account {
    /// Removes the policies of an identity or an access group that is itself being removed.
    pub(crate) fn remove_policies_of(&mut self, subject: &str, now: OffsetDateTime) {
        self.remove_policies(now, |policy| {
            policy
                .subject
                .iter()
                .any(|attribute| attribute.value == subject)
        });
    }

    /// Removes what the public group may do, as switching public access off does.
    pub(crate) fn remove_public_policies(&mut self, now: OffsetDateTime) {
        self.remove_policies_of(PUBLIC_ACCESS, now);
    }

    /// Removes the policies that use an access tag (`ibm-cloud.md` 7).
    pub(crate) fn remove_policies_with_tag(&mut self, tag: &str, now: OffsetDateTime) {
        self.remove_policies(now, |policy| {
            let values = policy.tags.as_array().into_iter().flatten();
            values
                .filter_map(|tag| Some((tag["key"].as_str()?, tag["value"].as_str()?)))
                .any(|(key, value)| format!("{key}:{value}") == tag)
        });
    }

    fn remove_policies(&mut self, now: OffsetDateTime, which: impl Fn(&Policy) -> bool) {
        let removed = self.policies.extract_if(.., |policy| which(policy));
        let removed = removed.map(|policy| RemovedPolicy { policy, at: now });
        self.removed_policies.extend(removed);
    }
}

fn list_v1(world: &mut World, call: &Call) -> Answer {
    list(world, call, Version::One)
}

fn list_v2(world: &mut World, call: &Call) -> Answer {
    list(world, call, Version::Two)
}

fn list(world: &mut World, call: &Call, version: Version) -> Answer {
    if call.query("account_id").is_none() {
        return Err(Refusal::bad_request(
            "Query parameter account_id is missing.",
        ));
    }
    call.within_own_account()?;
    let account = world.account(call);
    let sees_all = account.allows(call, POLICIES, Level::View);
    let wanted = |name: &str, value: Option<&str>| {
        call.query(name).is_none_or(|wanted| value == Some(wanted))
    };
    let policies = account
        .policies
        .iter()
        .filter(|policy| sees_all && version.shows(policy))
        .filter(|policy| wanted("type", Some(policy.kind.word())))
        .filter(|policy| wanted("iam_id", policy.subject("iam_id")))
        .filter(|policy| wanted("access_group_id", policy.subject("access_group_id")))
        .filter(|_| wanted("state", Some("active")))
        .filter(|policy| wanted("service_type", value_of(&policy.resource, "serviceType")))
        .map(|policy| policy.json(version, &call.base))
        .collect();
    paging::next_start(call, "policies", policies)
}

fn create_v1(world: &mut World, call: &Call) -> Answer {
    create(world, call, Version::One)
}

fn create_v2(world: &mut World, call: &Call) -> Answer {
    create(world, call, Version::Two)
}

fn create(world: &mut World, call: &Call, version: Version) -> Answer {
    let account = world.account_mut(call);
    account.require(call, POLICIES, Level::Edit)?;
    let policy = Policy::read(call, version, account.random.uuid())?;
    if let Some(found) = account.policies.iter().find(|found| found.repeats(&policy)) {
        let message = format!(
            "The policy wasn't created: policy {} grants it already.",
            found.id
        );
        return Err(Refusal::conflict(message).with_code("policy_conflict_error"));
    }
    let json = policy.json(version, &call.base);
    account.policies.push(policy);
    Ok(Reply::created(json))
}

fn get_v1(world: &mut World, call: &Call) -> Answer {
    get(world, call, Version::One)
}

fn get_v2(world: &mut World, call: &Call) -> Answer {
    get(world, call, Version::Two)
}

fn get(world: &mut World, call: &Call, version: Version) -> Answer {
    let account = world.account(call);
    let policy = find(account, call, version)?;
    account.require(call, POLICIES, Level::View)?;
    Ok(Reply::ok(
        account.policies[policy].json(version, &call.base),
    ))
}

fn delete_v1(world: &mut World, call: &Call) -> Answer {
    delete(world, call, Version::One)
}

fn delete_v2(world: &mut World, call: &Call) -> Answer {
    delete(world, call, Version::Two)
}

fn delete(world: &mut World, call: &Call, version: Version) -> Answer {
    let account = world.account_mut(call);
    let position = find(account, call, version)?;
    account.require(call, POLICIES, Level::Edit)?;
    let subject = account.policies[position]
        .subject("iam_id")
        .unwrap_or_default();
    if account
        .service_id_of(subject)
        .is_ok_and(|service_id| service_id.locked)
    {
        let message = "The policy's subject is a locked service ID.";
        return Err(Refusal::conflict(message));
    }
    let policy = account.policies.remove(position);
    account.removed_policies.push(RemovedPolicy {
        policy,
        at: call.now,
    });
    Ok(Reply::empty(204))
}

fn find(account: &Account, call: &Call, version: Version) -> Result<usize, Refusal> {
    let id = call.param(0);
    account
        .policies
        .iter()
        .position(|policy| policy.id == id && version.shows(policy))
        .ok_or_else(|| Refusal::not_found("Policy", id).with_code("policy_not_found"))
}

#[cfg(test)]
mod tests {
    use super::{Attribute, holds};
    use serde_json::json;
    use time::macros::datetime;

    #[test]
    fn a_time_bound_rule_holds_between_its_bounds() {
        let key = "{{environment.attributes.current_date_time}}";
        let rule = json!({"operator": "and", "conditions": [
            {"key": key, "operator": "dateTimeGreaterThanOrEquals", "value": "2026-05-01T10:00:00+00:00"},
            {"key": key, "operator": "dateTimeLessThanOrEquals", "value": "2026-05-02T10:00:00+00:00"},
        ]});
        assert_eq!(holds(&rule, datetime!(2026-05-01 09:59 UTC)), Some(false));
        assert_eq!(holds(&rule, datetime!(2026-05-01 10:00 UTC)), Some(true));
        assert_eq!(holds(&rule, datetime!(2026-05-02 10:01 UTC)), Some(false));
        assert_eq!(
            holds(
                &json!({"operator": "timeLessThan"}),
                datetime!(2026-05-01 0:00 UTC)
            ),
            None
        );
    }

    #[test]
    fn a_star_matches_only_under_string_match() {
        let mut attribute = Attribute::equals("serviceName", "cloud-*");
        assert!(!attribute.fits("cloud-object-storage"));
        attribute.operator = "stringMatch".to_owned();
        assert!(attribute.fits("cloud-object-storage"));
    }
}
