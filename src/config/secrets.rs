//! Where a secret comes from: it stands in the file, in a file of its own, or in an environment variable.
//!
//! Depends on [`super::section`]. Promises that no text of any of these is repeated.

use std::path::Path;

use toml::de::DeValue;
use zeroize::Zeroizing;

use super::Source;
use super::report::Fault;
use super::section::{Kind, Section};
use super::values::VARIABLE;

/// A little more than the longest secret, in bytes, so that a wrong path is noticed and a device ends.
const LONGEST_FILE: u64 = 2048;

/// The keys of one secret, of which exactly one has to be there.
pub(super) struct Sources<T: 'static> {
    /// Whose it is, for messages.
    pub(super) owner: &'static str,
    /// What it is, for messages.
    pub(super) what: &'static str,
    /// For the secret itself, for a path and for the name of a variable.
    pub(super) keys: [&'static str; 3],
    /// The second of them, for messages.
    pub(super) file: &'static str,
    /// What the secret must be.
    pub(super) kind: &'static Kind<T>,
}

impl<T> Sources<T> {
    /// Returns the secret and the key that led to it.
    pub(super) fn read(
        &self,
        section: &mut Section<'_, '_, '_>,
        source: &Source<'_>,
    ) -> Option<(&'static str, T)> {
        let mut present = self.keys.into_iter().filter(|key| section.has(key));
        let (first, others) = (present.next(), present.count());
        let key = match first {
            Some(key) if others == 0 => key,
            _ => {
                let fault = Fault::SecretSources {
                    owner: self.owner,
                    keys: self.keys,
                    found: usize::from(first.is_some()) + others,
                };
                section.refuse(first.unwrap_or(self.keys[0]), fault);
                return None;
            }
        };
        let [here, in_file, _] = self.keys;
        let secret = if key == here {
            section.read(key, self.kind)
        } else if key == in_file {
            self.read_file(section, source.directory)
        } else {
            self.read_variable(section, source.env)
        };
        Some((key, secret?))
    }

    fn read_file(&self, section: &mut Section<'_, '_, '_>, directory: &Path) -> Option<T> {
        let key = self.keys[1];
        let contents = section.read_file(key, directory, LONGEST_FILE)?;
        if contents.is_readable_by_others {
            // Mounted secrets of a container platform look so: no reason to refuse.
            let (file, what) = (self.file, self.what);
            section.refuse(key, Fault::ReadableByOthers { file, what });
        }
        // What is no text is no secret either.
        let text = str::from_utf8(&contents.bytes).unwrap_or_default();
        self.taken_from(section, key, text)
    }

    fn read_variable(
        &self,
        section: &mut Section<'_, '_, '_>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Option<T> {
        let key = self.keys[2];
        let name = section.read(key, &VARIABLE)?;
        let Some(text) = env(&name).map(Zeroizing::new) else {
            section.refuse(key, Fault::NoVariable(key));
            return None;
        };
        self.taken_from(section, key, &text)
    }

    fn taken_from(
        &self,
        section: &mut Section<'_, '_, '_>,
        key: &'static str,
        text: &str,
    ) -> Option<T> {
        let value = DeValue::String(text.trim().into());
        let secret = (self.kind.convert)(&value);
        if secret.is_none() {
            let allowed = self.kind.allowed;
            section.refuse(key, Fault::UnfitSource { key, allowed });
        }
        secret
    }
}
