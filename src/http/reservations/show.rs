//! `GET /reservations/{id}`: where a reservation stands, with the credential while it is active.

use acctpool_actors::PublishedReservation;
use acctpool_actors::pool::{GetReservation, NoteInterest, ReservationId, ReservationStatus};
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::body::ReservationBody;
use super::waiting::{Waiting, is_pending};
use crate::http::Context;
use crate::http::answer::representation::{Known, Representation, json};
use crate::http::problem::HttpError;
use crate::http::request::caller::Caller;
use crate::http::request::parameters::TOKEN;
use crate::http::request::prefer;

/// How long a client should wait before it asks about a pending reservation again, in seconds.
const POLL_AFTER: u64 = 2;

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
        ("Prefer" = Option<String>, Header, nullable = false, description = "`wait=N`: how many seconds the answer may \
            be held back, 60 at most.", example = "wait=30"),
        ("If-None-Match" = Option<String>, Header, nullable = false, description = "The `ETag` of what you have."),
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
pub(crate) async fn show(
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
pub(super) async fn represent(
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
