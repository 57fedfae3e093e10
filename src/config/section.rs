//! Reading one table of the file, with the place of every value at hand.
//!
//! Depends on [`super::report`]. Promises that one walk finds every problem: a value that is
//! refused is recorded and stands in as absent, and reading goes on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::SCHEMAS;
use super::files::Contents;
use super::report::{Fault, Found, Hint, Problems};
use super::values::PATH;

/// A value with its place.
pub(super) type Value<'i> = toml::Spanned<DeValue<'i>>;

/// The name of a table and the keys that it may have.
#[derive(Debug)]
pub(super) struct Schema {
    /// As messages name it.
    pub(super) name: &'static str,
    /// What may stand in it.
    pub(super) keys: &'static [&'static str],
}

/// What a key takes: in words for messages, and as a conversion.
#[derive(Debug)]
pub(super) struct Kind<T> {
    /// Completes "`key` must be …".
    pub(super) allowed: &'static str,
    /// Returns `None` for what is not allowed.
    pub(super) convert: fn(&DeValue<'_>) -> Option<T>,
}

/// An open table. Without `Debug`, since its values may be secrets.
pub(super) struct Section<'s, 'i, 't> {
    schema: &'static Schema,
    table: &'s DeTable<'i>,
    /// The offset of the table's header.
    start: usize,
    problems: &'s mut Problems<'t>,
}

impl<'s, 'i, 't> Section<'s, 'i, 't> {
    /// Opens a table and reports each key that its schema does not know.
    pub(super) fn open(
        schema: &'static Schema,
        table: &'s DeTable<'i>,
        start: usize,
        problems: &'s mut Problems<'t>,
    ) -> Self {
        for key in table.keys() {
            let name = key.get_ref();
            if !schema.keys.contains(&name.as_ref()) {
                let fault = Fault::UnknownKey {
                    section: schema.name,
                    hint: hint(name, schema),
                    allowed: schema.keys,
                };
                problems.push(key.span().start, fault);
            }
        }
        Self {
            schema,
            table,
            start,
            problems,
        }
    }

    /// Reads a key that may be absent.
    pub(super) fn read<T>(&mut self, key: &'static str, kind: &Kind<T>) -> Option<T> {
        let value = self.value(key)?;
        let refuse = |found| {
            let allowed = kind.allowed;
            let fault = Fault::Unfit {
                key,
                allowed,
                found,
            };
            self.problems.push(value.span().start, fault);
        };
        convert(value, kind).map_err(refuse).ok()
    }

    /// Reads the file that a key names, if there is the key, up to so many bytes; a relative path begins
    /// at `directory`.
    pub(super) fn read_file(
        &mut self,
        key: &'static str,
        directory: &Path,
        longest: u64,
    ) -> Option<Contents> {
        let path = directory.join(self.read(key, &PATH)?);
        match self.problems.files().read(&path, longest) {
            Ok(contents) => Some(contents),
            Err(error) => {
                let cause = error.kind();
                self.refuse(key, Fault::UnreadableFile { key, cause });
                None
            }
        }
    }

    /// Reads a key that has no default.
    pub(super) fn require<T>(&mut self, key: &'static str, kind: &Kind<T>) -> Option<T> {
        if !self.has(key) {
            let section = self.schema.name;
            self.problems
                .push(self.start, Fault::MissingKey { section, key });
        }
        self.read(key, kind)
    }

    /// Reads a key that holds a list, each entry with its offset; absent is empty.
    pub(super) fn list<T>(&mut self, key: &'static str, kind: &Kind<T>) -> Vec<(usize, T)> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(entries) = value.get_ref().as_array() else {
            let fault = Fault::Unfit {
                key,
                allowed: "a list",
                found: Found(Some(value.get_ref().type_str())),
            };
            self.problems.push(value.span().start, fault);
            return Vec::new();
        };
        let mut converted = Vec::with_capacity(entries.len());
        for entry in entries {
            let at = entry.span().start;
            match convert(entry, kind) {
                Ok(entry) => converted.push((at, entry)),
                Err(found) => {
                    let allowed = kind.allowed;
                    let fault = Fault::UnfitEntry {
                        key,
                        allowed,
                        found,
                    };
                    self.problems.push(at, fault);
                }
            }
        }
        converted
    }

    /// Tells whether a key holds a list without an entry.
    pub(super) fn is_empty_list(&self, key: &'static str) -> bool {
        let list = self.value(key).and_then(|value| value.get_ref().as_array());
        list.is_some_and(|entries| entries.is_empty())
    }

    /// Opens a table inside this one; absent is `None`.
    pub(super) fn inner(&mut self, schema: &'static Schema) -> Option<Section<'_, 'i, 't>> {
        let key = schema.key();
        let value = self.value(key)?;
        let table = table(key, value, self.problems)?;
        let start = value.span().start;
        Some(Section::open(schema, table, start, self.problems))
    }

    /// Returns the tables inside this one that are named by the operator, with their names and the
    /// offsets of those.
    pub(super) fn named(&mut self, key: &'static str) -> Vec<(usize, &'s str, &'s Value<'i>)> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(entries) = table(key, value, self.problems) else {
            return Vec::new();
        };
        entries
            .iter()
            .map(|(name, entry)| (name.span().start, name.get_ref().as_ref(), entry))
            .collect()
    }

    /// Returns the entries of a list of tables; absent is empty, and `None` was refused.
    pub(super) fn tables(&mut self, key: &'static str) -> Option<&'s [Value<'i>]> {
        let Some(value) = self.value(key) else {
            return Some(&[]);
        };
        let entries = value.get_ref().as_array();
        if entries.is_none() {
            let fault = Fault::Unfit {
                key,
                allowed: "a list of tables, each with a header in double brackets",
                found: Found(Some(value.get_ref().type_str())),
            };
            self.problems.push(value.span().start, fault);
        }
        entries.map(|entries| &**entries)
    }

    /// Opens one of [`Self::named`] or [`Self::tables`].
    pub(super) fn open_entry(
        &mut self,
        schema: &'static Schema,
        entry: &'s Value<'i>,
    ) -> Option<Section<'_, 'i, 't>> {
        let table = table(schema.key(), entry, self.problems)?;
        let start = entry.span().start;
        Some(Section::open(schema, table, start, self.problems))
    }

    /// Records a fault at a key's value, or at the header where the key is absent.
    pub(super) fn refuse(&mut self, key: &'static str, fault: Fault) {
        self.problems.push(self.at(key), fault);
    }

    /// Records a fault at the first of two keys that is present.
    pub(super) fn refuse_either(&mut self, key: &'static str, other: &'static str, fault: Fault) {
        let present = if self.has(key) { key } else { other };
        self.refuse(present, fault);
    }

    /// Refuses a key's value that was seen before; `seen` holds the line of each.
    pub(super) fn unique<V: Ord>(
        &mut self,
        key: &'static str,
        what: &'static str,
        value: V,
        seen: &mut BTreeMap<V, usize>,
    ) {
        let here = self.line(self.at(key));
        match seen.entry(value) {
            Entry::Vacant(place) => {
                place.insert(here);
            }
            Entry::Occupied(first) => {
                let line = *first.get();
                self.refuse(key, Fault::Duplicate { what, line });
            }
        }
    }

    /// Records a fault at an offset.
    pub(super) fn refuse_at(&mut self, at: usize, fault: Fault) {
        self.problems.push(at, fault);
    }

    /// Returns the offset of a key's value, or of the header where the key is absent.
    pub(super) fn at(&self, key: &'static str) -> usize {
        self.value(key)
            .map_or(self.start, |value| value.span().start)
    }

    /// Returns the line of an offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.problems.line(at)
    }

    /// Tells whether a key is present.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: &'static str) -> Option<&'s Value<'i>> {
        debug_assert!(
            self.schema.keys.contains(&key),
            "{key} must be in the schema of {}, or it is reported as unknown",
            self.schema.name
        );
        self.table.get(key)
    }
}

impl Schema {
    /// Returns the section's key: its name without brackets.
    fn key(&self) -> &'static str {
        self.name.trim_matches(['[', ']'])
    }
}

/// Converts a value; one that is not allowed comes back as what was found.
fn convert<T>(value: &Value<'_>, kind: &Kind<T>) -> Result<T, Found> {
    (kind.convert)(value.get_ref()).ok_or_else(|| {
        // Most keys take text, where "found: string" would say nothing.
        Found(Some(value.get_ref().type_str()).filter(|found| *found != "string"))
    })
}

fn table<'s, 'i>(
    key: &'static str,
    value: &'s Value<'i>,
    problems: &mut Problems<'_>,
) -> Option<&'s DeTable<'i>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        let fault = Fault::Unfit {
            key,
            allowed: "a table",
            found: Found(Some(value.get_ref().type_str())),
        };
        problems.push(value.span().start, fault);
    }
    table
}

/// Guesses what an unknown key stands for.
fn hint(unknown: &str, schema: &'static Schema) -> Hint {
    let elsewhere = SCHEMAS.iter().find_map(|other| {
        let key = other.keys.iter().find(|key| **key == unknown)?;
        Some(Hint::Elsewhere(key, other.name))
    });
    if let Some(hint) = elsewhere {
        return hint;
    }
    let nearest = schema
        .keys
        .iter()
        .map(|key| (strsim::levenshtein(unknown, key), *key))
        .min();
    match nearest {
        Some((edits, key)) if edits <= 1.max(key.len() / 3) => Hint::Spelling(key),
        _ => Hint::None,
    }
}
