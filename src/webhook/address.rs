//! Where a receiver is. Path and query may be secret: some receivers know whom they hear by them.

use std::fmt;

use awc::http::Uri;

use crate::outgoing;

/// The URL of a receiver: https, or http on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Uri);

impl Address {
    /// What a URL must be, for messages.
    pub const ALLOWED: &str =
        "a URL such as \"https://hooks.example.com/acctpool\", without user and fragment";

    /// Reads a URL; `None` if it is not one that may be called, whatever is allowed about http.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?.as_str();
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        // `Uri` drops fragments without a word.
        let is_plain = !text.contains('#') && !authority.contains('@') && has_host;
        let is_http = matches!(uri.scheme_str(), Some("https" | "http"));
        (is_plain && is_http).then_some(Self(uri))
    }

    /// Tells whether what is sent there is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Tells whether what is sent there stays on this machine.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        outgoing::is_this_machine(self.host())
    }

    /// Returns the host, which may be shown.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    pub(super) fn reveal(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({}/..)", self.host())
    }
}
