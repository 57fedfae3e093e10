//! The operator's TOML file, read into a validated [`Config`].
//!
//! Depends on `crate::token` for what a token's hash is, on `crate::certificate` for what TLS needs, on
//! `crate::webhook` for where webhooks are and what signs their messages, and on the pool for its settings;
//! knows nothing of IBM or HTTP.
//! Promises:
//! - one reading reports everything that is wrong, each with its line and column and with what is
//!   allowed;
//! - no text of the file is repeated in an error, a warning or `Debug` where it could be a secret
//!   (see [`report`]);
//! - what was read needs no further check; files and variables are touched here and nowhere else.
//!
//! Each section of the file has a module with its settings, their defaults and its rules.
//! `accounts.example.toml` shows every setting.

mod accounts;
mod audit;
pub(crate) mod duration;
mod files;
mod ibm;
mod keep;
mod policy;
pub mod report;
mod secrets;
mod section;
mod server;
mod tls;
mod tokens;
mod types;
mod values;
mod webhooks;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use acctpool_actors::pool::Policy;
use thiserror::Error;
use toml::de::DeTable;
use zeroize::Zeroizing;

pub use accounts::Account;
pub use audit::Audit;
pub use files::Files;
pub use ibm::{ENDPOINT_KEYS, Endpoints, Ibm};
pub use keep::Keep;
pub use report::{Fault, Problem, Report, Severity};
pub use server::{PlaintextOffLoopback, Server};
pub use tokens::{Role, TokenSettings};
pub use types::{Profile, Rights, TypeSettings};
pub(crate) use values::is_label as is_type_label;
pub use webhooks::Webhook;

use crate::token::{TokenName, Tokens};
use report::Problems;
use section::{Schema, Section};

const ROOT: Schema = Schema {
    name: "the top level",
    keys: &[
        "server", "policy", "types", "ibm", "keep", "audit", "webhooks", "tokens", "accounts",
    ],
};

/// Everything that may stand in the file.
const SCHEMAS: [&Schema; 10] = [
    &ROOT,
    &server::SCHEMA,
    &policy::SCHEMA,
    &types::SCHEMA,
    &ibm::SCHEMA,
    &keep::SCHEMA,
    &audit::SCHEMA,
    &webhooks::SCHEMA,
    &tokens::SCHEMA,
    &accounts::SCHEMA,
];

/// Everything that the operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// The pool, but for its types.
    pub policy: Policy,
    /// Every type that has a section or an account.
    pub types: BTreeMap<String, TypeSettings>,
    /// IBM Cloud's APIs.
    pub ibm: Ibm,
    /// What is never touched.
    pub keep: Keep,
    /// Who may ask.
    pub tokens: Tokens,
    /// What each of them may do.
    pub token_settings: BTreeMap<TokenName, TokenSettings>,
    /// Where the audit is written to beside the records.
    pub audit: Audit,
    /// Who is told of what happens, in the order of the file.
    pub webhooks: Vec<Webhook>,
    /// What is lent, in the order of the file.
    pub accounts: Vec<Account>,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file was read and is refused. Warnings are in the report too.
    #[error("{0}")]
    Refused(Report),
}

/// Where the text comes from, and what it may refer to.
struct Source<'a> {
    /// Where relative paths begin.
    directory: &'a Path,
    /// The environment.
    env: &'a dyn Fn(&str) -> Option<String>,
    /// Whether every user of the machine can read the file.
    readable_by_others: bool,
}

impl Config {
    /// Reads a file. `env` looks up an environment variable; nothing else of the environment is
    /// used. The report of an accepted file holds its warnings and is empty when there are none.
    pub fn load(
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Report), ConfigError> {
        let read = || {
            let mut file = File::open(path)?;
            let readable_by_others = files::is_readable_by_others(&file.metadata()?);
            let mut bytes = Zeroizing::new(Vec::new());
            file.read_to_end(&mut bytes)?;
            Ok((bytes, readable_by_others))
        };
        let (bytes, readable_by_others) = read().map_err(|source| ConfigError::Unreadable {
            file: path.to_owned(),
            source,
        })?;
        let source = Source {
            directory: path.parent().unwrap_or(Path::new("")),
            env,
            readable_by_others,
        };
        read_bytes(&bytes, path, &source)
    }

    /// Reads a text as if it stood in the file `path`, which need not exist.
    pub fn parse(
        text: &str,
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Report), ConfigError> {
        let source = Source {
            directory: path.parent().unwrap_or(Path::new("")),
            env,
            readable_by_others: false,
        };
        read_text(text, path, &source)
    }
}

fn read_bytes(
    bytes: &[u8],
    path: &Path,
    source: &Source<'_>,
) -> Result<(Config, Report), ConfigError> {
    match str::from_utf8(bytes) {
        Ok(text) => read_text(text, path, source),
        Err(error) => {
            let valid = str::from_utf8(&bytes[..error.valid_up_to()])
                .expect("the error says that this much is valid");
            let mut problems = Problems::new(valid);
            problems.push(valid.len(), Fault::NotUtf8);
            Err(ConfigError::Refused(problems.into_report(path)))
        }
    }
}

fn read_text(
    text: &str,
    path: &Path,
    source: &Source<'_>,
) -> Result<(Config, Report), ConfigError> {
    let mut problems = Problems::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        // Its `Display` shows the line, which may hold a secret; its message does not.
        problems.push_syntax(error.span(), error.message());
    }
    let config = read_config(table.get_ref(), source, &mut problems);
    let report = problems.into_report(path);
    if report.has_errors() {
        Err(ConfigError::Refused(report))
    } else {
        Ok((config, report))
    }
}

fn read_config(table: &DeTable<'_>, source: &Source<'_>, problems: &mut Problems<'_>) -> Config {
    let mut root = Section::open(&ROOT, table, 0, problems);
    let server = root
        .inner(&server::SCHEMA)
        .map(|section| Server::read(section, source.directory));
    let ibm = root.inner(&ibm::SCHEMA).map(Ibm::read).unwrap_or_default();
    let real_caches = ibm.endpoints.is_production();
    let policy = root
        .inner(&policy::SCHEMA)
        .map(|section| policy::read(section, real_caches));
    let (keep, protected) = root
        .inner(&keep::SCHEMA)
        .map(Keep::read)
        .unwrap_or_default();
    let audit = root
        .inner(&audit::SCHEMA)
        .map(|section| Audit::read(section, source.directory));
    let (accounts, used_types) = accounts::read(&mut root, &protected, source);
    let (tokens, token_settings) = tokens::read(&mut root, &used_types);
    Config {
        server: server.unwrap_or_default(),
        policy: policy.unwrap_or_default(),
        types: types::read(&mut root, used_types),
        ibm,
        keep,
        tokens,
        token_settings,
        audit: audit.unwrap_or_default(),
        webhooks: webhooks::read(&mut root, source),
        accounts,
    }
}

#[cfg(test)]
mod tests;
