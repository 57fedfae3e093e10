//! Lists that are read page by page: `limit`, `cursor`, `next_cursor` and `Link`.

use actix_web::http::header::HeaderValue;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;

use super::caller::Caller;
use super::parameters::{Parameters, TOKEN};
use crate::http::problem::HttpError;

pub(crate) const CURSOR: &str = "cursor";
pub(crate) const LIMIT: &str = "limit";

/// How many entries are on a page when nothing is said.
const DEFAULT_LIMIT: usize = 50;
/// How many entries can be on a page.
const MAX_LIMIT: usize = 100;

/// Reads how many entries a page is to have at most.
pub(crate) fn limit(parameters: &Parameters) -> Result<usize, HttpError> {
    let Some(text) = parameters.get(LIMIT) else {
        return Ok(DEFAULT_LIMIT);
    };
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text.parse().ok().filter(|_| is_digits);
    limit
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| HttpError::InvalidParameter {
            parameter: LIMIT,
            allowed: vec![format!("a whole number from 1 to {MAX_LIMIT}")],
        })
}

/// Reads the place at which a page begins; `place` returns `None` for bytes that are none.
pub(crate) fn cursor<P>(
    parameters: &Parameters,
    place: impl FnOnce(Vec<u8>) -> Option<P>,
) -> Result<Option<P>, HttpError> {
    let Some(text) = parameters.get(CURSOR) else {
        return Ok(None);
    };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let place = bytes.and_then(place);
    place.map(Some).ok_or_else(|| HttpError::InvalidParameter {
        parameter: CURSOR,
        allowed: vec!["the `next_cursor` of the page before".to_owned()],
    })
}

/// Reads a place that is a number.
pub(crate) fn number(bytes: Vec<u8>) -> Option<u64> {
    <[u8; 8]>::try_from(bytes).ok().map(u64::from_be_bytes)
}

/// Writes a place down, as the next request is to bring it.
pub(crate) fn next_cursor(place: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(place)
}

/// Returns the link to the next page of a list that was asked for with these parameters. Like a
/// `Location`, it has the token of a client that sent it in the query.
pub(crate) fn link(caller: &Caller, path: &str, cursor: &str) -> Result<HeaderValue, HttpError> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(CURSOR, cursor);
    let others = caller.parameters.iter().filter(|(name, _)| *name != CURSOR);
    query.extend_pairs(others);
    if let Some(token) = &caller.query_token {
        query.append_pair(TOKEN, token.expose_secret());
    }
    let link = format!("<{path}?{}>; rel=\"next\"", query.finish());
    HeaderValue::from_str(&link).map_err(|_| HttpError::Internal)
}
