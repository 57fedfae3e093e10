//! `/reservations`: ask, look, renew, give back.

use std::future::{Ready, ready};
use std::time::Duration;

use acctpool_actors::pool::{
    AccountType, CancelReservation, GetReservation, NoteInterest, RenewReservation,
    RequestReservation, ReservationId, ReservationStatus,
};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_LENGTH, ContentType, LOCATION, RETRY_AFTER, TRANSFER_ENCODING,
};
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::caller::Caller;
use super::parameters::{self, Parameters, TOKEN};
use super::problem::HttpError;
use super::reservation_body::ReservationBody;
use super::{Context, routes, values};

/// What is asked for when nothing is said.
const DEFAULT_TYPE: &str = "free";

/// How long a client should wait before it asks about a pending reservation again, in seconds.
const POLL_AFTER: u64 = 2;

/// `POST /reservations`: makes a reservation and redirects to it.
pub(super) async fn request(
    context: Data<Context>,
    request: HttpRequest,
    caller: Caller,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    let asked = &caller.parameters;
    asked.only(&[TOKEN, "duration", "type", "ttl", "count", "purpose", "link"])?;
    let command = RequestReservation {
        count: values::count(asked)?.unwrap_or(1),
        duration: duration(asked)?,
        ttl: values::ttl(asked)?,
        purpose: values::purpose(asked)?,
        link: values::link(asked)?,
        key: values::idempotency_key(request.headers())?,
        ..RequestReservation::new(
            ReservationId::from(Uuid::new_v4()),
            caller.token,
            AccountType::from(asked.get("type").unwrap_or(DEFAULT_TYPE)),
        )
    };
    let view = context.pool.ask(command).await??;
    let location = location(view.id, caller.query_token.as_ref());
    let body = ReservationBody::without_credentials(&view, context.clock.now())
        .with_reasons(&context.published.statistics());
    Ok(HttpResponse::build(StatusCode::FOUND)
        .insert_header((LOCATION, location))
        .json(body))
}

/// `GET /reservations/{id}`: shows a reservation to its holder, with the credential. `id` is `None`
/// where the path names nothing that could be one.
pub(super) async fn show(
    context: Data<Context>,
    caller: Caller,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    caller.parameters.only(&[TOKEN])?;
    let id = id.ok_or(HttpError::UnknownReservation)?;
    let published = &context.published;
    let reservation = published.reservation(id, &caller.token)?;
    let now = published.time(context.clock.now());
    let mut response = HttpResponse::Ok();
    let body = match &reservation.view().status {
        ReservationStatus::Pending { .. } => {
            if let Some(until) = reservation.interest_to_note(now) {
                context.pool.tell(NoteInterest { id, until });
            }
            response.insert_header((RETRY_AFTER, POLL_AFTER));
            let view = published.show(&reservation);
            let body = ReservationBody::without_credentials(&view, now);
            json(&body.with_reasons(&published.statistics()))
        }
        ReservationStatus::Active {
            expiration, leases, ..
        } if now < *expiration && leases.iter().any(|lease| lease.credential.is_none()) => {
            let token = caller.token;
            let view = context.pool.ask(GetReservation { id, token }).await??;
            // The clock is read again: the answer may have waited for the disk.
            let now = published.time(context.clock.now());
            json(&ReservationBody::with_credentials(&view, now, &context))
        }
        // The answer was made while the lease was live.
        ReservationStatus::Active { expiration, .. } if now >= *expiration => json(
            &ReservationBody::without_credentials(reservation.view(), now),
        ),
        ReservationStatus::Active { .. } | ReservationStatus::Ended { .. } => {
            reservation.answer(|view| json(&ReservationBody::with_credentials(view, now, &context)))
        }
    };
    Ok(response.content_type(ContentType::json()).body(body))
}

/// Writes a body that is wiped from memory when nobody needs it any more: it may hold a credential.
fn json(body: &ReservationBody<'_>) -> Bytes {
    let text = serde_json::to_vec(body).expect("text and numbers are always JSON");
    Bytes::from_owner(Zeroizing::new(text))
}

/// `POST /reservations/{id}/renew`: lets a lease go on for longer, or shows that somebody is there.
pub(super) async fn renew(
    context: Data<Context>,
    caller: Caller,
    _: NoBody,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    caller.parameters.only(&[TOKEN, "duration"])?;
    let command = RenewReservation {
        id: id.ok_or(HttpError::UnknownReservation)?,
        duration: duration(&caller.parameters)?,
        token: caller.token,
    };
    let view = context.pool.ask(command).await??;
    let body = ReservationBody::without_credentials(&view, context.clock.now());
    Ok(HttpResponse::Ok().json(body))
}

/// `DELETE /reservations/{id}`: gives the account back, or stops waiting. May be repeated.
pub(super) async fn cancel(
    context: Data<Context>,
    caller: Caller,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
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

/// Proof that a request brings no body. Parameters in a body would otherwise be overlooked, and a
/// consumer that asks for a `lite` account that way would be given a `free` one.
pub(super) struct NoBody;

impl FromRequest for NoBody {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl NoBody {
    /// Makes sure that a request brings no body.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, HttpError> {
        let headers = request.headers();
        let is_empty = headers
            .get(CONTENT_LENGTH)
            .is_none_or(|length| length.as_bytes() == b"0");
        let has_body = !is_empty || headers.contains_key(TRANSFER_ENCODING);
        if has_body {
            Err(HttpError::UnexpectedBody)
        } else {
            Ok(Self)
        }
    }
}
