//! Waiting for news of a reservation, which keeps a pending one from being abandoned.

use std::sync::Arc;
use std::time::Duration;

use acctpool_actors::PublishedReservation;
use acctpool_actors::pool::{NoteInterest, ReservationId, ReservationStatus, TokenId};
use actix_web::HttpRequest;

use super::show::represent;
use crate::http::Context;
use crate::http::answer::representation::{Known, Representation};
use crate::http::answer::waits::{Look, Wait};
use crate::http::problem::HttpError;

/// Somebody who waits for news of a reservation.
pub(super) struct Waiting {
    wait: Wait,
    seconds: u64,
    /// Whether the pool knows that somebody waits.
    is_noted: bool,
}

impl Waiting {
    pub(super) fn begin(request: &HttpRequest, seconds: u64) -> Self {
        Self {
            wait: Wait::begin(request, seconds),
            seconds,
            is_noted: false,
        }
    }

    /// Returns the reservation once it is not pending, or when the wait is over.
    pub(super) async fn while_pending(
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
    pub(super) async fn while_known(
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

/// Tells whether a reservation still waits for its accounts.
pub(super) fn is_pending(reservation: &PublishedReservation) -> bool {
    matches!(reservation.view().status, ReservationStatus::Pending { .. })
}
