//! `POST /reservations/{id}/renew`: a lease goes on.

use acctpool_actors::pool::{RenewReservation, ReservationId};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::body::ReservationBody;
use crate::http::Context;
use crate::http::problem::{HttpError, MEDIA_TYPE, Problem};
use crate::http::request::caller::Caller;
use crate::http::request::identity::Right;
use crate::http::request::parameters::TOKEN;
use crate::http::request::values::{self, duration_schema};

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
            status = 403,
            description = "`role_not_allowed`: a viewer's token changes nothing.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
        (
            status = 409,
            description = "`reservation_pending` or `reservation_ended`: there is no lease to renew.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(crate) async fn renew(
    context: Data<Context>,
    request: &HttpRequest,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    let caller = Caller::of(request)?.require(Right::Reserve)?;
    let caller = caller.with_body(request).await?;
    caller.parameters.only(&[TOKEN, "duration"])?;
    let command = RenewReservation {
        id: id.ok_or(HttpError::UnknownReservation)?,
        duration: values::duration(&caller.parameters)?,
        token: caller.token,
    };
    let view = context.pool.ask(command).await??;
    let now = context.published.time(context.clock.now());
    Ok(HttpResponse::Ok().json(ReservationBody::without_credentials(&view, now)))
}
