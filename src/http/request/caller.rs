//! Who asks. Proven before anything else of a request is looked at, so that a stranger learns
//! nothing but that a token is needed.

use std::future::{Ready, ready};
use std::net::IpAddr;

use acctpool_actors::pool::TokenId;
use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use secrecy::{ExposeSecret, SecretString};

use super::body;
use super::identity::{Right, Role};
use super::parameters::{Parameters, TOKEN};
use super::rates::Rates;
use crate::http::Context;
use crate::http::problem::HttpError;

/// Where a request comes from, as far as that can be believed.
#[derive(Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Somebody authenticated, and what they ask for.
pub(crate) struct Caller {
    /// Whose token it is.
    pub(crate) token: TokenId,
    /// What the token is for.
    role: Role,
    /// Where the request comes from.
    pub(crate) from: Option<IpAddr>,
    /// The token itself, when it came in the query: the client needs it again in `Location`.
    pub(crate) query_token: Option<SecretString>,
    /// The other parameters.
    pub(crate) parameters: Parameters,
}

impl FromRequest for Caller {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl Caller {
    /// Returns who makes a request.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, HttpError> {
        let context: &Data<Context> = request
            .app_data()
            .expect("the server gives every request the context");
        let mut parameters = Parameters::parse(request.query_string())?;
        let query_token = parameters.take_token();
        if query_token.is_some() && !context.settings.load().allow_query_tokens {
            return Err(HttpError::QueryTokenRefused);
        }
        let presented = match (bearer_token(request.headers())?, &query_token) {
            (Some(header), Some(query)) if header != query.expose_secret() => {
                return Err(HttpError::TwoTokens);
            }
            (Some(header), _) => header,
            (None, Some(query)) => query.expose_secret(),
            (None, None) => return Err(HttpError::Unauthorized),
        };
        let identity = context
            .authenticate
            .identify(presented)
            .ok_or(HttpError::Unauthorized)?;
        // For the access log.
        request.extensions_mut().insert(identity.token.clone());
        let rates: &Data<Rates> = request
            .app_data()
            .expect("the server gives every request the rates");
        rates.count(&identity, context.clock.now())?;
        let from = request.extensions().get().map(|ClientAddress(from)| *from);
        Ok(Self {
            token: identity.token,
            role: identity.role,
            from,
            query_token,
            parameters,
        })
    }

    /// Makes sure that the role allows something. To be asked before anything is looked up, so that
    /// a refusal tells nothing of what there is.
    pub(crate) fn require(self, right: Right) -> Result<Self, HttpError> {
        if self.role.has(right) {
            Ok(self)
        } else {
            Err(HttpError::RoleNotAllowed {
                needed: right.role_names(),
            })
        }
    }
}

/// Tells whether a request presents a token at all, be it anybody's.
pub(crate) fn presents_token(request: &HttpRequest) -> bool {
    let query = form_urlencoded::parse(request.query_string().as_bytes());
    request.headers().contains_key(AUTHORIZATION)
        || query.into_iter().any(|(name, _)| name == TOKEN)
}

impl Caller {
    /// Adds the members of a JSON body to the parameters, if there is a body. Nothing of a body is
    /// read before its sender is known.
    pub(crate) async fn with_body(mut self, request: &HttpRequest) -> Result<Self, HttpError> {
        for (name, value) in body::members(request).await? {
            self.parameters.add(name, value)?;
        }
        Ok(self)
    }
}

/// Returns the token of the `Authorization` header, which RFC 6750 calls a bearer token.
///
/// Another scheme is not ours and counts as no token; a second header is a contradiction.
fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, HttpError> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(HttpError::Malformed);
    }
    let Ok(value) = value.to_str() else {
        return Err(HttpError::Unauthorized);
    };
    Ok(value.split_once(' ').and_then(|(scheme, token)| {
        scheme
            .eq_ignore_ascii_case("Bearer")
            .then(|| token.trim_matches(' '))
    }))
}
