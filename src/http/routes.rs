//! The paths, and what answers there. A path has a method list of its own, which `405` repeats in
//! `Allow`.

use acctpool_actors::pool::ReservationId;
use actix_web::http::Method;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use uuid::Uuid;

use super::caller::Caller;
use super::problem::HttpError;
use super::{Context, openapi, page, receipts, reservation_list, reservations, statistics};

const ROOT: &str = "/";
pub(super) const RESERVATIONS: &str = "/reservations";
const RESERVATION_PREFIX: &str = "/reservations/";
/// What follows the id of a reservation.
const RECEIPT: &str = "/receipt";
const RENEWAL: &str = "/renew";
const DOCUMENT: &str = "/openapi.json";
const REFERENCE: &str = "/docs/";

/// Every path of the contract, as the document of the API names it.
pub(super) const PATHS: [&str; 7] = [
    ROOT,
    RESERVATIONS,
    "/reservations/{id}",
    "/reservations/{id}/receipt",
    "/reservations/{id}/renew",
    DOCUMENT,
    REFERENCE,
];

/// What a client meant that followed the redirect of `POST /reservations` with the wrong method.
const REDIRECT_HINT: &str = ". After the redirect from `POST /reservations`, follow with GET: \
    `curl -L -X POST` repeats the POST, `curl -L -d ''` does not";

/// Adds every path of the contract.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(
            only("GET, HEAD", "", web::resource(ROOT))
                .route(web::get().to(statistics::show))
                .route(web::head().to(statistics::show)),
        )
        .service(
            web::scope(RESERVATIONS)
                .service(
                    web::resource("")
                        .route(web::get().to(reservation_list::list))
                        .route(web::head().to(reservation_list::list))
                        .route(web::post().to(reservations::request))
                        .default_service(web::to(reservation_list::no_such_method)),
                )
                // Not a resource with a pattern: those are matched by regular expressions, and
                // that would take a sixth of the time of a GET.
                .default_service(web::to(reservation)),
        )
        .service(
            only("GET, HEAD", "", web::resource(DOCUMENT))
                .route(web::get().to(openapi::show))
                .route(web::head().to(openapi::show)),
        )
        .service(
            only("GET, HEAD", "", web::resource(REFERENCE))
                .route(web::get().to(page::reference))
                .route(web::head().to(page::reference)),
        )
        .default_service(web::to(unknown_path));
    for asset in page::ASSETS {
        config.service(
            only("GET, HEAD", "", web::resource(asset.path))
                .route(web::get().to(move || asset.serve()))
                .route(web::head().to(move || asset.serve())),
        );
    }
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

/// Tells whether something answers at `path`, whatever the method.
pub(super) fn is_known(path: &str) -> bool {
    PATHS.iter().any(|template| is_of(path, template))
        || page::ASSETS.iter().any(|asset| asset.path == path)
}

/// Tells whether a path is made after a template.
fn is_of(path: &str, template: &str) -> bool {
    let mut parts = path.split('/');
    let has_each_part = template.split('/').all(|expected| {
        parts.next().is_some_and(|part| match expected {
            "{id}" => reservation_id(part).is_some(),
            literal => part == literal,
        })
    });
    has_each_part && parts.next().is_none()
}

/// Refuses every method but those that get a route.
fn only(allow: &'static str, hint: &'static str, resource: Resource) -> Resource {
    resource.default_service(web::to(move || async move {
        Err::<HttpResponse, _>(HttpError::MethodNotAllowed { allow, hint })
    }))
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
    match below {
        "" => one_reservation(context, &request, id).await,
        RECEIPT => receipt(context, &request, id).await,
        RENEWAL => renewal(context, &request, id).await,
        _ => Err(HttpError::UnknownPath),
    }
}

async fn one_reservation(
    context: Data<Context>,
    request: &HttpRequest,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            reservations::show(context, request, Caller::of(request)?, id).await
        }
        Method::DELETE => reservations::cancel(context, Caller::of(request)?, id).await,
        _ => Err(HttpError::MethodNotAllowed {
            allow: "GET, HEAD, DELETE",
            hint: REDIRECT_HINT,
        }),
    }
}

async fn receipt(
    context: Data<Context>,
    request: &HttpRequest,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    match *request.method() {
        Method::GET | Method::HEAD => receipts::show(context, Caller::of(request)?, id).await,
        _ => Err(HttpError::MethodNotAllowed {
            allow: "GET, HEAD",
            hint: "",
        }),
    }
}

async fn renewal(
    context: Data<Context>,
    request: &HttpRequest,
    id: Option<ReservationId>,
) -> Result<HttpResponse, HttpError> {
    match *request.method() {
        Method::POST => reservations::renew(context, request, id).await,
        _ => Err(HttpError::MethodNotAllowed {
            allow: "POST",
            hint: "",
        }),
    }
}

async fn unknown_path() -> Result<HttpResponse, HttpError> {
    Err(HttpError::UnknownPath)
}
