//! `[[tokens]]`: who may reserve.

use std::collections::BTreeMap;

use super::report::Fault;
use super::section::{Schema, Section};
use super::values::{HashOrToken, SHA256, TOKEN_NAME};
use crate::token::{TokenHash, TokenName, Tokens};

pub(super) const SCHEMA: Schema = Schema {
    name: "[[tokens]]",
    keys: &["name", "sha256"],
};

/// Reads the tokens and refuses those that share a name or a hash.
pub(super) fn read(root: &mut Section<'_, '_, '_>) -> Tokens {
    let mut names: BTreeMap<TokenName, usize> = BTreeMap::new();
    let mut hashes: BTreeMap<TokenHash, usize> = BTreeMap::new();
    let mut tokens = Vec::new();
    let Some(entries) = root.tables("tokens") else {
        return Tokens::default();
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
        tokens.extend(hash.zip(name));
    }
    Tokens::new(tokens)
}
