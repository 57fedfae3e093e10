//! `/accounts`: where each account stands, for those who look after the pool.

use acctpool_actors::pool::{AccountId, AccountType, GetAccount, ListAccounts, StateKind};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::account_body::AccountBody;
use crate::http::answer::words::AccountState;
use crate::http::problem::HttpError;
use crate::http::request::caller::Caller;
use crate::http::request::identity::Right;
use crate::http::request::paging::{self, CURSOR, LIMIT, PageRequest};
use crate::http::request::parameters::{Parameters, TOKEN};
use crate::http::{Context, routes};

const TYPE: &str = "type";
const STATE: &str = "state";

/// How many cleanings of an account are told of.
const CLEANINGS: usize = 5;

/// `GET /accounts`: a page of accounts, in the order of their ids.
#[utoipa::path(
    get,
    path = "/accounts",
    operation_id = "listAccounts",
    tag = "operators",
    summary = "List the accounts",
    description = "All accounts, in the order of their ids, page by page.",
    params(
        PageRequest,
        ("type" = Option<String>, Query, description = "Lists only those of this type."),
        ("state" = Option<AccountState>, Query, description = "Lists only those in this state."),
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
    parameters.only(&[TOKEN, CURSOR, LIMIT, TYPE, STATE])?;
    let limit = paging::limit(parameters)?;
    let mut asked = ListAccounts {
        after: paging::cursor(parameters, |id| {
            String::from_utf8(id).ok().map(AccountId::from)
        })?,
        account_type: account_type(parameters, &context)?,
        state: state(parameters)?,
        limit,
    };
    let mut accounts = Vec::new();
    // A turn of the pool looks at few.
    let next = loop {
        let page = context.pool.ask(asked.clone()).await?;
        accounts.extend(page.accounts);
        asked.limit = limit - accounts.len();
        if asked.limit == 0 || page.next.is_none() {
            break page.next;
        }
        asked.after = page.next;
    };
    let next = next.as_ref().map(AccountId::as_str);
    let (mut response, next_cursor) = paging::begin(&caller, routes::ACCOUNTS, next)?;
    Ok(response.json(ListBody {
        accounts: accounts.iter().map(AccountBody::new).collect(),
        next_cursor,
    }))
}

/// `GET /accounts/{id}`: an account, with its last cleanings.
#[utoipa::path(
    get,
    path = "/accounts/{id}",
    operation_id = "getAccount",
    tag = "operators",
    summary = "Look where an account stands",
    description = "An account, with its last cleanings.",
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 200, description = "The account.", body = AccountBody),
    )
)]
pub(crate) async fn show(
    context: Data<Context>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let caller = caller.require(Right::SeeEverything)?;
    caller.parameters.only(&[TOKEN])?;
    answer(&context, routes::account_of(&request)).await
}

/// Answers with an account.
pub(crate) async fn answer(
    context: &Context,
    account: AccountId,
) -> Result<HttpResponse, HttpError> {
    let asked = GetAccount {
        account: account.clone(),
    };
    let view = context.pool.ask(asked).await??;
    let mut cleanings = context.receipts.of_account(account).await?;
    cleanings.truncate(CLEANINGS);
    Ok(HttpResponse::Ok().json(AccountBody::new(&view).with_cleanings(cleanings)))
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountList)]
struct ListBody<'a> {
    /// What is on the page.
    accounts: Vec<AccountBody<'a>>,
    /// Where the next page begins. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

fn account_type(
    parameters: &Parameters,
    context: &Context,
) -> Result<Option<AccountType>, HttpError> {
    let Some(label) = parameters.get(TYPE).map(AccountType::from) else {
        return Ok(None);
    };
    let statistics = context.published.statistics();
    if statistics.types.contains_key(&label) {
        return Ok(Some(label));
    }
    Err(HttpError::InvalidParameter {
        parameter: TYPE,
        allowed: statistics.types.keys().map(ToString::to_string).collect(),
    })
}

fn state(parameters: &Parameters) -> Result<Option<StateKind>, HttpError> {
    let mut states = StateKind::ALL.into_iter();
    let read = |text: &str| states.find(|state| state.as_str() == text);
    parameters.read(STATE, read, &StateKind::ALL.map(StateKind::as_str))
}
