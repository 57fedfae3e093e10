//! `[audit]`: where the audit is written to beside the records.

use std::path::{Path, PathBuf};

use super::section::{Schema, Section};
use super::values::PATH;

pub(super) const SCHEMA: Schema = Schema {
    name: "[audit]",
    keys: &["file"],
};

/// Where the audit is written to beside the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// A file that gets a line of JSON for each entry.
    pub file: Option<PathBuf>,
}

impl Audit {
    /// A relative path begins at `directory`.
    pub(super) fn read(mut section: Section<'_, '_, '_>, directory: &Path) -> Self {
        let file = section.read("file", &PATH);
        Self {
            file: file.map(|path| directory.join(path)),
        }
    }
}
