//! The pool alone, without anything around it: what a turn costs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use acctpool_actors::cloud::{Pass, Probe, Proof, Verified};
use acctpool_actors::pool::{
    Account, AccountId, AccountState, AccountType, CancelReservation, Credential, Done, Epoch,
    Event, Job, ManagementKey, Policy, Pool, ReportCleaning, RequestReservation, Reservation,
    ReservationId, ReservationState, Snapshot, Tick, Timestamp, TokenId, TypePolicy,
};
use uuid::Uuid;

use crate::Failure;
use crate::plan::Plan;
use crate::statistics::median;
use crate::table::{Goal, Table, brief, thousands};

const START: Timestamp = time::macros::datetime!(2026-05-01 10:00 UTC);
const DAY: Duration = Duration::from_hours(24);
const TYPE: &str = "lite";
const TOKEN: &str = "bench";
/// Turns that are timed together.
const TURNS: u32 = 20_000;
/// Leases that end at the same moment.
const EXPIRING: usize = 2_000;

pub(crate) fn measure(plan: &Plan) -> Result<Vec<Table>, Failure> {
    Ok(vec![flat_cost(plan)?, ticks(plan)])
}

/// Whether reserving and cancelling costs the same, however many accounts there are.
fn flat_cost(plan: &Plan) -> Result<Table, Failure> {
    let [few, many] = plan.pools;
    let mut table = Table::new(
        "Reserve + cancel in the pool alone",
        &[
            "",
            &format!("{} accounts", thousands(few as f64)),
            &format!("{} accounts", thousands(many as f64)),
            "ratio",
            "goal",
        ],
    );
    let held = [few, many].map(|accounts| held(accounts, accounts, &|_| START + DAY));
    let mut ready = [few, many].map(ready);
    for pool in &mut ready {
        let view = pool.apply(request(0), START + DAY).reply?;
        let is_granted = matches!(
            view.status,
            acctpool_actors::pool::ReservationStatus::Active { .. }
        );
        pool.apply(cancel(0), START + DAY).reply?;
        if !is_granted {
            return Err("no account is ready".into());
        }
    }
    for (name, pools, now) in [
        ("granted at once", ready, START + DAY),
        ("joining the line", held, START),
    ] {
        let [few, many] = times(plan, pools, now)?;
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        table.row([
            name.to_owned(),
            brief(few),
            brief(many),
            format!("{ratio:.2}"),
            Goal::AtMost(1.5).judge(ratio),
        ]);
    }
    Ok(table)
}

/// Returns how long a cycle takes in each of two pools, measured in turns.
fn times(plan: &Plan, mut pools: [Pool; 2], now: Timestamp) -> Result<[Duration; 2], Failure> {
    let mut rounds: [Vec<f64>; 2] = Default::default();
    let mut next = 1;
    for _ in 0..plan.rounds {
        for (pool, rounds) in pools.iter_mut().zip(&mut rounds) {
            let began = Instant::now();
            for number in next..next + u128::from(TURNS) {
                pool.apply(request(number), now).reply?;
                pool.apply(cancel(number), now).reply?;
            }
            rounds.push(began.elapsed().as_secs_f64() / f64::from(TURNS));
        }
        next += u128::from(TURNS);
    }
    Ok(rounds.map(|rounds| Duration::from_secs_f64(median(rounds))))
}

/// What it costs to let time pass.
fn ticks(plan: &Plan) -> Table {
    let accounts = plan.ticking / 10;
    let batch = EXPIRING.min(accounts / plan.rounds.max(1)).max(1);
    let minutes = |number: usize| Duration::from_mins((number / batch) as u64);
    let mut pool = held(accounts, plan.ticking, &|number| {
        START + Duration::from_hours(1) + minutes(number)
    });
    let idle = median((0..plan.rounds).map(|_| {
        let began = Instant::now();
        for _ in 0..TURNS {
            pool.apply(Tick, START);
        }
        began.elapsed().as_secs_f64() / f64::from(TURNS)
    }));
    let expired = median((0..plan.rounds).map(|round| {
        let now = START + Duration::from_hours(1) + minutes(round * batch);
        let began = Instant::now();
        let applied = pool.apply(Tick, now);
        let took = began.elapsed();
        let ended = applied.events.iter();
        let ended = ended.filter(|event| matches!(event, Event::ReservationEnded { .. }));
        took.as_secs_f64() / ended.count() as f64
    }));
    let mut table = Table::new(
        format!("Tick, at {} reservations", thousands(plan.ticking as f64)),
        &["", "µs", "goal"],
    );
    for (name, seconds, limit) in [
        ("nothing expired", idle, 1.0),
        ("per expired lease, its cleaning started", expired, 2.0),
    ] {
        let micros = seconds * 1e6;
        table.row([
            name.to_owned(),
            format!("{micros:.2}"),
            Goal::AtMost(limit).judge(micros),
        ]);
    }
    table
}

/// A pool in which all accounts are held until `expiration`, and further reservations wait.
fn held(accounts: usize, reservations: usize, expiration: &dyn Fn(usize) -> Timestamp) -> Pool {
    let mut written = Snapshot::default();
    for number in 0..reservations {
        let id = reservation_id(u128::MAX - number as u128);
        let account = account_id(number);
        let state = if number < accounts {
            let unknown = Account::unknown(account.clone(), TYPE.into(), START);
            let state = AccountState::Leased { reservation: id };
            written
                .accounts
                .insert(account.clone(), Account { state, ..unknown });
            ReservationState::Active {
                accounts: vec![account],
                granted_at: START,
                expiration: expiration(number),
                claimed: true,
            }
        } else {
            ReservationState::Pending
        };
        let reservation = Reservation {
            id,
            sequence: number as u64 + 1,
            token: TOKEN.into(),
            account_type: TYPE.into(),
            count: 1,
            duration: DAY,
            ttl: None,
            purpose: None,
            link: None,
            repeatable: None,
            created_at: START,
            state,
            silent_since: START,
        };
        written.reservations.insert(id, reservation);
    }
    Pool::open(policy(), configured(accounts), written, START)
}

/// A pool in which all accounts are ready, a day after its start.
fn ready(accounts: usize) -> Pool {
    let mut pool = Pool::open(policy(), configured(accounts), Snapshot::default(), START);
    let mut now = START;
    while now < START + DAY {
        let mut events = pool.apply(Tick, now).events;
        while let Some(event) = events.pop() {
            if let Some(report) = report(event) {
                events.extend(pool.apply(report, now).events);
            }
        }
        let Some(next) = pool.next_deadline() else {
            break;
        };
        now = next;
    }
    pool
}

/// Returns the report of a cleaner at an empty account, if the event is a job for one.
fn report(event: Event) -> Option<ReportCleaning> {
    let Event::JobIssued {
        account,
        fence,
        job,
        ..
    } = event
    else {
        return None;
    };
    let done = match job {
        Job::Revoke(_) => Done::Revoked,
        Job::Verify => Done::Verified(Verified {
            current: ManagementKey::CONFIGURED,
            newest: Epoch(0),
        }),
        Job::Sweep => Done::Swept(Pass::default()),
        Job::Prove => Done::Proved(Proof::default()),
        Job::Rotate(_) => Done::Rotated,
        Job::Retire => Done::Retired,
        Job::Mint {
            generation,
            expires_at,
        } => Done::Minted(Credential {
            generation,
            fence,
            service_id: format!("ServiceId-{account}"),
            key_id: format!("ApiKey-{account}"),
            policy_ids: Vec::new(),
            expires_at,
        }),
        Job::Probe(_) => Done::Probed(Probe::Works),
    };
    Some(ReportCleaning {
        account,
        fence,
        result: Ok(done),
    })
}

fn configured(accounts: usize) -> impl Iterator<Item = (AccountId, AccountType)> {
    (0..accounts).map(|number| (account_id(number), TYPE.into()))
}

fn account_id(number: usize) -> AccountId {
    format!("{number:032x}").into()
}

/// In no order, as random ids are.
fn reservation_id(number: u128) -> ReservationId {
    Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).into()
}

fn request(number: u128) -> RequestReservation {
    RequestReservation::new(
        reservation_id(number),
        TokenId::from(TOKEN),
        AccountType::from(TYPE),
    )
}

fn cancel(number: u128) -> CancelReservation {
    CancelReservation {
        id: reservation_id(number),
        token: TokenId::from(TOKEN),
    }
}

/// Defaults where they matter, and no limit that is met.
fn policy() -> Policy {
    let of_type = TypePolicy {
        default_duration: Duration::from_hours(1),
        max_duration: DAY,
    };
    Policy {
        pending_timeout: 7 * DAY,
        claim_timeout: 7 * DAY,
        verify_every: 7 * DAY,
        rotate_every: None,
        max_pending_per_token: usize::MAX,
        max_pending: usize::MAX,
        types: BTreeMap::from([(TYPE.into(), of_type)]),
        ..Policy::default()
    }
}
