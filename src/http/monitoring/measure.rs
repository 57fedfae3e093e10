//! `GET /metrics`: counts for operators' graphs, for anyone, as `GET /` has them.

use std::time::Duration;

use acctpool_actors::pool::{Statistics, Timestamp};
use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::http::Context;
use crate::http::problem::HttpError;

/// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counts what is answered, and says what was counted.
pub trait Measure: Send + Sync + 'static {
    /// Takes an exchange in.
    fn answered(&self, exchange: &Exchange);

    /// Returns everything that is counted, in the `OpenMetrics` text format, given what is so `now`.
    fn expose(&self, statistics: &Statistics, now: Timestamp) -> String;
}

/// An exchange that has ended, as far as it is counted: nothing that a client could make up.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The path with names in the place of ids, such as `/reservations/{id}`.
    pub route: &'static str,
    /// The method; `other` where nobody standardised it.
    pub method: &'static str,
    /// The status.
    pub status: u16,
    /// How long the answer took.
    pub took: Duration,
}

/// `GET /metrics`.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "pool",
    summary = "What is counted",
    description = "In the OpenMetrics text format.",
    security(()),
    responses(
        (
            status = 200,
            description = "The counts.",
            body = String,
            content_type = "application/openmetrics-text"
        ),
    )
)]
pub(crate) async fn show(context: Data<Context>) -> Result<HttpResponse, HttpError> {
    let now = context.published.time(context.clock.now());
    let exposition = context.metrics.expose(&context.published.statistics(), now);
    Ok(HttpResponse::Ok()
        .content_type(OPEN_METRICS)
        .body(exposition))
}
