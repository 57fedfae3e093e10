//! Processes that are heard and that never outlive their test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a test looks before it gives up; one that passes uses what it needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Returns what `look` finds, once it finds something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(PAUSE);
    }
    panic!("never came to pass: {what}");
}

/// A command with nothing of the tester's own environment but the way to other programs.
pub(crate) fn command(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("NO_PROXY", "*")
        .current_dir(home);
    command
}

/// The program under test.
pub(crate) fn acctpool(home: &Path, arguments: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_acctpool"), home);
    command.args(arguments);
    command
}

/// What a process that has ended leaves.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Whether the system says that it wrote a core.
    pub(crate) dumped_core: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Why the program says that it ended. A request may have been answered, and logged, after that.
    pub(crate) fn reason(&self) -> &str {
        let mut reasons = self
            .stderr
            .lines()
            .filter_map(|line| line.split_once("error: "));
        reasons.next_back().map_or("", |(_, reason)| reason)
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    Process::start(command).end()
}

/// A running process. It is killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Heard,
    stderr: Heard,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            stdout: Heard::from(child.stdout.take().unwrap()),
            stderr: Heard::from(child.stderr.take().unwrap()),
            child,
        }
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Returns how much it has said on stderr, for [`Self::says_after`].
    pub(crate) fn said(&self) -> usize {
        self.stderr.length()
    }

    /// Waits for a line on stderr that was said after so much, and returns what comes after `start` in
    /// it.
    pub(crate) fn says_after(&mut self, said: usize, start: &str) -> String {
        self.hears(start, |process| process.stderr.text_after(said))
    }

    /// Waits for a line on stderr, and returns what comes after `start` in it.
    pub(crate) fn says(&mut self, start: &str) -> String {
        self.hears(start, Self::stderr)
    }

    /// Waits for a line on stdout, and returns what comes after `start` in it.
    pub(crate) fn prints(&mut self, start: &str) -> String {
        self.hears(start, Self::stdout)
    }

    fn hears(&mut self, start: &str, text: impl Fn(&Self) -> String) -> String {
        eventually(start, || {
            let found = after(&text(self), start);
            let ended = self.child.try_wait().unwrap();
            assert!(
                found.is_some() || ended.is_none(),
                "ended without {start:?}: {ended:?}\n{}",
                self.stderr()
            );
            found
        })
    }

    /// Waits for a line on stderr as [`says`](Self::says) does; `None` if the process ends without.
    pub(crate) fn may_say(&mut self, start: &str) -> Option<String> {
        eventually(start, || {
            let ended = self.child.try_wait().unwrap().is_some();
            let found = after(&self.stderr(), start);
            (found.is_some() || ended).then_some(found)
        })
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its id at the operating system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &id])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let status: ExitStatus =
            eventually("the end of a process", || self.child.try_wait().unwrap());
        self.stdout.finish();
        self.stderr.finish();
        Ended {
            code: status.code(),
            dumped_core: status.core_dumped(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- a process said:\n{}{}", self.stdout(), self.stderr());
        }
    }
}

/// Returns the rest of the line in which `start` occurs. The line must be whole.
fn after(text: &str, start: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    let (line, _) = rest.split_once('\n')?;
    Some(line.to_owned())
}

/// What came out of a pipe so far.
struct Heard {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Heard {
    fn from(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(pipe.read_until(b'\n', &mut line), Ok(1..)) {
                heard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        self.text_after(0)
    }

    fn text_after(&self, length: usize) -> String {
        let text = self.text.lock();
        text.unwrap_or_else(PoisonError::into_inner)[length..].to_owned()
    }

    fn length(&self) -> usize {
        let text = self.text.lock();
        text.unwrap_or_else(PoisonError::into_inner).len()
    }

    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}
