//! `[[accounts]]`: what is lent.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Source;
use super::keep::ProtectedLines;
use super::report::Fault;
use super::secrets::Sources;
use super::section::{Schema, Section};
use super::values::{ACCOUNT_ID, API_KEY, IAM_ID, LABEL};

pub(super) const SCHEMA: Schema = Schema {
    name: "[[accounts]]",
    keys: &[
        "id",
        "type",
        "api_key",
        "api_key_file",
        "api_key_env",
        "owner",
    ],
};

const API_KEY_SOURCES: Sources<SecretString> = Sources {
    owner: "an account",
    what: "an API key",
    keys: ["api_key", "api_key_file", "api_key_env"],
    file: "the file named by `api_key_file`",
    kind: &API_KEY,
};

/// One pooled account, as the operator describes it.
#[derive(Clone, Debug)]
pub struct Account {
    /// IBM's id of it: 32 lowercase hexadecimal digits.
    pub id: String,
    /// The operator's label for its kind.
    pub account_type: String,
    /// The management key at the start: an API key of the account's owner.
    pub api_key: SecretString,
    /// The IAM id that the key's owner must have, where the operator gave one.
    pub owner: Option<String>,
}

/// What the accounts that were read use, and the line of what must be unique.
#[derive(Default)]
struct Seen {
    types: BTreeSet<String>,
    ids: BTreeMap<String, usize>,
    /// By SHA-256, to keep no second copy of a key.
    api_keys: BTreeMap<[u8; 32], usize>,
}

/// Reads the accounts and refuses those that share an id or a key, or are protected. Returns them
/// and the types in use, those of refused accounts included.
pub(super) fn read(
    root: &mut Section<'_, '_, '_>,
    protected: &ProtectedLines,
    source: &Source<'_>,
) -> (Vec<Account>, BTreeSet<String>) {
    let Some(entries) = root.tables("accounts") else {
        return Default::default();
    };
    if entries.is_empty() {
        root.refuse("accounts", Fault::NoAccounts);
    }
    let mut seen = Seen::default();
    let mut accounts = Vec::with_capacity(entries.len());
    let mut inline_key = None;
    for entry in entries {
        let Some(mut section) = root.open_entry(&SCHEMA, entry) else {
            continue;
        };
        if inline_key.is_none() && section.has("api_key") {
            inline_key = Some(section.at("api_key"));
        }
        accounts.extend(read_account(&mut section, &mut seen, protected, source));
    }
    if let Some(at) = inline_key.filter(|_| source.readable_by_others) {
        let what = API_KEY_SOURCES.what;
        root.refuse_at(
            at,
            Fault::ReadableByOthers {
                file: "this file",
                what,
            },
        );
    }
    (accounts, seen.types)
}

fn read_account(
    section: &mut Section<'_, '_, '_>,
    seen: &mut Seen,
    protected: &ProtectedLines,
    source: &Source<'_>,
) -> Option<Account> {
    let id = section.require("id", &ACCOUNT_ID);
    if let Some(id) = &id {
        section.unique("id", "account id", id.clone(), &mut seen.ids);
        if let Some(&line) = protected.get(id) {
            section.refuse("id", Fault::Protected(line));
        }
    }
    let account_type = section.require("type", &LABEL);
    seen.types.extend(account_type.clone());
    let owner = section.read("owner", &IAM_ID);
    let key = API_KEY_SOURCES.read(section, source);
    if let Some((key, secret)) = &key {
        let digest = Sha256::digest(secret.expose_secret()).into();
        section.unique(key, "API key", digest, &mut seen.api_keys);
    }
    Some(Account {
        id: id?,
        account_type: account_type?,
        api_key: key?.1,
        owner,
    })
}
