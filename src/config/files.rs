//! The files that a configuration is made of, and whether they are still the same.
//!
//! A look sees each way in which a file can become another one: written in place, replaced by a rename,
//! at the end of a link that leads elsewhere now.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// What files were at some moment. Two of these differ when one of the files has changed in between.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Option<Stamp>>);

/// What tells a file from the one that had its name before, and from itself before it was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns the stamp of a file; `None` if there is none that could be read.
    fn at(path: &Path) -> Option<Self> {
        Some(Self::of(&fs::metadata(path).ok()?))
    }
}

impl Files {
    /// Looks at one file.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self([(path.to_owned(), Stamp::at(path))].into())
    }

    /// Returns both these and others.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        let others = others.0.iter();
        self.0
            .extend(others.map(|(path, stamp)| (path.clone(), *stamp)));
        self
    }

    /// Looks at the same files again.
    #[must_use]
    pub fn look_again(&self) -> Self {
        let paths = self.0.keys();
        Self(paths.map(|path| (path.clone(), Stamp::at(path))).collect())
    }

    /// Reads a file up to so many bytes, and keeps what it was just before.
    pub(super) fn read(&mut self, path: &Path, longest: u64) -> io::Result<Contents> {
        self.0.insert(path.to_owned(), None);
        // Opening a pipe would wait for somebody to write to it.
        let kind = fs::metadata(path)?.file_type();
        if !kind.is_file() && !kind.is_dir() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        self.0.insert(path.to_owned(), Some(Stamp::of(&metadata)));
        // With room for all of it: a buffer that grows leaves copies behind.
        let room = metadata.len().min(longest).try_into().unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        file.take(longest).read_to_end(&mut bytes)?;
        Ok(Contents {
            bytes,
            is_readable_by_others: is_readable_by_others(&metadata),
        })
    }
}

/// How many there are: a path may be a secret that was put in the wrong place.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files({})", self.0.len())
    }
}

/// What a file held. Without `Debug`, since it may be a secret.
pub(super) struct Contents {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Whether every user of the machine can read it.
    pub(super) is_readable_by_others: bool,
}

/// Tells whether every user of the machine can read a file.
pub(super) fn is_readable_by_others(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o004 != 0
}
