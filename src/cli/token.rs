//! `acctpool token`: makes tokens for consumers.

use std::io::Write;

use clap::{Args, Subcommand};

use super::Failure;
use crate::token::{NewToken, TokenName};

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a token: prints it once, with the lines that let it in.
    New {
        /// The consumer's name, as the log shows it.
        name: TokenName,
    },
}

impl Token {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Verb::New { name } = self.verb;
        let token = NewToken::generate(name).map_err(Failure::of("cannot make a token"))?;
        let mut out = std::io::stdout();
        writeln!(
            out,
            "# The token, shown this once; give it to its consumer:\n#   {}\n\
             # These lines belong in accounts.toml, which needs no more than the hash:\n{}",
            token.reveal(),
            token.toml().trim_end()
        )
        .map_err(Failure::of("cannot print the token"))
    }
}
