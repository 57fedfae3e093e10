//! `DELETE /reservations/{id}`: an account is given back.

use acctpool_actors::pool::{CancelReservation, ReservationId};
use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::http::Context;
use crate::http::problem::{HttpError, MEDIA_TYPE, Problem};
use crate::http::request::caller::Caller;
use crate::http::request::identity::Right;
use crate::http::request::parameters::TOKEN;

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
        (
            status = 403,
            description = "`role_not_allowed`: a viewer's token changes nothing.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(crate) async fn cancel(
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
