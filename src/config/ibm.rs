//! `[ibm]`: where IBM Cloud's APIs are, and how they are called.

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::Fault;
use super::section::{Kind, Schema, Section};
use super::values::{BASE, Base, DURATION, REGIONAL_BASE, SWITCH, Transport};

pub(super) const SCHEMA: Schema = Schema {
    name: "[ibm]",
    keys: &[
        "endpoint",
        "iam",
        "resource_controller",
        "global_search",
        "global_tagging",
        "user_management",
        "account_management",
        "context_based_restrictions",
        "containers",
        "transit_gateway",
        "direct_link",
        "dns",
        "vpc",
        "container_registry",
        "code_engine",
        "key_protect",
        "schematics",
        "allow_plain_http",
        "request_timeout",
        "requests_at_once",
    ],
};

/// `ibm-cloud.md` 1.5 advises 4.
const REQUESTS_AT_ONCE: Kind<u32> = Kind {
    allowed: "a whole number from 1 to 64",
    convert: |value| {
        let number = value.as_integer()?;
        let count = u32::from_str_radix(number.as_str(), number.radix()).ok()?;
        (1..=64).contains(&count).then_some(count)
    },
};

/// How IBM Cloud is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ibm {
    /// Where each API is.
    pub endpoints: Endpoints,
    /// Whether plain http is allowed, for loopback addresses.
    pub allow_plain_http: bool,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How many requests may run at once, per account and host.
    pub requests_at_once: u32,
}

impl Default for Ibm {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::default(),
            allow_plain_http: false,
            request_timeout: Duration::from_secs(30),
            requests_at_once: 4,
        }
    }
}

/// APIs that are in one place.
const SINGLE: [&str; 11] = [
    "iam",
    "resource_controller",
    "global_search",
    "global_tagging",
    "user_management",
    "account_management",
    "context_based_restrictions",
    "containers",
    "transit_gateway",
    "direct_link",
    "dns",
];

/// APIs that each region has its own of.
const REGIONAL: [&str; 5] = [
    "vpc",
    "container_registry",
    "code_engine",
    "key_protect",
    "schematics",
];

/// The keys of all of them: those in one place, and those of regions.
pub const ENDPOINT_KEYS: [&[&str]; 2] = [&SINGLE, &REGIONAL];

/// The base URLs that the operator sets, without a slash at the end. What is not set is where IBM
/// Cloud's production is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Where all APIs are, as the simulator has them.
    pub all: Option<String>,
    /// Where single ones are, by key; these come before `all`. In a regional one `{region}` stands for
    /// the region.
    pub single: BTreeMap<&'static str, String>,
}

impl Endpoints {
    /// Tells whether IBM's own IAM is used.
    pub(super) fn is_production(&self) -> bool {
        self.all.is_none() && !self.single.contains_key("iam")
    }
}

impl Ibm {
    pub(super) fn read(mut section: Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let allow_plain_http = section
            .read("allow_plain_http", &SWITCH)
            .unwrap_or(default.allow_plain_http);
        Self {
            endpoints: read_endpoints(&mut section, allow_plain_http),
            allow_plain_http,
            request_timeout: section
                .read("request_timeout", &DURATION)
                .unwrap_or(default.request_timeout),
            requests_at_once: section
                .read("requests_at_once", &REQUESTS_AT_ONCE)
                .unwrap_or(default.requests_at_once),
        }
    }
}

fn read_endpoints(section: &mut Section<'_, '_, '_>, allow_plain_http: bool) -> Endpoints {
    let mut read = |key, kind| {
        let Base { url, transport } = section.read(key, kind)?;
        let is_safe = match transport {
            Transport::Https => true,
            Transport::HttpToLoopback => allow_plain_http,
            Transport::HttpElsewhere => false,
        };
        if !is_safe {
            section.refuse(key, Fault::PlainHttp(key));
        }
        Some(url)
    };
    let all = read("endpoint", &BASE);
    let single = SINGLE.map(|key| (key, &BASE));
    let regional = REGIONAL.map(|key| (key, &REGIONAL_BASE));
    let set = single.into_iter().chain(regional);
    Endpoints {
        all,
        single: set
            .filter_map(|(key, kind)| Some((key, read(key, kind)?)))
            .collect(),
    }
}
