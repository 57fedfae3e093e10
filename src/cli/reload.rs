//! When `serve` reads its configuration file again: at SIGHUP, and when the file has changed.
//!
//! The file is looked at once a second, as the state directory is: a look sees each way in which a file
//! can become another one (written in place, replaced by a rename, at the end of a link that leads
//! elsewhere now, on a file system that tells nobody). A change counts once two looks in a row have
//! seen the same, so that nothing is read while it is being written.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use log::{error, info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use super::serve::Configuration;
use crate::app::App;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What tells a file from the one that had its name before, and from itself before it was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Returns the stamp of a file; `None` if there is none that could be read.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// See the module.
pub(super) struct Reloads {
    configuration: Configuration,
    /// The file as it was when it was read last, for better or worse.
    read: Option<Stamp>,
    hangups: Signal,
}

impl Reloads {
    /// Listens from now on for SIGHUP. `read` is the file as it was before it was read.
    pub(super) fn of(configuration: Configuration, read: Seen) -> io::Result<Self> {
        Ok(Self {
            configuration,
            read: read.0,
            hangups: signal(SignalKind::hangup())?,
        })
    }

    /// Goes on for as long as it is polled.
    pub(super) async fn go_on(mut self, app: &App) -> Infallible {
        let mut seen = self.read;
        loop {
            let is_asked = tokio::select! {
                _ = self.hangups.recv() => true,
                () = tokio::time::sleep(PAUSE) => false,
            };
            let now = Stamp::of(&self.configuration.file);
            if is_asked || (now == seen && now != self.read) {
                self.read = now;
                self.reload(app).await;
            }
            seen = now;
        }
    }

    async fn reload(&self, app: &App) {
        let file = self.configuration.file.display();
        let reloaded = match self.configuration.read() {
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

/// The configuration file at some moment.
#[derive(Clone, Copy)]
pub(super) struct Seen(Option<Stamp>);

impl Seen {
    /// Looks at a file.
    pub(super) fn of(file: &Path) -> Self {
        Self(Stamp::of(file))
    }
}
