//! `GET /reservations`: one's own reservations, oldest first, page by page.

use acctpool_actors::pool::{ReservationStatus, ReservationView, Timestamp};
use acctpool_actors::{PageOf, PublishedReservation};
use actix_web::http::header::LINK;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{self, Caller};
use super::parameters::{Parameters, TOKEN};
use super::problem::{HttpError, MEDIA_TYPE, Problem};
use super::reservation_body::ReservationBody;
use super::{Context, routes};

/// How many reservations are on a page when nothing is said.
const DEFAULT_LIMIT: usize = 50;
/// How many reservations can be on a page.
const MAX_LIMIT: usize = 100;

const CURSOR: &str = "cursor";
const LIMIT: &str = "limit";
const STATE: &str = "state";

/// `GET /reservations`: a page of the caller's reservations, without credentials.
///
/// Without a token there is nothing to list, and the answer is that of the time before there were
/// lists.
#[utoipa::path(
    get,
    path = "/reservations",
    operation_id = "listReservations",
    tag = "reservations",
    summary = "List your reservations",
    description = "Your own, oldest first, without credentials, page by page.",
    params(
        ("limit" = Option<u64>, Query, description = "How many to list at most: 50, unless said \
            otherwise.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the \
            page before.", pattern = "^[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]$"),
        ("state" = Option<State>, Query, description = "Lists only those that are in this state."),
    ),
    responses(
        (
            status = 200,
            description = "A page. Its `Link` leads to the next one.",
            body = ListBody,
            headers(("Link" = String))
        ),
        (
            status = 405,
            description = "`method_not_allowed`: without a token there is nothing to list.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(super) async fn list(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    if !caller::presents_token(&request) {
        return no_such_method(request).await;
    }
    let caller = Caller::of(&request)?;
    caller.parameters.only(&[TOKEN, CURSOR, LIMIT, STATE])?;
    let limit = limit(&caller.parameters)?;
    let state = state(&caller.parameters)?;
    let of = PageOf {
        token: Some(caller.token.clone()),
        only_open: state.is_some_and(State::is_open),
        after: after(&caller.parameters)?,
        limit,
    };
    let now = context.published.time(context.clock.now());
    let page = context.published.page(&of, |reservation| {
        state.is_none_or(|state| state == State::of(reservation, now))
    });

    let last = page.reservations.last().filter(|_| page.is_more);
    let next_cursor = last.map(|last| BASE64_URL_SAFE_NO_PAD.encode(last.sequence().to_be_bytes()));
    let views: Vec<ReservationView> = page
        .reservations
        .iter()
        .map(|reservation| context.published.show(reservation))
        .collect();
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        response.insert_header((LINK, link(&caller, limit, state, cursor)));
    }
    Ok(response.json(ListBody {
        reservations: views
            .iter()
            .map(|view| ReservationBody::without_credentials(view, now))
            .collect(),
        next_cursor,
    }))
}

/// Refuses a method that `/reservations` does not have.
pub(super) async fn no_such_method(request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let allow = if caller::presents_token(&request) {
        "GET, HEAD, POST"
    } else {
        "POST"
    };
    Err(HttpError::MethodNotAllowed { allow, hint: "" })
}

/// A page of reservations.
#[derive(Serialize, ToSchema)]
#[schema(as = ReservationList)]
struct ListBody<'a> {
    /// What is on the page.
    reservations: Vec<ReservationBody<'a>>,
    /// Where the next page begins. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// What a reservation is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(as = ReservationState, rename_all = "snake_case")]
pub(super) enum State {
    Pending,
    Active,
    Ended,
}

impl State {
    const ALL: [Self; 3] = [Self::Pending, Self::Active, Self::Ended];

    /// Returns what a reservation is shown as at `now`.
    fn of(reservation: &PublishedReservation, now: Timestamp) -> Self {
        match &reservation.view().status {
            ReservationStatus::Pending { .. } => Self::Pending,
            ReservationStatus::Active { expiration, .. } if now < *expiration => Self::Active,
            ReservationStatus::Active { .. } | ReservationStatus::Ended { .. } => Self::Ended,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Ended => "ended",
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Active)
    }
}

fn limit(parameters: &Parameters) -> Result<usize, HttpError> {
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

fn state(parameters: &Parameters) -> Result<Option<State>, HttpError> {
    let Some(text) = parameters.get(STATE) else {
        return Ok(None);
    };
    let state = State::ALL.into_iter().find(|state| state.as_str() == text);
    state.map(Some).ok_or_else(|| HttpError::InvalidParameter {
        parameter: STATE,
        allowed: State::ALL.map(|state| state.as_str().to_owned()).to_vec(),
    })
}

/// Reads the place in the order of asking after which a page begins.
fn after(parameters: &Parameters) -> Result<Option<u64>, HttpError> {
    let Some(text) = parameters.get(CURSOR) else {
        return Ok(None);
    };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let bytes = bytes.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let place = bytes.map(u64::from_be_bytes);
    place.map(Some).ok_or_else(|| HttpError::InvalidParameter {
        parameter: CURSOR,
        allowed: vec!["the `next_cursor` of the page before".to_owned()],
    })
}

/// Returns the link to the next page. Like a `Location`, it has the token of a client that sent it
/// in the query.
fn link(caller: &Caller, limit: usize, state: Option<State>, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(CURSOR, cursor);
    query.append_pair(LIMIT, &limit.to_string());
    if let Some(state) = state {
        query.append_pair(STATE, state.as_str());
    }
    if let Some(token) = &caller.query_token {
        query.append_pair(TOKEN, token.expose_secret());
    }
    format!(
        "<{}?{}>; rel=\"next\"",
        routes::RESERVATIONS,
        query.finish()
    )
}
