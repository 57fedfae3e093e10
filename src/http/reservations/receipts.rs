//! `/reservations/{id}/receipt`: what became of what the lease left behind.

use acctpool_actors::pool::{Receipt, ReceiptState, ReservationId, ReservationStatus};
use actix_web::HttpResponse;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Data;
use serde::Serialize;

use super::receipt_schema::OneOrSeveral;
use crate::http::Context;
use crate::http::problem::{HttpError, MEDIA_TYPE, Problem};
use crate::http::request::caller::Caller;
use crate::http::request::parameters::TOKEN;

/// How long a client should wait before it asks about a cleaning again, in seconds.
const POLL_AFTER: u64 = 10;

/// `GET /reservations/{id}/receipt`: shows the receipt of the cleaning that followed the lease, from
/// its beginning on; a list of them where the lease was of several accounts. `id` is `None` where the
/// path names nothing that could be one.
#[utoipa::path(
    get,
    path = "/reservations/{id}/receipt",
    operation_id = "getReceipt",
    tag = "reservations",
    summary = "See what was cleaned after your lease",
    description = "The receipt of the cleaning that followed the lease, from its beginning on; \
        a list of them where the lease was of several accounts.",
    params(("id" = String, Path, format = "uuid", description = "The reservation.")),
    responses(
        (
            status = 200,
            description = "The receipt, so far or in all. Come back after `Retry-After` seconds while \
                a state is `cleaning`.",
            body = OneOrSeveral,
            headers(("Retry-After" = u64))
        ),
        (
            status = 404,
            description = "`unknown_reservation`: you have none with this id. `no_receipt`: no \
                cleaning has begun, or none was needed.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(crate) async fn show(
    context: Data<Context>,
    caller: Caller,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    caller.parameters.only(&[TOKEN])?;
    let id = id.ok_or(HttpError::UnknownReservation)?;
    let reservation = context.published.reservation(id, &caller.token)?;
    let receipts = match reservation.view().status {
        ReservationStatus::Ended { .. } => context.receipts.of_reservation(id).await?,
        ReservationStatus::Pending { .. } | ReservationStatus::Active { .. } => Vec::new(),
    };
    let receipts: Vec<Receipt> = receipts.into_iter().map(Receipt::for_borrower).collect();
    let first = receipts.first().ok_or(HttpError::NoReceipt)?;
    let mut response = HttpResponse::Ok();
    let goes_on = |receipt: &Receipt| receipt.state == ReceiptState::Cleaning;
    if receipts.iter().any(goes_on) {
        response.insert_header((RETRY_AFTER, POLL_AFTER));
    }
    if reservation.view().count == 1 {
        Ok(response.json(first))
    } else {
        Ok(response.json(Several { receipts }))
    }
}

#[derive(Serialize)]
struct Several {
    receipts: Vec<Receipt>,
}
