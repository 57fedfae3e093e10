//! The body of a request: a JSON object whose members are parameters by other means.
//!
//! It is read only where one is taken, within a limit and a deadline. What is wrong in it is named
//! by its place or by its member, never by its value.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{HttpMessage, HttpRequest, mime};
use futures_util::Stream;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use tokio::time::timeout;

use super::parameters::{TOKEN, shorten};
use crate::http::Context;
use crate::http::problem::HttpError;

/// The longest body, in bytes.
const MAX_BODY: usize = 4 * 1024;

/// The parameters that may be numbers in JSON.
const NUMBERS: [&str; 2] = ["duration", "count"];

/// The body of a request, as far as it is unread. Clones are of the same body.
#[derive(Clone)]
pub(crate) struct Unread(Rc<RefCell<Payload>>);

impl Unread {
    /// Returns the body, if there is one.
    pub(crate) fn of(payload: Payload) -> Option<Self> {
        match payload {
            Payload::None => None,
            payload => Some(Self(Rc::new(RefCell::new(payload)))),
        }
    }

    async fn next(&self) -> Option<Result<Bytes, PayloadError>> {
        poll_fn(|context| Pin::new(&mut *self.0.borrow_mut()).poll_next(context)).await
    }

    async fn read(&self) -> Result<Bytes, HttpError> {
        let mut body = BytesMut::new();
        while let Some(part) = self.next().await {
            // Whoever breaks off does not read the answer either.
            let part = part.map_err(|_| HttpError::Malformed)?;
            if body.len() + part.len() > MAX_BODY {
                return Err(too_large());
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    }
}

/// Refuses a body that is announced to be longer than any request needs. A length that does not fit
/// a number is too long.
pub(crate) fn check_announced(headers: &HeaderMap) -> Result<(), HttpError> {
    let Some(length) = headers.get(CONTENT_LENGTH) else {
        return Ok(());
    };
    let length = length.to_str().ok().and_then(|length| length.parse().ok());
    if length.is_none_or(|length: usize| length > MAX_BODY) {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> HttpError {
    let max = MAX_BODY as u64;
    HttpError::BodyTooLarge { max }
}

/// Reads the parameters that a body has; none, where there is no body.
pub(crate) async fn members(request: &HttpRequest) -> Result<Vec<(String, String)>, HttpError> {
    if is_absent(request.headers()) {
        return Ok(Vec::new());
    }
    check_media_type(request.headers())?;
    let unread = request.extensions().get::<Unread>().cloned();
    let Some(unread) = unread else {
        return Ok(Vec::new());
    };
    let context: &Data<Context> = request
        .app_data()
        .expect("the server gives every request the context");
    let within = context.settings.load().client_timeout;
    let body = timeout(within, unread.read())
        .await
        .map_err(|_| HttpError::SlowBody { within })??;
    parse(&body)
}

fn is_absent(headers: &HeaderMap) -> bool {
    let is_empty = headers
        .get(CONTENT_LENGTH)
        .is_none_or(|length| length.as_bytes() == b"0");
    is_empty && !headers.contains_key(TRANSFER_ENCODING)
}

/// Makes sure that a body says that it is JSON. One that says nothing, or that is a form, is what a
/// client sends that believes parameters belong there: overlooking them would give a consumer that
/// asks for a `lite` account a `free` one.
fn check_media_type(headers: &HeaderMap) -> Result<(), HttpError> {
    let Some(media_type) = headers.get(CONTENT_TYPE) else {
        return Err(HttpError::UnexpectedBody);
    };
    let media_type = media_type.to_str().ok();
    let media_type = media_type.and_then(|text| text.parse::<mime::Mime>().ok());
    match media_type.as_ref().map(mime::Mime::essence_str) {
        Some("application/json") => Ok(()),
        Some("application/x-www-form-urlencoded") => Err(HttpError::UnexpectedBody),
        _ => Err(HttpError::UnsupportedMediaType),
    }
}

fn parse(body: &[u8]) -> Result<Vec<(String, String)>, HttpError> {
    let Members(members) =
        serde_json::from_slice(body).map_err(|error| HttpError::MalformedBody {
            line: error.line(),
            column: error.column(),
        })?;
    members.into_iter().map(parameter).collect()
}

fn parameter((name, value): (String, Value)) -> Result<(String, String), HttpError> {
    if name == TOKEN {
        return Err(HttpError::TokenInBody);
    }
    let may_be_number = NUMBERS.contains(&name.as_str());
    let number = value.as_u64().filter(|_| may_be_number);
    match (value, number) {
        (Value::String(text), _) => Ok((name, text)),
        (_, Some(number)) => Ok((name, number.to_string())),
        _ => Err(HttpError::UnfitMember {
            parameter: shorten(&name),
            allowed: if may_be_number {
                "a text or a whole number"
            } else {
                "a text"
            },
        }),
    }
}

/// An object, with its members in order. One that comes twice is kept twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
