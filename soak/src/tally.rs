//! What happened in a life, counted; and its fingerprint.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;

use acctpool_actors::pool::{EndReason, Event, Job, Snapshot, Timestamp};

/// What goes wrong in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Fault {
    CallFailed,
    CallThrottled,
    CallRefused,
    ReplyLost,
    ReplyLate,
    ReplyTwice,
    NoReply,
    UndeletableResource,
    IndexLagged,
    Crash,
    CommitsLost,
    SlowDisk,
    ConsumerVanished,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Commands that were carried out, each followed by a check of every promise.
    pub turns: u64,
    /// Events that they led to.
    pub events: u64,
    /// Leases that were granted.
    pub leases: u64,
    /// Reservations of several accounts at once.
    pub several: u64,
    /// Leases that were renewed.
    pub renewals: u64,
    /// Leases that ended because nobody renewed them.
    pub lapses: u64,
    /// Requests that were made again.
    pub repetitions: u64,
    /// Orders of an operator.
    pub orders: u64,
    /// Other configurations.
    pub reconfigurations: u64,
    /// Accounts that were proven empty.
    pub proofs: u64,
    /// Accounts that were quarantined.
    pub quarantines: u64,
    /// Times at which it was seen that a waiting consumer is served while the cloud is well.
    pub calms: u64,
    /// Times at which the last account had moved to a new master key.
    pub moves: u64,
    faults: BTreeMap<Fault, u64>,
    fingerprint: DefaultHasher,
}

impl Tally {
    /// Counts a fault.
    pub fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
        fault.hash(&mut self.fingerprint);
    }

    /// Counts a turn.
    pub fn turn(&mut self, events: &[Event], now: Timestamp) {
        self.turns += 1;
        now.hash(&mut self.fingerprint);
        for event in events {
            self.event(event, events);
        }
    }

    fn event(&mut self, event: &Event, turn: &[Event]) {
        self.events += 1;
        discriminant(event).hash(&mut self.fingerprint);
        match event {
            Event::ReservationGranted {
                reservation,
                leases,
                ..
            } => {
                self.leases += 1;
                (reservation, leases).hash(&mut self.fingerprint);
            }
            Event::ReservationRenewed { .. } => self.renewals += 1,
            Event::ReservationEnded {
                reason: EndReason::Abandoned,
                accounts,
                ..
            } => {
                // One that nobody ever looked at has nothing to revoke.
                let was_used = turn.iter().any(|event| {
                    matches!(event, Event::JobIssued { account, job: Job::Revoke(Some(_)), .. }
                        if accounts.contains(account))
                });
                self.lapses += u64::from(was_used);
            }
            Event::CleaningRequested { .. }
            | Event::DrainRequested { .. }
            | Event::AccountEnabled { .. }
            | Event::QuarantineRequested { .. }
            | Event::RevocationRequested { .. } => self.orders += 1,
            Event::Reconfigured(_) => self.reconfigurations += 1,
            Event::JobIssued { account, fence, .. } => {
                (account, fence).hash(&mut self.fingerprint);
            }
            Event::AccountProven { .. } => self.proofs += 1,
            Event::AccountQuarantined { .. } => self.quarantines += 1,
            Event::MasterKeyForgotten { .. } => self.moves += 1,
            _ => {}
        }
    }

    /// Takes records into the fingerprint.
    pub fn records(&mut self, written: &Snapshot) {
        format!("{written:?}").hash(&mut self.fingerprint);
    }

    /// Returns how many faults there were.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Returns a number that is another one for another history.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.finish()
    }

    /// Adds the next life.
    pub fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.events += other.events;
        self.leases += other.leases;
        self.several += other.several;
        self.renewals += other.renewals;
        self.lapses += other.lapses;
        self.repetitions += other.repetitions;
        self.orders += other.orders;
        self.reconfigurations += other.reconfigurations;
        self.proofs += other.proofs;
        self.quarantines += other.quarantines;
        self.calms += other.calms;
        self.moves += other.moves;
        for (fault, n) in &other.faults {
            *self.faults.entry(*fault).or_default() += n;
        }
        other.fingerprint().hash(&mut self.fingerprint);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} turns, {} events, {} leases, {} proofs, {} quarantines, {} calms, {} moves",
            self.turns,
            self.events,
            self.leases,
            self.proofs,
            self.quarantines,
            self.calms,
            self.moves
        )?;
        writeln!(
            f,
            "{} of several accounts, {} renewals, {} lapses, {} repetitions, {} orders, \
             {} reconfigurations",
            self.several,
            self.renewals,
            self.lapses,
            self.repetitions,
            self.orders,
            self.reconfigurations
        )?;
        writeln!(f, "{} faults:", self.faults())?;
        for (fault, n) in &self.faults {
            writeln!(f, "  {n:>10} {fault:?}")?;
        }
        write!(f, "fingerprint {:016x}", self.fingerprint())
    }
}
