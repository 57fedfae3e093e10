//! What happened in a life, counted; and its fingerprint.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What goes wrong in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Fault {
    RequestLost,
    ReplyLost,
    RequestLate,
    NoAnswer,
    Slow,
    ServerError,
    Throttled,
    TokenRefused,
    Refused,
    Mute,
    UndeletableResource,
    BackDoor,
    Infrastructure,
    StaleReport,
    SlowDisk,
    Crash,
    CrashAtRequest,
    CommitLost,
    CommitTorn,
    DecisionsLost,
    RequestLeftAtCrash,
    RequestAppliedAfterCrash,
    ConsumerVanished,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests that the adapter sent.
    pub requests: u64,
    /// Calls of cleaners that ended.
    pub calls: u64,
    /// Batches that were committed, each followed by a check of every promise about records.
    pub commits: u64,
    /// Lines that were logged and searched for secrets.
    pub lines: u64,
    /// Leases that a consumer was told of.
    pub leases: u64,
    /// Requests for several accounts at once.
    pub several: u64,
    /// Renewals that a consumer was told of.
    pub renewals: u64,
    /// Leases that ended because nobody renewed them.
    pub lapses: u64,
    /// Requests that were made again.
    pub repetitions: u64,
    /// Things that borrowers did with their leases.
    pub uses: u64,
    /// Times at which an account became ready, and was compared with the truth.
    pub readies: u64,
    /// Accounts that were quarantined.
    pub quarantines: u64,
    /// Times at which it was seen that all has recovered while the cloud is well.
    pub calms: u64,
    faults: BTreeMap<Fault, u64>,
    fingerprint: DefaultHasher,
}

impl Tally {
    /// Counts a fault.
    pub(crate) fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
        fault.hash(&mut self.fingerprint);
    }

    /// Takes something that happened into the fingerprint.
    pub(crate) fn happened(&mut self, what: impl Hash) {
        what.hash(&mut self.fingerprint);
    }

    /// Returns how many faults there were.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Returns how many faults there were of one kind.
    #[must_use]
    pub fn faults_of(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or_default()
    }

    /// Returns a number that is another one for another history.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.finish()
    }

    /// Adds the next life.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.calls += other.calls;
        self.commits += other.commits;
        self.lines += other.lines;
        self.leases += other.leases;
        self.several += other.several;
        self.renewals += other.renewals;
        self.lapses += other.lapses;
        self.repetitions += other.repetitions;
        self.uses += other.uses;
        self.readies += other.readies;
        self.quarantines += other.quarantines;
        self.calms += other.calms;
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
            "{} leases, {} uses, {} requests, {} calls, {} commits, {} lines logged",
            self.leases, self.uses, self.requests, self.calls, self.commits, self.lines
        )?;
        writeln!(
            f,
            "{} times ready, {} quarantines, {} calms",
            self.readies, self.quarantines, self.calms
        )?;
        writeln!(
            f,
            "{} asked for several accounts, {} renewals, {} lapses, {} asked again",
            self.several, self.renewals, self.lapses, self.repetitions
        )?;
        writeln!(f, "{} faults:", self.faults())?;
        for (fault, n) in &self.faults {
            writeln!(f, "  {n:>10} {fault:?}")?;
        }
        write!(f, "fingerprint {:016x}", self.fingerprint())
    }
}
