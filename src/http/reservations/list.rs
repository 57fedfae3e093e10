//! `GET /reservations`: one's own reservations, oldest first, page by page.

use acctpool_actors::pool::{ReservationStatus, ReservationView, Timestamp};
use acctpool_actors::{PageOf, PublishedReservation};
use actix_web::http::header::LINK;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::ReservationBody;
use crate::http::problem::{HttpError, MEDIA_TYPE, Problem};
use crate::http::request::caller::{self, Caller};
use crate::http::request::identity::Right;
use crate::http::request::paging::{self, CURSOR, LIMIT};
use crate::http::request::parameters::{Parameters, TOKEN};
use crate::http::{Context, routes};

const STATE: &str = "state";
const ALL: &str = "all";

/// `GET /reservations`: a page of the caller's reservations, or of everybody's, without credentials.
///
/// Without a token there is nothing to list, and the answer is that of the time before there were
/// lists.
#[utoipa::path(
    get,
    path = "/reservations",
    operation_id = "listReservations",
    tag = "reservations",
    summary = "List your reservations",
    description = "Your own, oldest first, without credentials, page by page. Operators and viewers \
        may ask for everybody's.",
    params(
        ("limit" = Option<u64>, Query, description = "How many to list at most: 50, unless said \
            otherwise.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the \
            page before.", pattern = "^[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]$"),
        ("state" = Option<State>, Query, description = "Lists only those that are in this state."),
        ("all" = Option<bool>, Query, description = "`true` lists everybody's, with the `consumer` of \
            each: for operators and viewers.", pattern = "^true$"),
    ),
    responses(
        (
            status = 200,
            description = "A page. Its `Link` leads to the next one.",
            body = ListBody,
            headers(("Link" = String))
        ),
        (
            status = 403,
            description = "`role_not_allowed`: your token is not for this.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
        (
            status = 405,
            description = "`method_not_allowed`: without a token there is nothing to list.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(crate) async fn list(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    if !caller::presents_token(&request) {
        return no_such_method(request).await;
    }
    let mut caller = Caller::of(&request)?;
    let is_everybodys = caller.parameters.get(ALL).is_some();
    if is_everybodys {
        caller = caller.require(Right::SeeEverything)?;
    }
    let parameters = &caller.parameters;
    parameters.only(&[TOKEN, CURSOR, LIMIT, STATE, ALL])?;
    only_true(parameters, ALL)?;
    let state = state(parameters)?;
    let of = PageOf {
        token: (!is_everybodys).then(|| caller.token.clone()),
        only_open: state.is_some_and(State::is_open),
        after: paging::cursor(parameters, paging::number)?,
        limit: paging::limit(parameters)?,
    };
    let now = context.published.time(context.clock.now());
    let page = context.published.page(&of, |reservation| {
        state.is_none_or(|state| state == State::of(reservation, now))
    });

    let last = page.reservations.last().filter(|_| page.is_more);
    let next_cursor = last.map(|last| paging::next_cursor(&last.sequence().to_be_bytes()));
    let views: Vec<ReservationView> = page
        .reservations
        .iter()
        .map(|reservation| context.published.show(reservation))
        .collect();
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        response.insert_header((LINK, paging::link(&caller, routes::RESERVATIONS, cursor)?));
    }
    Ok(response.json(ListBody {
        reservations: views
            .iter()
            .zip(&page.reservations)
            .map(|(view, reservation)| {
                let body = ReservationBody::without_credentials(view, now);
                if is_everybodys {
                    body.of(reservation.token())
                } else {
                    body
                }
            })
            .collect(),
        next_cursor,
    }))
}

/// Refuses a method that `/reservations` does not have.
pub(crate) async fn no_such_method(request: HttpRequest) -> Result<HttpResponse, HttpError> {
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
pub(crate) enum State {
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

/// Makes sure that a switch that is given is on.
fn only_true(parameters: &Parameters, name: &'static str) -> Result<(), HttpError> {
    match parameters.get(name) {
        None | Some("true") => Ok(()),
        Some(_) => Err(HttpError::InvalidParameter {
            parameter: name,
            allowed: vec!["true".to_owned()],
        }),
    }
}
