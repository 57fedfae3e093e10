//! The audit in a file beside the records: a line of JSON for each entry, for whoever collects logs.
//!
//! An entry is written to it after the commit that made it durable, in order. What is missing after a
//! crash, or after a write that failed, is taken from the records; so none is lost, and one may come
//! twice. When the file is moved away, another one is begun.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::{error, info, warn};
use rusqlite::Connection;
use serde::Deserialize;

use super::Cause;
use super::chain::{self, AuditHead, AuditRecord, COLUMNS};
use super::witness::{Identity, identity};

/// How many bytes are written at once, or a little more.
const CHUNK: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct AuditFile {
    path: PathBuf,
    file: File,
    identity: Identity,
    /// How long it is; what stands behind is half a line.
    length: u64,
    /// The number of the last entry that is in it.
    last: u64,
    is_failing: bool,
}

/// What is read of a line.
#[derive(Deserialize)]
struct Line {
    number: u64,
    hash: String,
}

impl AuditFile {
    /// Opens a file, or makes it, and brings it up to the records.
    pub(super) fn open(path: &Path, connection: &Connection) -> Result<Self, Cause> {
        let (mut file, identity) = open(path)?;
        let (length, line) = last_line(&mut file)?;
        file.set_len(length)?;
        let oldest = chain::pruned(connection)?.number;
        let last = match line.map(|line| serde_json::from_slice::<Line>(&line)) {
            None => oldest,
            Some(Err(_)) => return Err("its last line is no entry of an audit".into()),
            Some(Ok(Line { number, hash })) => {
                let known = AuditHead { number, hash };
                if let Some(departure) = chain::departure(connection, &known)? {
                    warn!(
                        "{}: {departure}; all entries are written anew",
                        path.display()
                    );
                    oldest
                } else {
                    number
                }
            }
        };
        let mut opened = Self {
            path: path.to_owned(),
            file,
            identity,
            length,
            last,
            is_failing: false,
        };
        opened.catch_up(connection)?;
        Ok(opened)
    }

    /// Writes what was committed since. A failure is told once, and made good when that is possible:
    /// the records hold everything.
    pub(super) fn follow(&mut self, connection: &Connection) {
        match self.catch_up(connection) {
            Ok(()) if self.is_failing => {
                info!("{}: nothing is missing any more", self.path.display());
                self.is_failing = false;
            }
            Ok(()) => {}
            Err(cause) if self.is_failing => log::debug!("{}: {cause}", self.path.display()),
            Err(cause) => {
                error!(
                    "{}: entries of the audit are not written for now: {cause}",
                    self.path.display()
                );
                self.is_failing = true;
            }
        }
    }

    fn catch_up(&mut self, connection: &Connection) -> Result<(), Cause> {
        if identity(&self.path).ok() != Some(self.identity) {
            (self.file, self.identity) = open(&self.path)?;
            self.length = self.file.seek(SeekFrom::End(0))?;
        }
        let mut missing = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM audit WHERE number > ?1 ORDER BY number"
        ))?;
        let mut rows = missing.query([self.last])?;
        let mut chunk = Vec::new();
        let mut last = self.last;
        while let Some(row) = rows.next()? {
            let record = AuditRecord::read(row)?;
            serde_json::to_writer(&mut chunk, &record)?;
            chunk.push(b'\n');
            last = record.number;
            if chunk.len() >= CHUNK {
                self.append(&chunk, last)?;
                chunk.clear();
            }
        }
        self.append(&chunk, last)?;
        Ok(())
    }

    /// Writes whole lines, of which the last is of the entry `last`, or nothing.
    fn append(&mut self, lines: &[u8], last: u64) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            // Nobody is to read half a line. If even this fails, the next one is written behind it.
            let length = self.file.metadata().map(|file| file.len());
            let _ = length.and_then(|length| self.file.set_len(length.min(self.length)));
            return Err(error);
        }
        self.length += lines.len() as u64;
        self.last = last;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, Identity)> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    Ok((file, identity(path)?))
}

/// Returns how long a file is up to its last line break, and the line before that.
fn last_line(file: &mut File) -> io::Result<(u64, Option<Vec<u8>>)> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut window = (CHUNK as u64).min(size);
    loop {
        file.seek(SeekFrom::Start(size - window))?;
        let mut end = Vec::new();
        (&*file).take(window).read_to_end(&mut end)?;
        let mut breaks = (0..end.len()).rev().filter(|place| end[*place] == b'\n');
        let (last, before) = (breaks.next(), breaks.next());
        let begin = match before {
            Some(before) => Some(before + 1),
            None => (window == size).then_some(0),
        };
        match (begin, last) {
            (Some(begin), Some(last)) => {
                let torn = (end.len() - last - 1) as u64;
                return Ok((size - torn, Some(end[begin..last].to_vec())));
            }
            (Some(_), None) => return Ok((0, None)),
            (None, _) => window = (window * 2).min(size),
        }
    }
}
