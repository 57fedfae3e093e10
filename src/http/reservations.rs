//! `/reservations`: ask, look, renew, give back.

use std::sync::Arc;
use std::time::Duration;

use acctpool_actors::PublishedReservation;
use acctpool_actors::pool::{
    AccountType, CancelReservation, GetReservation, NoteInterest, RenewReservation,
    RequestReservation, ReservationId, ReservationStatus, TokenId,
};
use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json as value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::caller::Caller;
use super::identity::Right;
use super::parameters::{self, Parameters, TOKEN};
use super::problem::{HttpError, MEDIA_TYPE, Problem};
use super::representation::{Known, Representation, json};
use super::reservation_body::ReservationBody;
use super::waits::{Look, Wait};
use super::{Context, prefer, routes, values};

/// What is asked for when nothing is said.
const DEFAULT_TYPE: &str = "free";

/// How long a client should wait before it asks about a pending reservation again, in seconds.
const POLL_AFTER: u64 = 2;

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

fn duration_schema() -> impl Into<RefOr<Schema>> {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::String]))
        // Where a schema is given, the field's own words are left out.
        .description(Some(
            "How long: a whole number of minutes such as `60`, or a span such as `90m` or `1h 30m`.",
        ))
        .minimum(Some(1))
        .examples([value!(60), value!("1h 30m")])
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
        ("Prefer" = Option<String>, Header, description = "`wait=N`: how many seconds the answer may \
            be held back, 60 at most.", example = "wait=30"),
        ("Idempotency-Key" = Option<String>, Header, description = "Any text of your own, to repeat \
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
            headers(("Location" = String), ("Preference-Applied" = String))
        ),
        (
            status = 403,
            description = "`type_not_allowed`: your token is not for this type.",
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
pub(super) async fn request(
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
        duration: duration(asked)?,
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

/// `GET /reservations/{id}`: shows a reservation to its holder, with the credential. `id` is `None`
/// where the path names nothing that could be one.
///
/// A client that prefers to wait is answered when the reservation is no longer pending; or, if it
/// says what it knows already, when there is anything else to say.
#[utoipa::path(
    get,
    path = "/reservations/{id}",
    operation_id = "getReservation",
    tag = "reservations",
    summary = "Look where your reservation stands",
    description = "While it is active, the answer has the credentials. With `Prefer: wait=N` the answer \
        is held back while the reservation is pending, for at most so many seconds; with \
        `If-None-Match` beside it, until there is anything else to say.",
    params(
        ("id" = String, Path, format = "uuid", description = "The reservation."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: how many seconds the answer may \
            be held back, 60 at most.", example = "wait=30"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what you have."),
    ),
    responses(
        (
            status = 200,
            description = "Where it stands. While it is pending, come back after `Retry-After` seconds.",
            body = ReservationBody,
            headers(
                ("ETag" = String),
                ("Preference-Applied" = String),
                ("Retry-After" = u64),
            )
        ),
        (status = 304, description = "It stands where `If-None-Match` says."),
    )
)]
pub(super) async fn show(
    context: Data<Context>,
    request: &HttpRequest,
    caller: Caller,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    caller.parameters.only(&[TOKEN])?;
    let id = id.ok_or(HttpError::UnknownReservation)?;
    let wait = prefer::wait(request.headers());
    let known = Known::of(request);
    let mut waiting = wait.map(|wait| Waiting::begin(request, wait));
    let (reservation, representation) = match &mut waiting {
        Some(waiting) if known.is_something() => {
            waiting
                .while_known(&context, id, &caller.token, &known)
                .await?
        }
        Some(waiting) => {
            let reservation = waiting.while_pending(&context, id, &caller.token).await?;
            let representation = represent(&context, &reservation).await?;
            (reservation, representation)
        }
        None => {
            let reservation = context.published.reservation(id, &caller.token)?;
            let representation = represent(&context, &reservation).await?;
            (reservation, representation)
        }
    };
    let mut response = HttpResponse::Ok();
    prefer::state(&mut response, wait);
    if is_pending(&reservation) {
        response.insert_header((RETRY_AFTER, POLL_AFTER));
    }
    Ok(representation.answer(&known, response))
}

/// Writes down where a reservation stands, for its holder. That somebody asks is noted: a lease is
/// claimed by it, and a pending reservation is not abandoned.
async fn represent(
    context: &Context,
    reservation: &PublishedReservation,
) -> Result<Representation, HttpError> {
    let published = &context.published;
    let now = published.time(context.clock.now());
    let body = match &reservation.view().status {
        ReservationStatus::Pending { .. } => {
            if let Some(until) = reservation.interest_to_note(now) {
                let id = reservation.view().id;
                // Left out when many wait for the pool: it will be said again.
                context.pool.tell(NoteInterest { id, until });
            }
            let view = published.show(reservation);
            let body = ReservationBody::without_credentials(&view, now);
            json(&body.with_reasons(&published.statistics()))
        }
        ReservationStatus::Active {
            expiration, leases, ..
        } if now < *expiration && leases.iter().any(|lease| lease.credential.is_none()) => {
            let id = reservation.view().id;
            let token = reservation.token().clone();
            let view = context.pool.ask(GetReservation { id, token }).await??;
            // The clock is read again: the answer may have waited for the disk.
            let now = published.time(context.clock.now());
            json(&ReservationBody::with_credentials(&view, now, context))
        }
        // The answer was made while the lease was live.
        ReservationStatus::Active { expiration, .. } if now >= *expiration => json(
            &ReservationBody::without_credentials(reservation.view(), now),
        ),
        ReservationStatus::Active { .. } | ReservationStatus::Ended { .. } => {
            reservation.answer(|view| json(&ReservationBody::with_credentials(view, now, context)))
        }
    };
    Ok(Representation::new(body))
}

/// Somebody who waits for news of a reservation.
struct Waiting {
    wait: Wait,
    seconds: u64,
    /// Whether the pool knows that somebody waits.
    is_noted: bool,
}

impl Waiting {
    fn begin(request: &HttpRequest, seconds: u64) -> Self {
        Self {
            wait: Wait::begin(request, seconds),
            seconds,
            is_noted: false,
        }
    }

    /// Returns the reservation once it is not pending, or when the wait is over.
    async fn while_pending(
        &mut self,
        context: &Context,
        id: ReservationId,
        token: &TokenId,
    ) -> Result<Arc<PublishedReservation>, HttpError> {
        loop {
            let reservation = context.published.reservation(id, token)?;
            let news = reservation.superseded();
            if !context.published.is_latest(&reservation) {
                continue;
            }
            if !is_pending(&reservation) || self.wait.is_over() {
                drop(news);
                return Ok(reservation);
            }
            let look = self.note_interest(context, id);
            self.wait.look_again(news, look).await;
        }
    }

    /// Returns the reservation once there is something else to say of it than what is known, or when
    /// the wait is over.
    async fn while_known(
        &mut self,
        context: &Context,
        id: ReservationId,
        token: &TokenId,
        known: &Known,
    ) -> Result<(Arc<PublishedReservation>, Representation), HttpError> {
        loop {
            let reservation = context.published.reservation(id, token)?;
            let news = reservation.superseded();
            if !context.published.is_latest(&reservation) {
                continue;
            }
            let representation = represent(context, &reservation).await?;
            if !representation.is_known(known) || self.wait.is_over() {
                drop(news);
                return Ok((reservation, representation));
            }
            if is_pending(&reservation) {
                self.note_interest(context, id);
            }
            // Its place in the line changes, and a lease ends, without news of the reservation.
            self.wait.look_again(news, Look::EverySecond).await;
        }
    }

    /// Tells the pool, once, that somebody goes on asking about a pending reservation until the wait
    /// is over. Returns when to try again.
    fn note_interest(&mut self, context: &Context, id: ReservationId) -> Look {
        if !self.is_noted {
            let until = context.clock.now() + Duration::from_secs(self.seconds);
            self.is_noted = context.pool.tell(NoteInterest { id, until });
        }
        if self.is_noted {
            Look::AtTheEnd
        } else {
            Look::EverySecond
        }
    }
}

fn is_pending(reservation: &PublishedReservation) -> bool {
    matches!(reservation.view().status, ReservationStatus::Pending { .. })
}

/// What can be said about a renewal, in the query or in a JSON body.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "for the document; parameters are read by their names"
)]
struct RenewalRequest {
    /// How long the lease may go on from now, as in a request for a reservation. It never gets
    /// shorter by that, and never longer than the longest of the type.
    #[param(schema_with = duration_schema, required = false)]
    #[schema(schema_with = duration_schema, required = false)]
    duration: Option<String>,
}

/// `POST /reservations/{id}/renew`: lets a lease go on for longer, or shows that somebody is there.
#[utoipa::path(
    post,
    path = "/reservations/{id}/renew",
    operation_id = "renewReservation",
    tag = "reservations",
    summary = "Keep the account for longer",
    description = "With `duration` the lease may go on for that long from now. In any case the time \
        of a `ttl` begins anew.",
    params(
        ("id" = String, Path, format = "uuid", description = "The reservation."),
        RenewalRequest,
    ),
    request_body(
        content = RenewalRequest,
        description = "Instead of parameters in the query. None may come twice."
    ),
    responses(
        (
            status = 200,
            description = "The reservation with its new `expiration`, without credentials.",
            body = ReservationBody
        ),
        (
            status = 409,
            description = "`reservation_pending` or `reservation_ended`: there is no lease to renew.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(super) async fn renew(
    context: Data<Context>,
    request: &HttpRequest,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    let caller = Caller::of(request)?.require(Right::Reserve)?;
    let caller = caller.with_body(request).await?;
    caller.parameters.only(&[TOKEN, "duration"])?;
    let command = RenewReservation {
        id: id.ok_or(HttpError::UnknownReservation)?,
        duration: duration(&caller.parameters)?,
        token: caller.token,
    };
    let view = context.pool.ask(command).await??;
    let now = context.published.time(context.clock.now());
    Ok(HttpResponse::Ok().json(ReservationBody::without_credentials(&view, now)))
}

/// `DELETE /reservations/{id}`: gives the account back, or stops waiting. May be repeated.
#[utoipa::path(
    delete,
    path = "/reservations/{id}",
    operation_id = "cancelReservation",
    tag = "reservations",
    summary = "Give the account back",
    description = "Gives the account back, or stops waiting for one. The credentials work no more. May \
        be repeated.",
    params(("id" = String, Path, format = "uuid", description = "The reservation.")),
    responses(
        (status = 204, description = "It has ended."),
    )
)]
pub(super) async fn cancel(
    context: Data<Context>,
    caller: Caller,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    let caller = caller.require(Right::Reserve)?;
    caller.parameters.only(&[TOKEN])?;
    let id = id.ok_or(HttpError::UnknownReservation)?;
    let command = CancelReservation {
        id,
        token: caller.token,
    };
    context.pool.ask(command).await??;
    Ok(HttpResponse::NoContent().finish())
}

fn duration(asked: &Parameters) -> Result<Option<Duration>, HttpError> {
    let readable = |text| parameters::duration(text).ok_or_else(HttpError::unreadable_duration);
    asked.get("duration").map(readable).transpose()
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
