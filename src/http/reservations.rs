//! `/reservations`: ask, look, give back.

use std::future::{Ready, ready};
use std::time::Duration;

use acctpool_actors::pool::{
    AccountType, CancelReservation, GetReservation, NoteInterest, RequestReservation,
    ReservationId, ReservationStatus,
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
use super::identity::Right;
use super::parameters::{self, TOKEN};
use super::problem::HttpError;
use super::reservation_body::ReservationBody;
use super::{Context, routes};

/// What is asked for when nothing is said.
const DEFAULT_TYPE: &str = "free";

/// How long a client should wait before it asks about a pending reservation again, in seconds.
const POLL_AFTER: u64 = 2;

/// `POST /reservations`: makes a reservation and redirects to it.
pub(super) async fn request(
    context: Data<Context>,
    caller: Caller,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    caller.require(Right::Reserve)?;
    caller.parameters.only(&[TOKEN, "duration", "type"])?;
    let command = RequestReservation {
        id: ReservationId::from(Uuid::new_v4()),
        token: caller.token,
        account_type: AccountType::from(caller.parameters.get("type").unwrap_or(DEFAULT_TYPE)),
        duration: caller
            .parameters
            .get("duration")
            .map(readable)
            .transpose()?,
    };
    let view = context.pool.ask(command).await??;
    let location = location(view.id, caller.query_token.as_ref());
    let body = ReservationBody::without_credentials(&view, context.clock.now());
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
            json(&ReservationBody::without_credentials(
                &published.show(&reservation),
                now,
            ))
        }
        ReservationStatus::Active {
            expiration,
            credential: None,
            ..
        } if now < *expiration => {
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

/// `DELETE /reservations/{id}`: gives the account back, or stops waiting. May be repeated.
pub(super) async fn cancel(
    context: Data<Context>,
    caller: Caller,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    caller.require(Right::Reserve)?;
    caller.parameters.only(&[TOKEN])?;
    let id = id.ok_or(HttpError::UnknownReservation)?;
    let command = CancelReservation {
        id,
        token: caller.token,
    };
    context.pool.ask(command).await??;
    Ok(HttpResponse::NoContent().finish())
}

fn readable(text: &str) -> Result<Duration, HttpError> {
    parameters::duration(text).ok_or_else(HttpError::unreadable_duration)
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
        let headers = request.headers();
        let is_empty = headers
            .get(CONTENT_LENGTH)
            .is_none_or(|length| length.as_bytes() == b"0");
        let has_body = !is_empty || headers.contains_key(TRANSFER_ENCODING);
        ready(if has_body {
            Err(HttpError::UnexpectedBody)
        } else {
            Ok(Self)
        })
    }
}
