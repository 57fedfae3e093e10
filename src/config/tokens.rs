//! `[[tokens]]`: who may ask, what for, and how much at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::report::Fault;
use super::section::{Schema, Section};
use super::values::{COUNT, DURATION, HashOrToken, LABEL, ROLE, SHA256, TOKEN_NAME};
use crate::token::{TokenHash, TokenName, Tokens};

pub(super) const SCHEMA: Schema = Schema {
    name: "[[tokens]]",
    keys: &[
        "name",
        "sha256",
        "role",
        "types",
        "max_duration",
        "max_reservations",
        "requests_per_minute",
    ],
};

/// What a token is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Reserves accounts, and sees what is its own.
    #[default]
    Consumer,
    /// Looks after the pool, sees everything, and reserves as well.
    Operator,
    /// Sees what an operator sees, and changes nothing.
    Viewer,
}

/// What a token may do. A limit that is `None` is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSettings {
    /// What it is for.
    pub role: Role,
    /// The types that it may ask for; never empty.
    pub types: Option<BTreeSet<String>>,
    /// The longest lease that it may have, renewals included.
    pub max_duration: Option<Duration>,
    /// How many accounts it may wait for and hold at once.
    pub max_reservations: Option<u32>,
    /// How many requests it may make in a minute.
    pub requests_per_minute: Option<u32>,
}

impl TokenSettings {
    fn read(section: &mut Section<'_, '_, '_>, known_types: &BTreeSet<String>) -> Self {
        Self {
            role: section.read("role", &ROLE).unwrap_or_default(),
            types: section
                .has("types")
                .then(|| read_types(section, known_types)),
            max_duration: section.read("max_duration", &DURATION),
            max_reservations: section.read("max_reservations", &COUNT),
            requests_per_minute: section.read("requests_per_minute", &COUNT),
        }
    }
}

fn read_types(
    section: &mut Section<'_, '_, '_>,
    known_types: &BTreeSet<String>,
) -> BTreeSet<String> {
    let types = section.list("types", &LABEL);
    if section.is_empty_list("types") {
        section.refuse("types", Fault::NoTypes);
    }
    for (at, label) in &types {
        if !known_types.contains(label) {
            section.refuse_at(*at, Fault::UnusedType);
        }
    }
    types.into_iter().map(|(_, label)| label).collect()
}

/// Reads the tokens and what each may do, and refuses those that share a name or a hash.
/// `known_types` are those that some account has.
pub(super) fn read(
    root: &mut Section<'_, '_, '_>,
    known_types: &BTreeSet<String>,
) -> (Tokens, BTreeMap<TokenName, TokenSettings>) {
    let mut names: BTreeMap<TokenName, usize> = BTreeMap::new();
    let mut hashes: BTreeMap<TokenHash, usize> = BTreeMap::new();
    let mut tokens = Vec::new();
    let mut settings = BTreeMap::new();
    let Some(entries) = root.tables("tokens") else {
        return Default::default();
    };
    if entries.is_empty() {
        root.refuse("tokens", Fault::NoTokens);
    }
    for entry in entries {
        let Some(mut section) = root.open_entry(&SCHEMA, entry) else {
            continue;
        };
        let name = section.require("name", &TOKEN_NAME);
        if let Some(name) = &name {
            section.unique("name", "name", name.clone(), &mut names);
        }
        let hash = match section.require("sha256", &SHA256) {
            Some(HashOrToken::Hash(hash)) => {
                section.unique("sha256", "token", hash, &mut hashes);
                Some(hash)
            }
            Some(HashOrToken::Token) => {
                section.refuse("sha256", Fault::ClearToken);
                None
            }
            None => None,
        };
        let of_token = TokenSettings::read(&mut section, known_types);
        settings.extend(name.clone().map(|name| (name, of_token)));
        tokens.extend(hash.zip(name));
    }
    (Tokens::new(tokens), settings)
}
