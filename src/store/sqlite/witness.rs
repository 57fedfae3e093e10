//! What stands beside the records while a process writes to them, and notices what SQLite does not.
//!
//! SQLite takes the good part of a damaged write-ahead log for the whole, and goes on writing to
//! files that have been removed. So after each commit the end of the audit is written to a file of
//! its own, and the records' files are looked for under their names. Neither costs a sync: the
//! kernel brings the small file to the disk in its own time, always after the commit that it tells
//! of. What a power loss takes of it, half a minute at most as systems are set up, makes it tell of
//! an earlier commit, never of one that is not there. What is never noticed is a whole directory
//! that was put back as it was: only a hash that was kept elsewhere shows that.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use log::warn;
use uuid::Uuid;

use super::chain::AuditHead;
use super::digest;

/// Remembers where a store's audit ended.
#[derive(Debug)]
pub(super) struct HeadFile(File);

impl HeadFile {
    fn path(database: &Path) -> PathBuf {
        database.with_extension("head")
    }

    /// Tells whether there have been records where there may be none.
    pub(super) fn stands_beside(database: &Path) -> bool {
        Self::path(database).exists()
    }

    /// Opens the file beside the records, or makes it.
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(Self::path(database))
            .map(Self)
    }

    /// Returns where the audit of a store ended at least, if the file beside its records knows.
    pub(super) fn look(database: &Path, store: Uuid) -> io::Result<Option<AuditHead>> {
        let mut line = String::new();
        match File::open(Self::path(database)) {
            Ok(mut file) => file.read_to_string(&mut line)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if line.is_empty() {
            return Ok(None);
        }
        let [id, head, check] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Ok(damaged(database));
        };
        if check != Self::check(id, head) {
            return Ok(damaged(database));
        }
        // A file that another store left says nothing about this one.
        let is_ours = id == store.to_string();
        Ok(is_ours.then(|| head.parse().ok()).flatten())
    }

    /// Writes where the audit ends, once that is durable.
    pub(super) fn write(&self, store: Uuid, head: &AuditHead) -> io::Result<()> {
        let id = store.to_string();
        // As long as any before it, so that it replaces it: the number may have fewer digits.
        let head = format!("{:020}:{}", head.number, head.hash);
        let check = Self::check(&id, &head);
        self.0
            .write_all_at(format!("{id} {head} {check}\n").as_bytes(), 0)
    }

    /// Tells a line from one that was damaged.
    fn check(id: &str, head: &str) -> String {
        format!("{:016x}", digest(&format!("{id} {head}")))
    }
}

fn damaged(database: &Path) -> Option<AuditHead> {
    warn!(
        "{} is damaged: whether acknowledged changes are missing cannot be told",
        HeadFile::path(database).display()
    );
    None
}

/// The files that are written to, and what makes them these.
#[derive(Debug)]
pub(super) struct Files(Vec<(PathBuf, Identity)>);

/// What tells a file from another one of the same name.
pub(super) type Identity = (u64, u64);

impl Files {
    /// Takes note of the records, their write-ahead log and its index, which must be there.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let files = ["", "-wal", "-shm"].into_iter().map(|ending| {
            let path = beside(database, ending);
            let identity = identity(&path)?;
            Ok((path, identity))
        });
        files.collect::<io::Result<_>>().map(Self)
    }

    /// Returns a file that is no longer the one that is written to.
    pub(super) fn first_gone(&self) -> Option<&Path> {
        let gone = |(path, was): &&(PathBuf, Identity)| identity(path).ok() != Some(*was);
        self.0.iter().find(gone).map(|(path, _)| path.as_path())
    }
}

pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Returns the name of a file that SQLite keeps beside the records.
pub(super) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_that_was_written_last_is_remembered_for_its_store() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("state.db");
        let (ours, theirs) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(HeadFile::look(&database, ours).unwrap(), None);
        let file = HeadFile::open(&database).unwrap();
        assert_eq!(HeadFile::look(&database, ours).unwrap(), None);
        for number in [u64::MAX, 7] {
            let head = AuditHead {
                number,
                hash: "ab".repeat(32),
            };
            file.write(ours, &head).unwrap();
            assert_eq!(HeadFile::look(&database, ours).unwrap(), Some(head));
        }
        assert_eq!(HeadFile::look(&database, theirs).unwrap(), None);
    }

    #[test]
    fn a_damaged_head_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("state.db");
        let head = AuditHead {
            number: 7,
            hash: "ab".repeat(32),
        };
        let file = HeadFile::open(&database).unwrap();
        file.write(Uuid::nil(), &head).unwrap();
        let path = HeadFile::path(&database);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() - 1 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert_eq!(
                HeadFile::look(&database, Uuid::nil()).unwrap(),
                None,
                "{at}"
            );
        }
    }

    #[test]
    fn a_file_that_was_removed_or_replaced_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("state.db");
        for ending in ["", "-wal", "-shm"] {
            fs::write(beside(&database, ending), "").unwrap();
        }
        let files = Files::of(&database).unwrap();
        assert_eq!(files.first_gone(), None);
        let log = beside(&database, "-wal");
        // Kept under another name, so that its number is not given to the next file.
        fs::rename(&log, directory.path().join("kept")).unwrap();
        assert_eq!(files.first_gone(), Some(log.as_path()));
        fs::write(&log, "").unwrap();
        assert_eq!(files.first_gone(), Some(log.as_path()));
    }
}
