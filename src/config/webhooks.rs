//! `[[webhooks]]`: who is told of what happens.

use std::collections::{BTreeMap, BTreeSet};

use acctpool_actors::NotificationKind;

use super::Source;
use super::report::Fault;
use super::secrets::Sources;
use super::section::{Schema, Section};
use super::values::{EVENT, SWITCH, WEBHOOK_NAME, WEBHOOK_SECRET, WEBHOOK_URL};
use crate::webhook::{Address, Destination, Secret};

pub(super) const SCHEMA: Schema = Schema {
    name: "[[webhooks]]",
    keys: &[
        "name",
        "url",
        "secret",
        "secret_file",
        "secret_env",
        "events",
        "allow_plain_http",
    ],
};

const SECRET_SOURCES: Sources<Secret> = Sources {
    owner: "a webhook",
    what: "a webhook's secret",
    keys: ["secret", "secret_file", "secret_env"],
    file: "the file named by `secret_file`",
    kind: &WEBHOOK_SECRET,
};

/// Somebody who is told of what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The operator's name for it, shown in logs and metrics.
    pub name: String,
    /// Where messages go, and how they are signed.
    pub destination: Destination,
    /// What it is told of; never empty.
    pub events: BTreeSet<NotificationKind>,
}

/// Reads the webhooks, and refuses those that share a name.
pub(super) fn read(root: &mut Section<'_, '_, '_>, source: &Source<'_>) -> Vec<Webhook> {
    let mut names = BTreeMap::new();
    let mut webhooks = Vec::new();
    let mut inline_secret = None;
    for entry in root.tables("webhooks").unwrap_or_default() {
        let Some(mut section) = root.open_entry(&SCHEMA, entry) else {
            continue;
        };
        if inline_secret.is_none() && section.has("secret") {
            inline_secret = Some(section.at("secret"));
        }
        webhooks.extend(read_webhook(&mut section, &mut names, source));
    }
    if let Some(at) = inline_secret.filter(|_| source.readable_by_others) {
        let fault = Fault::ReadableByOthers {
            file: "this file",
            what: SECRET_SOURCES.what,
        };
        root.refuse_at(at, fault);
    }
    webhooks
}

fn read_webhook(
    section: &mut Section<'_, '_, '_>,
    names: &mut BTreeMap<String, usize>,
    source: &Source<'_>,
) -> Option<Webhook> {
    let name = section.require("name", &WEBHOOK_NAME);
    if let Some(name) = &name {
        section.unique("name", "name", name.clone(), names);
    }
    let address = read_url(section);
    let secret = SECRET_SOURCES.read(section, source);
    let events = read_events(section);
    Some(Webhook {
        name: name?,
        destination: Destination {
            address: address?,
            secret: secret?.1,
        },
        events,
    })
}

fn read_url(section: &mut Section<'_, '_, '_>) -> Option<Address> {
    let allow_plain_http = section.read("allow_plain_http", &SWITCH).unwrap_or(false);
    let address = section.require("url", &WEBHOOK_URL)?;
    let is_safe = address.is_encrypted() || (allow_plain_http && address.is_this_machine());
    if !is_safe {
        section.refuse("url", Fault::PlainHttp("url"));
    }
    Some(address)
}

fn read_events(section: &mut Section<'_, '_, '_>) -> BTreeSet<NotificationKind> {
    if !section.has("events") {
        return NotificationKind::ALL.into();
    }
    if section.is_empty_list("events") {
        section.refuse("events", Fault::NoEvents);
    }
    let mut seen = BTreeMap::new();
    for (at, kind) in section.list("events", &EVENT) {
        if let Some(first) = seen.insert(kind, at) {
            let line = section.line(first);
            let what = "event";
            section.refuse_at(at, Fault::Duplicate { what, line });
        }
    }
    seen.into_keys().collect()
}
