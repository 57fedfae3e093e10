//! The one preference that is honoured (RFC 7240): `Prefer: wait=N`, how many seconds an answer may
//! be held back until there is something new to say.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{HeaderMap, HeaderName, VARY};

use crate::http::answer::waits;

/// The header in which a client states what it prefers.
const PREFER: &str = "Prefer";
/// The header in which an answer states what was honoured.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

const WAIT: &str = "wait";

/// Returns for how many seconds the client is ready to wait, and no more than a server lets it.
///
/// What cannot be read states no preference. Where it is stated twice, the first counts.
pub(crate) fn wait(headers: &HeaderMap) -> Option<u64> {
    let mut preferences = headers
        .get_all(PREFER)
        .filter_map(|value| value.to_str().ok())
        .flat_map(preferences);
    let (_, value) = preferences.find(|(name, _)| name.eq_ignore_ascii_case(WAIT))?;
    seconds(value)
}

/// Says in an answer what of the client's preference was honoured, and that another preference might
/// have led to another answer.
pub(crate) fn state(response: &mut HttpResponseBuilder, wait: Option<u64>) {
    response.insert_header((VARY, PREFER));
    if let Some(wait) = wait {
        response.insert_header((PREFERENCE_APPLIED, format!("{WAIT}={wait}")));
    }
}

/// Reads `wait=10; foo=bar, respond-async` into names and values; parameters are for others.
fn preferences(header: &str) -> impl Iterator<Item = (&str, &str)> {
    split_unquoted(header, ',').map(|preference| {
        let stated = split_unquoted(preference, ';').next().unwrap_or_default();
        let (name, value) = stated.split_once('=').unwrap_or((stated, ""));
        (name.trim(), value.trim())
    })
}

fn seconds(value: &str) -> Option<u64> {
    let unquoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    let digits = unquoted.unwrap_or(value);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number that does not fit is a long wait.
    is_number.then(|| digits.parse().unwrap_or(u64::MAX).min(waits::LONGEST))
}

/// Splits where `separator` stands outside of quotes.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.split(move |character| {
        let is_separator = character == separator && !is_quoted;
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = is_quoted && character == '\\' && !is_escaped;
        is_separator
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::http::answer::waits::LONGEST;

    fn asked(values: &[&str]) -> Option<u64> {
        let request = values
            .iter()
            .fold(TestRequest::default(), |request, value| {
                request.append_header((PREFER, *value))
            });
        wait(request.to_http_request().headers())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        assert_eq!(asked(&["wait=30"]), Some(30));
        assert_eq!(asked(&["respond-async, wait=10; foo=bar"]), Some(10));
        assert_eq!(asked(&["handling=lenient", "WAIT = \"5\""]), Some(5));
        assert_eq!(asked(&["foo=\"a, wait=7\", wait=8"]), Some(8));
        assert_eq!(asked(&["foo=\"\\\", wait=7\", wait=8"]), Some(8));
        assert_eq!(asked(&["wait=0"]), Some(0));
    }

    #[test]
    fn a_long_wait_is_the_longest_that_there_is() {
        assert_eq!(asked(&["wait=61"]), Some(LONGEST));
        assert_eq!(asked(&["wait=99999999999999999999999"]), Some(LONGEST));
    }

    #[test]
    fn what_cannot_be_read_states_nothing() {
        for value in [
            "", "wait", "wait=", "wait=-1", "wait=1.5", "wait=٣", "waits=3", "wait=\"3",
        ] {
            assert_eq!(asked(&[value]), None, "{value:?}");
        }
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn the_first_of_two_waits_counts() {
        assert_eq!(asked(&["wait=3, wait=4"]), Some(3));
        assert_eq!(asked(&["wait=soon", "wait=4"]), None);
    }
}
