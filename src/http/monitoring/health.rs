//! `/livez` and `/readyz`: whether the process runs, and whether it can do what it is for. For anyone,
//! such as a load balancer: counts only.

use std::fmt;
use std::future::Future;

use acctpool_actors::pool::{GetStatistics, ReservationId, Statistics, TypeStatistics};
use acctpool_actors::{Condition, Deliveries};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::Context;
use crate::http::answer::waits::Waits;
use crate::http::problem::{HttpError, MEDIA_TYPE, Problem};
use crate::http::request::parameters::Parameters;

const VERBOSE: &str = "verbose";

/// `GET /livez`: the process runs, and answers.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "getLiveness",
    tag = "pool",
    summary = "Whether the process runs",
    description = "It does, if this is answered.",
    security(()),
    responses(
        (status = 200, description = "It runs.", body = HealthBody),
        (
            status = 400,
            description = "`malformed_request` or `unknown_parameter`: it has none.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(crate) async fn live(request: HttpRequest) -> Result<HttpResponse, HttpError> {
    Parameters::parse(request.query_string())?.only(&[])?;
    Ok(HttpResponse::Ok().json(HealthBody {
        status: Health::Ok,
        checks: Vec::new(),
    }))
}

/// `GET /readyz`: requests would be answered, as far as can be told by asking some.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "getReadiness",
    tag = "pool",
    summary = "Whether requests would be answered",
    description = "As far as can be told by asking some.",
    security(()),
    params(("verbose" = Option<String>, Query, description = "Tells of each check, whatever it says \
        here.")),
    responses(
        (status = 200, description = "They would.", body = HealthBody),
        (
            status = 400,
            description = "`malformed_request`, `unknown_parameter` or `repeated_parameter`.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
        (
            status = 503,
            description = "`not_ready`: they would not; `checks` tell why.",
            body = Problem,
            content_type = MEDIA_TYPE
        ),
    )
)]
pub(crate) async fn ready(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let parameters = Parameters::parse(request.query_string())?;
    parameters.only(&[VERBOSE])?;
    let mut checks = vec![
        Check::service(Waits::of(&request).is_stopping()),
        Check::of("store", in_time(&context, asks_store(&context)).await),
        Check::of("pool", in_time(&context, asks_pool(&context)).await),
    ];
    checks.extend(of_types(&context.published.statistics()));
    checks.extend(of_webhooks(&context.deliveries));
    if checks.iter().any(|check| check.status == Health::Failed) {
        return Err(HttpError::NotReady(checks));
    }
    if parameters.get(VERBOSE).is_none() {
        checks.clear();
    }
    Ok(HttpResponse::Ok().json(HealthBody {
        status: Health::Ok,
        checks,
    }))
}

/// How the service is.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
struct HealthBody {
    /// In all.
    status: Health,
    /// In detail, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    checks: Vec<Check>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HealthStatus)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Health {
    /// It does what it is for.
    Ok,
    /// It does, but an operator should look.
    Degraded,
    /// It does not.
    Failed,
}

/// What was looked at, and how it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthCheck)]
pub(crate) struct Check {
    /// What was looked at.
    name: String,
    /// How it is.
    pub(crate) status: Health,
    /// The same in words.
    detail: &'static str,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)
    }
}

impl Check {
    fn of(name: &str, answers: bool) -> Self {
        Self {
            name: name.to_owned(),
            status: if answers { Health::Ok } else { Health::Failed },
            detail: if answers {
                "answers"
            } else {
                "does not answer"
            },
        }
    }

    fn service(is_stopping: bool) -> Self {
        Self {
            name: "service".to_owned(),
            status: if is_stopping {
                Health::Failed
            } else {
                Health::Ok
            },
            detail: if is_stopping { "is stopping" } else { "runs" },
        }
    }

    /// A receiver that is not there is no reason to send consumers elsewhere.
    fn of_webhook(name: &str, condition: Condition) -> Self {
        let (status, detail) = match condition {
            Condition::Delivering => (Health::Ok, "is told"),
            Condition::Failing => (
                Health::Degraded,
                "does not take what it is sent, and is told again",
            ),
            Condition::Gone => (Health::Degraded, "is gone, and told nothing any more"),
        };
        Self {
            name: format!("webhook {name}"),
            status,
            detail,
        }
    }

    /// A type that nothing can be lent of is no reason to send those elsewhere who ask for others.
    fn of_type(label: &str, counts: &TypeStatistics) -> Self {
        let in_use = counts.ready + counts.leased + counts.dirty + counts.cleaning;
        let is_hopeful = in_use > counts.leaving;
        Self {
            name: format!("accounts of type {label}"),
            status: if is_hopeful {
                Health::Ok
            } else {
                Health::Degraded
            },
            detail: if counts.ready > 0 {
                "some are ready"
            } else if is_hopeful {
                "some can become ready"
            } else {
                "none can become ready"
            },
        }
    }
}

fn of_types(statistics: &Statistics) -> impl Iterator<Item = Check> {
    let types = statistics.types.iter();
    types.map(|(label, counts)| Check::of_type(label.as_str(), counts))
}

fn of_webhooks(deliveries: &Deliveries) -> Vec<Check> {
    let webhooks = deliveries.webhooks();
    let checks = webhooks.iter();
    checks
        .map(|(name, tally)| Check::of_webhook(name.as_str(), tally.condition()))
        .collect()
}

async fn in_time(context: &Context, asks: impl Future<Output = bool>) -> bool {
    let patience = context.settings.load().check_timeout;
    timeout(patience, asks).await.unwrap_or(false)
}

/// Asks for a receipt that there is none of.
async fn asks_store(context: &Context) -> bool {
    let nobodys = ReservationId::from(Uuid::nil());
    context.receipts.of_reservation(nobodys).await.is_ok()
}

/// The answer has gone through the store, as every answer of the pool does.
async fn asks_pool(context: &Context) -> bool {
    context.pool.ask(GetStatistics).await.is_ok()
}
