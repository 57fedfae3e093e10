//! How long a start takes until reads are served, and what everything weighs.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::http::body;
use crate::installation::{Installation, Stock};
use crate::plan::Plan;
use crate::process::Process;
use crate::statistics::median;
use crate::table::{Goal, Table, brief, thousands};

/// Few enough to weigh nothing.
const FEW: usize = 10;

pub(crate) fn measure(plan: &Plan) -> Result<Vec<Table>, Failure> {
    let empty = Started::measure(plan, stock(FEW, 0))?;
    let mut table = Table::new(
        "Start, and weight",
        &[
            "reservations",
            "accounts",
            "until a read is served",
            "goal",
            "resident",
            "per reservation",
            "goal",
            "per account",
            "goal",
        ],
    );
    table.row(cells(FEW, FEW, &empty, Goal::None, [None, None]));
    let mut per_reservation = 0.0;
    for &ended in plan.starts {
        let started = Started::measure(plan, stock(FEW, ended))?;
        per_reservation = (started.resident - empty.resident) / ended as f64;
        let goal = Goal::AtMost(match ended {
            0..=10_000 => 0.5,
            10_001..=100_000 => 1.0,
            _ => 10.0,
        });
        let weights = [Some(per_reservation), None];
        table.row(cells(ended, FEW, &started, goal, weights));
    }
    let accounts = plan.accounts.last().copied().unwrap_or(FEW);
    let started = Started::measure(plan, stock(accounts, 0))?;
    // Each account comes with the reservation that holds it.
    let both = (started.resident - empty.resident) / accounts as f64;
    let weights = [None, Some(both - per_reservation)];
    table.row(cells(accounts, accounts, &started, Goal::None, weights));
    Ok(vec![table])
}

fn stock(held: usize, ended: usize) -> Stock {
    Stock {
        held,
        ended,
        ..Stock::default()
    }
}

fn cells(
    reservations: usize,
    accounts: usize,
    started: &Started,
    goal: Goal,
    [per_reservation, per_account]: [Option<f64>; 2],
) -> Vec<String> {
    let seconds = started.took.as_secs_f64();
    let kibibytes = |bytes: Option<f64>| bytes.map(|bytes| bytes / 1024.0);
    let weight =
        |bytes| kibibytes(bytes).map_or(String::new(), |weight| format!("{weight:.2} KiB"));
    let judge = |bytes, limit| {
        kibibytes(bytes).map_or(String::new(), |weight| Goal::AtMost(limit).judge(weight))
    };
    vec![
        thousands(reservations as f64),
        thousands(accounts as f64),
        brief(started.took),
        goal.judge(seconds),
        format!("{:.0} MiB", started.resident / 1024.0 / 1024.0),
        weight(per_reservation),
        judge(per_reservation, 2.0),
        weight(per_account),
        judge(per_account, 4.0),
    ]
}

struct Started {
    took: Duration,
    /// In bytes, once it is at rest.
    resident: f64,
}

impl Started {
    fn measure(plan: &Plan, stock: Stock) -> Result<Self, Failure> {
        let installation = Installation::new(stock)?;
        let mut times = Vec::new();
        let mut resident = Vec::new();
        // Large ones vary little and take long.
        let rounds = if stock.ended > 100_000 {
            1
        } else {
            plan.rounds.min(3)
        };
        for _ in 0..rounds {
            let began = Instant::now();
            let acctpool = Process::acctpool(installation.path())?;
            body(&acctpool, &installation)?;
            times.push(began.elapsed().as_secs_f64());
            acctpool.until_idle()?;
            resident.push(acctpool.resident()?);
        }
        Ok(Self {
            took: Duration::from_secs_f64(median(times)),
            resident: median(resident),
        })
    }
}
