//! Whether those who read wait for the disk while others write.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{Load, drive};
use crate::installation::{Installation, Stock};
use crate::plan::Plan;
use crate::process::Process;
use crate::scripts::{Cycle, Show};
use crate::statistics::{median, quantile};
use crate::table::{Goal, Table, brief, thousands};

const WRITERS: usize = 8;
/// What one small commit adds to the log: a page.
const PAGE: [u8; 4096] = [0; 4096];
const SYNCS: usize = 100;

pub(crate) fn measure(plan: &Plan) -> Result<Vec<Table>, Failure> {
    let installation = Installation::new(Stock {
        held: 10,
        ..Stock::default()
    })?;
    let acctpool = Process::acctpool(installation.path())?;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        rounds.push(Round::measure(plan, &installation, &acctpool)?);
    }
    let middle = |figure: fn(&Round) -> Duration| {
        let seconds = rounds.iter().map(|round| figure(round).as_secs_f64());
        Duration::from_secs_f64(median(seconds))
    };
    let ratio = |figure: fn(&Round) -> Duration| {
        let ratios = rounds
            .iter()
            .map(|round| figure(round).as_secs_f64() / round.sync.as_secs_f64());
        median(ratios)
    };
    let mut table = Table::new(
        format!("One reader beside {WRITERS} writers"),
        &["", "", "× fdatasync", "goal"],
    );
    table.row([
        "fdatasync of a page, p50".to_owned(),
        brief(middle(|round| round.sync)),
        "1.00".to_owned(),
        String::new(),
    ]);
    let (p50, p99) = (ratio(|round| round.p50), ratio(|round| round.p99));
    table.row([
        "GET, p50".to_owned(),
        brief(middle(|round| round.p50)),
        format!("{p50:.2}"),
        Goal::AtMost(1.0).judge(p50),
    ]);
    table.row([
        "GET, p99".to_owned(),
        brief(middle(|round| round.p99)),
        format!("{p99:.2}"),
        Goal::AtMost(3.0).judge(p99),
    ]);
    table.row([
        "changes/s meanwhile".to_owned(),
        thousands(median(rounds.iter().map(|round| round.changes))),
        String::new(),
        String::new(),
    ]);
    Ok(vec![table])
}

struct Round {
    sync: Duration,
    p50: Duration,
    p99: Duration,
    changes: f64,
}

impl Round {
    fn measure(
        plan: &Plan,
        installation: &Installation,
        acctpool: &Process,
    ) -> Result<Self, Failure> {
        let Installation { held, token, .. } = installation;
        let load = |connections| Load {
            connections,
            warm_up: plan.warm_up,
            slice: plan.slice,
        };
        let sync = sync_time(installation.path())?;
        let (reads, writes) = thread::scope(|scope| {
            let writers = scope.spawn(|| drive(acctpool, load(WRITERS), |_| Cycle::new(token)));
            let reads = drive(acctpool, load(1), |number| Show::new(held, token, number));
            (reads, writers.join())
        });
        let reads = reads?;
        let writes = writes.map_err(|_| "a client's thread panicked")??;
        Ok(Self {
            sync,
            p50: reads.latency(0.5),
            p99: reads.latency(0.99),
            changes: writes.rate(),
        })
    }
}

/// Returns how long it takes, typically, until a page of a file is on the disk. The file has its
/// length already, as a write-ahead log in use has: that is the fastest that a commit can be.
fn sync_time(directory: &Path) -> Result<Duration, Failure> {
    let mut file = File::create(directory.join("synced"))?;
    for _ in 0..SYNCS {
        file.write_all(&PAGE)?;
    }
    file.sync_all()?;
    file.rewind()?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        file.write_all(&PAGE)?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(quantile(&times, 0.5))
}
