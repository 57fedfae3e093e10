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
use crate::wire::Connection;

/// The policy under which a consumer works: short leases, frequent rotations, and reservations whose
/// answer was lost are not waited for.
pub(crate) const POLICY: &str = "pending_timeout = \"2s\"\nclaim_timeout = \"2s\"\n\
    rotate_every = \"1s\"\n\n[types.lite]\ndefault_duration = \"3s\"\n";

/// The shorter of the two timeouts in [`POLICY`].
const ABANDONED_AFTER: time::Duration = time::Duration::seconds(2);

/// A shown expiration is cut off to whole seconds.
const CUT_OFF: time::Duration = time::Duration::SECOND;

/// How long after its end a lease's key may work at the latest, on a machine that has other work too.
/// The service promises that revocation starts within a second.
const REVOKED_WITHIN: time::Duration = time::Duration::seconds(3);

/// A generator of which equal seeds give equal sequences (`SplitMix64`).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn pick<T>(&mut self, among: &[T]) -> Option<usize> {
        let limit = u64::try_from(among.len()).unwrap();
        (limit > 0).then(|| usize::try_from(self.below(limit)).unwrap())
    }
}

/// See the module.
pub(crate) struct Consumer<'a> {
    bench: &'a Bench,
    random: Random,
    /// What is not known to be over.
    open: Vec<Claim>,
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
            open: Vec::new(),
            over: Vec::new(),
        }
    }

    /// Reserves, looks, uses and cancels until the service is gone, or so long.
    pub(crate) fn work(&mut self, server: SocketAddr, at_most: Duration) {
        let Ok(mut connection) = Connection::open(server) else {
            return;
        };
        let start = Instant::now();
        while start.elapsed() < at_most && self.step(&mut connection).is_ok() {
            thread::sleep(Duration::from_millis(self.random.below(5)));
        }
    }

    fn step(&mut self, connection: &mut Connection) -> io::Result<()> {
        match self.random.below(10) {
            0 | 1 if self.open.len() < 3 => self.reserve(connection),
            2 => match self.random.pick(&self.open) {
                Some(at) => self.cancel(at, connection),
                None => Ok(()),
            },
            3 => match self.random.pick(&self.over) {
                Some(at) => self.over[at].look(self.bench, connection),
                None => Ok(()),
            },
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
        let asked = OffsetDateTime::now_utc();
        let answer = connection.ask("POST", "/reservations?type=lite", &self.bench.token)?;
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

    fn cancel(&mut self, at: usize, connection: &mut Connection) -> io::Result<()> {
        let claim = &mut self.open[at];
        let now = OffsetDateTime::now_utc();
        let (sent, _) = *claim.cancelled.get_or_insert((now, false));
        let answer = connection.ask("DELETE", &claim.path, &self.bench.token)?;
        assert_eq!(answer.status, 204, "{answer:?}");
        claim.cancelled = Some((sent, true));
        Ok(())
    }

    /// Looks at everything that was ever asked for.
    pub(crate) fn look_at_all(&mut self, connection: &mut Connection) -> io::Result<()> {
        for claim in self.open.iter_mut().chain(&mut self.over) {
            claim.look(self.bench, connection)?;
        }
        self.put_away();
        Ok(())
    }

    /// Cancels what is not over.
    pub(crate) fn cancel_all(&mut self, connection: &mut Connection) -> io::Result<()> {
        for at in 0..self.open.len() {
            self.cancel(at, connection)?;
        }
        Ok(())
    }

    fn put_away(&mut self) {
        let over = self.open.extract_if(.., |claim| claim.ended.is_some());
        self.over.extend(over);
    }

    fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.open.iter().chain(&self.over)
    }
}

impl Claim {
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
    /// Finds the account clean and leaves a mark in it.
    fn make_use_of(&self, bench: &Bench) -> Result<(), String> {
        let simulator = &bench.simulator;
        let marks = simulator.inventory(self.account());
        let marks = marks.of("resource_instances");
        if !marks.is_empty() {
            return Err(format!("never_lent_dirty: {marks:?}"));
        }
        let mut cloud = Connection::open(simulator.address()).unwrap();
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let exchange = format!(
            "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={}",
            self.key()
        );
        let token = cloud
            .send("POST", "/identity/token", form, &exchange)
            .unwrap();
        let Some(token) = token.body["access_token"].as_str() else {
            return Err(format!("a leased key is not accepted: {token:?}"));
        };
        let groups = format!("/v2/resource_groups?account_id={}", self.account());
        let groups = cloud.ask("GET", &groups, token).unwrap().body;
        let mark = json!({
            "name": "mark",
            "target": "global",
            "resource_group": groups["resources"][0]["id"],
            "resource_plan_id": acctpool::simulator::catalog::PLAIN.plan_id,
        });
        let headers =
            format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        let made = cloud
            .send(
                "POST",
                "/v2/resource_instances",
                &headers,
                &mark.to_string(),
            )
            .unwrap();
        match made.status {
            201 => Ok(()),
            _ => Err(format!("a lease cannot be used: {made:?}")),
        }
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

/// No key works of a lease that ended a while ago, if the service has been up since `up`.
pub(crate) fn check_revoked(bench: &Bench, consumers: &[Consumer<'_>], up: OffsetDateTime) {
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
        let works = bench.simulator.working_key(lease.key()).is_some();
        assert!(!works || now < due, "deadline_holds: {:?}", claim.path);
    }
}
