//! `GET /audit`: who did what to which account, and when, newest first.

use acctpool_actors::pool::Timestamp;
use acctpool_actors::store::AuditQuery;
use actix_web::HttpResponse;
use actix_web::http::header::LINK;
use actix_web::web::Data;
use serde::Serialize;
use serde_json::value::RawValue;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::http::problem::HttpError;
use crate::http::request::caller::Caller;
use crate::http::request::identity::Right;
use crate::http::request::paging::{self, CURSOR, LIMIT};
use crate::http::request::parameters::{Parameters, TOKEN};
use crate::http::{Context, routes};

const EVENT: &str = "event";
const ACCOUNT: &str = "account";
const RESERVATION: &str = "reservation";
const CONSUMER: &str = "consumer";
const SINCE: &str = "since";
const UNTIL: &str = "until";

/// `GET /audit`: a page of entries. One that is short of what was asked for, or empty, may have a
/// next one: a search looks at so many entries and no more.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "listAudit",
    tag = "operators",
    summary = "Read the audit",
    description = "Who did what to which account, and when, newest first, page by page. A page that is \
        short, or empty, may have a next one.",
    params(
        ("limit" = Option<u64>, Query, description = "How many to list at most: 50, unless said \
            otherwise.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the \
            page before."),
        ("event" = Option<String>, Query, description = "Lists only entries of this event."),
        ("account" = Option<String>, Query, description = "Lists only entries about this account."),
        ("reservation" = Option<String>, Query, description = "Lists only entries about this \
            reservation."),
        ("consumer" = Option<String>, Query, description = "Lists only entries about this consumer."),
        ("since" = Option<String>, Query, format = DateTime, description = "Lists nothing older."),
        ("until" = Option<String>, Query, format = DateTime, description = "Lists nothing newer."),
    ),
    responses(
        (
            status = 200,
            description = "A page. Its `Link` leads to the next one.",
            body = ListBody,
            headers(("Link" = String))
        ),
    )
)]
pub(crate) async fn list(
    context: Data<Context>,
    caller: Caller,
) -> Result<HttpResponse, HttpError> {
    let caller = caller.require(Right::SeeEverything)?;
    let parameters = &caller.parameters;
    parameters.only(&[
        TOKEN,
        CURSOR,
        LIMIT,
        EVENT,
        ACCOUNT,
        RESERVATION,
        CONSUMER,
        SINCE,
        UNTIL,
    ])?;
    let text = |name| parameters.get(name).map(ToOwned::to_owned);
    let query = AuditQuery {
        before: paging::cursor(parameters, paging::number)?,
        event: text(EVENT),
        account: text(ACCOUNT),
        reservation: text(RESERVATION),
        consumer: text(CONSUMER),
        since: moment(parameters, SINCE)?,
        until: moment(parameters, UNTIL)?,
        limit: paging::limit(parameters)?,
    };
    let page = context.audit.page(query).await?;
    let next_cursor = page
        .next
        .map(|number| paging::next_cursor(&number.to_be_bytes()));
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        response.insert_header((LINK, paging::link(&caller, routes::AUDIT, cursor)?));
    }
    let entries = page.entries.into_iter().map(RawValue::from_string);
    Ok(response.json(ListBody {
        entries: entries
            .collect::<Result<_, _>>()
            .map_err(|_| HttpError::Internal)?,
        next_cursor,
    }))
}

/// A page of the audit.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
struct ListBody {
    /// What is on the page, as it is kept.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Box<RawValue>>,
    /// Where the next page begins. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

fn moment(parameters: &Parameters, name: &'static str) -> Result<Option<Timestamp>, HttpError> {
    let Some(text) = parameters.get(name) else {
        return Ok(None);
    };
    let moment = Timestamp::parse(text, &Rfc3339).ok();
    moment.map(Some).ok_or_else(|| HttpError::InvalidParameter {
        parameter: name,
        allowed: vec!["a moment such as 2026-05-01T10:00:00Z".to_owned()],
    })
}
