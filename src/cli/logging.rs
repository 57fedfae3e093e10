//! The log: lines on stderr, written by a thread of their own.
//!
//! Whoever logs hands its line over and goes on: a request is served in a few microseconds, and would
//! spend two more waiting until its line is written. A line waits for others for a moment, so that
//! they are written together; a process that is killed in that moment loses them.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use env_logger::{Builder, Logger, Target, WriteStyle};
use log::{LevelFilter, Log, Metadata, Record};

use super::Failure;
use super::status_line::ERASE_LINE;

/// How long a line waits for others.
const PAUSE: Duration = Duration::from_millis(10);

/// How much may wait to be written, in bytes. Beyond that, whoever logs waits, as nothing is dropped.
const CAPACITY: usize = 1 << 20;

/// Starts logging. `level` is for this program only: libraries that speak HTTP log headers, and
/// with them secrets, at their finer levels, so they never get beyond warnings.
/// `quiet_access` keeps the requests of clients out.
///
/// What is logged last is written by `log::logger().flush()`.
pub(super) fn start(level: &str, quiet_access: bool) -> Result<(), Failure> {
    let lines = Lines::default();
    let writer = lines.clone();
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.write_all_to(io::stderr()))
        .map_err(Failure::of("cannot start a thread for the log"))?;
    let formatter = formatter(level, quiet_access, lines.clone());
    log::set_max_level(formatter.filter());
    log::set_boxed_logger(Box::new(QueuedLog { formatter, lines }))
        .map_err(Failure::of("cannot start the log"))
}

fn formatter(level: &str, quiet_access: bool, lines: Lines) -> Logger {
    let level = level.parse().unwrap_or(LevelFilter::Info);
    let others = level.min(LevelFilter::Warn);
    let is_terminal = io::stderr().is_terminal();
    let color = is_terminal && std::env::var_os("NO_COLOR").is_none();
    // A verb may be showing there how far it is.
    let start = if is_terminal { ERASE_LINE } else { "" };
    Builder::new()
        .filter_level(others)
        // Says what is wrong with every malformed request, at length, as an error: anybody could
        // fill the log with it.
        .filter_module("actix_http", LevelFilter::Off)
        .filter_module("acctpool", level)
        .filter_module("acctpool_actors", level)
        .filter_module(
            "acctpool::http::access",
            if quiet_access {
                level.min(LevelFilter::Warn)
            } else {
                level
            },
        )
        .target(Target::Pipe(Box::new(lines)))
        .write_style(if color {
            WriteStyle::Always
        } else {
            WriteStyle::Never
        })
        .format(move |line, record| {
            let style = line.default_level_style(record.level());
            let level = record.level();
            let time = line.timestamp_seconds();
            let words = record.args();
            writeln!(line, "{start}{time} {style}{level:<5}{style:#} {words}")
        })
        .build()
}

/// Formats where a line arises, writes elsewhere.
struct QueuedLog {
    formatter: Logger,
    lines: Lines,
}

impl Log for QueuedLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.formatter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.formatter.log(record);
    }

    /// Returns when all that was logged before is written.
    fn flush(&self) {
        self.lines.wait_until_written();
    }
}

/// Lines that wait to be written. Clones are the same.
#[derive(Clone, Default)]
struct Lines(Arc<(Mutex<Queue>, Condvar)>);

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    is_writing: bool,
    /// Whether somebody waits until all is written.
    is_urgent: bool,
}

impl Lines {
    /// Writes what comes, for ever.
    fn write_all_to(&self, mut output: impl Write) {
        let mut batch = Vec::new();
        loop {
            let queue = self.wait_until(|queue| !queue.waiting.is_empty());
            let may_grow =
                |queue: &mut Queue| !queue.is_urgent && queue.waiting.len() < CAPACITY / 2;
            let waited = self.0.1.wait_timeout_while(queue, PAUSE, may_grow);
            let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut queue.waiting, &mut batch);
            queue.is_writing = true;
            drop(queue);
            // Nowhere to complain if stderr is closed.
            let _ = output.write_all(&batch);
            batch.clear();
            self.lock().is_writing = false;
            self.0.1.notify_all();
        }
    }

    fn wait_until_written(&self) {
        self.lock().is_urgent = true;
        self.0.1.notify_all();
        let mut queue = self.wait_until(|queue| queue.waiting.is_empty() && !queue.is_writing);
        queue.is_urgent = false;
    }

    fn wait_until(&self, condition: impl Fn(&Queue) -> bool) -> MutexGuard<'_, Queue> {
        self.0
            .1
            .wait_while(self.lock(), |queue| !condition(queue))
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic while it was held has left whole lines.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each call is one line, whole: `writeln!` right into it would let the pieces of several mix.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.wait_until(|queue| queue.waiting.len() < CAPACITY);
        let before = queue.waiting.len();
        queue.waiting.extend_from_slice(line);
        // The writer sleeps until there is something, then until there is much.
        if before == 0 || (before < CAPACITY / 2 && queue.waiting.len() >= CAPACITY / 2) {
            self.0.1.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Hands on what is written.
    struct Output(Sender<Vec<u8>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_of_all_threads_are_written_whole_and_in_their_order() {
        const THREADS: usize = 4;
        const LINES: usize = 1000;
        let lines = Lines::default();
        let (sender, written) = channel();
        let writer = lines.clone();
        thread::spawn(move || writer.write_all_to(Output(sender)));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let mut lines = lines.clone();
                scope.spawn(move || {
                    for line in 0..LINES {
                        let line = format!("{thread} {line}\n");
                        lines.write_all(line.as_bytes()).unwrap();
                    }
                });
            }
        });
        lines.wait_until_written();
        let text = written.try_iter().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        for thread in 0..THREADS {
            let prefix = format!("{thread} ");
            let own = text.lines().filter_map(|line| line.strip_prefix(&prefix));
            assert!(own.eq((0..LINES).map(|line| line.to_string())), "{text}");
        }
    }

    #[test]
    fn whoever_logs_waits_rather_than_lose_a_line() {
        let mut lines = Lines::default();
        lines.write_all(&vec![b'x'; CAPACITY]).unwrap();
        let (sender, written) = channel();
        let (ended, end) = channel();
        let mut last = lines.clone();
        thread::spawn(move || {
            last.write_all(b"last\n").unwrap();
            ended.send(()).unwrap();
        });
        // Nobody writes yet, so there is no room.
        assert!(end.try_recv().is_err());
        let writer = lines.clone();
        thread::spawn(move || writer.write_all_to(Output(sender)));
        end.recv().unwrap();
        lines.wait_until_written();
        let text: Vec<u8> = written.try_iter().flatten().collect();
        assert!(text.ends_with(b"last\n"));
        assert_eq!(text.len(), CAPACITY + "last\n".len());
    }
}
