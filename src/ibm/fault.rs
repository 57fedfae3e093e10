//! What can go wrong with one call: one parser for every family of error bodies (`ibm-cloud.md`
//! 1.3), and what each status means to a cleaner (1.4).
//!
//! Depends on the port's `CloudError` only. Promises that no text of a fault holds a secret that the
//! call carried, anything that looks like a token, a control or format character, or more than a few
//! hundred characters; and that no body, whatever it holds, can make the parser fail.

use std::fmt;
use std::time::Duration;

use acctpool_actors::cloud::CloudError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// How much of an answer's words is passed on, in characters.
const LONGEST_MESSAGE: usize = 300;

/// How long to wait when IBM Cloud asks for patience without saying how much.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

/// Why one call did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    /// IBM Cloud answered, but not with a success: the call was not done.
    #[error("{0}")]
    Refused(Refusal),
    /// No answer came: the call may have been done or not.
    #[error("{call}: {problem}")]
    Silent { call: String, problem: String },
    /// The answer is not what it should be, so nothing may be concluded from it.
    #[error("{call}: unreadable answer: {problem}")]
    Unreadable { call: String, problem: String },
    /// The call was not sent: the host asked for patience before.
    #[error("{call}: not sent, the host asked for patience")]
    Closed { call: String, wait: Duration },
    /// What it means for the whole verb is already known.
    #[error("{0}")]
    Decided(CloudError),
}

impl Fault {
    /// Tells whether IBM Cloud answered with this status.
    pub(super) fn is_status(&self, status: u16) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == status)
    }

    /// Tells whether the thing that the call was about no longer exists.
    pub(super) fn is_gone(&self) -> bool {
        self.is_status(404) || self.is_status(410)
    }

    /// Tells whether the call may still be on its way: nobody answered, or only a gateway that had
    /// lost patience.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Silent { .. }) || self.is_status(502) || self.is_status(504)
    }

    /// Tells whether the verb may succeed when it is tried again later.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(
            CloudError::from(self.clone()),
            CloudError::Transient(_) | CloudError::Throttled { .. }
        )
    }

    /// Tells whether an immediate repetition may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Refused(refusal) => matches!(refusal.status, 429 | 500 | 502 | 503 | 504),
            Self::Silent { .. } => true,
            Self::Unreadable { .. } | Self::Closed { .. } | Self::Decided(_) => false,
        }
    }
}

impl From<CloudError> for Fault {
    fn from(error: CloudError) -> Self {
        Self::Decided(error)
    }
}

impl From<Fault> for CloudError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Decided(error) => error,
            Fault::Closed { wait, .. } => Self::Throttled {
                retry_after: wait,
                detail: fault.to_string(),
            },
            Fault::Silent { .. } | Fault::Unreadable { .. } => Self::Transient(fault.to_string()),
            Fault::Refused(refusal) => refusal.into(),
        }
    }
}

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Method and path.
    pub(super) call: String,
    /// The HTTP status.
    pub(super) status: u16,
    /// The machine's word, such as `BXNIM0415E`.
    pub(super) code: Option<String>,
    /// The words for people; empty where there are none.
    pub(super) message: String,
    /// How long IBM Cloud asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// What IBM's support asks for.
    pub(super) request_id: Option<String>,
}

impl Refusal {
    /// Reads the body of an error. `secrets` are what the call carried.
    pub(super) fn read(call: String, status: u16, body: &[u8], secrets: &[SecretString]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let first = &body["errors"][0];
        // Key Protect's own: reasons inside of a collection.
        let reason = &body["resources"][0]["reasons"][0];
        let code = text(&first["message_code"])
            .or_else(|| text(&first["code"]))
            .or_else(|| text(&body["error_code"]))
            .or_else(|| text(&body["errorCode"]))
            .or_else(|| text(&body["code"]))
            .or_else(|| text(&reason["code"]));
        // The order of IBM's own cores; the last is what containers and PowerVS add.
        let message = text(&first["message"])
            .or_else(|| text(&body["error"]))
            .or_else(|| text(&body["message"]))
            .or_else(|| text(&body["errorMessage"]))
            .or_else(|| text(&body["description"]))
            .or_else(|| text(&reason["message"]));
        Self {
            call,
            status,
            code: code.map(|code| scrub(&code, secrets)),
            message: scrub(&message.unwrap_or_default(), secrets),
            retry_after: None,
            request_id: None,
        }
    }

    /// Returns status, code and words without the call.
    pub(super) fn words(&self) -> String {
        let mut words = self.status.to_string();
        for part in [self.code.as_deref(), Some(self.message.as_str())] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                words.push(' ');
                words.push_str(part);
            }
        }
        words
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.words())?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl From<Refusal> for CloudError {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal.status {
            401 | 403 => Self::Unauthorised(detail),
            429 => Self::Throttled {
                retry_after: refusal.retry_after.unwrap_or(DEFAULT_PATIENCE),
                detail,
            },
            500..=599 => match refusal.retry_after {
                Some(retry_after) => Self::Throttled {
                    retry_after,
                    detail,
                },
                None => Self::Transient(detail),
            },
            // 404 is an end only where a caller expects it; elsewhere something has not caught up.
            404 | 408 | 409 | 410 | 412 | 423 | 425 => Self::Transient(detail),
            _ => Self::Refused(detail),
        }
    }
}

/// Returns a text or number as text, nothing else: an object is no message.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Makes foreign words fit to be logged and shown.
pub(super) fn scrub(words: &str, secrets: &[SecretString]) -> String {
    let mut clean = words.to_owned();
    for secret in secrets {
        let secret = secret.expose_secret();
        if !secret.is_empty() {
            clean = clean.replace(secret, "[redacted]");
        }
    }
    let mut clean = clean
        .split(|c: char| c.is_whitespace() || c.is_control() || is_format(c))
        .filter(|word| !word.is_empty())
        .map(|word| {
            if holds_token(word) {
                "[redacted]"
            } else {
                word
            }
        })
        .collect::<Vec<_>>()
        .join(" ");
    if let Some((end, _)) = clean.char_indices().nth(LONGEST_MESSAGE) {
        clean.truncate(end);
        clean.push('…');
    }
    clean
}

/// Tells whether a character changes how others are shown without being seen itself: it could make a
/// line read as another one.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Tells whether a word holds a JSON Web Token: they all begin with the base64url of `{"`.
fn holds_token(word: &str) -> bool {
    word.match_indices("eyJ")
        .any(|(start, _)| word[start..].contains('.') && word.len() - start > 20)
}

/// Returns the fault that needs a person most.
pub(super) fn worst(faults: Vec<Fault>) -> Option<CloudError> {
    let errors = faults.into_iter().map(CloudError::from);
    errors.max_by_key(|error| match error {
        CloudError::Transient(_) => 0,
        CloudError::Throttled { .. } => 1,
        CloudError::Refused(_) => 2,
        CloudError::Unauthorised(_) => 3,
        CloudError::WrongAccount(_) => 4,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    fn read(status: u16, body: &str) -> Refusal {
        Refusal::read("GET /x".into(), status, body.as_bytes(), &[])
    }

    #[test]
    fn every_family_yields_its_code_and_message() {
        let families = [
            (
                "A",
                r#"{"context":{"requestId":"r"},"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found","errorDetails":"d"}"#,
                "BXNIM0415E",
                "Provided API key could not be found",
            ),
            (
                "B",
                r#"{"status_code":404,"errors":[{"code":"not_found","message_code":"BXNIM0102E","message":"Not found","details":"d"}],"trace":"t"}"#,
                "BXNIM0102E",
                "Not found",
            ),
            (
                "C",
                r#"{"trace":"t","errors":[{"code":"policy_not_found","message":"No policy","more_info":"m"}],"status_code":404}"#,
                "policy_not_found",
                "No policy",
            ),
            (
                "D",
                r#"{"message":"[409, Conflict] CONTAINS_ACTIVE_KEYS","status_code":422,"error_code":"RC-ServiceBrokerErrorResponse","transaction_id":"bss-1"}"#,
                "RC-ServiceBrokerErrorResponse",
                "[409, Conflict] CONTAINS_ACTIVE_KEYS",
            ),
            (
                "containers",
                r#"{"incidentID":"i","code":"A0656","description":"No rights","type":"Authorization"}"#,
                "A0656",
                "No rights",
            ),
            (
                "PowerVS",
                r#"{"description":"bad","error":"workspace not found","code":7,"message":"other"}"#,
                "7",
                "workspace not found",
            ),
        ];
        for (family, body, code, message) in families {
            let refusal = read(422, body);
            assert_eq!(refusal.code.as_deref(), Some(code), "{family}");
            assert_eq!(refusal.message, message, "{family}");
        }
    }

    #[test]
    fn body_that_is_no_error_yields_the_status_alone() {
        for body in [
            "",
            "<html>oops</html>",
            "[]",
            "null",
            r#"{"errors":{}}"#,
            r#"{"errors":[]}"#,
        ] {
            assert_eq!(read(502, body).to_string(), "GET /x: 502", "{body}");
        }
    }

    #[test]
    fn statuses_mean_what_the_reference_says() {
        let meaning = |status| CloudError::from(read(status, "{}"));
        for status in [400, 422, 301, 405] {
            assert!(
                matches!(meaning(status), CloudError::Refused(_)),
                "{status}"
            );
        }
        for status in [401, 403] {
            assert!(
                matches!(meaning(status), CloudError::Unauthorised(_)),
                "{status}"
            );
        }
        for status in [409, 412, 500, 502, 503, 504] {
            assert!(
                matches!(meaning(status), CloudError::Transient(_)),
                "{status}"
            );
        }
        assert!(matches!(meaning(429), CloudError::Throttled { .. }));
    }

    #[test]
    fn fault_that_needs_a_person_is_reported_before_one_that_passes() {
        let faults = vec![
            CloudError::Transient("t".into()).into(),
            CloudError::Unauthorised("u".into()).into(),
            CloudError::Refused("r".into()).into(),
        ];
        assert_eq!(worst(faults), Some(CloudError::Unauthorised("u".into())));
        assert_eq!(worst(Vec::new()), None);
    }

    #[test]
    fn echoed_secrets_are_redacted() {
        let key: SecretString = "correct-horse-battery-staple-0123".into();
        let body = r#"{"message":"no such key correct-horse-battery-staple-0123, token=eyJhbGciOiJIUzI1NiJ9.eyJpYW1faWQiOiJ4In0.c2ln"}"#;
        let refusal = Refusal::read("GET /x".into(), 400, body.as_bytes(), &[key]);
        assert_eq!(refusal.message, "no such key [redacted], [redacted]");
    }

    #[test]
    fn words_are_one_short_line() {
        let body = format!(r#"{{"message":"a\nb\u0007\u202ec {}"}}"#, "x".repeat(5000));
        let message = read(400, &body).message;
        assert!(message.starts_with("a b c xxx"), "{message}");
        assert!(message.chars().count() <= LONGEST_MESSAGE + 1);
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_fail(body in any::<Vec<u8>>(), status in 300_u16..600) {
            let refusal = Refusal::read("GET /x".into(), status, &body, &[]);
            prop_assert!(refusal.message.chars().count() <= LONGEST_MESSAGE + 1);
        }

        #[test]
        fn no_secret_survives_in_any_text(before in ".{0,400}", after in ".{0,40}") {
            let secret = "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t";
            let words = format!("{before}{secret}{after}");
            prop_assert!(!scrub(&words, &[secret.into()]).contains(secret));
        }
    }
}
