//! When `serve` reads its configuration again: at SIGHUP, and when the file, or one that it names, has
//! changed.
//!
//! The files are looked at once a second, as the state directory is: a look sees each way in which a file
//! can become another one, also on a file system that tells nobody. A change counts once two looks in a
//! row have seen the same, so that nothing is read while it is being written.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use log::{error, info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use super::serve::Configuration;
use crate::app::App;
use crate::config::Files;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Reloads {
    configuration: Configuration,
    /// The files as they were when they were read last, for better or worse.
    read: Files,
    hangups: Signal,
}

impl Reloads {
    /// Listens from now on for SIGHUP. `read` is what has been read already.
    pub(super) fn of(configuration: Configuration, read: Files) -> io::Result<Self> {
        Ok(Self {
            configuration,
            read,
            hangups: signal(SignalKind::hangup())?,
        })
    }

    /// Goes on for as long as it is polled.
    pub(super) async fn go_on(mut self, app: &App) -> Infallible {
        let mut seen = self.read.clone();
        loop {
            let is_asked = tokio::select! {
                _ = self.hangups.recv() => true,
                () = tokio::time::sleep(PAUSE) => false,
            };
            let now = self.read.look_again();
            if is_asked || (now == seen && now != self.read) {
                self.reload(app).await;
                seen = self.read.clone();
            } else {
                seen = now;
            }
        }
    }

    async fn reload(&mut self, app: &App) {
        let (files, read) = self.configuration.read();
        self.read = files;
        let file = self.configuration.file.display();
        let reloaded = match read {
            Ok((config, report)) => {
                for problem in report.to_string().lines() {
                    warn!("{problem}");
                }
                let reloaded = app.reload(config).await;
                reloaded.map_err(Failure::of("cannot go on with it"))
            }
            Err(failure) => Err(failure),
        };
        match reloaded {
            Ok(reloaded) => {
                info!("reloaded {file}: {reloaded}");
                for setting in reloaded.needs_restart {
                    warn!("{setting} is not the one in use: it takes a restart");
                }
            }
            Err(failure) => {
                for line in failure.message().lines() {
                    error!("{line}");
                }
                error!("not reloaded {file}: everything goes on as before");
            }
        }
    }
}
