//! `GET /audit`: who did what to which account, and when, newest first.

use acctpool_actors::pool::Timestamp;
use acctpool_actors::store::AuditQuery;
use actix_web::HttpResponse;
use actix_web::http::header::LINK;
use actix_web::web::Data;
use serde::Serialize;
use serde_json::value::RawValue;
use time::format_description::well_known::Rfc3339;

use super::caller::Caller;
use super::identity::Right;
use super::paging::{self, CURSOR, LIMIT};
use super::parameters::{Parameters, TOKEN};
use super::problem::HttpError;
use super::{Context, routes};

const EVENT: &str = "event";
const ACCOUNT: &str = "account";
const RESERVATION: &str = "reservation";
const CONSUMER: &str = "consumer";
const SINCE: &str = "since";
const UNTIL: &str = "until";

/// `GET /audit`: a page of entries. One that is short of what was asked for, or empty, may have a
/// next one: a search looks at so many entries and no more.
pub(super) async fn list(
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
#[derive(Serialize)]
struct ListBody {
    entries: Vec<Box<RawValue>>,
    /// Where the next page begins. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
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
