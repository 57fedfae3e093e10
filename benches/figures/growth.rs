//! Whether more accounts make a request dearer.

use crate::Failure;
use crate::client::{Load, Measured, drive};
use crate::contest::{Contest, Run};
use crate::http::body;
use crate::installation::{Installation, Stock};
use crate::plan::Plan;
use crate::process::Process;
use crate::scripts::{Cycle, Show};
use crate::table::{Goal, Table, brief, thousands};

const CONNECTIONS: usize = 32;

pub(crate) fn measure(plan: &Plan) -> Result<Vec<Table>, Failure> {
    let sites = plan
        .accounts
        .iter()
        .map(|&held| Site::new(held))
        .collect::<Result<Vec<_>, _>>()?;
    let fewest = &sites[0];
    let answer = body(&fewest.acctpool, &fewest.installation)?;
    let bare = Process::bare(fewest.installation.path(), &answer)?;

    let load = Load {
        connections: CONNECTIONS,
        warm_up: plan.warm_up,
        slice: plan.slice,
    };
    // In each half of the round, the first is what the others are compared with.
    let mut reads: Vec<Run<'_>> = vec![Box::new(|| fewest.show(&bare, load))];
    let mut cycles: Vec<Run<'_>> = Vec::new();
    for site in &sites {
        reads.push(Box::new(|| site.show(&site.acctpool, load)));
        cycles.push(Box::new(|| site.cycle(load)));
    }
    let reads = Contest::hold(plan.rounds, &mut reads)?;
    let cycles = Contest::hold(plan.rounds, &mut cycles)?;

    let mut table = Table::new(
        format!("Growth, at {CONNECTIONS} connections, every account held"),
        &[
            "accounts",
            "GET/s",
            "× bare",
            "CPU per 1,000",
            "reserve + cancel/s",
            "× fewest",
            "goal",
            "CPU per 1,000",
        ],
    );
    for (number, site) in sites.iter().enumerate() {
        let (read_rate, of_bare) = reads.rate(number + 1);
        let (cycle_rate, of_fewest) = cycles.rate(number);
        let goal = match number {
            0 => Goal::None,
            _ => Goal::AtLeast(0.85),
        };
        table.row([
            thousands(site.installation.held.len() as f64),
            thousands(read_rate),
            format!("{of_bare:.2}"),
            brief(reads.cpu(number + 1).0),
            thousands(cycle_rate),
            format!("{of_fewest:.2}"),
            goal.judge(of_fewest),
            brief(cycles.cpu(number).0),
        ]);
    }
    Ok(vec![table])
}

/// A service with so many accounts.
struct Site {
    installation: Installation,
    acctpool: Process,
}

impl Site {
    fn new(held: usize) -> Result<Self, Failure> {
        let installation = Installation::new(Stock {
            held,
            ..Stock::default()
        })?;
        let acctpool = Process::acctpool(installation.path())?;
        acctpool.until_idle()?;
        Ok(Self {
            installation,
            acctpool,
        })
    }

    fn show(&self, server: &Process, load: Load) -> Result<Measured, Failure> {
        let Installation { held, token, .. } = &self.installation;
        drive(server, load, |number| Show::new(held, token, number))
    }

    fn cycle(&self, load: Load) -> Result<Measured, Failure> {
        drive(&self.acctpool, load, |_| {
            Cycle::new(&self.installation.token)
        })
    }
}
