//! What operators do to accounts and reservations, each with a reason that the audit keeps.

use acctpool_actors::pool::{
    ByOperator, CleanAccount, DrainAccount, EnableAccount, Operator, QuarantineAccount,
    ReservationId, RevokeReservation,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::account_body::AccountBody;
use super::accounts;
use crate::http::problem::{HttpError, MEDIA_TYPE, Problem};
use crate::http::request::caller::Caller;
use crate::http::request::identity::Right;
use crate::http::request::parameters::TOKEN;
use crate::http::reservations::body::ReservationBody;
use crate::http::{Context, routes};

const REASON: &str = "reason";
/// The longest reason, in characters.
const MAX_REASON: usize = 200;

/// What can be done to an account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Intervention {
    Clean,
    Drain,
    Enable,
    Quarantine,
}

impl Intervention {
    pub(crate) const ALL: [Self; 4] = [Self::Clean, Self::Drain, Self::Enable, Self::Quarantine];

    /// Returns the last part of its path.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Drain => "drain",
            Self::Enable => "enable",
            Self::Quarantine => "quarantine",
        }
    }

    /// Returns for the document what it is for, and what comes of it.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Clean => (
                "Clean an account now",
                "Cleans an account that nobody holds, in full and at once, whatever its state.",
            ),
            Self::Drain => (
                "Lend an account no more",
                "Takes an account out, once its lease is over and it is proven clean.",
            ),
            Self::Enable => (
                "Lend an account again",
                "Brings an account back that was drained or quarantined: it is cleaned, then lent.",
            ),
            Self::Quarantine => (
                "Set an account aside",
                "Stops what is done to an account and leaves what is in it; its lease is revoked.",
            ),
        }
    }
}

/// Why an operator does something, in the query or in a JSON body.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "for the document; parameters are read by their names"
)]
struct InterventionRequest {
    /// Why, for the audit: 1 to 200 characters that can be seen. Required, here or there.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    reason: Option<String>,
}

/// `POST /accounts/{id}/clean` and its like: does it, and answers with the account.
#[utoipa::path(
    post,
    path = "/accounts/{id}/clean",
    operation_id = "cleanAccount",
    tag = "operators",
    params(("id" = String, Path, description = "The account."), InterventionRequest),
    request_body(
        content = InterventionRequest,
        description = "Instead of parameters in the query. None may come twice."
    ),
    responses((status = 200, description = "The account, as it is now.", body = AccountBody))
)]
pub(crate) async fn intervene(
    intervention: Intervention,
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let operator = operator(&request).await?;
    let id = routes::account_of(&request);
    let account = id.clone();
    let pool = &context.pool;
    match intervention {
        Intervention::Clean => {
            let command = CleanAccount { account };
            pool.ask(ByOperator { operator, command }).await??;
        }
        Intervention::Drain => {
            let command = DrainAccount { account };
            pool.ask(ByOperator { operator, command }).await??;
        }
        Intervention::Enable => {
            let command = EnableAccount { account };
            pool.ask(ByOperator { operator, command }).await??;
        }
        Intervention::Quarantine => {
            let command = QuarantineAccount { account };
            pool.ask(ByOperator { operator, command }).await??;
        }
    }
    accounts::answer(&context, id).await
}

/// `POST /reservations/{id}/revoke`: takes a reservation away from whoever has it, and answers with
/// it. `id` is `None` where the path names nothing that could be one.
#[utoipa::path(
    post,
    path = "/reservations/{id}/revoke",
    operation_id = "revokeReservation",
    tag = "operators",
    summary = "Take a reservation away",
    description = "Ends it, whoever has it. Who did it, why and from where is kept in the audit.",
    params(
        ("id" = String, Path, format = "uuid", description = "The reservation."),
        InterventionRequest,
    ),
    request_body(
        content = InterventionRequest,
        description = "Instead of parameters in the query. None may come twice."
    ),
    responses(
        (status = 200, description = "The reservation, as it is now.", body = ReservationBody),
        (
            status = 404,
            description = "`unknown_reservation`: there is none with this id.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(crate) async fn revoke(
    context: Data<Context>,
    request: &HttpRequest,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    let operator = operator(request).await?;
    let id = id.ok_or(HttpError::NoSuchReservation)?;
    let command = RevokeReservation { id };
    let revoked = context.pool.ask(ByOperator { operator, command }).await?;
    revoked.map_err(|_| HttpError::NoSuchReservation)?;
    let published = &context.published;
    let reservation = published
        .anybodys(id)
        .map_err(|_| HttpError::NoSuchReservation)?;
    let now = published.time(context.clock.now());
    let view = published.show(&reservation);
    let body = ReservationBody::without_credentials(&view, now).of(reservation.token());
    Ok(HttpResponse::Ok().json(body))
}

/// Returns who asks, why and from where. The role comes first: who lacks it learns nothing else.
///
/// What an operator orders is in the audit whether it can be done or not, as the pool decides that. That
/// somebody of another role tried is not, but in the access log, with the token's name: anybody who has
/// a token may try as often as they like, and the audit is never to grow by what was not allowed.
/// Neither is what says nothing yet: a request without a reason, or with an id that could not be one.
async fn operator(request: &HttpRequest) -> Result<Operator, HttpError> {
    let caller = Caller::of(request)?.require(Right::Intervene)?;
    let caller = caller.with_body(request).await?;
    caller.parameters.only(&[TOKEN, REASON])?;
    let reason = caller.parameters.get(REASON).unwrap_or_default().trim();
    let is_fit =
        (1..=MAX_REASON).contains(&reason.chars().count()) && !reason.chars().any(char::is_control);
    if !is_fit {
        let allowed = format!("why, in 1 to {MAX_REASON} characters without control characters");
        return Err(HttpError::InvalidParameter {
            parameter: REASON,
            allowed: vec![allowed],
        });
    }
    Ok(Operator {
        token: caller.token,
        reason: reason.to_owned(),
        from: caller.from,
    })
}
