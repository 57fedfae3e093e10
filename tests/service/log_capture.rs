//! Everything that the service logs, at its finest level, so that it can be searched for secrets.

use std::sync::{Mutex, Once, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

static LINES: Mutex<String> = Mutex::new(String::new());
static START: Once = Once::new();

struct Capture;

impl Log for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The program never lets libraries get beyond warnings: see `cli/logging.rs`.
        metadata.target().starts_with("acctpool") || metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}\n", record.level(), record.args());
            LINES
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&line);
        }
    }

    fn flush(&self) {}
}

pub(crate) fn start() {
    START.call_once(|| {
        log::set_logger(&Capture).expect("nobody else logs");
        log::set_max_level(LevelFilter::Trace);
    });
}

/// Returns all that was logged in this process.
pub(crate) fn everything() -> String {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Returns the lines of the log that hold a text.
pub(crate) fn lines_with(text: &str) -> String {
    let log = everything();
    let lines = log.lines().filter(|line| line.contains(text));
    lines.collect::<Vec<_>>().join("\n")
}
