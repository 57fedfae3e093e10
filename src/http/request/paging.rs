//! Lists that are read page by page: `limit`, `cursor`, `next_cursor` and `Link`.

use actix_web::http::header::{HeaderValue, LINK};
use actix_web::{HttpResponse, HttpResponseBuilder};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;
use utoipa::IntoParams;

use super::caller::Caller;
use super::parameters::{Parameters, TOKEN};
use crate::http::problem::HttpError;

pub(crate) const CURSOR: &str = "cursor";
pub(crate) const LIMIT: &str = "limit";

/// How many entries are on a page when nothing is said.
const DEFAULT_LIMIT: usize = 50;
/// How many entries can be on a page.
const MAX_LIMIT: usize = 100;

/// Which page of a list is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "for the document; parameters are read by their names"
)]
pub(crate) struct PageRequest {
    /// How many to list at most: 50, unless said otherwise.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<u64>,
    /// Where to go on: the `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// Reads how many entries a page is to have at most.
pub(crate) fn limit(parameters: &Parameters) -> Result<usize, HttpError> {
    let read = |text: &str| {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text.parse().ok().filter(|_| is_digits);
        limit.filter(|limit| (1..=MAX_LIMIT).contains(limit))
    };
    let allowed = format!("a whole number from 1 to {MAX_LIMIT}");
    let limit = parameters.read(LIMIT, read, &[&allowed])?;
    Ok(limit.unwrap_or(DEFAULT_LIMIT))
}

/// Reads the place at which a page begins; `place` returns `None` for bytes that are none.
pub(crate) fn cursor<P>(
    parameters: &Parameters,
    place: impl FnOnce(Vec<u8>) -> Option<P>,
) -> Result<Option<P>, HttpError> {
    let read = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(place);
    parameters.read(CURSOR, read, &["the `next_cursor` of the page before"])
}

/// Reads a place that is a number.
pub(crate) fn number(bytes: Vec<u8>) -> Option<u64> {
    <[u8; 8]>::try_from(bytes).ok().map(u64::from_be_bytes)
}

/// Begins the answer to a page of a list: its head, with a link to the next page, and what the body
/// calls the place where that begins. `next` is that place; there is none behind the last page.
pub(crate) fn begin(
    caller: &Caller,
    path: &str,
    next: Option<impl AsRef<[u8]>>,
) -> Result<(HttpResponseBuilder, Option<String>), HttpError> {
    let mut response = HttpResponse::Ok();
    let cursor = next.map(|place| BASE64_URL_SAFE_NO_PAD.encode(place));
    if let Some(cursor) = &cursor {
        response.insert_header((LINK, link(caller, path, cursor)?));
    }
    Ok((response, cursor))
}

/// Returns the link to the next page of a list that was asked for with these parameters. Like a
/// `Location`, it has the token of a client that sent it in the query.
fn link(caller: &Caller, path: &str, cursor: &str) -> Result<HeaderValue, HttpError> {
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
