//! `POST /reservations`: somebody asks for accounts.

use acctpool_actors::pool::{AccountType, RequestReservation, ReservationId, ReservationStatus};
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::body::ReservationBody;
use super::waiting::Waiting;
use crate::http::problem::{HttpError, MEDIA_TYPE, Problem};
use crate::http::request::caller::Caller;
use crate::http::request::identity::Right;
use crate::http::request::parameters::TOKEN;
use crate::http::request::values::duration_schema;
use crate::http::request::{prefer, values};
use crate::http::{Context, routes};

/// What is asked for when nothing is said.
const DEFAULT_TYPE: &str = "free";

/// What can be said about a reservation that is asked for, in the query or in a JSON body.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "for the document; parameters are read by their names"
)]
struct ReservationRequest {
    /// The type of account; `free`, unless said otherwise.
    #[serde(rename = "type")]
    #[param(nullable = false)]
    #[schema(nullable = false)]
    account_type: Option<String>,
    /// How long the lease may last: a whole number of minutes such as `60`, or a span such as `90m` or
    /// `1h 30m`. The type's default, unless said otherwise.
    #[param(schema_with = duration_schema, required = false)]
    #[schema(schema_with = duration_schema, required = false)]
    duration: Option<String>,
    /// How long the lease may go on without being renewed: whole seconds with a unit, such as `90s`
    /// or `5m`. For ever, unless said otherwise.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    ttl: Option<String>,
    /// How many accounts are wanted, all or none: one, unless said otherwise.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    count: Option<usize>,
    /// What the reservation is for, in up to 200 characters that can be seen.
    #[param(nullable = false, max_length = 200)]
    #[schema(nullable = false, max_length = 200)]
    purpose: Option<String>,
    /// Where what it is for can be seen: a URL of http or https, without a user in it.
    #[param(nullable = false, max_length = 500)]
    #[schema(nullable = false, max_length = 500, format = "uri")]
    link: Option<String>,
}

/// `POST /reservations`: makes a reservation and redirects to it.
#[utoipa::path(
    post,
    path = "/reservations",
    operation_id = "requestReservation",
    tag = "reservations",
    summary = "Ask for an account",
    description = "Makes a reservation and redirects to it. Whoever asks first gets an account first. \
        With `Prefer: wait=N` the redirect is held back until the account is there, for at most so \
        many seconds.",
    params(
        ReservationRequest,
        ("Prefer" = Option<String>, Header, nullable = false, description = "`wait=N`: how many seconds the answer may \
            be held back, 60 at most.", example = "wait=30"),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Any text of your own, to repeat \
            the request with: it leads to the same reservation.", min_length = 1, max_length = 255),
    ),
    request_body(
        content = ReservationRequest,
        description = "Instead of parameters in the query. None may come twice."
    ),
    responses(
        (
            status = 302,
            description = "The reservation, without credentials: `Location` leads to it.",
            body = ReservationBody,
            headers(("Location" = String), ("Preference-Applied" = String)),
            links(
                ("look" = (
                    operation_id = "getReservation",
                    parameters(("id" = "$response.body#/id")),
                    description = "Where it stands, with credentials while it is active."
                )),
                ("renew" = (
                    operation_id = "renewReservation",
                    parameters(("id" = "$response.body#/id")),
                    description = "Keeps the account for longer."
                )),
                ("cancel" = (
                    operation_id = "cancelReservation",
                    parameters(("id" = "$response.body#/id")),
                    description = "Gives the account back."
                )),
                ("receipt" = (
                    operation_id = "getReceipt",
                    parameters(("id" = "$response.body#/id")),
                    description = "What was cleaned after the lease."
                )),
            )
        ),
        (
            status = 200,
            description = "What a client sees that follows the redirect by itself: the answer of \
                `GET /reservations/{id}`.",
            body = ReservationBody
        ),
        (
            status = 403,
            description = "`type_not_allowed`: your token is not for this type. `role_not_allowed`: a \
                viewer's token reserves nothing.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
        (
            status = 422,
            description = "`idempotency_key_reused`: the first request with this key asked for \
                something else.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
        (
            status = 429,
            description = "`too_many_pending`, `too_many_reservations` or `rate_limited`: you have, or \
                ask for, as many as you may. Come back after `Retry-After` seconds.",
            body = Problem,
            content_type = MEDIA_TYPE,
            headers(("Retry-After" = u64))
        ),
        (
            status = 503,
            description = "`queue_full` or `unavailable`: too many wait, or the service is starting, \
                stopping or overloaded. Come back after `Retry-After` seconds.",
            body = Problem,
            content_type = MEDIA_TYPE,
            headers(("Retry-After" = u64))
        ),
    )
)]
pub(crate) async fn request(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let caller = Caller::of(&request)?.require(Right::Reserve)?;
    let caller = caller.with_body(&request).await?;
    let asked = &caller.parameters;
    asked.only_or(
        &[TOKEN, "duration", "type"],
        &["ttl", "count", "purpose", "link"],
    )?;
    let wait = prefer::wait(request.headers());
    let command = RequestReservation {
        count: values::count(asked)?.unwrap_or(1),
        duration: values::duration(asked)?,
        ttl: values::ttl(asked)?,
        purpose: values::purpose(asked)?,
        link: values::link(asked)?,
        key: values::idempotency_key(request.headers())?,
        ..RequestReservation::new(
            ReservationId::from(Uuid::new_v4()),
            caller.token.clone(),
            AccountType::from(asked.get("type").unwrap_or(DEFAULT_TYPE)),
        )
    };
    let mut view = context.pool.ask(command).await??;
    let is_pending = matches!(view.status, ReservationStatus::Pending { .. });
    if let Some(wait) = wait.filter(|_| is_pending) {
        let mut waiting = Waiting::begin(&request, wait);
        let reservation = waiting
            .while_pending(&context, view.id, &caller.token)
            .await?;
        view = context.published.show(&reservation);
    }
    let location = location(view.id, caller.query_token.as_ref());
    let now = context.published.time(context.clock.now());
    let body = ReservationBody::without_credentials(&view, now);
    let mut response = HttpResponse::build(StatusCode::FOUND);
    prefer::state(&mut response, wait);
    Ok(response
        .insert_header((LOCATION, location))
        .json(body.with_reasons(&context.published.statistics())))
}

/// Returns the relative reference of a reservation. A client that sent its token in the query gets
/// it back, so that merely following the redirect leads to its reservation.
fn location(id: ReservationId, query_token: Option<&SecretString>) -> String {
    let path = routes::of_reservation(id);
    match query_token {
        None => path,
        Some(token) => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair(TOKEN, token.expose_secret())
                .finish();
            format!("{path}?{query}")
        }
    }
}
