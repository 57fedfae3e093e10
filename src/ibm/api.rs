//! The APIs of IBM Cloud that are called, and where each is (`ibm-cloud.md` 1.1).
//!
//! Plain values. Promises that nothing gets into a host's name but a region's, which is checked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::settings::{BaseUrl, BaseUrlError};

/// What stands for the region in the address of a regional API.
const REGION: &str = "{region}";

/// The same where it is a part of a host's name.
const LABEL: &str = "{region}.";

/// What is called a region and is none: Container Registry's usual place.
const GLOBAL: &str = "global";

/// An API of IBM Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// Tokens, IAM Identity, policies and access groups.
    Iam,
    /// Resource Controller and Resource Manager.
    ResourceController,
    /// Global Search.
    GlobalSearch,
    /// Global Tagging.
    GlobalTagging,
    /// User Management.
    UserManagement,
    /// Account Management.
    AccountManagement,
    /// Context-based restrictions.
    Restrictions,
    /// Kubernetes and OpenShift clusters.
    Containers,
    /// Transit Gateway.
    TransitGateway,
    /// Direct Link.
    DirectLink,
    /// DNS Services.
    Dns,
    /// Virtual private clouds, in each region.
    Vpc,
    /// Container Registry, in each of its own regions.
    Registry,
    /// Code Engine, in each region.
    CodeEngine,
    /// Key Protect, in each region.
    KeyProtect,
    /// Schematics, in each of its own locations.
    Schematics,
}

/// Where an API is: its key in the configuration, IBM's production address, and what is appended to
/// an address that all APIs share. Those beyond the first six have paths in common.
type Place = (Api, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const PLACES: [Place; 16] = [
    (Api::Iam, "iam", "https://iam.cloud.ibm.com", ""),
    (Api::ResourceController, "resource_controller", "https://resource-controller.cloud.ibm.com", ""),
    (Api::GlobalSearch, "global_search", "https://api.global-search-tagging.cloud.ibm.com", ""),
    (Api::GlobalTagging, "global_tagging", "https://tags.global-search-tagging.cloud.ibm.com", ""),
    (Api::UserManagement, "user_management", "https://user-management.cloud.ibm.com", ""),
    (Api::AccountManagement, "account_management", "https://accounts.cloud.ibm.com", ""),
    (Api::Restrictions, "context_based_restrictions", "https://cbr.cloud.ibm.com", "/cbr"),
    (Api::Containers, "containers", "https://containers.cloud.ibm.com/global", "/containers"),
    (Api::TransitGateway, "transit_gateway", "https://transit.cloud.ibm.com", "/transit"),
    (Api::DirectLink, "direct_link", "https://directlink.cloud.ibm.com", "/directlink"),
    (Api::Dns, "dns", "https://api.dns-svcs.cloud.ibm.com", "/dns"),
    (Api::Vpc, "vpc", "https://{region}.iaas.cloud.ibm.com", "/vpc/{region}"),
    (Api::Registry, "container_registry", "https://{region}.icr.io", "/registry/{region}"),
    (Api::CodeEngine, "code_engine", "https://api.{region}.codeengine.cloud.ibm.com", "/codeengine/{region}"),
    (Api::KeyProtect, "key_protect", "https://{region}.kms.cloud.ibm.com", "/keyprotect/{region}"),
    (Api::Schematics, "schematics", "https://{region}.schematics.cloud.ibm.com", "/schematics/{region}"),
];

impl Api {
    /// Returns the API with this key in the configuration.
    #[must_use]
    pub fn by_key(key: &str) -> Option<Self> {
        let found = PLACES.iter().find(|(_, name, ..)| *name == key);
        found.map(|(api, ..)| *api)
    }

    /// Returns the API's key in the configuration.
    pub(super) fn key(self) -> &'static str {
        let found = PLACES.iter().find(|(api, ..)| *api == self);
        found.map_or("", |(_, key, ..)| key)
    }

    /// Returns what every request to the API has to say in its query. VPC's behaviour depends on
    /// the date (8.1), so it is pinned; Transit Gateway and Direct Link want one as well.
    pub(super) fn fixed_query(self) -> Option<&'static str> {
        match self {
            Self::Vpc => Some("version=2026-10-06&generation=2"),
            Self::TransitGateway | Self::DirectLink => Some("version=2026-10-06"),
            _ => None,
        }
    }
}

/// Where each API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints(BTreeMap<Api, Endpoint>);

impl Endpoints {
    /// Returns IBM Cloud's production endpoints.
    #[must_use]
    pub fn production() -> Self {
        let places = PLACES.iter();
        // A test reads every one of them.
        let places = places.map(|(api, _, url, _)| (*api, Endpoint((*url).to_owned())));
        Self(places.collect())
    }

    /// Returns endpoints that are all at one address, as the simulator's are: those whose paths
    /// would collide each under a prefix.
    #[must_use]
    pub fn all_at(url: &BaseUrl) -> Self {
        let places = PLACES
            .iter()
            .map(|(api, _, _, prefix)| (*api, Endpoint(format!("{url}{prefix}"))));
        Self(places.collect())
    }

    /// Says where an API is.
    pub fn set(&mut self, api: Api, endpoint: Endpoint) {
        self.0.insert(api, endpoint);
    }

    /// Returns where an API is; a regional one, in this region.
    #[must_use]
    pub fn of(&self, api: Api, region: Option<&Region>) -> BaseUrl {
        let Endpoint(template) = &self.0[&api];
        BaseUrl::trusted(match region.map_or("", Region::as_str) {
            // `https://icr.io` is the one without a region before it.
            GLOBAL => template.replace(LABEL, "").replace(REGION, GLOBAL),
            region => template.replace(REGION, region),
        })
    }
}

/// The address of an API, in which `{region}` may stand for a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl FromStr for Endpoint {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What is safe with one region is safe with any: a region's name is nothing but a label.
        let _: BaseUrl = text.replace(REGION, "region").parse()?;
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// The name of a region, which becomes part of a host's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// Takes a region's name if it is one: lowercase letters, digits and hyphens.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let charset = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_label = (1..=63).contains(&name.len()) && name.bytes().all(charset);
        is_label.then(|| Self(name.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_endpoints_are_valid_addresses_with_or_without_a_region() {
        let production = Endpoints::production();
        let region = Region::new("eu-de");
        for (api, key, text, prefix) in PLACES {
            assert_eq!(Api::by_key(key), Some(api));
            assert_eq!(text.contains(REGION), prefix.contains(REGION), "{key}");
            let url = production.of(api, region.as_ref());
            assert_eq!(url.as_str().parse().as_ref(), Ok(&url), "{key}");
        }
    }

    #[test]
    fn region_is_put_where_it_belongs() {
        let region = Region::new("eu-de").unwrap();
        let vpc = Endpoints::production().of(Api::Vpc, Some(&region));
        assert_eq!(vpc.as_str(), "https://eu-de.iaas.cloud.ibm.com");
        let global = Region::new(GLOBAL).unwrap();
        let registry = Endpoints::production().of(Api::Registry, Some(&global));
        assert_eq!(registry.as_str(), "https://icr.io");
        let all = Endpoints::all_at(&"http://127.0.0.1:1".parse().unwrap());
        let registry = all.of(Api::Registry, Some(&global));
        assert_eq!(registry.as_str(), "http://127.0.0.1:1/registry/global");
    }

    #[test]
    fn nothing_but_a_label_is_a_region() {
        for name in [
            "",
            "eu/de",
            "eu.de",
            "EU",
            "eu-de@evil.example",
            &"x".repeat(64),
        ] {
            assert_eq!(Region::new(name), None, "{name}");
        }
    }
}
