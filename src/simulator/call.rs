//! One authenticated call as a service sees it, and what the service answers.
//!
//! Depends on refusals only. A service is a list of [`Route`]s; a handler is a plain function from the
//! world and a call to an answer, so it needs neither a runtime nor a socket.

use std::collections::HashMap;
use std::iter;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use time::OffsetDateTime;

use super::refusal::{Family, Refusal};
use super::world::World;

/// What a handler answers.
pub(super) type Answer = Result<Reply, Refusal>;

/// Does one kind of call.
pub(super) type Handler = fn(&mut World, &Call) -> Answer;

/// One service: how it writes errors, and what it answers to.
pub(super) struct Service {
    pub(super) family: Family,
    pub(super) routes: &'static [Route],
}

/// A method and a path pattern, whose `{…}` segments become [`Call::param`]s. A last `{*}` is
/// everything that follows, as it was sent.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) pattern: &'static str,
    pub(super) handler: Handler,
    /// Whether the call may come without a token, as the token exchange does.
    pub(super) open: bool,
}

/// Makes a route that needs a token.
pub(super) const fn route(method: &'static str, pattern: &'static str, handler: Handler) -> Route {
    Route {
        method,
        pattern,
        handler,
        open: false,
    }
}

impl Route {
    /// Matches a raw path, segment by segment: a `%2F` inside a segment separates nothing, because a
    /// CRN stands percent-encoded in one (`ibm-cloud.md` 6.1). A trailing slash is ignored, as some
    /// SDKs send one.
    pub(super) fn params(&self, raw_path: &str) -> Option<Vec<String>> {
        // Most routes are told from the path by how they begin, and there are hundreds.
        let parameter = self.pattern.find('{').unwrap_or(self.pattern.len());
        let beginning = self.pattern[..parameter].trim_end_matches('/');
        if !raw_path.starts_with(beginning) {
            return None;
        }
        let pattern = self.pattern.trim_end_matches('/').split('/');
        let mut path = raw_path.trim_end_matches('/').split('/');
        let mut params = Vec::new();
        for expected in pattern {
            let found = path.next()?;
            if expected == "{*}" {
                let rest: Vec<&str> = iter::once(found).chain(path).collect();
                params.push(rest.join("/"));
                return Some(params);
            }
            if expected.starts_with('{') {
                params.push(percent_decode_str(found).decode_utf8_lossy().into_owned());
            } else if expected != found {
                return None;
            }
        }
        path.next().is_none().then_some(params)
    }
}

/// Who calls, as their token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) account: String,
    pub(super) iam_id: String,
    pub(super) api_key_id: String,
}

impl Caller {
    /// The caller of an open route.
    pub(super) fn nobody() -> Self {
        Self {
            account: String::new(),
            iam_id: String::new(),
            api_key_id: String::new(),
        }
    }

    /// Whether the caller is a person: service ids may not do everything (`ibm-cloud.md` 5.3).
    pub(super) fn is_user(&self) -> bool {
        self.iam_id.starts_with("IBMid-")
    }
}

/// A call whose token was accepted. Calls of open routes have an empty caller.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) now: OffsetDateTime,
    /// The server's own address, without a trailing slash, for links in answers.
    pub(super) base: String,
    /// The raw path.
    pub(super) path: String,
    pub(super) params: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Value,
    pub(super) caller: Caller,
    pub(super) transaction_id: String,
}

impl Call {
    /// The path's parameter at `position`, decoded.
    pub(super) fn param(&self, position: usize) -> &str {
        &self.params[position]
    }

    /// A query parameter that is there and not empty.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Whether a query parameter reads `true`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.query(name) == Some("true")
    }

    /// A page size: the parameter within `1..=most`, or `usual` when it is absent.
    pub(super) fn limit(&self, name: &str, usual: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.query(name) else {
            return Ok(usual);
        };
        match text.parse() {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            _ => Err(Refusal::bad_request(format!(
                "{name} must be a number from 1 to {most}."
            ))),
        }
    }

    /// Refuses calls without a `version`, which is a date.
    pub(super) fn dated(&self) -> Result<(), Refusal> {
        let version = self.query("version").unwrap_or_default();
        let format = time::macros::format_description!("[year]-[month]-[day]");
        if time::Date::parse(version, &format).is_err() {
            let message = "Query parameter version must be a date, as in 2026-05-01.";
            let refusal = Refusal::bad_request(message).with_code("missing_version");
            return Err(refusal.with_target("parameter", "version", version));
        }
        Ok(())
    }

    /// A header, by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Whether a header reads `true`.
    pub(super) fn header_flag(&self, name: &str) -> bool {
        self.header(name) == Some("true")
    }

    /// A text field of the body.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    /// A text field that must be in the body, and not empty.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::bad_request(format!("Property {name} is missing or empty.")))
    }

    /// Refuses calls that name another account than the token's: a token reaches no other.
    pub(super) fn within(&self, account: Option<&str>) -> Result<(), Refusal> {
        match account {
            Some(account) if account != self.caller.account => Err(Refusal::forbidden()),
            _ => Ok(()),
        }
    }

    /// Refuses calls whose `account_id` (query or body) is another account than the token's.
    pub(super) fn within_own_account(&self) -> Result<(), Refusal> {
        self.within(self.query("account_id"))?;
        self.within(self.text("account_id"))
    }

    /// Checks `If-Match` against the current entity tag (`ibm-cloud.md` 1.4); `*` matches any.
    pub(super) fn matches(&self, entity_tag: &str) -> Result<(), Refusal> {
        match self.header("if-match") {
            None => Err(Refusal::bad_request("Header If-Match is missing.")),
            Some(tag) if tag == "*" || tag.trim_matches('"') == entity_tag => Ok(()),
            Some(_) => Err(Refusal::stale()),
        }
    }
}

/// A status and, unless it is empty, a JSON body. A bare string is XML, as Object Storage writes it.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self::with(200, body)
    }

    pub(super) fn created(body: Value) -> Self {
        Self::with(201, body)
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, body: None }
    }

    pub(super) fn with(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::route;
    use crate::simulator::call::Reply;

    #[test]
    fn an_encoded_crn_is_one_segment() {
        let route = route("GET", "/v2/resource_instances/{id}/lock", |_, _| {
            Ok(Reply::empty(200))
        });
        let params = route.params("/v2/resource_instances/crn%3Av1%3Aa%2FACCT%3A%3A/lock");
        assert_eq!(params, Some(vec!["crn:v1:a/ACCT::".to_owned()]));
        assert_eq!(route.params("/v2/resource_instances/a/b/lock"), None);
        assert_eq!(route.params("/v2/resource_instances/a"), None);
    }

    #[test]
    fn a_star_takes_the_rest_of_the_path() {
        let route = route("GET", "/vpc/{region}/v1/{*}", |_, _| Ok(Reply::empty(200)));
        let params = route.params("/vpc/eu-de/v1/vpcs/a%2Fb/routes/");
        let expected = ["eu-de", "vpcs/a%2Fb/routes"].map(ToOwned::to_owned);
        assert_eq!(params, Some(expected.to_vec()));
        assert_eq!(route.params("/vpc/eu-de/v1"), None);
    }

    #[test]
    fn a_trailing_slash_is_ignored() {
        let route = route("GET", "/v1/serviceids/", |_, _| Ok(Reply::empty(200)));
        assert_eq!(route.params("/v1/serviceids"), Some(Vec::new()));
        assert_eq!(route.params("/v1/serviceids/"), Some(Vec::new()));
        assert_eq!(route.params("/v1/serviceid"), None);
    }
}
