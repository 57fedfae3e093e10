//! `[ibm]`: where IBM Cloud's APIs are, and how they are called.

use std::time::Duration;

use super::report::Fault;
use super::section::{Kind, Schema, Section};
use super::values::{BASE, Base, DURATION, SWITCH, Transport};

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

/// The base URL of each API, without a slash at the end. The defaults are those of production
/// (`ibm-cloud.md` 1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Tokens, identity, policies, access groups.
    pub iam: String,
    /// Resource instances, keys, aliases, reclamations, resource groups.
    pub resource_controller: String,
    /// Global Search.
    pub global_search: String,
    /// Global Tagging.
    pub global_tagging: String,
    /// Users.
    pub user_management: String,
    /// The account itself.
    pub account_management: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        let https = |host: &str| format!("https://{host}.cloud.ibm.com");
        Self {
            iam: https("iam"),
            resource_controller: https("resource-controller"),
            global_search: https("api.global-search-tagging"),
            global_tagging: https("tags.global-search-tagging"),
            user_management: https("user-management"),
            account_management: https("accounts"),
        }
    }
}

impl Endpoints {
    /// Returns endpoints that are all the same one, as the simulator has them.
    #[must_use]
    pub fn all_at(base: &str) -> Self {
        let mut endpoints = Self::default();
        for (_, endpoint) in endpoints.by_key() {
            base.clone_into(endpoint);
        }
        endpoints
    }

    /// Tells whether IBM's own IAM is used.
    pub(super) fn is_production(&self) -> bool {
        self.iam == Self::default().iam
    }

    fn by_key(&mut self) -> [(&'static str, &mut String); 6] {
        [
            ("iam", &mut self.iam),
            ("resource_controller", &mut self.resource_controller),
            ("global_search", &mut self.global_search),
            ("global_tagging", &mut self.global_tagging),
            ("user_management", &mut self.user_management),
            ("account_management", &mut self.account_management),
        ]
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
    let mut read = |key| {
        let Base { url, transport } = section.read(key, &BASE)?;
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
    let mut endpoints = match read("endpoint") {
        Some(base) => Endpoints::all_at(&base),
        None => Endpoints::default(),
    };
    for (key, endpoint) in endpoints.by_key() {
        if let Some(url) = read(key) {
            *endpoint = url;
        }
    }
    endpoints
}
