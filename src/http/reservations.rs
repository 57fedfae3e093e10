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
use uuid::Uuid;

use super::caller::Caller;
use super::identity::Right;
use super::parameters::{self, Parameters, TOKEN};
use super::problem::HttpError;
use super::representation::{Known, Representation, json};
use super::reservation_body::ReservationBody;
use super::waits::{Look, Wait};
use super::{Context, prefer, routes, values};

/// What is asked for when nothing is said.
const DEFAULT_TYPE: &str = "free";

/// How long a client should wait before it asks about a pending reservation again, in seconds.
const POLL_AFTER: u64 = 2;

/// `POST /reservations`: makes a reservation and redirects to it.
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

/// `POST /reservations/{id}/renew`: lets a lease go on for longer, or shows that somebody is there.
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
