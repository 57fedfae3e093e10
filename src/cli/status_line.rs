//! One line at the end of a terminal that says how far something is, and is written over and over.
//!
//! Where stderr is no terminal, nothing is shown.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

/// Goes to the beginning of the line and erases it.
pub(super) const ERASE_LINE: &str = "\r\x1b[K";

/// What fits on every terminal, in characters: a line that breaks cannot be written over.
const WIDTH: usize = 79;

/// How many characters a bar has.
const BAR: usize = 20;

/// See the module. What it shows is erased when it is dropped.
pub(super) struct StatusLine {
    is_terminal: bool,
    is_shown: Cell<bool>,
}

impl StatusLine {
    pub(super) fn new() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            is_shown: Cell::new(false),
        }
    }

    /// Tells whether anybody sees it.
    pub(super) fn is_seen(&self) -> bool {
        self.is_terminal
    }

    /// Shows `text` in the place of what was shown before.
    pub(super) fn show(&self, text: &str) {
        if self.is_terminal {
            self.is_shown.set(true);
            let text: String = text.chars().take(WIDTH).collect();
            write(&format!("{ERASE_LINE}{text}"));
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if self.is_shown.get() {
            write(ERASE_LINE);
        }
    }
}

fn write(text: &str) {
    let mut stderr = io::stderr();
    // Nowhere to complain if stderr is closed.
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

/// Draws how much of a whole is done. Of nothing, nothing is done yet.
pub(super) fn bar(done: usize, whole: usize) -> String {
    let full = (done.min(whole) * BAR).checked_div(whole).unwrap_or(0);
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR - full))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bar_is_full_when_all_is_done_and_not_before() {
        assert_eq!(bar(0, 0), "[--------------------]");
        assert_eq!(bar(1, 2), "[##########----------]");
        assert_eq!(bar(999, 1000), "[###################-]");
        assert_eq!(bar(3, 3), "[####################]");
    }
}
