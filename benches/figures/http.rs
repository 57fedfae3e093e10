//! What a request costs, beside a bare actix-web handler.

use crate::Failure;
use crate::client::{Load, drive};
use crate::contest::{Contest, Run};
use crate::installation::{Installation, Stock};
use crate::plan::Plan;
use crate::process::Process;
use crate::scripts::{Cycle, Show};
use crate::table::{Goal, Table, brief, thousands};

const NAMES: [&str; 4] = [
    "bare actix-web handler",
    "GET, active with credential",
    "GET, waiting",
    "reserve + cancel, durable",
];

/// Accounts of an installation of some size.
const ACCOUNTS: usize = 1_000;

pub(crate) fn measure(plan: &Plan) -> Result<Vec<Table>, Failure> {
    let stock = Stock {
        held: ACCOUNTS.min(plan.ended),
        waiting: plan.waiting,
        ended: plan.ended,
    };
    let installation = Installation::new(stock)?;
    let acctpool = Process::acctpool(installation.path())?;
    let bare = Process::bare(installation.path(), &body(&acctpool, &installation)?)?;
    acctpool.until_idle()?;

    let mut table = Table::new(
        format!(
            "Requests, with {} reservations loaded, {} of them waiting",
            thousands((stock.held + stock.waiting + stock.ended) as f64),
            thousands(stock.waiting as f64)
        ),
        &[
            "",
            "conns",
            "requests/s",
            "× bare",
            "goal",
            "CPU per 1,000",
            "× bare",
            "goal",
            "p50",
            "p99",
        ],
    );
    for &connections in plan.connections {
        let load = Load {
            connections,
            warm_up: plan.warm_up,
            slice: plan.slice,
        };
        let contest = hold(plan, load, &installation, &bare, &acctpool)?;
        for (contestant, name) in NAMES.iter().enumerate() {
            let (rate, of_bare) = contest.rate(contestant);
            let (cpu, cpu_of_bare) = contest.cpu(contestant);
            let (rate_goal, cpu_goal) = goals(contestant, connections);
            table.row([
                (*name).to_owned(),
                connections.to_string(),
                thousands(rate),
                format!("{of_bare:.2}"),
                rate_goal.judge(of_bare),
                brief(cpu),
                format!("{cpu_of_bare:.2}"),
                cpu_goal.judge(cpu_of_bare),
                brief(contest.latency(contestant, 0.5)),
                brief(contest.latency(contestant, 0.99)),
            ]);
        }
    }
    Ok(vec![table])
}

/// Returns the goals for throughput and CPU.
fn goals(contestant: usize, connections: usize) -> (Goal, Goal) {
    match (contestant, connections) {
        (1, 32) => (Goal::AtLeast(0.85), Goal::AtMost(1.35)),
        (1, 256) => (Goal::AtLeast(0.80), Goal::AtMost(1.35)),
        (3, 32) => (Goal::AtLeast(0.35), Goal::None),
        (3, 256) => (Goal::AtLeast(0.55), Goal::None),
        _ => (Goal::None, Goal::None),
    }
}

fn hold(
    plan: &Plan,
    load: Load,
    installation: &Installation,
    bare: &Process,
    acctpool: &Process,
) -> Result<Contest, Failure> {
    let Installation {
        token,
        held,
        waiting,
        ..
    } = installation;
    let mut contestants: [Run<'_>; NAMES.len()] = [
        Box::new(|| drive(bare, load, |number| Show::new(held, token, number))),
        Box::new(|| drive(acctpool, load, |number| Show::new(held, token, number))),
        Box::new(|| drive(acctpool, load, |number| Show::new(waiting, token, number))),
        Box::new(|| drive(acctpool, load, |_| Cycle::new(token))),
    ];
    Contest::hold(plan.rounds, &mut contestants)
}

/// Returns what the service answers about an active reservation: what the bare handler is to say.
pub(crate) fn body(acctpool: &Process, installation: &Installation) -> Result<Vec<u8>, Failure> {
    let mut show = Show::new(&installation.held, &installation.token, 0);
    crate::client::once(acctpool.address, &mut show)
}
