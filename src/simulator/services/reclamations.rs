//! Resource Controller: reclamations (`ibm-cloud.md` 6.3).
//!
//! Promises that a reclamation is listed only some time after its instance reads
//! `pending_reclamation`, and that it ends by itself after seven days.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::resource_instances::{Instance, State};
use crate::simulator::call::{Answer, Call, Reply, Service, route};
use crate::simulator::clock;
use crate::simulator::random::Random;
use crate::simulator::refusal::{Family, Refusal};
use crate::simulator::rights::Level;
use crate::simulator::settings::Lags;
use crate::simulator::world::{Account, World};

pub(crate) const SERVICE: Service = Service {
    family: Family::Controller,
    routes: &[
        route("GET", "/v1/reclamations", list),
        route("POST", "/v1/reclamations/{id}/actions/{action}", act),
    ],
};

/// How long a suspended instance waits before it is destroyed.
const GRACE: Duration = Duration::from_hours(7 * 24);

pub(crate) struct Reclamation {
    pub(crate) id: String,
    pub(crate) state: Stage,
    instance: String,
    instance_crn: String,
    resource_group_id: String,
    policy_id: String,
    appears_at: OffsetDateTime,
    target_time: OffsetDateTime,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Scheduled,
    /// On the way to an end: not before a time, nor before it was listed so many times.
    Ending {
        outcome: State,
        not_before: OffsetDateTime,
        polls: u32,
    },
}

impl Stage {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Ending {
                outcome: State::Removed,
                ..
            } => "RECLAIMING",
            Self::Ending { .. } => "RESTORING",
        }
    }
}

impl Reclamation {
    pub(crate) fn schedule(
        instance: &Instance,
        random: &mut Random,
        lags: &Lags,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            id: random.uuid(),
            state: Stage::Scheduled,
            instance: instance.guid.clone(),
            instance_crn: instance.crn.clone(),
            resource_group_id: instance.resource_group_id.clone(),
            policy_id: random.uuid(),
            appears_at: now + lags.reclamation_appears,
            target_time: now + GRACE,
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        match self.state {
            Stage::Scheduled => Some(self.target_time),
            Stage::Ending {
                not_before, polls, ..
            } => (polls == 0).then_some(not_before),
        }
    }

    fn listed(&mut self) {
        if let Stage::Ending { polls, .. } = &mut self.state {
            *polls = polls.saturating_sub(1);
        }
    }

    fn json(&self, account: &str) -> Value {
        json!({
            "id": self.id, "entity_id": self.instance, "entity_type_id": "resource-instance",
            "entity_crn": self.instance_crn, "resource_instance_id": self.instance,
            "resource_group_id": self.resource_group_id, "account_id": account,
            "policy_id": self.policy_id, "state": self.state.word(),
            "target_time": clock::controller(self.target_time), "custom_properties": {},
            "created_at": clock::controller(self.created_at), "created_by": "",
            "updated_at": clock::controller(self.updated_at), "updated_by": "",
        })
    }
}

impl Account {
    /// What is under way with the reclamation of an instance.
    pub(crate) fn reclamation_of(&self, guid: &str) -> Option<Stage> {
        let mut reclamations = self.reclamations.iter();
        let found = reclamations.find(|reclamation| reclamation.instance == guid)?;
        Some(found.state)
    }

    pub(crate) fn settle_reclamations(&mut self, now: OffsetDateTime) {
        while let Some(position) = self
            .reclamations
            .iter()
            .position(|reclamation| reclamation.due().is_some_and(|due| due <= now))
        {
            let reclamation = self.reclamations.remove(position);
            let outcome = match reclamation.state {
                Stage::Scheduled => State::Removed,
                Stage::Ending { outcome, .. } => outcome,
            };
            let mut instances = self.instances.iter_mut();
            if let Some(instance) = instances.find(|instance| instance.guid == reclamation.instance)
            {
                instance.finish_reclamation(outcome, now);
            }
            if outcome == State::Removed {
                self.forget_instance(&reclamation.instance, now);
            }
        }
    }
}

fn list(world: &mut World, call: &Call) -> Answer {
    call.within_own_account()?;
    let account = world.account_mut(call);
    let wanted = |name: &str, value: &str| call.query(name).is_none_or(|wanted| wanted == value);
    let visible: Vec<usize> = account
        .reclamations
        .iter()
        .enumerate()
        .filter(|(_, reclamation)| reclamation.appears_at <= call.now)
        .filter(|(_, reclamation)| {
            wanted("resource_instance_id", &reclamation.instance)
                && wanted("resource_group_id", &reclamation.resource_group_id)
        })
        .filter(|(_, reclamation)| {
            let instance = account.instance(&reclamation.instance);
            instance.is_some_and(|instance| account.allows(call, instance.target(), Level::View))
        })
        .map(|(position, _)| position)
        .collect();
    let mut resources = Vec::with_capacity(visible.len());
    for position in visible {
        let reclamation = &mut account.reclamations[position];
        resources.push(reclamation.json(&account.id));
        reclamation.listed();
    }
    Ok(Reply::ok(json!({"resources": resources})))
}

fn act(world: &mut World, call: &Call) -> Answer {
    let outcome = match call.param(1) {
        "reclaim" => State::Removed,
        "restore" => State::Active,
        _ => {
            return Err(Refusal::bad_request(
                "The action must be reclaim or restore.",
            ));
        }
    };
    let id = call.param(0);
    let account = world.account_mut(call);
    let (reclaim, polls) = (account.lags.reclaim, account.lags.async_polls);
    let position = account
        .reclamations
        .iter()
        .position(|reclamation| reclamation.id == id && reclamation.appears_at <= call.now)
        .ok_or_else(|| Refusal::not_found("Reclamation", id))?;
    let guid = &account.reclamations[position].instance;
    if let Some(instance) = account.instance(guid) {
        account.require(call, instance.target(), Level::Edit)?;
    }
    let reclamation = &mut account.reclamations[position];
    if reclamation.state != Stage::Scheduled {
        return Err(Refusal::conflict(
            "An action on the reclamation is in progress.",
        ));
    }
    reclamation.state = Stage::Ending {
        outcome,
        not_before: call.now + reclaim,
        polls,
    };
    reclamation.updated_at = call.now;
    Ok(Reply::ok(reclamation.json(&account.id)))
}
