//! The paths, and what answers there. A path has a method list of its own, which `405` repeats in
//! `Allow`.

use acctpool_actors::pool::{AccountId, ReservationId};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Scope};
use uuid::Uuid;

use super::monitoring::{health, measure, statistics};
use super::operators::interventions::{self, Intervention};
use super::operators::{accounts, audit};
use super::problem::HttpError;
use super::request::caller::Caller;
use super::reservations;
use super::{Context, openapi, page};

const ROOT: &str = "/";
pub(super) const RESERVATIONS: &str = "/reservations";
const RESERVATION_PREFIX: &str = "/reservations/";
/// What follows the id of a reservation.
const RECEIPT: &str = "/receipt";
const RENEWAL: &str = "/renew";
const REVOCATION: &str = "/revoke";
pub(super) const ACCOUNTS: &str = "/accounts";
const ACCOUNT_PREFIX: &str = "/accounts/";
/// The name of an account's id in the patterns of its paths.
const ACCOUNT: &str = "account";
pub(super) const AUDIT: &str = "/audit";
const METRICS: &str = "/metrics";
const LIVENESS: &str = "/livez";
/// The second is what others call it.
const READINESS: [&str; 2] = ["/readyz", "/healthz"];
const DOCUMENT: &str = "/openapi.json";
const REFERENCE: &str = "/docs/";

/// Every path of the contract, as the document of the API names it.
pub(super) const PATHS: [&str; 19] = [
    ROOT,
    RESERVATIONS,
    "/reservations/{id}",
    "/reservations/{id}/receipt",
    "/reservations/{id}/renew",
    "/reservations/{id}/revoke",
    ACCOUNTS,
    "/accounts/{id}",
    "/accounts/{id}/clean",
    "/accounts/{id}/drain",
    "/accounts/{id}/enable",
    "/accounts/{id}/quarantine",
    AUDIT,
    METRICS,
    LIVENESS,
    READINESS[0],
    READINESS[1],
    DOCUMENT,
    REFERENCE,
];

/// What a client meant that followed the redirect of `POST /reservations` with the wrong method.
const REDIRECT_HINT: &str = ". After the redirect from `POST /reservations`, follow with GET: \
    `curl -L -X POST` repeats the POST, `curl -L -d ''` does not";

/// Adds every path of the contract.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(read(web::resource(ROOT), statistics::show))
        .service(
            web::scope(RESERVATIONS)
                .service(
                    web::resource("")
                        .route(web::get().to(reservations::list::list))
                        .route(web::head().to(reservations::list::list))
                        .route(web::post().to(reservations::ask::request))
                        .default_service(web::to(reservations::list::no_such_method)),
                )
                // Not a resource with a pattern: those are matched by regular expressions, and
                // that would take a sixth of the time of a GET.
                .default_service(web::to(reservation)),
        )
        .service(read(web::resource(DOCUMENT), openapi::show))
        .service(read(web::resource(REFERENCE), page::reference))
        .service(accounts())
        .service(read(web::resource(AUDIT), audit::list))
        .service(read(web::resource(METRICS), measure::show))
        .service(read(web::resource(LIVENESS), health::live))
        .service(read(web::resource(READINESS), health::ready))
        .default_service(web::to(unknown_path));
    for asset in page::ASSETS {
        config.service(read(web::resource(asset.path), move || asset.serve()));
    }
}

/// Returns the paths of accounts.
fn accounts() -> Scope {
    let one = web::resource(format!("/{{{ACCOUNT}}}"));
    let mut paths = web::scope(ACCOUNTS)
        .service(read(web::resource(""), accounts::list))
        .service(read(one, accounts::show));
    for intervention in Intervention::ALL {
        let pattern = format!("/{{{ACCOUNT}}}/{}", intervention.as_str());
        let intervene = move |context: Data<Context>, request: HttpRequest| {
            interventions::intervene(intervention, context, request)
        };
        let resource = web::resource(pattern)
            .route(web::post().to(intervene))
            .default_service(web::to(async || not_allowed("POST")));
        paths = paths.service(resource);
    }
    paths.default_service(web::to(unknown_path))
}

/// Returns the account that a path names, whether there is one or not.
pub(super) fn account_of(request: &HttpRequest) -> AccountId {
    request.match_info().query(ACCOUNT).into()
}

/// Returns the path of a reservation.
pub(super) fn of_reservation(id: ReservationId) -> String {
    format!("{RESERVATION_PREFIX}{id}")
}

/// Reads the id of a reservation in a path: a UUID in the form in which it was given out.
fn reservation_id(text: &str) -> Option<ReservationId> {
    const HYPHENATED: usize = uuid::fmt::Hyphenated::LENGTH;
    if text.len() != HYPHENATED {
        return None;
    }
    Uuid::try_parse(text).ok().map(ReservationId::from)
}

/// Returns what answers at a path, with names in the place of ids; `None` where nothing does, or where
/// what stands for an id could be anything.
pub(super) fn route_of(path: &str) -> Option<&'static str> {
    let template = PATHS.into_iter().find(|template| is_of(path, template));
    let asset = || page::ASSETS.iter().find(|asset| asset.path == path);
    template.or_else(|| asset().map(|asset| asset.path))
}

/// Tells whether a path is made after a template.
fn is_of(path: &str, template: &str) -> bool {
    let is_id = if template.starts_with(ACCOUNT_PREFIX) {
        is_account_id
    } else {
        |text: &str| reservation_id(text).is_some()
    };
    let mut parts = path.split('/');
    let has_each_part = template.split('/').all(|expected| {
        parts.next().is_some_and(|part| match expected {
            "{id}" => is_id(part),
            literal => part == literal,
        })
    });
    has_each_part && parts.next().is_none()
}

/// Tells whether a text is an id of an account as IBM Cloud gives them out.
fn is_account_id(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 32 && text.bytes().all(is_digit)
}

/// Returns what is only read.
fn read<F, Args>(resource: Resource, handler: F) -> Resource
where
    F: Handler<Args, Output: Responder>,
    Args: FromRequest + 'static,
{
    resource
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(async || not_allowed("GET, HEAD")))
}

/// Answers at the path of one reservation, and at those below it.
async fn reservation(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let name = request.path().strip_prefix(RESERVATION_PREFIX);
    let name = name.ok_or(HttpError::UnknownPath)?;
    let (id, below) = name.split_at(name.find('/').unwrap_or(name.len()));
    if id.is_empty() {
        return Err(HttpError::UnknownPath);
    }
    let id = reservation_id(id);
    let request = &request;
    let caller = || Caller::of(request);
    match (below, request.method().as_str()) {
        ("", "GET" | "HEAD") => reservations::show::show(context, request, caller()?, id).await,
        ("", "DELETE") => reservations::cancel::cancel(context, caller()?, id).await,
        ("", _) => Err(HttpError::MethodNotAllowed {
            allow: "GET, HEAD, DELETE",
            hint: REDIRECT_HINT,
        }),
        (RECEIPT, "GET" | "HEAD") => reservations::receipts::show(context, caller()?, id).await,
        (RECEIPT, _) => not_allowed("GET, HEAD"),
        (RENEWAL, "POST") => reservations::renew::renew(context, request, id).await,
        (REVOCATION, "POST") => interventions::revoke(context, request, id).await,
        (RENEWAL | REVOCATION, _) => not_allowed("POST"),
        _ => Err(HttpError::UnknownPath),
    }
}

fn not_allowed(allow: &'static str) -> Result<HttpResponse, HttpError> {
    let hint = "";
    Err(HttpError::MethodNotAllowed { allow, hint })
}

async fn unknown_path() -> Result<HttpResponse, HttpError> {
    Err(HttpError::UnknownPath)
}
