//! What is wrong with a configuration file, and where.
//!
//! Depends on nothing else in the program but [`Files`]. Promises that no text of the file is ever repeated: a
//! [`Fault`] is made of the program's own words and of numbers, so a secret pasted in the wrong
//! place cannot reach a terminal or a log. The one text from elsewhere is the TOML parser's
//! description of a syntax error, which names what it expected and nothing that it read.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use thiserror::Error;

use super::files::Files;

/// Whether a problem keeps the server from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration works, but perhaps not as it was meant.
    Warning,
}

/// One thing that is wrong, without its place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file is no valid TOML.
    #[error("syntax: {0}")]
    Syntax(String),
    /// The file is no text.
    #[error("the file must be UTF-8 text")]
    NotUtf8,
    /// A key that nothing reads.
    #[error("unknown key in {section}{hint}; allowed: {}", quoted(allowed))]
    UnknownKey {
        /// Where it stands.
        section: &'static str,
        /// What may have been meant.
        hint: Hint,
        /// The keys of that section.
        allowed: &'static [&'static str],
    },
    /// A key that has no default is absent.
    #[error("`{key}` is missing in {section}")]
    MissingKey {
        /// Where it is missing.
        section: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A value that its key does not take.
    #[error("`{key}` must be {allowed}{found}")]
    Unfit {
        /// The key.
        key: &'static str,
        /// What it takes.
        allowed: &'static str,
        /// The type of what stands there, when that alone is wrong.
        found: Found,
    },
    /// An entry of a list that its key does not take.
    #[error("each entry of `{key}` must be {allowed}{found}")]
    UnfitEntry {
        /// The key of the list.
        key: &'static str,
        /// What each entry must be.
        allowed: &'static str,
        /// The type of what stands there, when that alone is wrong.
        found: Found,
    },
    /// A section's name that cannot name a type.
    #[error("the type in the name of this section must be {allowed}")]
    UnfitType {
        /// What a type may be.
        allowed: &'static str,
    },
    /// A duration above the limit that another key sets.
    #[error("`{key}` must not be longer than `{limit}`, which is {}", humantime::format_duration(*.value))]
    TooLong {
        /// The key.
        key: &'static str,
        /// The key that limits it.
        limit: &'static str,
        /// That one's value.
        value: Duration,
    },
    /// No cleaning could ever end in time.
    #[error("`cleaning_timeout` must be longer than `settle` and `proof_gap` together, which are {}", humantime::format_duration(*.0))]
    CleaningTooShort(Duration),
    /// A value that must be unique was given before.
    #[error("the same {what} as in line {line}")]
    Duplicate {
        /// What was repeated.
        what: &'static str,
        /// The line of the first one, from 1.
        line: usize,
    },
    /// No secret where there should be one, or several.
    #[error("{owner} needs exactly one of {}; found: {found}", quoted(keys))]
    SecretSources {
        /// Whose secret it is.
        owner: &'static str,
        /// The keys that lead to it.
        keys: [&'static str; 3],
        /// How many of them are there.
        found: usize,
    },
    /// A file that cannot be read.
    #[error("the file named by `{key}` cannot be read: {cause}")]
    UnreadableFile {
        /// The key that names it.
        key: &'static str,
        /// What the operating system said.
        cause: io::ErrorKind,
    },
    /// A variable that is absent.
    #[error("the environment variable named by `{0}` is not set")]
    NoVariable(&'static str),
    /// What stands in a file or variable is not what it should be.
    #[error("what `{key}` names must hold {allowed}")]
    UnfitSource {
        /// The key that names the source.
        key: &'static str,
        /// What it must hold.
        allowed: &'static str,
    },
    /// An account both lent and protected.
    #[error("this account is in `protected_accounts` (line {0}), so it cannot be lent")]
    Protected(usize),
    /// A clear token in place of its hash.
    #[error(
        "`sha256` holds a token, not its hash; treat that token as leaked, and make another with `acctpool token new NAME`, which prints the line to put here"
    )]
    ClearToken,
    /// Secrets would travel in clear text to IBM.
    #[error(
        "`{0}` must begin with https://; plain http is for loopback addresses only, and needs `allow_plain_http = true`"
    )]
    PlainHttp(&'static str),
    /// Secrets would travel in clear text from consumers.
    #[error(
        "`bind` must be a loopback address: tokens would travel in clear text; behind a proxy that adds TLS, set `behind_proxy = true`; to speak TLS, set `tls_certificate` and `tls_key`"
    )]
    PlaintextOffLoopback,
    /// Half of what TLS needs.
    #[error("`{key}` needs `{other}` beside it")]
    Alone {
        /// The key that is there.
        key: &'static str,
        /// The one that is not.
        other: &'static str,
    },
    /// A certificate and the key of another one.
    #[error("`tls_key` does not name the key of the certificate that `tls_certificate` names")]
    KeyMismatch,
    /// A private key that every user of the machine can read.
    #[error(
        "everybody on this machine can read the file named by `tls_key`: chmod o-r, and consider the key known"
    )]
    KnownTlsKey,
    /// A certificate that clients do not accept any more.
    #[error("the certificate has expired at {}", humantime::format_rfc3339_seconds(*.0))]
    Expired(SystemTime),
    /// A certificate that clients do not accept yet.
    #[error("the certificate is not valid before {}", humantime::format_rfc3339_seconds(*.0))]
    NotValidYet(SystemTime),
    /// Resource groups are to be kept, but a borrower could put things in them.
    #[error(
        "`resource_groups` needs `created_before`: only what is older than that moment is kept by its group, since a borrower can choose the group of a resource, too"
    )]
    KeptSinceWhen,
    /// Nothing to lend.
    #[error("no [[accounts]]: nothing can be lent")]
    NoAccounts,
    /// A token that may ask for nothing.
    #[error("`types` must name a type; without it, the token may ask for any")]
    NoTypes,
    /// Nobody to lend to.
    #[error("no [[tokens]]: nobody can reserve; `acctpool token new NAME` makes one")]
    NoTokens,
    /// A type's section without an account.
    #[error("no account is of this type")]
    UnusedType,
    /// A secret that every user of the machine can read.
    #[error("{file} holds {what} and everybody on this machine can read it: chmod o-r")]
    ReadableByOthers {
        /// Where it stands.
        file: &'static str,
        /// What it is.
        what: &'static str,
    },
    /// A webhook that is told of nothing.
    #[error("`events` must name an event; without it, the webhook is told of all")]
    NoEvents,
    /// A proof read while old tokens may still work.
    #[error(
        "`settle` is shorter than the 10 minutes for which IBM's caches may still honour a revoked credential"
    )]
    ShortSettle,
    /// Upkeep that would never end.
    #[error(
        "`{0}` must be at least 10m on IBM Cloud: fresh credentials take minutes to work, and an account cannot be lent meanwhile"
    )]
    ShortUpkeep(&'static str),
}

impl Fault {
    /// Returns whether the fault keeps the server from starting.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::NoAccounts
            | Self::NoTokens
            | Self::UnusedType
            | Self::ReadableByOthers { .. }
            | Self::Expired(_)
            | Self::NotValidYet(_)
            | Self::ShortSettle => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Tells whether something is lacking, which a file that could not be read whole may yet hold.
    fn is_about_absence(&self) -> bool {
        matches!(self, Self::MissingKey { .. } | Self::SecretSources { .. })
    }
}

/// What the author of an unknown key may have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// No idea.
    None,
    /// A key of the same section that is spelled almost like it.
    Spelling(&'static str),
    /// The same key is known in another section.
    Elsewhere(&'static str, &'static str),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Spelling(key) => write!(f, " (did you mean `{key}`?)"),
            Self::Elsewhere(key, section) => write!(f, " (`{key}` belongs in {section})"),
        }
    }
}

/// The TOML type that was found, where it says more than what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found(pub(super) Option<&'static str>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(kind) => write!(f, "; found: {kind}"),
            None => Ok(()),
        }
    }
}

fn quoted(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    quoted.join(", ")
}

/// A fault and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// Problems of one file, in the order of their places. Shown as lines of
/// `file:line:column: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    file: PathBuf,
    files: Files,
    problems: Vec<Problem>,
}

impl Report {
    /// Returns the problems in the order of their places.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the files that were read because this one names them.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Tells whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Tells whether the configuration is refused.
    pub(super) fn has_errors(&self) -> bool {
        let is_error = |problem: &Problem| problem.fault.severity() == Severity::Error;
        self.problems.iter().any(is_error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            let Problem {
                line,
                column,
                fault,
            } = problem;
            write!(f, "{}:{line}:{column}: ", self.file.display())?;
            if fault.severity() == Severity::Warning {
                f.write_str("warning: ")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// Collects faults while a file is read. Without `Debug`, since it holds the text.
pub(super) struct Problems<'t> {
    text: &'t str,
    /// The offsets at which lines begin.
    lines: Vec<usize>,
    faults: Vec<(usize, Fault)>,
    /// The other files that were read on the way.
    files: Files,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(breaks).collect(),
            faults: Vec::new(),
            files: Files::default(),
        }
    }

    /// Returns the files that the text names and that were read, for another one.
    pub(super) fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    /// Records a fault at a byte offset.
    pub(super) fn push(&mut self, at: usize, fault: Fault) {
        self.faults.push((at, fault));
    }

    /// Records a syntax error of the TOML parser.
    pub(super) fn push_syntax(&mut self, span: Option<Range<usize>>, description: &str) {
        let at = span.map_or(0, |span| span.start);
        self.push(at, Fault::Syntax(description.to_owned()));
    }

    /// Returns the line of a byte offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|&start| start <= at)
    }

    /// Returns what was found, in the order of places.
    ///
    /// What only follows from a syntax error is left out: the parser skips what it does not
    /// understand, so only what was read whole can be judged.
    pub(super) fn into_report(mut self, file: &Path) -> Report {
        let mut faults = std::mem::take(&mut self.faults);
        let is_syntax = |fault: &Fault| matches!(fault, Fault::Syntax(_));
        let broken: BTreeSet<usize> = faults
            .iter()
            .filter(|(_, fault)| is_syntax(fault))
            .map(|(at, _)| self.line(*at))
            .collect();
        if !broken.is_empty() {
            let doubtful = self.doubtful_lines(broken);
            faults.retain(|(at, fault)| {
                let was_read_whole = !doubtful.contains(&self.line(*at))
                    && !fault.is_about_absence()
                    && fault.severity() == Severity::Error;
                is_syntax(fault) || was_read_whole
            });
        }
        faults.sort_by_key(|(at, _)| *at);
        let problems = faults
            .into_iter()
            .map(|(at, fault)| self.locate(at, fault))
            .collect();
        Report {
            file: file.to_owned(),
            files: self.files,
            problems,
        }
    }

    /// Adds the lines below each broken header: their keys may have landed in another table.
    fn doubtful_lines(&self, broken: BTreeSet<usize>) -> BTreeSet<usize> {
        let is_header = |line: usize| {
            let rest = &self.text[self.lines[line - 1]..];
            rest.trim_start_matches([' ', '\t']).starts_with('[')
        };
        let mut doubtful = broken.clone();
        for header in broken.into_iter().filter(|line| is_header(*line)) {
            let below = header + 1..=self.lines.len();
            doubtful.extend(below.take_while(|line| !is_header(*line)));
        }
        doubtful
    }

    fn locate(&self, at: usize, fault: Fault) -> Problem {
        let line = self.line(at);
        let start = self.lines[line - 1];
        // The parser may point at the end of the file, or into a character.
        let before = self.text.as_bytes().get(start..at).unwrap_or_default();
        let column = String::from_utf8_lossy(before).chars().count() + 1;
        Problem {
            line,
            column,
            fault,
        }
    }
}
