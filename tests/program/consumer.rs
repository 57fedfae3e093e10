//! Consumers, well behaved and not, who write down all that they were told.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::bench::{Bench, LITE};
use crate::chance::Random;
use crate::claim::{ABANDONED_AFTER, CUT_OFF, Claim, Lease};
use crate::wire::Connection;

/// Returns the policy under which consumers work: short leases, and reservations whose answer was lost
/// are not waited for. Management keys are rotated so often, or "never": then a rotation that was begun
/// is finished, and there is peace.
pub(crate) fn policy(rotate_every: &str) -> String {
    format!(
        "rotate_every = \"{rotate_every}\"\npending_timeout = \"2s\"\nclaim_timeout = \"2s\"\n\n\
         [types.lite]\n{LITE}default_duration = \"3s\"\n\n\
         [types.free]\n{LITE}default_duration = \"3s\"\n"
    )
}

/// How long after its end a lease's key may work at the latest, on a machine that has other work too.
/// The service promises that revocation starts within a second.
const REVOKED_WITHIN: time::Duration = time::Duration::seconds(3);

/// See the module.
pub(crate) struct Consumer<'a> {
    bench: &'a Bench,
    random: Random,
    /// The types of accounts that it asks for.
    types: &'static [&'static str],
    /// How long it pauses at most between two questions, in milliseconds.
    pause: u64,
    /// What is not known to be over.
    open: Vec<Claim>,
    /// What it has lost interest in: it asks no more, and does not cancel.
    left: Vec<Claim>,
    over: Vec<Claim>,
}

impl<'a> Consumer<'a> {
    pub(crate) fn new(bench: &'a Bench, seed: u64) -> Self {
        Self {
            bench,
            random: Random(seed),
            types: &["lite"],
            pause: 5,
            open: Vec::new(),
            left: Vec::new(),
            over: Vec::new(),
        }
    }

    /// Pauses so long at most between two questions, in milliseconds.
    pub(crate) fn pausing(mut self, pause: u64) -> Self {
        self.pause = pause;
        self
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
            thread::sleep(Duration::from_millis(self.random.below(self.pause)));
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
        self.open.push(Claim::new(answer.location.unwrap(), asked));
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
