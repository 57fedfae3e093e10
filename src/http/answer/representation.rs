//! What stands at a path at one moment, as bytes, and the tag that tells it from what stood there
//! before: a client that has it already is answered 304 (RFC 9110, 13.1.2).
//!
//! Tags are strong and made of the bytes themselves, so that what has changed by the passing of time
//! alone, such as a lease that is over, never passes for what it was.

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, ETAG, EntityTag, Header, IfNoneMatch};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How much of the hash is enough to tell any two representations apart, in bytes.
const TAG_BYTES: usize = 16;

/// A representation in JSON.
pub(crate) struct Representation {
    body: Bytes,
    tag: EntityTag,
}

impl Representation {
    /// Takes what was written before.
    pub(crate) fn new(body: Bytes) -> Self {
        let hash = Sha256::digest(&body);
        let tag = BASE64_URL_SAFE_NO_PAD.encode(&hash[..TAG_BYTES]);
        let tag = EntityTag::new_strong(tag);
        Self { body, tag }
    }

    /// Tells whether the client has it already, by its own word.
    pub(crate) fn is_known(&self, known: &Known) -> bool {
        match &known.0 {
            None => false,
            Some(IfNoneMatch::Any) => true,
            Some(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
        }
    }

    /// Answers with it, or says that the client has it. `response` has the other headers.
    pub(crate) fn answer(self, known: &Known, mut response: HttpResponseBuilder) -> HttpResponse {
        let is_known = self.is_known(known);
        response.insert_header((ETAG, self.tag.to_string()));
        if is_known {
            response.status(StatusCode::NOT_MODIFIED).finish()
        } else {
            response.content_type(ContentType::json()).body(self.body)
        }
    }
}

/// What a client says it has.
pub(crate) struct Known(Option<IfNoneMatch>);

impl Known {
    /// Reads `If-None-Match`; what cannot be read says nothing.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let is_there = request.headers().contains_key(IfNoneMatch::name());
        Self(is_there.then(|| IfNoneMatch::parse(request).ok()).flatten())
    }

    /// Tells whether it says anything.
    pub(crate) fn is_something(&self) -> bool {
        self.0.is_some()
    }
}

/// Writes a body that is wiped from memory when nobody needs it any more: it may hold a credential.
pub(crate) fn json(body: &impl Serialize) -> Bytes {
    let text = serde_json::to_vec(body).expect("text and numbers are always JSON");
    Bytes::from_owner(Zeroizing::new(text))
}
