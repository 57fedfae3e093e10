//! The signals that ask the program to end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Listens from now on for SIGINT (Ctrl-C) and SIGTERM; the returned future is done at the first
/// one.
pub(super) fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => log::info!("interrupted: finishing what runs"),
            _ = terminate.recv() => log::info!("asked to end: finishing what runs"),
        }
    })
}
