//! The paths, and what answers there. A path has a method list of its own, which `405` repeats in
//! `Allow`.

use acctpool_actors::pool::ReservationId;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource};
use uuid::Uuid;

use super::problem::HttpError;
use super::{page, reservations, statistics};

const ROOT: &str = "/";
const RESERVATIONS: &str = "/reservations";
const RESERVATION_PREFIX: &str = "/reservations/";

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
            only("POST", "", web::resource(RESERVATIONS))
                .route(web::post().to(reservations::request)),
        )
        .service(
            only(
                "GET, HEAD, DELETE",
                REDIRECT_HINT,
                web::resource("/reservations/{id}"),
            )
            .route(web::get().to(reservations::show))
            .route(web::head().to(reservations::show))
            .route(web::delete().to(reservations::cancel)),
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
pub(super) fn reservation_id(text: &str) -> Option<ReservationId> {
    const HYPHENATED: usize = uuid::fmt::Hyphenated::LENGTH;
    if text.len() != HYPHENATED {
        return None;
    }
    Uuid::try_parse(text).ok().map(ReservationId::from)
}

/// Tells whether something answers at `path`, whatever the method.
pub(super) fn is_known(path: &str) -> bool {
    path == ROOT
        || path == RESERVATIONS
        || page::ASSETS.iter().any(|asset| asset.path == path)
        || path
            .strip_prefix(RESERVATION_PREFIX)
            .is_some_and(|id| reservation_id(id).is_some())
}

/// Refuses every method but those that get a route.
fn only(allow: &'static str, hint: &'static str, resource: Resource) -> Resource {
    resource.default_service(web::to(move || async move {
        Err::<HttpResponse, _>(HttpError::MethodNotAllowed { allow, hint })
    }))
}

async fn unknown_path() -> Result<HttpResponse, HttpError> {
    Err(HttpError::UnknownPath)
}
