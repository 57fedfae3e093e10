//! Everything that is said, searched for secrets (P10): log lines, records, answers.
//!
//! The log of a thread is the log of the life that is lived on it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};
use secrecy::{ExposeSecret, SecretString};

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Hears every line that is logged, of every level.
struct Ear;

impl Log for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target().starts_with("acctpool") {
            SAID.with_borrow_mut(|said| said.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// Begins to listen, on this thread and every other, to a life of this seed.
pub(crate) fn listen(seed: u64) {
    static EAR: Ear = Ear;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // There is one logger in a process; where another one is set already, nothing is heard, and
        // the count of heard lines says so.
        if log::set_logger(&EAR).is_ok() {
            log::set_max_level(LevelFilter::Trace);
        }
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            PANICKED.set(true);
            if let Some(seed) = SEED.get() {
                name_seed(seed);
            }
            usual(information);
        }));
    });
    SEED.set(Some(seed));
    PANICKED.set(false);
    SAID.take();
}

/// A panic in a turn of the pool ends the whole process, so the seed is named before.
#[expect(clippy::print_stderr, reason = "the process may be about to end")]
fn name_seed(seed: u64) {
    eprintln!("in the life of seed {seed}:");
}

/// Tells whether anything on this thread has panicked since the life began. The cleaners catch panics:
/// a bug of one account must not end the others' service.
pub(crate) fn somebody_panicked() -> bool {
    PANICKED.get()
}

/// Takes what was logged on this thread since the last time.
pub(crate) fn take_log() -> Vec<String> {
    SAID.take()
}

/// How many characters of a secret give it away.
const WINDOW: usize = 16;

/// The secrets of a world.
#[derive(Default)]
pub(crate) struct Secrets {
    known: usize,
    /// Their beginnings and their ends. All tokens begin alike, and none may be shown.
    parts: HashSet<[u8; WINDOW]>,
}

impl Secrets {
    /// Returns how many are known.
    pub(crate) fn known(&self) -> usize {
        self.known
    }

    /// Learns of more.
    pub(crate) fn learn(&mut self, secrets: &[SecretString]) {
        self.known += secrets.len();
        for secret in secrets {
            self.add(secret);
        }
    }

    /// Learns of one that does not count as known.
    pub(crate) fn add(&mut self, secret: &SecretString) {
        let bytes = secret.expose_secret().as_bytes();
        self.parts.extend(bytes.first_chunk::<WINDOW>());
        self.parts.extend(bytes.last_chunk::<WINDOW>());
    }

    /// Tells whether a text shows one of them.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        text.as_bytes()
            .split(|byte| !is_part(byte))
            .flat_map(|run| run.windows(WINDOW))
            .any(|window| {
                window
                    .try_into()
                    .is_ok_and(|part: [u8; WINDOW]| self.parts.contains(&part))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_a_secret_is_found_in_any_text() {
        let mut secrets = Secrets::default();
        secrets.learn(&["abcdefghijklmnopqrstuvwxyz0123456789-_ABCDE".into()]);
        assert!(secrets.are_in("the key abcdefghijklmnopqrst… is bad"));
        assert!(secrets.are_in(r#"{"apikey":"xx123456789-_ABCDEyy"}"#));
        assert!(!secrets.are_in("abcdefghijklmno pqrstuvwxyz"));
    }
}
