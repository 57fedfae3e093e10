//! `GET /`: how the pool is, for anyone. Counts only: nothing about consumers, accounts or keys.

use std::collections::BTreeMap;

use acctpool_actors::pool::{Statistics, Timestamp, TypeStatistics};
use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType, VARY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::problem::HttpError;
use super::representation::{Known, Representation, json};
use super::reservation_body::whole_seconds;
use super::{Context, negotiation, page};

/// `GET /`: JSON, or a page for a browser.
pub(super) async fn show(
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

#[derive(Serialize)]
struct StatisticsBody<'a> {
    status: &'static str,
    version: &'static str,
    #[serde(serialize_with = "whole_seconds")]
    started_at: Timestamp,
    accounts: BTreeMap<&'a str, AccountCounts>,
    reservations: BTreeMap<&'a str, ReservationCounts>,
}

#[derive(Serialize)]
pub(super) struct AccountCounts {
    total: usize,
    ready: usize,
    leased: usize,
    dirty: usize,
    cleaning: usize,
    quarantined: usize,
    drained: usize,
}

#[derive(Serialize)]
struct ReservationCounts {
    pending: usize,
    active: usize,
}

impl<'a> StatisticsBody<'a> {
    fn new(statistics: &'a Statistics, context: &Context) -> Self {
        let status = if statistics.is_degraded() {
            "degraded"
        } else {
            "ok"
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
    pub(super) fn new(counts: &TypeStatistics) -> Self {
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
