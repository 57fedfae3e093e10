//! Signals that ask the program to end, or are meant for the command that it runs.
//!
//! tokio tells which signal came, but not from where, and that matters: what the terminal sends for
//! Ctrl-C, every process of the foreground has got already, the command too.

use std::{fs, io, thread};

use rustix::process::Signal;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Those that by default end a process and that whoever waits for an account does not survive.
pub(super) const ALL: [Signal; 6] = [
    Signal::INT,
    Signal::TERM,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
];

/// A signal that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    /// Which.
    pub(super) signal: Signal,
    /// Whether a key of the terminal made it.
    pub(super) is_from_keyboard: bool,
}

impl Received {
    /// Tells whether somebody wants an end, and not just to say something.
    pub(super) fn asks_to_end(self) -> bool {
        !matches!(self.signal, Signal::USR1 | Signal::USR2)
    }
}

/// See the module.
pub(super) struct Signals(UnboundedReceiver<Received>);

impl Signals {
    /// Listens from now on for [`ALL`]; none of them ends the program any more.
    ///
    /// A hangup that is ignored stays so: that is what `nohup` is for.
    pub(super) fn listen() -> io::Result<Self> {
        let heeded = ALL
            .into_iter()
            .filter(|signal| *signal != Signal::HUP || !is_ignored(Signal::HUP))
            .map(Signal::as_raw);
        let mut signals = SignalsInfo::<WithOrigin>::new(heeded)?;
        let (sender, receiver) = unbounded_channel();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for origin in signals.forever() {
                    let Some(signal) = Signal::from_named_raw(origin.signal) else {
                        continue;
                    };
                    let keys = matches!(signal, Signal::INT | Signal::QUIT);
                    let is_from_keyboard = keys && origin.cause == Cause::Kernel;
                    // Nobody listens any more when the program ends.
                    let _ = sender.send(Received {
                        signal,
                        is_from_keyboard,
                    });
                }
            })?;
        Ok(Self(receiver))
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Received {
        match self.0.recv().await {
            Some(received) => received,
            // The thread that sends never ends.
            None => std::future::pending().await,
        }
    }
}

/// Tells whether whoever started this program wanted a signal to be ignored.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}
