//! What each part of the service is told of the configuration, in its own words: the parts do not know
//! the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use acctpool_actors::pool::{self, AccountId, AccountType};

use super::StartError;
use crate::config::{self, Config};
use crate::http;
use crate::ibm::{self, Baselines};

/// Returns the accounts of the pool.
pub(super) fn pool_accounts(config: &Config) -> Vec<(AccountId, AccountType)> {
    let accounts = config.accounts.iter();
    accounts
        .map(|account| {
            (
                account.id.as_str().into(),
                account.account_type.as_str().into(),
            )
        })
        .collect()
}

/// Returns what the pool goes by.
pub(super) fn pool_policy(config: &Config) -> pool::Policy {
    let of_type = |settings: &config::TypeSettings| pool::TypePolicy {
        default_duration: settings.default_duration,
        max_duration: settings.max_duration,
    };
    pool::Policy {
        types: config
            .types
            .iter()
            .map(|(label, settings)| (label.as_str().into(), of_type(settings)))
            .collect(),
        tokens: config
            .token_settings
            .iter()
            .map(|(name, settings)| (name.as_str().into(), token_limits(settings)))
            .collect(),
        ..config.policy.clone()
    }
}

fn token_limits(settings: &config::TokenSettings) -> pool::TokenLimits {
    let types = settings.types.as_ref();
    pool::TokenLimits {
        types: types.map(|types| types.iter().map(|label| label.as_str().into()).collect()),
        max_duration: settings.max_duration,
        max_reservations: settings.max_reservations.map(|count| count as usize),
    }
}

/// Returns what the IBM adapter needs to know of each configured account.
pub fn ibm_settings(
    config: &Config,
    baselines: &Arc<dyn Baselines>,
) -> Result<Vec<ibm::Settings>, StartError> {
    let settings_of = general_settings(config, baselines)?;
    let accounts = config.accounts.iter();
    Ok(accounts
        .map(|account| ibm::Settings {
            api_key: Some(account.api_key.clone()),
            owner: account.owner.clone(),
            rights: match config.types[&account.account_type].rights {
                config::Rights::Standard => ibm::Rights::Standard,
                config::Rights::Administrator => ibm::Rights::Administrator,
            },
            profile: match config.types[&account.account_type].profile {
                config::Profile::Full => ibm::Profile::Full,
                config::Profile::Lite => ibm::Profile::Lite,
            },
            ..settings_of(account.id.as_str().into())
        })
        .collect())
}

/// Returns what makes settings of the IBM adapter for an account without an entry of its own.
pub(super) fn general_settings(
    config: &Config,
    baselines: &Arc<dyn Baselines>,
) -> Result<impl Fn(AccountId) -> ibm::Settings + use<>, StartError> {
    let baselines = Arc::clone(baselines);
    let endpoints = Arc::new(ibm_endpoints(&config.ibm.endpoints)?);
    let keep = ibm_keep(&config.keep)?;
    let protected: BTreeSet<AccountId> = config
        .keep
        .protected_accounts
        .iter()
        .map(|id| id.as_str().into())
        .collect();
    let limits = ibm::Limits {
        request_timeout: config.ibm.request_timeout,
        requests_per_host: config.ibm.requests_at_once as usize,
        backoff_min: config.policy.backoff_min,
        // Longer pauses are the pool's.
        backoff_max: config
            .policy
            .backoff_max
            .min(ibm::Limits::default().backoff_max),
        ..ibm::Limits::default()
    };
    Ok(move |account| ibm::Settings {
        account,
        api_key: None,
        owner: None,
        rights: ibm::Rights::Standard,
        keep: keep.clone(),
        protected: protected.clone(),
        endpoints: Arc::clone(&endpoints),
        limits,
        profile: ibm::Profile::Full,
        baselines: Arc::clone(&baselines),
    })
}

fn ibm_endpoints(endpoints: &config::Endpoints) -> Result<ibm::Endpoints, StartError> {
    let refused = |url: &String| {
        let url = url.clone();
        move |source| StartError::Endpoint { url, source }
    };
    let mut at = match &endpoints.all {
        Some(url) => ibm::Endpoints::all_at(&url.parse().map_err(refused(url))?),
        None => ibm::Endpoints::production(),
    };
    for (key, url) in &endpoints.single {
        let api = ibm::Api::by_key(key).expect("a test compares the keys of both");
        at.set(api, url.parse().map_err(refused(url))?);
    }
    Ok(at)
}

fn ibm_keep(keep: &config::Keep) -> Result<ibm::Keep, StartError> {
    let known: BTreeSet<&str> = ibm::collections().collect();
    let mut named = keep.collections.iter();
    if let Some(name) = named.find(|name| !known.contains(name.as_str())) {
        let name = name.clone();
        return Err(StartError::UnknownCollection { name });
    }
    Ok(ibm::Keep {
        collections: keep.collections.clone(),
        crns: keep.crns.clone(),
        users: keep.users.clone(),
        places: keep.created_before.map(|created_before| ibm::Places {
            resource_groups: keep.resource_groups.clone(),
            tag: Some(keep.tag.clone()),
            created_before,
        }),
    })
}

/// Returns what the HTTP server goes by.
pub(super) fn http_settings(config: &Config) -> Result<http::Settings, StartError> {
    let server = &config.server;
    let iam = ibm_endpoints(&config.ibm.endpoints)?.of(ibm::Api::Iam, None);
    Ok(http::Settings {
        allow_query_tokens: server.allow_query_tokens,
        trusted_proxies: server.trusted_proxies.clone(),
        certificate: server.certificate.clone(),
        max_connections: server.max_connections as usize,
        client_timeout: server.client_timeout,
        shutdown_timeout: server.shutdown_timeout,
        iam_url: iam.as_str().into(),
        ..http::Settings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_in_the_example_are_those_that_are_used() {
        let mut production = ibm::Endpoints::production();
        let keys = config::ENDPOINT_KEYS.into_iter().flatten();
        for key in keys {
            let mut lines = include_str!("../../accounts.example.toml").lines();
            let setting = format!("#{key} = \"");
            let url = lines.find_map(|line| line.strip_prefix(&setting)?.strip_suffix('"'));
            let url = url.expect(key).parse().unwrap();
            production.set(ibm::Api::by_key(key).expect(key), url);
        }
        assert_eq!(production, ibm::Endpoints::production());
    }
}
