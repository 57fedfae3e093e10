//! Processes under test: started, measured through `/proc`, and ended with the measurement.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// How long a process may take to serve.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks whether it does.
const PAUSE: Duration = Duration::from_millis(1);

/// A server that listens. It is killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// How long it took until it said that it listens.
    pub(crate) took: Duration,
}

impl Process {
    /// Starts the program under test on an installation's directory, at its default log level.
    pub(crate) fn acctpool(home: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acctpool"));
        command
            .args(["serve", "--bind", "127.0.0.1:0", "--config"])
            .arg(home.join("accounts.toml"))
            .arg("--state-dir")
            .arg(home.join("state"))
            .env_clear();
        Self::start(command, &home.join("log"))
    }

    /// Starts this program again, as the server that everything is compared with.
    pub(crate) fn bare(home: &Path, body: &[u8]) -> Result<Self, Failure> {
        let file = home.join("body.json");
        fs::write(&file, body)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(crate::bare::FLAG).arg(file);
        Self::start(command, &home.join("bare.log"))
    }

    fn start(mut command: Command, log: &Path) -> Result<Self, Failure> {
        let began = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()?;
        let mut process = Self {
            child,
            address: SocketAddr::from(([0; 4], 0)),
            took: Duration::ZERO,
        };
        loop {
            let said = fs::read_to_string(log)?;
            if let Some(address) = listens_on(&said) {
                process.address = address;
                process.took = began.elapsed();
                return Ok(process);
            }
            if process.child.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                return Err(format!("a server did not start:\n{said}").into());
            }
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns how much memory it has resident, in bytes.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kibibytes.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
    }

    /// Waits until it has nothing to do.
    pub(crate) fn until_idle(&self) -> Result<(), Failure> {
        const LOOK: Duration = Duration::from_millis(200);
        let began = Instant::now();
        let mut before = CpuTime::of(self.id())?;
        while began.elapsed() < PATIENCE {
            thread::sleep(LOOK);
            let now = CpuTime::of(self.id())?;
            if now.since(before) < LOOK / 10 {
                return Ok(());
            }
            before = now;
        }
        Err("a server found no rest".into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds the address in a line that has come as a whole.
fn listens_on(said: &str) -> Option<SocketAddr> {
    let (_, rest) = said.split_once("listening on http://")?;
    let (line, _) = rest.split_once('\n')?;
    line.split(',').next()?.parse().ok()
}

/// The CPU time that a process has used, in user and kernel mode, all threads together.
#[derive(Clone, Copy)]
pub(crate) struct CpuTime(Duration);

impl CpuTime {
    /// Reads it from `/proc/PID/stat` (proc(5): fields 14 and 15, in ticks of 10 ms).
    pub(crate) fn of(process: u32) -> Result<Self, Failure> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(") ").ok_or("no name")?;
        let mut fields = fields.split(' ').skip(11);
        let mut ticks = || {
            fields
                .next()
                .ok_or("too short")?
                .parse()
                .map_err(Failure::from)
        };
        let (user, system): (u64, u64) = (ticks()?, ticks()?);
        Ok(Self(Duration::from_millis(10 * (user + system))))
    }

    pub(crate) fn since(self, before: Self) -> Duration {
        self.0.saturating_sub(before.0)
    }
}
