//! Another configuration for the running service.
//!
//! Everything that can be refused is looked at first, so that a configuration is taken as a whole or
//! not at all. Then each part hears of it in an order in which nothing is ever more permissive than
//! both configurations are: the cleaners, the pool, the tokens, and last the webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use acctpool_actors::pool::{AccountId, Reconfigure, Reconfigured, TokenChanges, TokenId};
use acctpool_actors::{AuditUnavailable, CleanerActor, Employ, PoolUnavailable, Succeed};
use actix::Addr;
use tokio::time::sleep;

use super::settings::{general_settings, http_settings, ibm_settings, pool_accounts, pool_policy};
use super::webhooks::Notifiers;
use super::{App, Callers, StartError, recipients};
use crate::certificate::Certificate;
use crate::config::{Config, TokenSettings};
use crate::http;
use crate::ibm::{self, Baselines, Ibm};
use crate::token::{TokenHash, TokenName};

/// The pause before a pool is asked again that has too much to do.
const PAUSE: Duration = Duration::from_millis(50);

/// What the service runs on at present.
pub(super) struct Running {
    config: Config,
    baselines: Arc<dyn Baselines>,
    /// By what each cleaner works, those of accounts included that the file does not name any more.
    settings: BTreeMap<AccountId, ibm::Settings>,
    cleaners: BTreeMap<AccountId, Addr<CleanerActor<Ibm>>>,
    notifiers: Notifiers,
}

/// What became of another configuration.
#[derive(Debug)]
pub struct Reloaded {
    /// What it changed in the pool, and of the tokens.
    pub pool: Reconfigured,
    /// Whether the calls to IBM Cloud are made otherwise.
    pub ibm: bool,
    /// Whether requests are answered otherwise.
    pub server: bool,
    /// The certificate that is shown from now on, if it is another one.
    pub certificate: Option<Certificate>,
    /// Whether others are told of what happens, or otherwise.
    pub webhooks: bool,
    /// The settings that stay as they were until the next start.
    pub needs_restart: Vec<&'static str>,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (!self.pool.is_nothing()).then(|| self.pool.to_string()),
            self.ibm.then(|| "calls to IBM Cloud changed".to_owned()),
            self.server.then(|| "[server] changed".to_owned()),
            self.certificate
                .as_ref()
                .map(|new| format!("another certificate, {new}")),
            self.webhooks.then(|| "webhooks changed".to_owned()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match &parts[..] {
            [] => f.write_str("nothing changed"),
            _ => f.write_str(&parts.join(", ")),
        }
    }
}

/// Why another configuration is not in force. Everything is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The service could not be started on it either.
    #[error(transparent)]
    Refused(#[from] StartError),
    /// The pool has stopped.
    #[error(transparent)]
    Pool(#[from] PoolUnavailable),
    /// Nobody can tell where a new webhook begins.
    #[error(transparent)]
    Audit(#[from] AuditUnavailable),
}

impl App {
    /// Goes on with another configuration. Leases and those who wait stay; an account that is not in it
    /// any more leaves once it is free and clean.
    pub async fn reload(&self, config: Config) -> Result<Reloaded, ReloadError> {
        let mut running = self.running.lock().await;
        let wanted = running.settings_by(&config)?;
        let answers = answers(&self.settings.load(), http_settings(&config)?);
        let end = self.webhooks.end().await?;

        let employed = self.employ(&running, &wanted).await?;
        let ibm = running.replace_adapters(&wanted);
        let changed = running.cleaned_otherwise(&wanted);
        let mut policy = pool_policy(&config);
        for (token, limits) in pool_policy(&running.config).tokens {
            // A request that was let in just now is bound by what held then.
            policy.tokens.entry(token).or_insert(limits);
        }
        let pool = self.reconfigure(Reconfigure {
            policy,
            accounts: pool_accounts(&config).into_iter().collect(),
            changed,
            tokens: token_changes(&running.config, &config),
        });
        let pool = pool.await?;

        let present = self.settings.load_full();
        let certificate = answers.certificate.clone();
        let certificate = certificate.filter(|new| present.certificate.as_ref() != Some(new));
        let server = differ_but_for_the_certificate(&present, &answers);
        self.settings.store(answers);
        self.callers.store(Arc::new(Callers::of(&config)));
        let webhooks = running.config.webhooks != config.webhooks;
        let notifiers = &mut running.notifiers;
        let told = self.webhooks.go_on(notifiers, &config.webhooks, end).await;
        let needs_restart = needs_restart(&running.config, &config);
        running.cleaners.extend(employed);
        running.settings = wanted;
        running.config = config;
        told?;
        Ok(Reloaded {
            pool,
            ibm,
            server,
            certificate,
            webhooks,
            needs_restart,
        })
    }

    /// Gives accounts that never had one a cleaner.
    async fn employ(
        &self,
        running: &Running,
        wanted: &BTreeMap<AccountId, ibm::Settings>,
    ) -> Result<BTreeMap<AccountId, Addr<CleanerActor<Ibm>>>, ReloadError> {
        let new = wanted.values();
        let new = new.filter(|settings| !running.cleaners.contains_key(&settings.account));
        let employed = self.cleaners.employ(new.cloned().collect()).await?;
        let introduced = self.cleaners.pool.send(Employ(recipients(&employed))).await;
        introduced.map_err(|_| PoolUnavailable::Stopped)?;
        Ok(employed)
    }

    /// Asks the pool until it has room: half of a configuration is in force by now.
    async fn reconfigure(&self, wanted: Reconfigure) -> Result<Reconfigured, PoolUnavailable> {
        loop {
            match self.pool.ask(wanted.clone()).await {
                Err(PoolUnavailable::Full) => sleep(PAUSE).await,
                answered => return answered,
            }
        }
    }
}

impl Running {
    pub(super) fn new(
        config: Config,
        baselines: Arc<dyn Baselines>,
        settings: Vec<ibm::Settings>,
        cleaners: BTreeMap<AccountId, Addr<CleanerActor<Ibm>>>,
        notifiers: Notifiers,
    ) -> Self {
        let by_account = |settings: ibm::Settings| (settings.account.clone(), settings);
        Self {
            config,
            baselines,
            settings: settings.into_iter().map(by_account).collect(),
            cleaners,
            notifiers,
        }
    }

    /// Returns by what each cleaner is to work. Those of accounts that have left keep the account's own
    /// settings, without which they could not finish, and obey what holds for all: the protected ones
    /// above all.
    fn settings_by(
        &self,
        config: &Config,
    ) -> Result<BTreeMap<AccountId, ibm::Settings>, StartError> {
        let named = ibm_settings(config, &self.baselines)?.into_iter();
        let mut wanted: BTreeMap<_, _> = named
            .map(|settings| (settings.account.clone(), settings))
            .collect();
        let settings_of = general_settings(config, &self.baselines)?;
        for (account, present) in &self.settings {
            wanted
                .entry(account.clone())
                .or_insert_with(|| ibm::Settings {
                    api_key: present.api_key.clone(),
                    owner: present.owner.clone(),
                    rights: present.rights,
                    profile: present.profile,
                    ..settings_of(account.clone())
                });
        }
        Ok(wanted)
    }

    /// Returns the accounts in which other rules hold from now on.
    fn cleaned_otherwise(
        &self,
        wanted: &BTreeMap<AccountId, ibm::Settings>,
    ) -> BTreeSet<AccountId> {
        let known = self.settings.iter();
        let changed = known.filter(|(account, present)| !present.agrees_with(&wanted[*account]));
        changed.map(|(account, _)| account.clone()).collect()
    }

    /// Tells the cleaners by what to work; returns whether that is news to any.
    fn replace_adapters(&self, wanted: &BTreeMap<AccountId, ibm::Settings>) -> bool {
        let mut is_news = false;
        for (account, cleaner) in &self.cleaners {
            let (present, wanted) = (&self.settings[account], &wanted[account]);
            let agrees = present.agrees_with(wanted);
            if agrees && present.limits == wanted.limits {
                continue;
            }
            is_news = true;
            let settings = wanted.clone();
            cleaner.do_send(Succeed(Box::new(move |present: &Ibm| {
                if !agrees {
                    // What is kept from now on must not be deleted by a pass that began before.
                    present.end();
                }
                present.succeeded_by(settings)
            })));
        }
        is_news
    }
}

/// Returns the settings of HTTP that hold at once, in those that hold.
fn answers(present: &http::Settings, wanted: http::Settings) -> Arc<http::Settings> {
    Arc::new(http::Settings {
        allow_query_tokens: wanted.allow_query_tokens,
        trusted_proxies: wanted.trusted_proxies,
        iam_url: wanted.iam_url,
        // Whether there is one takes a restart: a socket speaks TLS or does not.
        certificate: match (&present.certificate, wanted.certificate) {
            (Some(_), Some(another)) => Some(another),
            (present, _) => present.clone(),
        },
        ..present.clone()
    })
}

fn differ_but_for_the_certificate(present: &http::Settings, wanted: &http::Settings) -> bool {
    let wanted = http::Settings {
        certificate: present.certificate.clone(),
        ..wanted.clone()
    };
    wanted != *present
}

fn token_changes(present: &Config, wanted: &Config) -> TokenChanges {
    let (present, wanted) = (proofs(present), proofs(wanted));
    let id = |name: &TokenName| TokenId::from(name.as_str());
    let changed = |(name, proof): &(&&TokenName, &(TokenHash, Option<&TokenSettings>))| {
        present.get(**name).is_some_and(|before| before != *proof)
    };
    TokenChanges {
        added: wanted
            .keys()
            .filter(|name| !present.contains_key(*name))
            .map(|name| id(name))
            .collect(),
        removed: present
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .map(|name| id(name))
            .collect(),
        changed: wanted
            .iter()
            .filter(changed)
            .map(|(name, _)| id(name))
            .collect(),
    }
}

/// Returns what proves each token, and what it may do.
fn proofs(config: &Config) -> BTreeMap<&TokenName, (TokenHash, Option<&TokenSettings>)> {
    let tokens = config.tokens.iter();
    tokens
        .map(|(hash, name)| (name, (*hash, config.token_settings.get(name))))
        .collect()
}

/// Returns the settings that differ and are read at a start only.
fn needs_restart(present: &Config, wanted: &Config) -> Vec<&'static str> {
    let (was, is) = (&present.server, &wanted.server);
    let settings = [
        ("[server] bind", was.bind != is.bind),
        (
            "[server] tls_certificate",
            was.certificate.is_some() != is.certificate.is_some(),
        ),
        (
            "[server] max_connections",
            was.max_connections != is.max_connections,
        ),
        (
            "[server] client_timeout",
            was.client_timeout != is.client_timeout,
        ),
        (
            "[server] shutdown_timeout",
            was.shutdown_timeout != is.shutdown_timeout,
        ),
        ("[audit] file", present.audit != wanted.audit),
    ];
    let differ = settings.into_iter().filter(|(_, differs)| *differs);
    differ.map(|(name, _)| name).collect()
}
