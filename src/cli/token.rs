//! `acctpool token`: makes tokens for consumers.

use std::ffi::OsStr;
use std::io::Write;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, Subcommand};

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
        #[arg(value_parser = NameParser)]
        name: TokenName,
    },
}

/// Reads a name without repeating one that is refused: it may be a token that was pasted there.
#[derive(Clone)]
struct NameParser;

impl TypedValueParser for NameParser {
    type Value = TokenName;

    fn parse_ref(
        &self,
        command: &Command,
        _argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<TokenName, clap::Error> {
        let name = value.to_str().and_then(|text| text.parse().ok());
        name.ok_or_else(|| {
            let allowed = format!("NAME must be {}\n", TokenName::ALLOWED);
            clap::Error::raw(ErrorKind::ValueValidation, allowed).with_cmd(command)
        })
    }
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
