//! Resource Controller: resource instances (`ibm-cloud.md` 6.1).
//!
//! Promises that no answer to a DELETE means that the instance is gone: what follows takes its time,
//! and where it is asynchronous it must also be looked at so many times. Deleted instances stay
//! readable.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::reclamations::Reclamation;
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::catalog::{
    self, COS_STANDARD, DNS_SERVICES, Deletion, HYPER_PROTECT, KEY_PROTECT, Plan,
};
use crate::simulator::clock;
use crate::simulator::paging;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::{Level, Target};
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Controller,
    routes: &[
        route("GET", "/v2/resource_instances", list),
        route("POST", "/v2/resource_instances", create),
        route("GET", "/v2/resource_instances/{id}", get),
        route("PATCH", "/v2/resource_instances/{id}", update),
        route("DELETE", "/v2/resource_instances/{id}", delete),
        route("POST", "/v2/resource_instances/{id}/lock", lock),
        route("DELETE", "/v2/resource_instances/{id}/lock", unlock),
        route(
            "DELETE",
            "/v2/resource_instances/{id}/last_operation",
            cancel,
        ),
    ],
};

/// What a record is called in refusals.
const INSTANCE: &str = "Resource instance";

/// Refuses the deletion of an instance for what is inside of it.
type Hold = fn(&Account, &Instance) -> Result<(), Refusal>;

/// What a service's broker looks at before it deletes an instance: what is inside of it.
const HOLDS: &[(&str, Hold)] = &[
    (KEY_PROTECT.service, Account::keys_hold),
    (DNS_SERVICES.service, Account::dns_holds),
    (COS_STANDARD.service, Account::storage_holds),
    (HYPER_PROTECT.service, |_, instance| {
        instance.crypto_units_hold()
    }),
];

pub(crate) struct Instance {
    pub(crate) guid: String,
    pub(crate) crn: String,
    pub(crate) name: String,
    pub(crate) plan: Plan,
    pub(crate) region: String,
    pub(crate) resource_group_id: String,
    pub(crate) state: State,
    plan_id: String,
    locked: bool,
    parameters: Value,
    created_by: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    deleted_at: Option<OffsetDateTime>,
    operation: Operation,
    pending: Option<Pending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Provisioning,
    Active,
    PendingReclamation,
    Removed,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::PendingReclamation => "pending_reclamation",
            Self::Removed => "removed",
        }
    }
}

/// The last thing that was done to an instance.
struct Operation {
    kind: &'static str,
    finished: bool,
    asynchronous: bool,
}

impl Operation {
    fn done(kind: &'static str) -> Self {
        Self {
            kind,
            finished: true,
            asynchronous: false,
        }
    }

    fn json(&self) -> Value {
        let (state, verb) = if self.finished {
            ("succeeded", "Completed")
        } else {
            ("in progress", "Started")
        };
        json!({
            "type": self.kind, "state": state, "async": self.asynchronous, "cancelable": false,
            "poll": self.asynchronous && !self.finished,
            "description": format!("{verb} {} instance operation", self.kind),
        })
    }
}

/// What will become of an instance: not before a time, and not before it was looked at so many times.
struct Pending {
    outcome: State,
    not_before: OffsetDateTime,
    polls: u32,
}

impl Instance {
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        let pending = self.pending.as_ref().filter(|pending| pending.polls == 0)?;
        Some(pending.not_before)
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.state == State::Removed
    }

    /// The target that rights on this instance are judged for.
    pub(crate) fn target(&self) -> Target<'_> {
        Target::Service {
            name: self.plan.service,
            instance: &self.guid,
            resource_group: &self.resource_group_id,
        }
    }

    /// Ends what a reclamation began.
    pub(crate) fn finish_reclamation(&mut self, outcome: State, now: OffsetDateTime) {
        self.state = outcome;
        self.updated_at = now;
        self.operation = Operation::done(match outcome {
            State::Removed => "reclaim",
            _ => "restore",
        });
        self.deleted_at = (outcome == State::Removed).then_some(now);
    }

    /// Refuses the deletion while crypto units are initialised. They are by the smart cards of their
    /// owners, past any API of ours: the creation parameter `initialized` stands for it.
    fn crypto_units_hold(&self) -> Result<(), Refusal> {
        if self.parameters["initialized"] == true {
            let message = "[409, Conflict] The crypto units must be zeroized first.";
            return Err(Refusal::broker(message));
        }
        Ok(())
    }

    fn is_called(&self, id: &str) -> bool {
        self.guid == id || self.crn == id
    }

    fn looked_at(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.polls = pending.polls.saturating_sub(1);
        }
    }

    fn json(&self, account: &str) -> Value {
        let locator = format!("/v2/resource_instances/{}", self.guid);
        json!({
            "id": self.crn, "guid": self.guid, "crn": self.crn, "name": self.name, "url": locator,
            "created_at": clock::controller(self.created_at), "created_by": self.created_by,
            "updated_at": clock::controller(self.updated_at),
            "deleted_at": self.deleted_at.map(clock::controller), "account_id": account,
            "resource_group_id": self.resource_group_id, "region_id": self.region,
            "resource_id": self.plan.resource_id, "resource_plan_id": self.plan_id,
            "target_crn": format!("crn:v1:bluemix:public:globalcatalog::::deployment:{}:{}", self.plan_id, self.region),
            "state": self.state.word(), "type": "service_instance", "sub_type": "",
            "locked": self.locked, "parameters": self.parameters, "allow_cleanup": false,
            "last_operation": self.operation.json(), "scheduled_reclaim_at": null,
            "resource_aliases_url": format!("{locator}/resource_aliases"),
            "resource_bindings_url": format!("{locator}/resource_bindings"),
            "resource_keys_url": format!("{locator}/resource_keys"),
        })
    }
}

impl Account {
    /// The instance with this CRN or guid, removed or not.
    pub(crate) fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances
            .iter()
            .find(|instance| instance.is_called(id))
    }

    /// The active instance of a service with this CRN or guid, on which the caller has `level`.
    pub(crate) fn serving(
        &self,
        call: &Call,
        id: &str,
        service: &str,
        level: Level,
    ) -> Result<&Instance, Refusal> {
        let instance = self
            .instance(id)
            .filter(|instance| instance.plan.service == service && instance.state == State::Active);
        let instance = instance.ok_or_else(|| Refusal::not_found(INSTANCE, id))?;
        self.require(call, instance.target(), level)?;
        Ok(instance)
    }

    pub(crate) fn settle_instances(&mut self, now: OffsetDateTime) {
        while let Some(position) = self
            .instances
            .iter()
            .position(|instance| instance.due().is_some_and(|due| due <= now))
        {
            self.settle_instance(position, now);
        }
    }

    fn settle_instance(&mut self, position: usize, now: OffsetDateTime) {
        let instance = &mut self.instances[position];
        let Some(pending) = instance.pending.take() else {
            return;
        };
        instance.state = pending.outcome;
        instance.updated_at = now;
        instance.operation.finished = true;
        match pending.outcome {
            State::Removed => {
                instance.deleted_at = Some(now);
                let guid = instance.guid.clone();
                self.forget_instance(&guid, now);
            }
            State::PendingReclamation => {
                instance.operation = Operation::done("reclamation");
                let reclamation =
                    Reclamation::schedule(instance, &mut self.random, &self.lags, now);
                self.reclamations.push(reclamation);
            }
            State::Active | State::Provisioning => {}
        }
    }

    /// Removes what hangs on an instance that has just been destroyed.
    pub(crate) fn forget_instance(&mut self, guid: &str, now: OffsetDateTime) {
        self.remove_attachments_of(guid, now);
        self.forget_keys_of(guid);
        self.forget_dns_of(guid);
        self.forget_buckets_of(guid);
        if let Some(crn) = self.instance(guid).map(|instance| instance.crn.clone()) {
            self.detach_all_tags(&crn, now);
        }
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    let account = world.account_mut(call);
    let wanted = |name: &str, value: &str| call.query(name).is_none_or(|wanted| wanted == value);
    let visible: Vec<usize> = account
        .instances
        .iter()
        .enumerate()
        .filter(|(_, instance)| match call.query("state") {
            Some(state) => state == instance.state.word(),
            // The trap of `ibm-cloud.md` 6.1: other states must be asked for.
            None => matches!(instance.state, State::Active | State::Provisioning),
        })
        .filter(|(_, instance)| {
            wanted("guid", &instance.guid)
                && wanted("name", &instance.name)
                && wanted("resource_group_id", &instance.resource_group_id)
                && wanted("resource_id", instance.plan.resource_id)
                && wanted("resource_plan_id", &instance.plan_id)
                && wanted("type", "service_instance")
        })
        .filter(|(_, instance)| account.allows(call, instance.target(), Level::View))
        .map(|(position, _)| position)
        .collect();
    let mut page = Vec::with_capacity(visible.len());
    for position in visible {
        let instance = &mut account.instances[position];
        page.push(instance.json(&account.id));
        instance.looked_at();
    }
    paging::next_url(call, page)
}

fn create(world: &mut World, call: &Call) -> Answer {
    let name = call.required("name")?.to_owned();
    let region = call.required("target")?.to_owned();
    let group = call.required("resource_group")?.to_owned();
    let plan_id = call.required("resource_plan_id")?.to_owned();
    let account = world.account_mut(call);
    if !account.resource_groups.contains(&group) {
        return Err(Refusal::not_found("Resource group", &group));
    }
    let plan = catalog::find(&plan_id).unwrap_or(catalog::PLAIN);
    let target = Target::Service {
        name: plan.service,
        instance: "",
        resource_group: &group,
    };
    account.require(call, target, Level::Edit)?;
    let has_one = account
        .instances
        .iter()
        .any(|instance| instance.plan == plan && !instance.is_removed());
    if plan.single && has_one {
        let message = "Only one instance of a Lite plan is allowed per account.";
        return Err(Refusal::broker(message));
    }
    let guid = account.random.uuid();
    let service = plan.service;
    let instance = Instance {
        crn: format!(
            "crn:v1:bluemix:public:{service}:{region}:a/{}:{guid}::",
            account.id
        ),
        guid,
        name,
        plan,
        plan_id,
        region,
        resource_group_id: group,
        state: if plan.slow_to_create {
            State::Provisioning
        } else {
            State::Active
        },
        locked: call.header_flag("entity-lock"),
        parameters: call.body["parameters"].clone(),
        created_by: call.caller.iam_id.clone(),
        created_at: call.now,
        updated_at: call.now,
        deleted_at: None,
        operation: Operation {
            kind: "create",
            finished: !plan.slow_to_create,
            asynchronous: plan.slow_to_create,
        },
        pending: plan.slow_to_create.then(|| Pending {
            outcome: State::Active,
            not_before: call.now + account.lags.instance_create,
            polls: account.lags.async_polls,
        }),
    };
    let json = instance.json(&account.id);
    let tags = call.body["tags"].as_array().into_iter().flatten();
    for tag in tags.filter_map(Value::as_str) {
        account.attach_user_tag(tag, &instance.crn);
    }
    account.instances.push(instance);
    Ok(Reply::created(json))
}

fn get(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::View)?;
    let instance = &mut account.instances[position];
    let json = instance.json(&account.id);
    instance.looked_at();
    Ok(Reply::ok(json))
}

fn update(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let instance = &mut account.instances[position];
    settled(instance)?;
    unlocked(instance)?;
    if let Some(name) = call.text("name") {
        name.clone_into(&mut instance.name);
    }
    if call.body["parameters"].is_object() {
        instance.parameters = call.body["parameters"].clone();
    }
    instance.updated_at = call.now;
    instance.operation = Operation::done("update");
    Ok(Reply::ok(instance.json(&account.id)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let instance = &account.instances[position];
    match instance.state {
        State::Removed => return Err(Refusal::gone(INSTANCE, &instance.guid)),
        State::PendingReclamation => {
            let message =
                "The instance is pending reclamation. Use the reclamation API to delete it.";
            return Err(Refusal::new(
                account.lags.pending_reclamation_status,
                message,
            ));
        }
        State::Active | State::Provisioning => {}
    }
    settled(instance)?;
    unlocked(instance)?;
    if account.has_attachments(&instance.guid) && !call.flag("recursive") {
        let message = "The instance has keys, bindings or aliases: delete them, or use recursive.";
        return Err(Refusal::bad_request(message).with_code("RC-InstanceHasDependents"));
    }
    let mut holds = HOLDS.iter();
    if let Some((_, hold)) = holds.find(|(service, _)| *service == instance.plan.service) {
        hold(account, instance)?;
    }
    let deletion = instance.plan.deletion;
    let (status, outcome, asynchronous) = match deletion {
        Deletion::Refused => {
            let message = "[409, Conflict] The service broker refused to delete the instance.";
            return Err(Refusal::broker(message));
        }
        Deletion::Immediate => (204, State::Removed, false),
        Deletion::Slow => (202, State::Removed, true),
        Deletion::Reclaimed => (204, State::PendingReclamation, false),
        Deletion::SlowThenReclaimed => (202, State::PendingReclamation, true),
    };
    let lags = account.lags;
    let guid = instance.guid.clone();
    account.remove_attachments_of(&guid, call.now);
    let instance = &mut account.instances[position];
    instance.updated_at = call.now;
    instance.operation = Operation {
        kind: "delete",
        finished: false,
        asynchronous,
    };
    instance.pending = Some(Pending {
        outcome,
        not_before: match deletion {
            Deletion::Immediate => call.now,
            _ => call.now + lags.instance_delete,
        },
        polls: if asynchronous { lags.async_polls } else { 0 },
    });
    if deletion == Deletion::Immediate {
        account.settle_instance(position, call.now);
    }
    Ok(Reply::empty(status))
}

fn lock(world: &mut World, call: &Call) -> Answer {
    set_locked(world, call, true)
}

fn unlock(world: &mut World, call: &Call) -> Answer {
    set_locked(world, call, false)
}

fn set_locked(world: &mut World, call: &Call, locked: bool) -> Answer {
    let (account, position) = find(world, call, Level::Edit)?;
    let instance = &mut account.instances[position];
    if instance.is_removed() {
        return Err(Refusal::gone(INSTANCE, &instance.guid));
    }
    instance.locked = locked;
    instance.updated_at = call.now;
    Ok(Reply::ok(instance.json(&account.id)))
}

fn cancel(world: &mut World, call: &Call) -> Answer {
    find(world, call, Level::Edit)?;
    let message = "The last operation of the instance cannot be cancelled.";
    Err(Refusal::new(422, message))
}

/// The instance that the path names, on which the caller has `level`.
fn find<'w>(
    world: &'w mut World,
    call: &Call,
    level: Level,
) -> Result<(&'w mut Account, usize), Refusal> {
    let id = call.param(0);
    let account = world.account_mut(call);
    let position = account
        .instances
        .iter()
        .position(|instance| instance.is_called(id))
        .ok_or_else(|| Refusal::not_found(INSTANCE, id).with_code("RC-InstanceNotFound"))?;
    account.require(call, account.instances[position].target(), level)?;
    Ok((account, position))
}

fn settled(instance: &Instance) -> Result<(), Refusal> {
    if instance.pending.is_some() {
        return Err(Refusal::conflict(
            "Another operation on the instance is in progress.",
        ));
    }
    Ok(())
}

fn unlocked(instance: &Instance) -> Result<(), Refusal> {
    if instance.locked {
        let message = format!("Resource instance {} is locked.", instance.guid);
        return Err(Refusal::new(422, message).with_code("RC-InstanceLocked"));
    }
    Ok(())
}
