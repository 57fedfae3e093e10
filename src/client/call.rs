//! A request, before it is sent. It holds no token.

use std::time::Duration;

use awc::http::Method;
use awc::http::header::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// How long a server may take to answer, beyond what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path below the server's address, with what is in the query.
    pub(super) target: String,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Option<Value>,
    /// Within this time the whole answer must be here.
    pub(super) timeout: Duration,
    /// Redirects of this call are answers: it is not followed but read.
    pub(super) may_redirect: bool,
}

impl Call {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            target: path.into(),
            headers: Vec::new(),
            body: None,
            timeout: PATIENCE,
            may_redirect: false,
        }
    }

    /// Adds a parameter to the query, if there is a value.
    pub(super) fn query(mut self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value {
            let separator = if self.target.contains('?') { '&' } else { '?' };
            let pair = form_urlencoded::Serializer::new(String::new())
                .append_pair(name, value.as_ref())
                .finish();
            self.target = format!("{}{separator}{pair}", self.target);
        }
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Asks the server to hold its answer for so many seconds (RFC 7240).
    pub(super) fn waiting(mut self, seconds: u64) -> Self {
        self.timeout = PATIENCE + Duration::from_secs(seconds);
        self.header(HeaderName::from_static("prefer"), format!("wait={seconds}"))
    }

    pub(super) fn redirecting(mut self) -> Self {
        self.may_redirect = true;
        self
    }
}

/// What is encoded in a segment of a path: all but letters, digits and hyphens, of which ids are made.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

/// Encodes one segment of a path, so that whatever a user typed stays one.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_typed_stays_in_its_place() {
        let call = Call::get(format!("/accounts/{}", segment("../a-b?b=c#d")))
            .query("type", Some("a&b=c"))
            .query("state", None::<&str>)
            .query("cursor", Some("ü"));
        assert_eq!(
            call.target,
            "/accounts/%2E%2E%2Fa-b%3Fb%3Dc%23d?type=a%26b%3Dc&cursor=%C3%BC"
        );
    }
}
