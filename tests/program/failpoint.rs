//! The named moments at which the service is killed. None of them needs a line of code in the
//! service: the simulator does not answer, or strace stops the process at a system call.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use acctpool::simulator::{Fault, FaultAction};

use crate::bench::Bench;
use crate::process::{Process, acctpool, eventually};
use crate::spoiled::{RECORDS, SYNC, Spoil, Spoiled};

/// Holds the thread that has just had a commit synced: for a second, since strace notices the end of
/// a process that it holds no sooner.
pub(crate) const HELD: &str = "delay_exit=1000000";

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failpoint {
    /// So long after the process began, whether it listens by then or not.
    Start(Duration),
    /// So long after it began to listen.
    AnyMoment(Duration),
    /// When the disk is to be told to keep the n-th commit, counted from 1.
    BeforeCommit(usize),
    /// When the disk has the n-th commit, and nobody was told.
    AfterCommitBeforeReply(usize),
    /// When IBM Cloud is asked for this: it is not carried out.
    BeforeCall(Call),
    /// The same, but it is carried out, and its answer is lost.
    AfterCallBeforeReply(Call),
}

/// A call to IBM Cloud in the service's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    method: Option<&'static str>,
    path: &'static str,
    answered: u32,
}

impl Call {
    /// The one after so many calls.
    pub(crate) fn after(answered: u32) -> Self {
        Self {
            method: None,
            path: "",
            answered,
        }
    }

    /// The one after so many calls with this method whose path has this in it.
    pub(crate) fn of_kind(method: &'static str, path: &'static str, answered: u32) -> Self {
        Self {
            method: Some(method),
            path,
            answered,
        }
    }

    fn fault(self, action: FaultAction) -> Fault {
        let fault = Fault::new(self.path, action).skip(self.answered);
        match self.method {
            Some(method) => fault.method(method),
            None => fault,
        }
    }
}

impl Failpoint {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::AnyMoment(_) => "any_moment",
            Self::BeforeCommit(_) => "before_commit",
            Self::AfterCommitBeforeReply(_) => "after_commit_before_reply",
            Self::BeforeCall(_) => "between_calls (not carried out)",
            Self::AfterCallBeforeReply(_) => "between_calls (answer lost)",
        }
    }

    /// Starts the service, lets `work` be done with it once it listens, and kills it at this moment.
    /// `work` must end when the service does.
    pub(crate) fn kill(self, bench: &Bench, config: &Path, work: impl FnOnce(SocketAddr) + Send) {
        match self {
            Self::Start(delay) => {
                let process = start(bench, config);
                thread::sleep(delay);
                kill(process);
            }
            Self::AnyMoment(life) => work_until(bench, config, work, || thread::sleep(life)),
            Self::BeforeCommit(nth) => spoiled(bench, config, "signal=KILL", nth, work),
            Self::AfterCommitBeforeReply(nth) => {
                spoiled(bench, config, HELD, nth, work);
            }
            Self::BeforeCall(call) => {
                bench.simulator.inject(call.fault(FaultAction::Reset));
                work_until(bench, config, work, || call_without_answer(bench));
                bench.simulator.clear_faults();
            }
            Self::AfterCallBeforeReply(call) => {
                let lost = call.fault(FaultAction::LostReply);
                bench.simulator.inject(lost.times(1));
                // From then on nothing of the kind comes through, so that the moment is an exact one.
                bench.simulator.inject(call.fault(FaultAction::Reset));
                work_until(bench, config, work, || call_without_answer(bench));
                bench.simulator.clear_faults();
            }
        }
    }
}

fn call_without_answer(bench: &Bench) {
    eventually("a call without an answer", || {
        let requests = bench.simulator.requests();
        let struck = requests.iter().any(|request| request.status.is_none());
        struck.then_some(())
    });
}

fn start(bench: &Bench, config: &Path) -> Process {
    let config = config.to_str().unwrap();
    let arguments = ["serve", "--config", config, "--bind", "127.0.0.1:0"];
    Process::start(&mut acctpool(bench.path(), &arguments))
}

fn kill(process: Process) {
    process.signal("KILL");
    assert_eq!(process.end().code, None, "a signal ended it");
}

/// Kills a service that is at work, once `moment` has come.
fn work_until(
    bench: &Bench,
    config: &Path,
    work: impl FnOnce(SocketAddr) + Send,
    moment: impl FnOnce(),
) {
    let server = bench.serve(config);
    let address = server.address();
    thread::scope(|scope| {
        scope.spawn(move || work(address));
        moment();
        server.process.signal("KILL");
    });
    assert_eq!(server.process.end().code, None, "a signal ended it");
}

/// Kills a service in a commit: strace does it, or holds the process until it is done.
fn spoiled(
    bench: &Bench,
    config: &Path,
    how: &'static str,
    nth: usize,
    work: impl FnOnce(SocketAddr) + Send,
) {
    let spoil = Spoil {
        call: SYNC,
        how,
        nth: Some(nth),
        files: RECORDS,
    };
    let mut server = Spoiled::start(bench, config, spoil);
    let address = server.listens();
    thread::scope(|scope| {
        if let Some(address) = address {
            scope.spawn(move || work(address));
        }
        eventually("a commit that was spoiled", || {
            let struck = !server.process.is_running() || server.was_struck();
            struck.then_some(())
        });
        if server.process.is_running() {
            server.process.signal("KILL");
        }
    });
    assert_eq!(server.process.end().code, None, "a signal ended it");
}
