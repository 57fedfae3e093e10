//! Where the server is, and who asks.

use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::Args;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::super::{Failure, exit_code};
use crate::client::{Client, ServerAddress};
use crate::outgoing;

/// The variable that holds the token.
pub(super) const TOKEN: &str = "ACCTPOOL_TOKEN";
/// The variable that names a file with the token.
pub(super) const TOKEN_FILE: &str = "ACCTPOOL_TOKEN_FILE";

/// The longest token that is read; one of acctpool's own has 52 characters.
const LONGEST_TOKEN: usize = 1024;

/// See the module.
#[derive(Args, Debug)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerOptions {
    /// The server's address: https, or http to this machine.
    #[arg(
        long,
        value_name = "URL",
        env = "ACCTPOOL_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,
    /// A file that holds the token [default: the file that `ACCTPOOL_TOKEN_FILE` names, unless
    /// `ACCTPOOL_TOKEN` holds the token itself].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A PEM file of root certificates to trust besides those of the system.
    #[arg(long, value_name = "FILE", env = "ACCTPOOL_CA_FILE")]
    ca: Option<PathBuf>,
    /// Allows http to other machines. Whoever can listen in between can take the token, and the
    /// accounts with it.
    #[arg(long)]
    insecure_http: bool,
}

impl ServerOptions {
    /// Makes the client of a consumer or operator.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let token = self.token()?;
        self.connect(Some(token))
    }

    /// Makes the client of anybody.
    pub(super) fn anonymous_client(&self) -> Result<Client, Failure> {
        self.connect(None)
    }

    fn connect(&self, token: Option<SecretString>) -> Result<Client, Failure> {
        let address = ServerAddress::parse(&self.url, self.insecure_http)
            .map_err(|why| usage(format!("--url (or ACCTPOOL_URL): {why}")))?;
        let mut extra = Ok(());
        let client = Client::new(address, token, || {
            let mut roots = outgoing::system_roots();
            if let Some(file) = &self.ca {
                extra = outgoing::trust(&mut roots, file);
            }
            roots
        });
        match extra {
            Ok(()) => Ok(client),
            Err(why) => Err(Failure::Exit {
                code: exit_code::USAGE,
                message: "the file of --ca says not whom to trust".to_owned(),
                source: Some(Box::new(why)),
            }),
        }
    }

    /// Returns the token. What is said about one that is not usable never shows it.
    fn token(&self) -> Result<SecretString, Failure> {
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        if let Some(file) = &self.token_file {
            return read(file);
        }
        if let Some(token) = named(TOKEN) {
            let token = Zeroizing::new(token.into_encoded_bytes());
            return checked(&token).ok_or_else(|| usage(format!("{TOKEN} holds no token")));
        }
        match named(TOKEN_FILE) {
            Some(file) => read(Path::new(&file)),
            None => Err(usage(format!(
                "there is no token: put it into {TOKEN}, or into a file that {TOKEN_FILE} or \
                 --token-file names"
            ))),
        }
    }
}

fn read(file: &Path) -> Result<SecretString, Failure> {
    let bytes = fs::read(file).map_err(|why| Failure::Exit {
        code: exit_code::USAGE,
        message: format!("cannot read the token in {}", file.display()),
        source: Some(Box::new(why)),
    })?;
    checked(&Zeroizing::new(bytes))
        .ok_or_else(|| usage(format!("{} holds no token", file.display())))
}

/// Reads a token: one word that can be sent in a header.
fn checked(bytes: &[u8]) -> Option<SecretString> {
    let token = bytes.trim_ascii();
    let is_word = token.iter().all(u8::is_ascii_graphic);
    let fits = (1..=LONGEST_TOKEN).contains(&token.len());
    let text = std::str::from_utf8(token).ok()?;
    (is_word && fits).then(|| SecretString::from(text))
}

fn usage(message: String) -> Failure {
    Failure::Exit {
        code: exit_code::USAGE,
        message,
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word() {
        assert!(checked(b"acctpool_abc\r\n").is_some());
        for text in ["", " \n", "two words", "a\nb", "gr\u{fc}n"] {
            assert!(checked(text.as_bytes()).is_none(), "{text:?}");
        }
        assert!(checked(&[b'x'; LONGEST_TOKEN + 1]).is_none());
    }
}
