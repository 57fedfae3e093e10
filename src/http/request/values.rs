//! What the values of parameters look like.

use std::time::Duration;

use acctpool_actors::pool::IdempotencyKey;
use actix_web::http::Uri;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::uri::Authority;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use super::parameters::{self, Parameters};
use crate::http::problem::HttpError;

/// The shortest time without a renewal: a client that renews at a third of it still has time to try
/// again.
const SHORTEST_TTL: Duration = Duration::from_secs(10);
/// The longest `purpose` and `link`, in characters.
const LONGEST_PURPOSE: usize = 200;
const LONGEST_LINK: usize = 500;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The longest key, in bytes.
const LONGEST_KEY: usize = 255;

/// Reads `duration`, in minutes where it has no unit.
pub(crate) fn duration(asked: &Parameters) -> Result<Option<Duration>, HttpError> {
    let readable = |text| parameters::duration(text).ok_or_else(HttpError::unreadable_duration);
    asked.get("duration").map(readable).transpose()
}

/// Describes a `duration` for the document of the API.
pub(crate) fn duration_schema() -> impl Into<RefOr<Schema>> {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::String]))
        // Where a schema is given, the field's own words are left out.
        .description(Some(
            "How long: a whole number of minutes such as `60`, or a span such as `90m` or `1h 30m`.",
        ))
        .minimum(Some(1))
        .examples([json!(60), json!("1h 30m")])
}

/// Reads `ttl`: a span of whole seconds with its unit. A bare number would be minutes to one reader
/// and seconds to the next.
pub(crate) fn ttl(parameters: &Parameters) -> Result<Option<Duration>, HttpError> {
    parameters.read(
        "ttl",
        |text| {
            let ttl = humantime::parse_duration(text).ok()?;
            (ttl >= SHORTEST_TTL && ttl.subsec_nanos() == 0).then_some(ttl)
        },
        &["10s or more, in whole seconds and with its unit, such as 90s or 5m"],
    )
}

/// Reads `count`. How many there may be is for the pool to say.
pub(crate) fn count(parameters: &Parameters) -> Result<Option<usize>, HttpError> {
    parameters.read(
        "count",
        |text| {
            let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_digits)
        },
        &["a number of accounts, 1 or more"],
    )
}

/// Reads `purpose`: words for people, who see them in logs and on pages.
pub(crate) fn purpose(parameters: &Parameters) -> Result<Option<Box<str>>, HttpError> {
    parameters.read(
        "purpose",
        |text| {
            let is_plain = !text.is_empty() && !text.chars().any(char::is_control);
            (is_plain && text.chars().count() <= LONGEST_PURPOSE).then(|| text.into())
        },
        &["1 to 200 characters, none of them a control character"],
    )
}

/// Reads `link`: where a person who follows it finds a page, and nothing that logs them in.
pub(crate) fn link(parameters: &Parameters) -> Result<Option<Box<str>>, HttpError> {
    parameters.read(
        "link",
        |text| (is_short_and_plain(text) && is_of_a_page(text)).then(|| text.into()),
        &["an http or https URL of at most 500 characters, without user name and password"],
    )
}

fn is_short_and_plain(text: &str) -> bool {
    let is_odd = |symbol: char| symbol.is_control() || symbol.is_whitespace();
    text.chars().count() <= LONGEST_LINK && !text.chars().any(is_odd)
}

fn is_of_a_page(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let names_user = |authority: &Authority| authority.as_str().contains('@');
    let is_public = uri
        .authority()
        .is_some_and(|authority| !names_user(authority));
    is_web && is_public && uri.host().is_some_and(|host| !host.is_empty())
}

/// Reads the header `Idempotency-Key`. Of a client's key its digest is kept.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, HttpError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let Some(key) = values.next().map(HeaderValue::as_bytes) else {
        return Ok(None);
    };
    let is_visible = key.iter().all(u8::is_ascii_graphic);
    if values.next().is_some() || !is_visible || !(1..=LONGEST_KEY).contains(&key.len()) {
        return Err(HttpError::InvalidParameter {
            parameter: IDEMPOTENCY_KEY,
            allowed: vec!["one key of 1 to 255 visible ASCII characters".to_owned()],
        });
    }
    Ok(Some(
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(key)).into(),
    ))
}
