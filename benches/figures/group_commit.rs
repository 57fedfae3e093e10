//! How many records share a commit. The service runs in this process, on a store that counts.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use acctpool::app::{App, Parts};
use acctpool::clock::SystemClock;
use acctpool::config::Config;
use acctpool::ibm::FleetingBaselines;
use acctpool::keyring::{Keyring, MasterKey};
use acctpool::store::{SqliteStore, StateDirectory};
use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{AuditEntry, Change, ReceiptLine, Snapshot};
use acctpool_actors::store::{ReceiptsOf, Store, StoreError};
use uuid::Uuid;

use crate::Failure;
use crate::client::{Load, drive_at};
use crate::installation::{Installation, Stock};
use crate::plan::Plan;
use crate::scripts::Cycle;
use crate::table::{Goal, Table, thousands};

pub(crate) fn measure(plan: &Plan) -> Result<Vec<Table>, Failure> {
    let installation = Installation::new(Stock {
        held: 10,
        ..Stock::default()
    })?;
    let counts = Arc::new(Counts::default());
    let store = Counting {
        store: SqliteStore::open(
            &StateDirectory::database_in(&installation.path().join("state")),
            SystemClock.now(),
        )?,
        counts: Arc::clone(&counts),
    };
    actix_rt::System::new().block_on(async {
        let app = start(&installation, store).await?;
        let address = app.address();
        let mut table = Table::new(
            "Group commit",
            &[
                "connections",
                "changes/s",
                "× one",
                "goal",
                "records a commit",
                "goal",
            ],
        );
        let mut alone = None;
        for &connections in plan.connections {
            let load = Load {
                connections,
                warm_up: plan.warm_up,
                slice: plan.slice * 2,
            };
            let token = Arc::clone(&installation.token);
            let before = counts.read();
            let drive = move || drive_at(address, std::process::id(), load, |_| Cycle::new(&token));
            let rate = actix_web::rt::task::spawn_blocking(drive).await??.rate();
            let after = counts.read();
            let alone = *alone.get_or_insert(rate);
            let commits = (after.0 - before.0).max(1);
            let together = (after.1 - before.1) as f64 / commits as f64;
            let goals = match connections {
                32 => [Goal::AtLeast(10.0), Goal::AtLeast(8.0)],
                _ => [Goal::None, Goal::None],
            };
            table.row([
                connections.to_string(),
                thousands(rate),
                format!("{:.1}", rate / alone),
                goals[0].judge(rate / alone),
                format!("{together:.1}"),
                goals[1].judge(together),
            ]);
        }
        app.stop().await;
        Ok(vec![table])
    })
}

async fn start(installation: &Installation, store: Counting) -> Result<App, Failure> {
    let file = installation.path().join("accounts.toml");
    let (config, _) = Config::load(&file, &|_| None)?;
    let records = StateDirectory::database_in(&installation.path().join("state"));
    let audit = SqliteStore::inspect(&records)?;
    let parts = Parts {
        config,
        keyring: Keyring::new(MasterKey::random()?, store.id()),
        store,
        audit: Box::new(audit),
        // Shows as a request that is never answered, and so as a failed measurement.
        on_store_failure: Box::new(|error| log::error!("{error}")),
        baselines: Arc::new(FleetingBaselines::default()),
        clock: Arc::new(SystemClock),
        listener: TcpListener::bind(("127.0.0.1", 0))?,
    };
    Ok(App::start(parts).await?)
}

/// How many commits there were, and how many records were in them.
#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    records: AtomicU64,
}

impl Counts {
    fn read(&self) -> (u64, u64) {
        (
            self.commits.load(Ordering::Relaxed),
            self.records.load(Ordering::Relaxed),
        )
    }
}

struct Counting {
    store: SqliteStore,
    counts: Arc<Counts>,
}

impl Store for Counting {
    fn id(&self) -> Uuid {
        self.store.id()
    }

    fn commit(
        &mut self,
        changes: Vec<Change>,
        entries: Vec<AuditEntry>,
        lines: Vec<ReceiptLine>,
    ) -> Result<(), StoreError> {
        let records = changes.len() as u64;
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        self.counts.records.fetch_add(records, Ordering::Relaxed);
        self.store.commit(changes, entries, lines)
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.store.load()
    }

    fn receipt_lines(&mut self, of: &ReceiptsOf) -> Result<Vec<ReceiptLine>, StoreError> {
        self.store.receipt_lines(of)
    }
}
