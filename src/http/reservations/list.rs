//! `GET /reservations`: one's own reservations, oldest first, page by page.

use acctpool_actors::pool::{ReservationStatus, ReservationView, Timestamp};
use acctpool_actors::{PageOf, PublishedReservation};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::body::ReservationBody;
use crate::http::problem::{HttpError, MEDIA_TYPE, Problem};
use crate::http::request::caller::{self, Caller};
use crate::http::request::identity::Right;
use crate::http::request::paging::{self, CURSOR, LIMIT, PageRequest};
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
        PageRequest,
        Filter,
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
    if caller.parameters.get(ALL).is_some() {
        caller = caller.require(Right::SeeEverything)?;
    }
    let parameters = &caller.parameters;
    parameters.only(&[TOKEN, CURSOR, LIMIT, STATE, ALL])?;
    let is_everybodys = all(parameters)?;
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
    let next = last.map(|last| last.sequence().to_be_bytes());
    let (mut response, next_cursor) = paging::begin(&caller, routes::RESERVATIONS, next)?;
    let views: Vec<ReservationView> = page
        .reservations
        .iter()
        .map(|reservation| context.published.show(reservation))
        .collect();
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

/// Which reservations are to be listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "for the document; parameters are read by their names"
)]
struct Filter {
    /// Lists only those that are in this state.
    #[param(nullable = false)]
    state: Option<State>,
    /// Lists everybody's.
    #[param(schema_with = all_schema, required = false)]
    all: Option<bool>,
}

/// Describes a switch that can only be turned on.
fn all_schema() -> impl Into<RefOr<Schema>> {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([true]))
        // Where a schema is given, the field's own words are left out.
        .description(Some(
            "Lists everybody's, with the `consumer` of each: for operators and viewers.",
        ))
}

/// Where a reservation stands.
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
    let read = |text: &str| State::ALL.into_iter().find(|state| state.as_str() == text);
    parameters.read(STATE, read, &State::ALL.map(State::as_str))
}

/// Tells whether everybody's are asked for: a switch that is given is on.
fn all(parameters: &Parameters) -> Result<bool, HttpError> {
    let on = parameters.read(ALL, |text| (text == "true").then_some(()), &["true"])?;
    Ok(on.is_some())
}
