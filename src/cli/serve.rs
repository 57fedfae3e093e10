//! `acctpool serve`: the service itself.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{Fingerprint, Generation};
use acctpool_actors::store::{AuditReader, Store, StoreError};
use clap::Args;
use log::{error, info, warn};
use uuid::Uuid;

use super::interrupt::interrupted;
use super::reload::Reloads;
use super::state_dir::{KeySource, StateDir};
use super::upkeep::{Requests, Upkeep};
use super::{Failure, descriptors, load_config};
use crate::app::{App, Parts};
use crate::baselines::FileBaselines;
use crate::clock::SystemClock;
use crate::config::{Config, ConfigError, Files, Report};
use crate::ibm::Baselines;
use crate::keyring::Keyring;
use crate::store::SqliteStore;

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    state: StateDir,
}

/// Where the configuration is, and what comes before it.
#[derive(Args, Clone, Debug)]
pub(super) struct Configuration {
    /// The configuration file.
    #[arg(
        id = "config",
        long = "config",
        value_name = "FILE",
        env = "ACCTPOOL_CONFIG"
    )]
    pub(super) file: PathBuf,
    /// Where to listen; comes before the file's setting.
    #[arg(long, value_name = "ADDRESS:PORT", env = "ACCTPOOL_BIND")]
    bind: Option<SocketAddr>,
}

impl Configuration {
    /// Reads it. The report holds its warnings; the files are those that were read, as they were just
    /// before.
    pub(super) fn read(&self) -> (Files, Result<(Config, Report), Failure>) {
        let files = Files::of(&self.file);
        let loaded = load_config(&self.file);
        let files = match &loaded {
            Ok((_, report)) | Err(ConfigError::Refused(report)) => files.and(report.files()),
            Err(ConfigError::Unreadable { .. }) => files,
        };
        let read = loaded.map_err(Failure::from);
        (files, read.and_then(|read| self.come_before(read)))
    }

    fn come_before(
        &self,
        (mut config, report): (Config, Report),
    ) -> Result<(Config, Report), Failure> {
        if let Some(bind) = self.bind {
            config
                .server
                .bind_to(bind)
                .map_err(|refused| Failure::Found(format!("--bind {bind}: {refused}")))?;
        }
        Ok((config, report))
    }
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (files, read) = self.configuration.read();
        let (config, report) = read?;
        for problem in report.to_string().lines() {
            warn!("{problem}");
        }
        // Held until the process ends.
        let directory = self.state.take()?;
        let master_keys = self.state.master_keys()?;
        let has_previous = master_keys.previous.is_some();
        let mut store = SqliteStore::open(&directory.database(), SystemClock.now())
            .map_err(Failure::of("cannot keep records"))?;
        let known = store
            .master_keys()
            .map_err(Failure::of("cannot keep records"))?;
        let mut keyring = Keyring::of_store(master_keys, store.id(), &known)
            .map_err(Failure::of("cannot use the records with this master key"))?;
        if store.is_copy() {
            keyring = adopt(&mut store, keyring, &known)?;
        }
        if let Some(file) = &config.audit.file {
            store
                .write_audit_to(file)
                .map_err(Failure::of("cannot keep the audit"))?;
        }
        let audit = SqliteStore::inspect(&directory.database())
            .map_err(Failure::of("cannot read the audit"))?;
        if let Some(head) = store.audit_head() {
            info!("the audit ends at {head}");
        }
        let upkeep = Upkeep {
            own_keys: match self.state.key_source()? {
                KeySource::Own(files) => Some(files),
                KeySource::Named { .. } => None,
            },
            has_previous,
            requests: Requests::of(&self.state.path()?),
        };
        let baselines = Arc::new(FileBaselines::within(&self.state.path()?));
        descriptors::allow_many();
        let listener = listen(config.server.bind)?;
        actix_rt::System::new().block_on(async {
            let end = interrupted().map_err(Failure::of("cannot listen for signals"))?;
            let reloads = Reloads::of(self.configuration, files)
                .map_err(Failure::of("cannot listen for signals"))?;
            let app = start(config, keyring, store, audit, baselines, listener).await?;
            tokio::select! {
                () = end => {}
                never = upkeep.go_on(&app) => match never {},
                never = reloads.go_on(&app) => match never {},
            }
            app.stop().await;
            info!("ended; leases stay alive until their expiration");
            Ok(())
        })
    }
}

/// Goes on from a copy of other records, under the same master key.
fn adopt(
    store: &mut SqliteStore,
    keyring: Keyring,
    known: &BTreeMap<Generation, Fingerprint>,
) -> Result<Keyring, Failure> {
    let id = Uuid::new_v4();
    let keyring = keyring.beside(id);
    let mut master_keys = keyring.fingerprints();
    master_keys.retain(|generation, _| known.contains_key(generation));
    let ended = store
        .adopt(id, &master_keys, SystemClock.now())
        .map_err(Failure::of("cannot keep records"))?;
    warn!("the records are a copy of other ones: {ended} leases were ended");
    Ok(keyring)
}

pub(super) fn listen(bind: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(bind).map_err(Failure::of(format!("cannot listen on {bind}")))
}

/// Starts the service on the real clock.
pub(super) async fn start(
    config: Config,
    keyring: Keyring,
    store: impl Store,
    audit: impl AuditReader,
    baselines: Arc<dyn Baselines>,
    listener: TcpListener,
) -> Result<App, Failure> {
    let accounts = config.accounts.len();
    if let Some(certificate) = &config.server.certificate {
        info!("the certificate is {certificate}");
    }
    let app = App::start(Parts {
        config,
        keyring,
        store,
        audit: Box::new(audit),
        on_store_failure: Box::new(end_at_once),
        baselines,
        clock: Arc::new(SystemClock),
        listener,
    })
    .await
    .map_err(Failure::of("cannot start"))?;
    info!("listening on {}, {accounts} accounts", app.url());
    Ok(app)
}

/// Memory is ahead of the disk: starting anew is the recovery.
fn end_at_once(failure: StoreError) {
    let failure = Failure::of("ending at once, since nothing can be kept")(failure);
    error!("{}", failure.message());
    log::logger().flush();
    std::process::exit(1);
}
