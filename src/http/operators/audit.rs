//! `GET /audit`: who did what to which account, and when, newest first.

use acctpool_actors::pool::Timestamp;
use acctpool_actors::store::AuditQuery;
use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;
use serde_json::value::RawValue;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::http::problem::HttpError;
use crate::http::request::caller::Caller;
use crate::http::request::identity::Right;
use crate::http::request::paging::{self, CURSOR, LIMIT, PageRequest};
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
        PageRequest,
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
    let next = page.next.map(u64::to_be_bytes);
    let (mut response, next_cursor) = paging::begin(&caller, routes::AUDIT, next)?;
    let entries = page.entries.into_iter().map(RawValue::from_string);
    Ok(response.json(ListBody {
        entries: entries
            .collect::<Result<_, _>>()
            .map_err(|_| HttpError::Internal)?,
        next_cursor,
    }))
}

/// A fact.
// The store writes entries, as one line of JSON each; a test compares them with this.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the document is made of it")]
struct AuditEntry {
    /// Its place in the chain: 1 is the first.
    number: u64,
    /// When it happened.
    #[schema(format = DateTime)]
    at: String,
    /// What happened: a name that never changes, such as `reservation_granted`.
    event: String,
    /// Whose token was presented: a consumer's, or an operator's.
    #[schema(nullable = false)]
    consumer: Option<String>,
    /// Which account it is about.
    #[schema(nullable = false)]
    account: Option<String>,
    /// Which reservation it is about.
    #[schema(format = "uuid", nullable = false)]
    reservation: Option<String>,
    /// What else there is to know, by name: texts, lists of texts and numbers.
    #[schema(value_type = Object)]
    details: (),
    /// What the hash of the next entry covers too, so that no entry can be changed unseen.
    hash: String,
}

/// A page of the audit.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
struct ListBody {
    /// What is on the page, as it is kept.
    #[schema(value_type = Vec<AuditEntry>)]
    entries: Vec<Box<RawValue>>,
    /// Where the next page begins. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

fn moment(parameters: &Parameters, name: &'static str) -> Result<Option<Timestamp>, HttpError> {
    let read = |text: &str| Timestamp::parse(text, &Rfc3339).ok();
    parameters.read(name, read, &["a moment such as 2026-05-01T10:00:00Z"])
}
