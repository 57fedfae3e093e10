//! `serve` with system calls that fail, take long, or are its last: what disks and crashes do, at an
//! exact moment. strace spoils them. Where it is missing it is installed, as `cargo test` installs
//! all that it needs; it has to be allowed to trace.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::bench::{Bench, address};
use crate::process::{Process, command};

/// What happens to the `nth` call of a kind in each thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoil {
    /// A system call, or several with commas between them.
    pub(crate) call: &'static str,
    /// In strace's words, such as `error=EIO` or `signal=KILL`.
    pub(crate) how: &'static str,
    /// Counts from 1; `None` is every one.
    pub(crate) nth: Option<usize>,
    /// The files in the state directory on which calls are counted and spoiled.
    pub(crate) files: &'static [&'static str],
}

/// Where the records are, and the log of what was written last.
pub(crate) const RECORDS: &[&str] = &["state.db", "state.db-shm", "state.db-wal"];

/// What tells the disk to keep what was written.
pub(crate) const SYNC: &str = "fsync,fdatasync";

/// Everything in the state directory whose name is known beforehand, and the directory itself.
pub(crate) const EVERYTHING: &[&str] = &[
    ".",
    "lock",
    "master.key",
    "state.db",
    "state.db-journal",
    "state.db-shm",
    "state.db-wal",
    "state.db.new",
    "state.db.new-journal",
    "state.head",
];

/// Returns where the records are.
pub(crate) fn state_directory(bench: &Bench) -> PathBuf {
    bench.path().join(".local/state/acctpool")
}

/// Makes sure that strace is there, once per run.
pub(crate) fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let there = || Command::new("strace").arg("--version").output().is_ok();
        if !there() {
            let get = "apt-get update -qq && apt-get install -y -qq strace";
            // What went wrong is on stderr; what matters is asked below.
            let _ = Command::new("sh").args(["-c", get]).status();
        }
        assert!(
            there(),
            "strace is needed, and could not be installed: install it by hand"
        );
    });
}

/// A server of which some calls are spoiled.
pub(crate) struct Spoiled {
    pub(crate) process: Process,
    trace: PathBuf,
}

impl Spoiled {
    pub(crate) fn start(bench: &Bench, config: &Path, spoil: Spoil) -> Self {
        let trace = bench.path().join("trace");
        let nth = spoil
            .nth
            .map_or_else(|| "1+".to_owned(), |nth| nth.to_string());
        let Spoil {
            call, how, files, ..
        } = spoil;
        install();
        let mut strace = command("strace", bench.path());
        // The server stays the child of this process.
        strace.args(["-f", "-D", "-qq"]);
        if !how.starts_with("signal=") {
            // Stops at no other call; signals get lost that way.
            strace.arg("--seccomp-bpf");
        }
        strace.arg("-o").arg(&trace);
        strace.args(["-e", &format!("trace={call}")]);
        strace.args(["-e", &format!("inject={call}:{how}:when={nth}")]);
        let state = state_directory(bench);
        for name in files {
            strace.arg("-P").arg(state.join(name));
        }
        strace.args([env!("CARGO_BIN_EXE_acctpool"), "serve", "--config"]);
        strace.arg(config).args(["--bind", "127.0.0.1:0"]);
        Self {
            process: Process::start(&mut strace),
            trace,
        }
    }

    /// Waits until it listens; `None` if it ends before.
    pub(crate) fn listens(&mut self) -> Option<SocketAddr> {
        let said = self.process.may_say("listening on ")?;
        let (url, _) = said.split_once(',').unwrap();
        Some(address(url))
    }

    /// Whether a call was spoiled so far.
    pub(crate) fn was_struck(&self) -> bool {
        self.times_struck() > 0
    }

    /// How many calls were spoiled so far. One that is held counts from when it has been carried out.
    pub(crate) fn times_struck(&self) -> usize {
        let trace = std::fs::read_to_string(&self.trace).unwrap_or_default();
        trace.matches("(INJECTED)").count() + trace.matches("(DELAYED)").count()
    }
}

#[test]
fn system_calls_can_be_spoiled_here() {
    install();
    let traced = Command::new("strace")
        .args([
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "inject=fsync:error=EIO",
            "sync",
            "/",
        ])
        .status();
    let failed = traced.expect("strace is installed").code();
    assert_eq!(
        failed,
        Some(1),
        "strace may trace processes and spoil their calls"
    );
}
