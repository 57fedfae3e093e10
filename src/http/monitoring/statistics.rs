//! `GET /`: how the pool is, for anyone. Counts only: nothing about consumers, accounts or keys.

use std::collections::BTreeMap;

use acctpool_actors::pool::{Statistics, Timestamp, TypeStatistics};
use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType, VARY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answer::negotiation;
use crate::http::answer::representation::{Known, Representation, json};
use crate::http::problem::HttpError;
use crate::http::reservations::body::whole_seconds;
use crate::http::{Context, page};

/// `GET /`: JSON, or a page for a browser.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "getStatistics",
    tag = "pool",
    summary = "How the pool is",
    description = "Counts only: nothing about consumers, accounts or keys. A client that prefers \
        `text/html` gets a page.",
    security(()),
    responses(
        (
            status = 200,
            description = "The counts of each type of account.",
            content((StatisticsBody = "application/json"), (String = "text/html")),
            headers(("ETag" = String))
        ),
        (status = 304, description = "They are those that `If-None-Match` names."),
    )
)]
pub(crate) async fn show(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let statistics = context.published.statistics();
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, "Accept"));
    if negotiation::prefers_html(&request) {
        let page = page::render(&statistics, context.started_at, context.version);
        Ok(response
            .content_type(ContentType::html())
            .insert_header((CONTENT_SECURITY_POLICY, page::SECURITY_POLICY))
            .body(page.into_string()))
    } else {
        let body = json(&StatisticsBody::new(&statistics, &context));
        Ok(Representation::new(body).answer(&Known::of(&request), response))
    }
}

/// How the pool is.
#[derive(Serialize, ToSchema)]
#[schema(as = Statistics)]
struct StatisticsBody<'a> {
    /// In a word.
    status: PoolStatus,
    /// The version of the service.
    version: &'static str,
    /// Since when it runs.
    #[serde(serialize_with = "whole_seconds")]
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// How many accounts there are of each type.
    #[schema(value_type = BTreeMap<String, AccountCounts>)]
    accounts: BTreeMap<&'a str, AccountCounts>,
    /// How many reservations there are for each type.
    #[schema(value_type = BTreeMap<String, ReservationCounts>)]
    reservations: BTreeMap<&'a str, ReservationCounts>,
}

/// How the pool is, in a word.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PoolStatus {
    /// No operator has to look.
    Ok,
    /// An account is quarantined, or whoever is next in a line waits for more accounts than can become
    /// ready.
    Degraded,
}

/// The accounts of a type.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountCounts {
    /// All of them.
    total: usize,
    /// Those that can be lent at once.
    ready: usize,
    /// Those that are lent.
    leased: usize,
    /// Those that wait for their cleaning.
    dirty: usize,
    /// Those that are being cleaned.
    cleaning: usize,
    /// Those that need a person.
    quarantined: usize,
    /// Those that the operator took out.
    drained: usize,
}

/// The reservations for a type.
#[derive(Serialize, ToSchema)]
struct ReservationCounts {
    /// Those that wait.
    pending: usize,
    /// Those that hold an account.
    active: usize,
}

impl<'a> StatisticsBody<'a> {
    fn new(statistics: &'a Statistics, context: &Context) -> Self {
        let status = if statistics.is_degraded() {
            PoolStatus::Degraded
        } else {
            PoolStatus::Ok
        };
        Self {
            status,
            version: context.version,
            started_at: context.started_at,
            accounts: per_type(statistics, AccountCounts::new),
            reservations: per_type(statistics, ReservationCounts::new),
        }
    }
}

fn per_type<T>(
    statistics: &Statistics,
    counts: impl Fn(&TypeStatistics) -> T,
) -> BTreeMap<&str, T> {
    statistics
        .types
        .iter()
        .map(|(account_type, of_type)| (account_type.as_str(), counts(of_type)))
        .collect()
}

impl AccountCounts {
    pub(crate) fn new(counts: &TypeStatistics) -> Self {
        Self {
            total: counts.total(),
            ready: counts.ready,
            leased: counts.leased,
            dirty: counts.dirty,
            cleaning: counts.cleaning,
            quarantined: counts.quarantined,
            drained: counts.drained,
        }
    }
}

impl ReservationCounts {
    fn new(counts: &TypeStatistics) -> Self {
        Self {
            pending: counts.pending,
            active: counts.active,
        }
    }
}
