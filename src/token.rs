//! Consumer tokens: how one is made, and how a presented one is recognised.
//!
//! A token is 256 random bits behind a prefix that secret scanners can find. Only its SHA-256 is
//! ever configured or kept: at this entropy a slow hash would protect nothing and let anybody
//! exhaust the server by guessing (`design.md` 11).
//!
//! Depends on nothing else in the program. Promises that no token is shown by `Debug`, and that an
//! unknown token takes the same path as a known one.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// What every token begins with.
pub const PREFIX: &str = "acctpool_";

/// Why a token could not be made.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The name is not one that [`TokenName`] takes.
    #[error("the token's name must be {}", TokenName::ALLOWED)]
    Name,
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system")]
    Entropy(#[source] getrandom::Error),
}

/// The name of a token: the identity that it proves. It may be logged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenName(String);

impl TokenName {
    /// What a name may be, for messages.
    pub const ALLOWED: &str = "1 to 64 letters, digits or any of . _ - @, \
                               beginning with a letter or digit and not with \"acctpool_\"";

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let charset = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
        // A token pasted where its name belongs would end up in every log line.
        let is_a_token = text.starts_with(PREFIX);
        if begins_well && text.len() <= 64 && text.chars().all(charset) && !is_a_token {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenError::Name)
        }
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits of either case; anything else is `None`.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Some(Self(hash))
    }

    /// Writes the hash as 64 lowercase hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        let digit = |bits: u8| char::from(b"0123456789abcdef"[usize::from(bits)]);
        let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 0xf)];
        self.0.iter().flat_map(digits).collect()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// A token that was just made: the only moment at which its clear value exists here.
#[derive(Debug)]
pub struct NewToken {
    name: TokenName,
    secret: SecretString,
}

impl NewToken {
    /// Makes a token from 32 bytes of the operating system's randomness.
    pub fn generate(name: TokenName) -> Result<Self, TokenError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(TokenError::Entropy)?;
        let mut encoded = BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice());
        let secret = SecretString::from(format!("{PREFIX}{encoded}"));
        encoded.zeroize();
        Ok(Self { name, secret })
    }

    /// Reveals the token, for the one time that it is shown to the operator.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.secret.expose_secret()
    }

    /// Returns the lines that make the token known to the server. They hold no secret.
    #[must_use]
    pub fn toml(&self) -> String {
        let hash = TokenHash::of(self.reveal()).to_hex();
        format!(
            "[[tokens]]\nname = \"{}\"\nsha256 = \"{hash}\"\n",
            self.name
        )
    }
}

/// The tokens that the server knows, found by their hashes.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Ordered by hash.
    entries: Vec<(TokenHash, TokenName)>,
}

impl Tokens {
    /// Collects tokens. Of two with the same hash, either may answer; the configuration refuses
    /// such a pair.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (TokenHash, TokenName)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_unstable_by_key(|(hash, _)| *hash);
        Self { entries }
    }

    /// Returns whose token this is; `None` when it is nobody's.
    ///
    /// The search takes as many steps for an unknown token as for a known one. It goes by the
    /// order of hashes, which tells a guesser nothing about tokens; the comparison that decides
    /// takes constant time.
    #[must_use]
    pub fn identify(&self, presented: &str) -> Option<&TokenName> {
        let hash = TokenHash::of(presented);
        let place = self.entries.partition_point(|(known, _)| *known < hash);
        // Past the last entry there is still a comparison, so that this path is no shorter.
        let nobody = TokenHash([0; 32]);
        let entry = self.entries.get(place);
        let candidate = entry.map_or(&nobody, |(known, _)| known);
        let same = bool::from(candidate.0.ct_eq(&hash.0));
        entry.filter(|_| same).map(|(_, name)| name)
    }

    /// Returns all tokens with their names, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&TokenHash, &TokenName)> {
        self.entries.iter().map(|(hash, name)| (hash, name))
    }

    /// Returns the names of all tokens, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &TokenName> {
        self.entries.iter().map(|(_, name)| name)
    }

    /// Tells whether nobody could be identified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests;
