//! Everything that can go wrong in an exchange, and how it looks on the wire: one table from error
//! to status and code, one renderer (RFC 9457, `application/problem+json`).
//!
//! Codes are stable; titles and details are prose. No problem holds a secret, or the value of a
//! parameter.

use std::num::NonZeroU32;
use std::time::Duration;

use acctpool_actors::pool::{
    CleanRefused, RenewError, RequestError, UnknownAccount, UnknownReservation,
};
use acctpool_actors::store::StoreError;
use acctpool_actors::{AuditUnavailable, PoolUnavailable, ReceiptsUnavailable};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError, mime};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::monitoring::health::{Check, Health};

pub(super) const MEDIA_TYPE: &str = "application/problem+json";
const TYPE_PREFIX: &str = "urn:acctpool:problem:";
const CHALLENGE: &str = "Bearer realm=\"acctpool\"";

/// When to come back after a refusal that only other reservations' ends can lift, in seconds.
const RETRY_QUOTA: u64 = 30;
/// When to come back after a refusal that should pass by itself, in seconds.
const RETRY_BUSY: u64 = 2;

/// What a duration may look like, said wherever one is refused.
const DURATION_FORMS: &str = "a whole number of minutes such as 60, or a span such as 90m or 2h";

/// Why a request was not done. Its text is the problem's `detail`.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    /// The request cannot be understood.
    #[error("the request is malformed")]
    Malformed,
    /// A parameter that this resource does not have.
    #[error("there is no parameter {parameter:?} here; allowed: {}", [*allowed, *also_allowed].concat().join(", "))]
    UnknownParameter {
        /// Its name, shortened.
        parameter: String,
        /// The names of those that there are.
        allowed: &'static [&'static str],
        /// The names of those that came later.
        also_allowed: &'static [&'static str],
    },
    /// A parameter that came more than once.
    #[error("parameter {parameter:?} is given more than once")]
    RepeatedParameter {
        /// Its name, shortened.
        parameter: String,
    },
    /// A parameter whose value is not one of those that are possible.
    #[error("parameter {parameter:?} has a value that is not allowed; allowed: {}", allowed.join(", "))]
    InvalidParameter {
        /// Its name.
        parameter: &'static str,
        /// The values, or what they look like.
        allowed: Vec<String>,
    },
    /// A body that does not say that it is JSON.
    #[error(
        "parameters belong in the query, as in /reservations?type=lite&duration=60, or in a JSON object with `Content-Type: application/json`"
    )]
    UnexpectedBody,
    /// A body that says that it is something else than JSON.
    #[error("a body is a JSON object, sent with `Content-Type: application/json`")]
    UnsupportedMediaType,
    /// A body that is not what it says.
    #[error("the body is not a JSON object: it is wrong at line {line}, column {column}")]
    MalformedBody {
        /// Where it is wrong, from 1.
        line: usize,
        /// Where it is wrong, in bytes.
        column: usize,
    },
    /// A parameter in a JSON body whose value is neither text nor, where one is meant, a number.
    #[error("parameter {parameter:?} is not {allowed} in the body")]
    UnfitMember {
        /// Its name, shortened.
        parameter: String,
        /// What it has to be.
        allowed: &'static str,
    },
    /// A token where no log or proxy expects one.
    #[error("a token is never sent in a body; send the header `Authorization: Bearer <token>`")]
    TokenInBody,
    /// A body that does not come.
    #[error("the body did not come within {} s", within.as_secs())]
    SlowBody {
        /// How long it may take.
        within: Duration,
    },
    /// Two tokens.
    #[error("the tokens in the query and in the Authorization header differ; send one of them")]
    TwoTokens,
    /// A token in the query where the operator does not want one.
    #[error(
        "tokens are not accepted in the query here; send the header `Authorization: Bearer <token>`"
    )]
    QueryTokenRefused,
    /// No token, or one that nobody knows.
    #[error(
        "a valid token is needed: `Authorization: Bearer <token>`, or the query parameter `token` where it is enabled"
    )]
    Unauthorized,
    /// The token is for something else.
    #[error("this takes a token whose role is {needed}")]
    RoleNotAllowed {
        /// The roles that it takes.
        needed: &'static str,
    },
    /// The token asks too often.
    #[error(
        "this token may make {limit} requests in a minute, its limit `requests_per_minute`; slow down"
    )]
    RateLimited {
        /// Its limit.
        limit: NonZeroU32,
        /// When it may ask again.
        wait: Duration,
    },
    /// No such reservation, or somebody else's.
    #[error("you have no reservation with this id")]
    UnknownReservation,
    /// No such reservation at all, said to those who see everybody's.
    #[error("there is no reservation with this id")]
    NoSuchReservation,
    /// No such account.
    #[error("there is no account with this id in the pool")]
    UnknownAccount,
    /// An account that somebody holds.
    #[error("the account is leased; revoke its reservation, or quarantine it")]
    AccountLeased,
    /// Something that requests need does not work.
    #[error("not ready: {}", failed(.0))]
    NotReady(Vec<Check>),
    /// A key that is taken by another request.
    #[error(
        "this Idempotency-Key was sent with other parameters, and stands for the reservation that \
         they led to"
    )]
    KeyReused,
    /// A reservation that holds nothing yet, where a lease is needed.
    #[error("this reservation is pending: it holds no account that it could keep for longer")]
    ReservationPending,
    /// A reservation that is over, where a lease is needed.
    #[error("this reservation has ended; make another one")]
    ReservationEnded,
    /// A reservation whose lease no cleaning has followed.
    #[error(
        "this reservation has no receipt: one begins when its lease is over, if its credential was \
         fetched"
    )]
    NoReceipt,
    /// No such resource.
    #[error("there is nothing at this path; see `GET /` and `POST /reservations`")]
    UnknownPath,
    /// A method that this resource does not have.
    #[error("this resource answers {allow} only{hint}")]
    MethodNotAllowed {
        /// The methods, as in the `Allow` header.
        allow: &'static str,
        /// What the client probably meant; empty, or begins with punctuation.
        hint: &'static str,
    },
    /// A body that is larger than any request needs.
    #[error("the body is larger than {max} bytes")]
    BodyTooLarge {
        /// The limit, in bytes.
        max: u64,
    },
    /// A URI that is longer than any request needs.
    #[error("the URI is longer than {max} bytes")]
    UriTooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// A head that is larger than any request needs.
    #[error("the headers are larger than {max_bytes} bytes in all, or more than {max_count}")]
    HeadersTooLarge {
        /// The limit of names and values together, in bytes.
        max_bytes: usize,
        /// The limit of their number.
        max_count: usize,
    },
    /// The consumer has as many pending reservations as it may have.
    #[error("this token has {limit} pending reservations, which is its limit; cancel one or wait")]
    TooManyPendingOfToken {
        /// The limit.
        limit: usize,
    },
    /// The consumer would wait for more accounts, and hold more, than it may.
    #[error(
        "this token may wait for and hold {limit} accounts at once, which is its limit of \
         reservations; give one back"
    )]
    TooManyReservations {
        /// The limit.
        limit: usize,
    },
    /// A type that is not for this consumer.
    #[error("this token may not ask for accounts of this type; allowed: {}", allowed.join(", "))]
    TypeNotAllowed {
        /// The types that are.
        allowed: Vec<String>,
    },
    /// All consumers together have as many pending reservations as there may be.
    #[error("{limit} reservations are pending, which is the limit; come back later")]
    TooManyPending {
        /// The limit.
        limit: usize,
    },
    /// The pool cannot answer now.
    #[error("the service is starting, stopping or overloaded; come back soon")]
    Unavailable(#[source] PoolUnavailable),
    /// What is kept cannot be read.
    #[error("the service failed to answer; its log tells more under the request id")]
    Unreadable(#[source] StoreError),
    /// A fault of this program.
    #[error("the service failed to answer; its log tells more under the request id")]
    Internal,
}

/// One row of the table: how an error looks on the wire.
struct Row {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
}

impl HttpError {
    fn row(&self) -> Row {
        use StatusCode as S;
        let (status, code, title) = match self {
            Self::Malformed => (S::BAD_REQUEST, "malformed_request", "Malformed request"),
            Self::UnknownParameter { .. } => {
                (S::BAD_REQUEST, "unknown_parameter", "Unknown parameter")
            }
            Self::RepeatedParameter { .. } => {
                (S::BAD_REQUEST, "repeated_parameter", "Repeated parameter")
            }
            Self::InvalidParameter { .. } => {
                (S::BAD_REQUEST, "invalid_parameter", "Invalid parameter")
            }
            Self::UnexpectedBody => (S::BAD_REQUEST, "unexpected_body", "Unexpected body"),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Unsupported media type",
            ),
            Self::MalformedBody { .. } => (S::BAD_REQUEST, "malformed_body", "Malformed body"),
            Self::UnfitMember { .. } => (S::BAD_REQUEST, "invalid_parameter", "Invalid parameter"),
            Self::TokenInBody => (S::BAD_REQUEST, "token_in_body", "Token in the body"),
            Self::SlowBody { .. } => (S::REQUEST_TIMEOUT, "slow_body", "The body did not come"),
            Self::TwoTokens => (S::BAD_REQUEST, "two_tokens", "Two different tokens"),
            Self::QueryTokenRefused => {
                (S::BAD_REQUEST, "query_token_refused", "Token in the query")
            }
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "No valid token"),
            Self::RoleNotAllowed { .. } => (S::FORBIDDEN, "role_not_allowed", "Role not allowed"),
            Self::RateLimited { .. } => (S::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
            Self::UnknownAccount => (S::NOT_FOUND, "unknown_account", "Unknown account"),
            Self::AccountLeased => (S::CONFLICT, "account_leased", "The account is leased"),
            Self::NotReady(_) => (S::SERVICE_UNAVAILABLE, "not_ready", "Not ready"),
            Self::UnknownReservation | Self::NoSuchReservation => {
                (S::NOT_FOUND, "unknown_reservation", "Unknown reservation")
            }
            Self::KeyReused => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "Idempotency key reused",
            ),
            Self::ReservationPending => (S::CONFLICT, "reservation_pending", "Not yet active"),
            Self::ReservationEnded => (S::CONFLICT, "reservation_ended", "No longer active"),
            Self::NoReceipt => (S::NOT_FOUND, "no_receipt", "No receipt"),
            Self::UnknownPath => (S::NOT_FOUND, "unknown_path", "Unknown path"),
            Self::MethodNotAllowed { .. } => (
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
            ),
            Self::BodyTooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large"),
            Self::UriTooLong { .. } => (S::URI_TOO_LONG, "uri_too_long", "URI too long"),
            Self::HeadersTooLarge { .. } => (
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "Headers too large",
            ),
            Self::TooManyPendingOfToken { .. } => (
                S::TOO_MANY_REQUESTS,
                "too_many_pending",
                "Too many pending reservations",
            ),
            Self::TooManyReservations { .. } => (
                S::TOO_MANY_REQUESTS,
                "too_many_reservations",
                "Too many reservations",
            ),
            Self::TypeNotAllowed { .. } => (S::FORBIDDEN, "type_not_allowed", "Type not allowed"),
            Self::TooManyPending { .. } => {
                (S::SERVICE_UNAVAILABLE, "queue_full", "The queue is full")
            }
            Self::Unavailable(_) => (S::SERVICE_UNAVAILABLE, "unavailable", "Service unavailable"),
            Self::Unreadable(_) | Self::Internal => {
                (S::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            }
        };
        Row {
            status,
            code,
            title,
        }
    }

    /// Says that a `duration` cannot be read.
    pub(super) fn unreadable_duration() -> Self {
        Self::InvalidParameter {
            parameter: "duration",
            allowed: vec![DURATION_FORMS.to_owned()],
        }
    }

    /// Returns the error that stands for an answer which the framework made by itself.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::UnknownPath,
            status if status.is_client_error() => Self::Malformed,
            _ => Self::Internal,
        }
    }

    /// Renders the problem.
    pub(super) fn render(&self, request_id: &str) -> HttpResponse {
        let Row {
            status,
            code,
            title,
        } = self.row();
        let mut response = HttpResponse::build(status);
        self.add_headers(&mut response);
        let problem = Problem {
            kind: format!("{TYPE_PREFIX}{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: self.to_string(),
            parameter: self.parameter(),
            allowed: self.allowed(),
            also_allowed: self.also_allowed(),
            checks: match self {
                Self::NotReady(checks) => checks,
                _ => &[],
            },
            request_id,
        };
        response.json(problem)
    }

    fn add_headers(&self, response: &mut HttpResponseBuilder) {
        response.content_type(MEDIA_TYPE);
        match self {
            Self::Unauthorized => {
                response.insert_header((header::WWW_AUTHENTICATE, CHALLENGE));
            }
            Self::MethodNotAllowed { allow, .. } => {
                response.insert_header((header::ALLOW, HeaderValue::from_static(allow)));
            }
            Self::TooManyPendingOfToken { .. }
            | Self::TooManyReservations { .. }
            | Self::TooManyPending { .. } => {
                response.insert_header((header::RETRY_AFTER, RETRY_QUOTA));
            }
            Self::Unavailable(_) | Self::NotReady(_) => {
                response.insert_header((header::RETRY_AFTER, RETRY_BUSY));
            }
            Self::RateLimited { wait, .. } => {
                let seconds = wait.as_millis().div_ceil(1000).max(1);
                response.insert_header((header::RETRY_AFTER, seconds.to_string()));
            }
            Self::UnsupportedMediaType => {
                response.insert_header((header::ACCEPT, mime::APPLICATION_JSON));
            }
            _ => {}
        }
    }

    fn parameter(&self) -> Option<&str> {
        match self {
            Self::UnknownParameter { parameter, .. }
            | Self::RepeatedParameter { parameter }
            | Self::UnfitMember { parameter, .. } => Some(parameter),
            Self::InvalidParameter { parameter, .. } => Some(parameter),
            Self::TypeNotAllowed { .. } => Some("type"),
            _ => None,
        }
    }

    fn also_allowed(&self) -> &'static [&'static str] {
        match self {
            Self::UnknownParameter { also_allowed, .. } => also_allowed,
            _ => &[],
        }
    }

    fn allowed(&self) -> Vec<&str> {
        match self {
            Self::UnknownParameter { allowed, .. } => allowed.to_vec(),
            Self::InvalidParameter { allowed, .. } | Self::TypeNotAllowed { allowed } => {
                allowed.iter().map(String::as_str).collect()
            }
            Self::UnfitMember { allowed, .. } => vec![allowed],
            _ => Vec::new(),
        }
    }
}

/// What went wrong, as RFC 9457 has it said.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:acctpool:problem:invalid_parameter",
    "title": "Invalid parameter",
    "status": 400,
    "detail": "parameter \"type\" has a value that is not allowed; allowed: free, lite",
    "code": "invalid_parameter",
    "parameter": "type",
    "allowed": ["free", "lite"],
    "request_id": "5f0c1d2e3b4a59680000000000000017",
}))]
pub(super) struct Problem<'a> {
    /// `urn:acctpool:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The code in words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What went wrong this time, for a person.
    detail: String,
    /// What went wrong, for a program. It never changes its meaning.
    code: &'static str,
    /// The parameter that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<&'a str>,
    /// What would have been right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    allowed: Vec<&'a str>,
    /// What would have been right, too: what came later.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    also_allowed: &'static [&'static str],
    /// What was looked at, where the service is not ready.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    checks: &'a [Check],
    /// What the log calls the request.
    request_id: &'a str,
}

/// The edge renders problems, as only it knows the request id; what stands here is the status alone.
impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        self.row().status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

impl From<PoolUnavailable> for HttpError {
    fn from(cause: PoolUnavailable) -> Self {
        Self::Unavailable(cause)
    }
}

impl From<ReceiptsUnavailable> for HttpError {
    fn from(error: ReceiptsUnavailable) -> Self {
        match error {
            ReceiptsUnavailable::Stopped(_) => Self::Unavailable(PoolUnavailable::Stopped),
            ReceiptsUnavailable::Store(error) => Self::Unreadable(error),
        }
    }
}

impl From<AuditUnavailable> for HttpError {
    fn from(error: AuditUnavailable) -> Self {
        match error {
            AuditUnavailable::Stopped(_) => Self::Unavailable(PoolUnavailable::Stopped),
            AuditUnavailable::Store(error) => Self::Unreadable(error),
        }
    }
}

impl From<UnknownAccount> for HttpError {
    fn from(_: UnknownAccount) -> Self {
        Self::UnknownAccount
    }
}

impl From<CleanRefused> for HttpError {
    fn from(refused: CleanRefused) -> Self {
        match refused {
            CleanRefused::Unknown(_) => Self::UnknownAccount,
            CleanRefused::Leased => Self::AccountLeased,
        }
    }
}

impl From<UnknownReservation> for HttpError {
    fn from(_: UnknownReservation) -> Self {
        Self::UnknownReservation
    }
}

impl From<RenewError> for HttpError {
    fn from(error: RenewError) -> Self {
        match error {
            RenewError::Unknown(UnknownReservation) => Self::UnknownReservation,
            RenewError::Pending => Self::ReservationPending,
            RenewError::Ended => Self::ReservationEnded,
        }
    }
}

impl From<RequestError> for HttpError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::IdTaken => Self::Unavailable(PoolUnavailable::Full),
            RequestError::KeyReused => Self::KeyReused,
            RequestError::TypeNotAllowed { allowed } => Self::TypeNotAllowed {
                allowed: allowed.into_iter().map(String::from).collect(),
            },
            RequestError::TooManyReservations { limit } => Self::TooManyReservations { limit },
            RequestError::UnknownType { known } => Self::InvalidParameter {
                parameter: "type",
                allowed: known.into_iter().map(String::from).collect(),
            },
            RequestError::CountOutOfRange { max } => Self::InvalidParameter {
                parameter: "count",
                allowed: vec![format!(
                    "1 to {max}: as many as there are, and as the token may hold"
                )],
            },
            RequestError::DurationOutOfRange { max } => Self::InvalidParameter {
                parameter: "duration",
                allowed: vec![format!(
                    "1 to {} minutes: {DURATION_FORMS}",
                    whole_minutes(max)
                )],
            },
            RequestError::TooManyPendingOfToken { limit } => Self::TooManyPendingOfToken { limit },
            RequestError::TooManyPending { limit } => Self::TooManyPending { limit },
        }
    }
}

fn failed(checks: &[Check]) -> String {
    let failed = checks.iter().filter(|check| check.status == Health::Failed);
    failed
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns a duration in whole minutes, as the contract counts it.
pub(super) fn whole_minutes(duration: Duration) -> u64 {
    duration.as_secs() / 60
}
