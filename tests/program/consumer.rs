//! A consumer that writes down what it was told and holds every later answer to it, whatever happened
//! to the service in between.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::bench::Bench;
use crate::chance::Random;
use crate::wire::Connection;

/// Returns the policy under which consumers work: short leases, and reservations whose answer was lost
/// are not waited for. Management keys are rotated so often, or "never": then a rotation that was begun
/// is finished, and there is peace.
pub(crate) fn policy(rotate_every: &str) -> String {
    format!(
        "rotate_every = \"{rotate_every}\"\npending_timeout = \"2s\"\nclaim_timeout = \"2s\"\n\n\
         [types.lite]\ndefault_duration = \"3s\"\n\n[types.free]\ndefault_duration = \"3s\"\n"
    )
}

/// The shorter of the two timeouts in [`policy`].
const ABANDONED_AFTER: time::Duration = time::Duration::seconds(2);

/// A shown expiration is cut off to whole seconds.
const CUT_OFF: time::Duration = time::Duration::SECOND;

/// How long after its end a lease's key may work at the latest, on a machine that has other work too.
/// The service promises that revocation starts within a second.
const REVOKED_WITHIN: time::Duration = time::Duration::seconds(3);

/// See the module.
pub(crate) struct Consumer<'a> {
    bench: &'a Bench,
    random: Random,
    /// The types of accounts that it asks for.
    types: &'static [&'static str],
    /// What is not known to be over.
    open: Vec<Claim>,
    /// What it has lost interest in: it asks no more, and does not cancel.
    left: Vec<Claim>,
    over: Vec<Claim>,
}

/// One reservation, as its consumer knows it.
struct Claim {
    path: String,
    /// When the question was sent whose answer was the last one.
    asked: OffsetDateTime,
    /// When a cancellation was first sent, and whether one was answered.
    cancelled: Option<(OffsetDateTime, bool)>,
    lease: Option<Lease>,
    /// The end reason that was told.
    ended: Option<String>,
}

struct Lease {
    shown: Value,
    seen: OffsetDateTime,
    expiration: OffsetDateTime,
}

impl Lease {
    fn key(&self) -> &str {
        self.shown["credentials"]["api_key"].as_str().unwrap()
    }

    fn account(&self) -> &str {
        self.shown["account"]["id"].as_str().unwrap()
    }
}

impl Claim {
    fn held(&self) -> Option<Range<OffsetDateTime>> {
        let lease = self.lease.as_ref()?;
        let released = self.cancelled.map_or(lease.expiration, |(sent, _)| sent);
        Some(lease.seen..released.min(lease.expiration))
    }
}

impl<'a> Consumer<'a> {
    pub(crate) fn new(bench: &'a Bench, seed: u64) -> Self {
        Self {
            bench,
            random: Random(seed),
            types: &["lite"],
            open: Vec::new(),
            left: Vec::new(),
            over: Vec::new(),
        }
    }

    /// Asks for any of these types of accounts.
    pub(crate) fn of_types(mut self, types: &'static [&'static str]) -> Self {
        self.types = types;
        self
    }

    /// Reserves, looks, uses and cancels until the service is gone, or so long.
    pub(crate) fn work(&mut self, server: SocketAddr, at_most: Duration) {
        let Ok(mut connection) = Connection::open(server) else {
            return;
        };
        let start = Instant::now();
        while start.elapsed() < at_most && self.step(&mut connection).is_ok() {
            thread::sleep(Duration::from_millis(self.random.below(12)));
        }
    }

    fn step(&mut self, connection: &mut Connection) -> io::Result<()> {
        match self.random.below(40) {
            0..=7 if self.open.len() < 3 => self.reserve(connection),
            8..=11 => match self.random.pick(&self.open) {
                Some(at) => self.open[at].cancel(self.bench, connection),
                None => Ok(()),
            },
            12 | 13 => match self.random.pick(&self.over) {
                Some(at) => self.over[at].look(self.bench, connection),
                None => Ok(()),
            },
            14 => match self.random.pick(&self.over) {
                Some(at) => self.over[at].cancel(self.bench, connection),
                None => Ok(()),
            },
            15 => self.leave_one(connection),
            16 => self.trespass(connection),
            _ => match self.random.pick(&self.open) {
                Some(at) => {
                    self.open[at].look(self.bench, connection)?;
                    self.put_away();
                    Ok(())
                }
                None => Ok(()),
            },
        }
    }

    pub(crate) fn reserve(&mut self, connection: &mut Connection) -> io::Result<()> {
        let label = self.types[self.random.pick(self.types).expect("it asks for some type")];
        let asked = OffsetDateTime::now_utc();
        let target = format!("/reservations?type={label}");
        let answer = connection.ask("POST", &target, &self.bench.token)?;
        assert_eq!(answer.status, 302, "{answer:?}");
        self.open.push(Claim {
            path: answer.location.unwrap(),
            asked,
            cancelled: None,
            lease: None,
            ended: None,
        });
        Ok(())
    }

    /// Reserves, uses the account and gives it back.
    pub(crate) fn borrow_once(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.reserve(connection)?;
        while !self.open.is_empty() {
            let held = self.open.iter().any(|claim| claim.lease.is_some());
            if held {
                self.cancel_all(connection)?;
            }
            self.look_at_all_open(connection)?;
        }
        Ok(())
    }

    /// Loses interest in something; with too much of that, comes back when it should be over.
    fn leave_one(&mut self, connection: &mut Connection) -> io::Result<()> {
        if self.left.len() < 3 {
            let lost = self.random.pick(&self.open);
            self.left.extend(lost.map(|at| self.open.swap_remove(at)));
            return Ok(());
        }
        let now = OffsetDateTime::now_utc();
        for claim in &mut self.left {
            if now - claim.asked > ABANDONED_AFTER {
                claim.look(self.bench, connection)?;
            }
        }
        self.put_away();
        Ok(())
    }

    /// Tries what nobody may: everything is refused, and the reservation stays as it was.
    fn trespass(&mut self, connection: &mut Connection) -> io::Result<()> {
        let unknown = connection.ask("POST", "/reservations?type=gold", &self.bench.token)?;
        assert_eq!(unknown.status, 400, "{unknown:?}");
        let Some(at) = self.random.pick(&self.open) else {
            return Ok(());
        };
        let path = &self.open[at].path;
        for (token, status) in [
            (self.bench.stranger.as_str(), 404),
            ("acctpool_made_up", 401),
        ] {
            for method in ["GET", "DELETE"] {
                let refused = connection.ask(method, path, token)?;
                assert_eq!(refused.status, status, "{method}: {refused:?}");
                assert!(refused.body["credentials"].is_null(), "secrets_stay_secret");
            }
        }
        Ok(())
    }

    /// Looks at everything that was ever asked for, but for what it has left.
    pub(crate) fn look_at_all(&mut self, connection: &mut Connection) -> io::Result<()> {
        for claim in &mut self.over {
            claim.look(self.bench, connection)?;
        }
        self.look_at_all_open(connection)
    }

    fn look_at_all_open(&mut self, connection: &mut Connection) -> io::Result<()> {
        for claim in &mut self.open {
            claim.look(self.bench, connection)?;
        }
        self.put_away();
        Ok(())
    }

    /// Comes back to what it has left; tells whether all of that is over.
    pub(crate) fn left_is_over(&mut self, connection: &mut Connection) -> io::Result<bool> {
        for claim in &mut self.left {
            claim.look(self.bench, connection)?;
        }
        self.put_away();
        Ok(self.left.is_empty())
    }

    /// Cancels what is not over.
    pub(crate) fn cancel_all(&mut self, connection: &mut Connection) -> io::Result<()> {
        for claim in &mut self.open {
            claim.cancel(self.bench, connection)?;
        }
        Ok(())
    }

    /// Returns of how many reservations this reason of their end was told.
    pub(crate) fn ended_as(&self, reason: &str) -> usize {
        let ends = self.over.iter().filter_map(|claim| claim.ended.as_deref());
        ends.filter(|told| *told == reason).count()
    }

    fn put_away(&mut self) {
        for claims in [&mut self.open, &mut self.left] {
            let over = claims.extract_if(.., |claim| claim.ended.is_some());
            self.over.extend(over);
        }
    }

    fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.open.iter().chain(&self.left).chain(&self.over)
    }
}

impl Claim {
    /// Gives it back; what is over already may be given back again.
    fn cancel(&mut self, bench: &Bench, connection: &mut Connection) -> io::Result<()> {
        let now = OffsetDateTime::now_utc();
        let (sent, _) = *self.cancelled.get_or_insert((now, false));
        let answer = connection.ask("DELETE", &self.path, &bench.token)?;
        assert_eq!(answer.status, 204, "{answer:?}");
        self.cancelled = Some((sent, true));
        Ok(())
    }

    /// Asks about the reservation, and compares with what was said before.
    fn look(&mut self, bench: &Bench, connection: &mut Connection) -> io::Result<()> {
        let asked = OffsetDateTime::now_utc();
        let answer = connection.ask("GET", &self.path, &bench.token)?;
        assert_eq!(answer.status, 200, "acknowledged_is_durable: {answer:?}");
        let shown = answer.body;
        let cancelled = self.cancelled.is_some_and(|(_, answered)| answered);
        match shown["state"].as_str().unwrap() {
            "pending" => {
                let further = self.lease.is_some() || self.ended.is_some() || cancelled;
                assert!(!further, "acknowledged_is_durable: {shown}");
            }
            "active" => {
                let further = self.ended.is_some() || cancelled;
                assert!(!further, "acknowledged_is_durable: {shown}");
                self.is_active(bench, asked, shown);
            }
            _ => self.has_ended(&shown),
        }
        self.asked = asked;
        Ok(())
    }

    fn is_active(&mut self, bench: &Bench, asked: OffsetDateTime, shown: Value) {
        if let Some(lease) = &self.lease {
            assert_eq!(shown, lease.shown, "acknowledged_is_durable");
        } else {
            let expiration = shown["expiration"].as_str().unwrap();
            let lease = Lease {
                expiration: OffsetDateTime::parse(expiration, &Rfc3339).unwrap(),
                seen: OffsetDateTime::now_utc(),
                shown,
            };
            if let Err(problem) = lease.make_use_of(bench) {
                // Whoever is late need not be let in.
                let late = OffsetDateTime::now_utc() >= lease.expiration;
                assert!(late || self.cancelled.is_some(), "{problem}");
            }
            self.lease = Some(lease);
        }
        let lease = self.lease.as_ref().unwrap();
        assert!(asked < lease.expiration + CUT_OFF, "deadline_holds");
    }

    fn has_ended(&mut self, shown: &Value) {
        let reason = shown["end_reason"].as_str().unwrap();
        match (&self.ended, reason) {
            (Some(before), reason) => assert_eq!(reason, before),
            (None, "cancelled") => assert!(self.cancelled.is_some(), "{shown}"),
            (None, "expired") => {
                // A credential may have been sent and never arrived.
                let due = self.lease.as_ref().map(|lease| lease.expiration);
                assert!(
                    due.is_none_or(|due| due <= OffsetDateTime::now_utc()),
                    "{shown}"
                );
            }
            (None, "abandoned") => {
                let silence = OffsetDateTime::now_utc() - self.asked;
                assert!(
                    self.lease.is_none() && silence >= ABANDONED_AFTER,
                    "{shown}"
                );
            }
            _ => panic!("{shown}"),
        }
        assert!(shown["credentials"].is_null(), "deadline_holds: {shown}");
        self.ended = Some(reason.to_owned());
    }
}

impl Lease {
    /// Finds the account clean and leaves a mark in it. IBM Cloud may be out of reach.
    fn make_use_of(&self, bench: &Bench) -> Result<(), String> {
        let marks = bench.simulator.inventory(self.account());
        let marks = marks.of("resource_instances");
        if !marks.is_empty() {
            return Err(format!("never_lent_dirty: {marks:?}"));
        }
        self.leave_a_mark(bench)
            .unwrap_or_else(|_connection_broke| Ok(()))
    }

    fn leave_a_mark(&self, bench: &Bench) -> io::Result<Result<(), String>> {
        let mut cloud = Connection::open(bench.simulator.address())?;
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let exchange = format!(
            "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={}",
            self.key()
        );
        let token = cloud.send("POST", "/identity/token", form, &exchange)?;
        let Some(token) = token.body["access_token"].as_str() else {
            return Ok(Err(format!("a leased key is not accepted: {token:?}")));
        };
        let groups = format!("/v2/resource_groups?account_id={}", self.account());
        let groups = cloud.ask("GET", &groups, token)?.body;
        let mark = json!({
            "name": "mark",
            "target": "global",
            "resource_group": groups["resources"][0]["id"],
            "resource_plan_id": acctpool::simulator::catalog::PLAIN.plan_id,
        });
        let headers =
            format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        let target = "/v2/resource_instances";
        let made = cloud.send("POST", target, &headers, &mark.to_string())?;
        Ok(match made.status {
            201 => Ok(()),
            _ => Err(format!("a lease cannot be used: {made:?}")),
        })
    }
}

/// No two leases of an account overlap, and no two have the same key; returns how many there were.
pub(crate) fn check_one_holder(consumers: &[Consumer<'_>]) -> usize {
    let mut held: Vec<_> = consumers
        .iter()
        .flat_map(Consumer::claims)
        .filter_map(|claim| Some((claim.lease.as_ref()?.account(), claim.held()?)))
        .collect();
    held.sort_by_key(|(account, held)| (*account, held.start));
    for pair in held.windows(2) {
        let [(account, first), (next, second)] = pair else {
            unreachable!("windows of two");
        };
        let apart = account != next || first.end <= second.start;
        assert!(apart, "one_holder: {account} {first:?} {second:?}");
    }
    let leases = consumers.iter().flat_map(Consumer::claims);
    let keys = leases.filter_map(|claim| claim.lease.as_ref().map(Lease::key));
    let distinct: BTreeSet<_> = keys.collect();
    assert_eq!(
        distinct.len(),
        held.len(),
        "every lease has a key of its own"
    );
    held.len()
}

/// No key works of a lease that ended a while ago, if the service has been up since `up` and was in
/// charge of the lease's account.
pub(crate) fn check_revoked(
    bench: &Bench,
    consumers: &[Consumer<'_>],
    up: OffsetDateTime,
    in_charge: impl Fn(&str) -> bool,
) {
    let now = OffsetDateTime::now_utc();
    for claim in consumers.iter().flat_map(Consumer::claims) {
        let Some(lease) = &claim.lease else {
            continue;
        };
        let expired = lease.expiration + CUT_OFF;
        // A cancellation that was not answered may not have arrived.
        let end = match claim.cancelled {
            Some((sent, true)) => sent.min(expired),
            _ => expired,
        };
        let due = up.max(end) + REVOKED_WITHIN;
        let works =
            in_charge(lease.account()) && bench.simulator.working_key(lease.key()).is_some();
        assert!(!works || now < due, "deadline_holds: {:?}", claim.path);
    }
}
