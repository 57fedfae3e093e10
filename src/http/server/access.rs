//! The access log: one line per exchange, at `info` under its own target, without anything that a
//! secret could stand in.
//!
//! ```text
//! 192.0.2.7 GET /reservations/0b6c… 200 311B 1ms token=ci request_id=5f0c…
//! ```

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use acctpool_actors::pool::TokenId;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest};

use crate::http::routes;

const TARGET: &str = "acctpool::http::access";

/// Writes the line of one exchange.
pub(crate) fn write<B: MessageBody>(
    exchange: &ServiceResponse<B>,
    client: Option<IpAddr>,
    request_id: &str,
    took: Duration,
) {
    if !log::log_enabled!(target: TARGET, log::Level::Info) {
        return;
    }
    let request = exchange.request();
    let extensions = request.extensions();
    let token = extensions.get::<TokenId>().map_or("-", TokenId::as_str);
    let bytes = match exchange.response().body().size() {
        BodySize::Sized(bytes) => bytes,
        BodySize::None | BodySize::Stream => 0,
    };
    log::info!(
        target: TARGET,
        "{} {} {} {} {bytes}B {}ms token={token} request_id={request_id}",
        OrDash(client),
        standard_method(request.method()).unwrap_or("-"),
        shown_path(request),
        exchange.status().as_u16(),
        took.as_millis(),
    );
}

/// Returns the name of a method that somebody standardised; anything else is the client's own prose.
pub(super) fn standard_method(method: &Method) -> Option<&'static str> {
    const NAMES: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
    ];
    NAMES.into_iter().find(|name| *name == method.as_str())
}

/// Returns the path, where it is one of ours. A mistyped `/reservations&token=…` is a path too, so
/// nothing else is shown.
fn shown_path(request: &HttpRequest) -> &str {
    if routes::route_of(request.path()).is_some() {
        request.path()
    } else {
        "-"
    }
}

pub(super) struct OrDash<T>(pub(super) Option<T>);

impl<T: fmt::Display> fmt::Display for OrDash<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}
