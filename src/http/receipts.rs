//! `/reservations/{id}/receipt`: what became of what the lease left behind.

use acctpool_actors::pool::{ReceiptState, ReservationId, ReservationStatus};
use actix_web::HttpResponse;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Data;

use super::Context;
use super::caller::Caller;
use super::parameters::TOKEN;
use super::problem::{HttpError, MEDIA_TYPE, Problem};
use super::receipt_schema::Receipt;

/// How long a client should wait before it asks about a cleaning again, in seconds.
const POLL_AFTER: u64 = 10;

/// `GET /reservations/{id}/receipt`: shows the receipt of the cleaning that followed the lease, from
/// its beginning on. `id` is `None` where the path names nothing that could be one.
#[utoipa::path(
    get,
    path = "/reservations/{id}/receipt",
    operation_id = "getReceipt",
    tag = "reservations",
    summary = "See what was cleaned after your lease",
    description = "The receipt of the cleaning that followed the lease, from its beginning on.",
    params(("id" = String, Path, format = "uuid", description = "The reservation.")),
    responses(
        (
            status = 200,
            description = "The receipt, so far or in all. Come back after `Retry-After` seconds while \
                its state is `cleaning`.",
            body = Receipt,
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
pub(super) async fn show(
    context: Data<Context>,
    caller: Caller,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    caller.parameters.only(&[TOKEN])?;
    let id = id.ok_or(HttpError::UnknownReservation)?;
    let reservation = context.published.reservation(id, &caller.token)?;
    let receipt = match reservation.view().status {
        ReservationStatus::Ended { .. } => context.receipts.of_reservation(id).await?,
        ReservationStatus::Pending { .. } | ReservationStatus::Active { .. } => None,
    };
    let receipt = receipt.ok_or(HttpError::NoReceipt)?.for_borrower();
    let mut response = HttpResponse::Ok();
    if receipt.state == ReceiptState::Cleaning {
        response.insert_header((RETRY_AFTER, POLL_AFTER));
    }
    Ok(response.json(receipt))
}
