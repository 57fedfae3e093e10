//! What is done to a state directory beside the server that has it, and how the server hears of it.
//!
//! Once a second `serve` looks for a new master key, for a former one that nobody needs any more, and
//! for accounts whose management key somebody wants rotated. Files say so, not signals: what was
//! asked for while no server ran, or while one died, is found by the next.

use std::convert::Infallible;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use acctpool_actors::PoolHandle;
use acctpool_actors::pool::{AccountId, GetMasterKeys, RotateKey};
use log::{error, info, warn};

use crate::app::App;
use crate::keyring::MasterKeys;
use crate::keyring::files::{KeyFiles, Stamp};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What a server looks after in its state directory.
pub(super) struct Upkeep {
    /// The master keys, where they are the directory's own.
    pub(super) own_keys: Option<KeyFiles>,
    /// Whether there is a master key that only accounts which have not moved need.
    pub(super) has_previous: bool,
    /// What is to be rotated.
    pub(super) requests: Requests,
}

impl Upkeep {
    /// Looks after it for as long as it is polled.
    pub(super) async fn go_on(self, app: &App) -> Infallible {
        let mut seen = None;
        let mut has_previous = self.has_previous;
        let mut pause = tokio::time::interval(PAUSE);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            self.requests.pass_on(app.pool()).await;
            if let Some(files) = &self.own_keys {
                look_for_new(files, &mut seen, app).await;
                has_previous = files.previous().exists();
            }
            if has_previous && one_is_needed(app.pool()).await {
                has_previous = false;
                self.forget_previous(app);
            }
        }
    }

    fn forget_previous(&self, app: &App) {
        let Some(files) = &self.own_keys else {
            return info!("no account needs the previous master key any more: its file can go");
        };
        match files.forget_previous(app.keyring()) {
            Ok(true) => info!(
                "no account needs the former master key any more: {} is removed",
                files.previous().display()
            ),
            Ok(false) => {}
            Err(failure) => warn!(
                "{} is not needed any more, and cannot be removed: {failure}",
                files.previous().display()
            ),
        }
    }
}

/// Tells whether no master key is needed but the one in use.
async fn one_is_needed(pool: &PoolHandle) -> bool {
    matches!(pool.ask(GetMasterKeys).await.as_deref(), Ok([_]))
}

/// Takes a new master key into use, once there is one.
async fn look_for_new(files: &KeyFiles, seen: &mut Option<Stamp>, app: &App) {
    let stamp = files.stamp().ok();
    if stamp.is_none() || stamp == *seen {
        return;
    }
    *seen = stamp;
    let MasterKeys { current, previous } = match files.load_to_use() {
        Ok(keys) => keys,
        Err(failure) => return error!("{} cannot be used: {failure}", files.current().display()),
    };
    if app.keyring().is_newest(&current) {
        return;
    }
    if !previous.is_some_and(|previous| app.keyring().is_newest(&previous)) {
        return error!(
            "{} is not the key in use, which is not beside it as {}: it is not used, and this \
             server could not be started again; put the keys back in their places",
            files.current().display(),
            files.previous().display()
        );
    }
    match app.use_master_key(current).await {
        Ok(()) => info!("accounts move to the new master key as soon as they are idle"),
        Err(failure) => error!("the new master key is not used: {failure}"),
    }
}

/// Accounts whose management key is to be rotated: an empty file each, named by the account's id.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    directory: PathBuf,
}

impl Requests {
    /// Returns those of a state directory.
    pub(super) fn of(state_directory: &Path) -> Self {
        Self {
            directory: state_directory.join("rotate"),
        }
    }

    /// Asks for a rotation. It survives a power loss.
    pub(super) fn add(&self, account: &AccountId) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.directory.join(account.as_str()))?
            .sync_all()?;
        File::open(&self.directory)?.sync_all()
    }

    /// Passes everything on to the pool; what the pool has promised to do is crossed out.
    async fn pass_on(&self, pool: &PoolHandle) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            // There is no such directory until something is asked for.
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let account = AccountId::from(name.to_string_lossy().as_ref());
            let asked = RotateKey {
                account: account.clone(),
            };
            match pool.ask(asked).await {
                Ok(Ok(())) => info!("account {account}: its management key is to be rotated"),
                Ok(Err(unknown)) => {
                    warn!("account {account}: its management key cannot be rotated: {unknown}");
                }
                // It is asked again.
                Err(_) => continue,
            }
            if let Err(failure) = fs::remove_file(entry.path()) {
                warn!("account {account}: will be rotated again: {failure}");
            }
        }
    }
}
