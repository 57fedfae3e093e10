//! One call to IBM Cloud before it is sent, and its answer.
//!
//! Depends on the list of APIs only. Promises that every value that is put into a path or a query is
//! percent-encoded whole, a CRN's slashes included (`ibm-cloud.md` 6.1), and that a request can be
//! shown without its secrets: it has no query and no body then.

use std::fmt;

use awc::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::api::{Api, Region};
use super::fault::Fault;

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes a value for a path segment or a query.
pub(super) fn encode(value: &str) -> String {
    utf8_percent_encode(value, ENCODED).to_string()
}

/// One call to IBM Cloud.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) api: Api,
    /// Which of a regional API's.
    pub(super) region: Option<Region>,
    pub(super) method: Method,
    /// Path and query, encoded.
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, SecretString)>,
    pub(super) body: Option<Body>,
    /// Whether doing it twice is as good as once.
    repeatable: bool,
    /// Statuses that are answers to the question rather than faults that pass.
    answers: &'static [u16],
}

/// A request's body: it may hold a key, so it is wiped from memory when dropped.
#[derive(Clone)]
pub(super) struct Body {
    pub(super) content_type: &'static str,
    pub(super) text: SecretString,
    /// What in it must never be shown.
    pub(super) secrets: Vec<SecretString>,
}

impl Request {
    /// Makes a call that may be repeated, unless it is a POST: whether that one was done must be
    /// found out by reading.
    pub(super) fn new(api: Api, method: Method, target: impl Into<String>) -> Self {
        let mut target = target.into();
        if let Some(query) = api.fixed_query() {
            let joint = if target.contains('?') { '&' } else { '?' };
            target.extend([joint.to_string().as_str(), query]);
        }
        Self {
            api,
            region: None,
            repeatable: method != Method::POST,
            method,
            target,
            headers: Vec::new(),
            body: None,
            answers: &[],
        }
    }

    pub(super) fn get(api: Api, target: impl Into<String>) -> Self {
        Self::new(api, Method::GET, target)
    }

    pub(super) fn post(api: Api, target: impl Into<String>) -> Self {
        Self::new(api, Method::POST, target)
    }

    pub(super) fn delete(api: Api, target: impl Into<String>) -> Self {
        Self::new(api, Method::DELETE, target)
    }

    /// Says that this POST may be repeated.
    pub(super) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Takes these statuses as answers at once: no repetition, no fresh token.
    pub(super) fn answered_by(mut self, statuses: &'static [u16]) -> Self {
        self.answers = statuses;
        self
    }

    /// Sends it to a region.
    pub(super) fn in_region(mut self, region: Option<&Region>) -> Self {
        self.region = region.cloned();
        self
    }

    /// Adds a header. Its name is in lower case.
    pub(super) fn header(mut self, name: &'static str, value: SecretString) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.raw_json(&body.to_string())
    }

    /// Sets a body that is JSON already.
    pub(super) fn raw_json(mut self, text: &str) -> Self {
        self.body = Some(Body {
            content_type: "application/json",
            text: text.to_owned().into(),
            secrets: Vec::new(),
        });
        self
    }

    /// Says that the body set before holds `secret`.
    pub(super) fn holding(mut self, secret: &SecretString) -> Self {
        if let Some(body) = &mut self.body {
            body.secrets.push(secret.clone());
        }
        self
    }

    /// Sets a form with one secret field.
    pub(super) fn form(mut self, fields: &[(&str, &str)], secret: (&str, &SecretString)) -> Self {
        let (name, value) = secret;
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .append_pair(name, value.expose_secret())
            .finish();
        self.body = Some(Body {
            content_type: "application/x-www-form-urlencoded",
            text: form.into(),
            secrets: vec![value.clone()],
        });
        self
    }

    pub(super) fn may_be_repeated(&self) -> bool {
        self.repeatable
    }

    pub(super) fn takes_as_answer(&self, status: u16) -> bool {
        self.answers.contains(&status)
    }

    /// Everything that this call carries and nobody may see.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        let headers = self.headers.iter().map(|(_, value)| value.clone());
        let body = self.body.iter().flat_map(|body| body.secrets.clone());
        headers.chain(body).collect()
    }

    /// Names the call without its query: queries hold cursors and names.
    pub(super) fn describe(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        match &self.region {
            Some(region) => format!("{} {path} in {region}", self.method),
            None => format!("{} {path}", self.method),
        }
    }
}

/// A success. Its body may hold a token or a key.
#[derive(Clone)]
pub(super) struct Reply {
    /// Method and path of what was asked.
    pub(super) call: String,
    /// `None` for an empty body or one that is not JSON.
    pub(super) body: Option<Value>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// Returns the body.
    pub(super) fn json(self) -> Result<Value, Fault> {
        self.body.ok_or_else(|| Fault::Unreadable {
            call: self.call,
            problem: "JSON was expected".into(),
        })
    }
}

/// Returns a field that an answer must have.
pub(super) fn field(call: &str, body: &Value, name: &str) -> Result<String, Fault> {
    match body[name].as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Fault::Unreadable {
            call: call.to_owned(),
            problem: format!("`{name}` is missing"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crn_is_encoded_whole() {
        assert_eq!(
            encode("crn:v1:bluemix:public:cos:global:a/ACCT:1b2c::"),
            "crn%3Av1%3Abluemix%3Apublic%3Acos%3Aglobal%3Aa%2FACCT%3A1b2c%3A%3A"
        );
    }

    #[test]
    fn debug_shows_no_answer() {
        let reply = Reply {
            call: "POST /identity/token".into(),
            body: Some(serde_json::json!({"access_token": "secret"})),
        };
        assert!(!format!("{reply:?}").contains("secret"));
    }

    #[test]
    fn description_has_no_query() {
        let call = Request::get(Api::Iam, "/v1/apikeys?pagetoken=secret");
        assert_eq!(call.describe(), "GET /v1/apikeys");
    }

    #[test]
    fn only_a_post_is_not_repeated_by_itself() {
        assert!(Request::get(Api::Iam, "/").may_be_repeated());
        assert!(Request::delete(Api::Iam, "/").may_be_repeated());
        assert!(!Request::post(Api::Iam, "/").may_be_repeated());
        assert!(Request::post(Api::Iam, "/").repeatable().may_be_repeated());
    }
}
