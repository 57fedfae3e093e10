//! Where the server is.

use std::fmt;

use awc::http::Uri;

use crate::outgoing::is_this_machine;

/// The address that the API's paths are appended to, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddress(String);

impl ServerAddress {
    /// Reads an address: https, or plain http to this very machine; plain http elsewhere only if
    /// `allows_plain` says that the network in between may read the token.
    pub(crate) fn parse(text: &str, allows_plain: bool) -> Result<Self, AddressError> {
        let url: Uri = text.parse().map_err(|_| AddressError::NotAbsolute)?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(AddressError::NotAbsolute);
        };
        if authority.as_str().contains('@') || url.query().is_some() {
            return Err(AddressError::TooMuch);
        }
        match scheme {
            "https" => {}
            "http" if allows_plain || is_this_machine(authority.host()) => {}
            "http" => return Err(AddressError::NotEncrypted),
            _ => return Err(AddressError::NotAbsolute),
        }
        let path = url.path().trim_end_matches('/');
        Ok(Self(format!("{scheme}://{authority}{path}")))
    }

    /// Tells whether TLS is spoken there.
    pub(super) fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not the address of a server. It never repeats the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Scheme or host is missing, or it is no URL at all.
    #[error("an address like https://acctpool.example.com is needed")]
    NotAbsolute,
    /// It carries more than an address.
    #[error("an address may hold neither a user name nor a query")]
    TooMuch,
    /// The token would cross a network in the clear.
    #[error(
        "the token would cross the network in the clear: use https, or say --insecure-http if nobody can listen there"
    )]
    NotEncrypted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cross_no_network_in_the_clear_unless_that_is_asked_for() {
        let parse = |text| ServerAddress::parse(text, false).map(|address| address.to_string());
        for (text, address) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://localhost/", "http://localhost"),
            ("http://[::1]:80/pool/", "http://[::1]:80/pool"),
            ("https://pool.example.com/", "https://pool.example.com"),
        ] {
            assert_eq!(parse(text), Ok(address.to_owned()), "{text}");
        }
        for text in [
            "http://pool.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1:8080",
        ] {
            assert_eq!(parse(text), Err(AddressError::NotEncrypted), "{text}");
            assert!(ServerAddress::parse(text, true).is_ok(), "{text}");
        }
        for text in ["", "/", "localhost:8080", "ftp://localhost", "pool"] {
            assert_eq!(parse(text), Err(AddressError::NotAbsolute), "{text}");
        }
        for text in ["https://me:secret@pool", "https://pool/?token=secret"] {
            assert_eq!(parse(text), Err(AddressError::TooMuch), "{text}");
        }
    }
}
