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

use super::routes;

const TARGET: &str = "acctpool::http::access";

/// Writes the line of one exchange.
pub(super) fn write<B: MessageBody>(
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
        shown_method(request.method()),
        shown_path(request),
        exchange.status().as_u16(),
        took.as_millis(),
    );
}

/// Returns a method that somebody standardised; anything else is the client's own prose.
fn shown_method(method: &Method) -> &str {
    let is_standard = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ]
    .contains(method);
    if is_standard { method.as_str() } else { "-" }
}

/// Returns the path, where it is one of ours. A mistyped `/reservations&token=…` is a path too, so
/// nothing else is shown.
fn shown_path(request: &HttpRequest) -> &str {
    if routes::is_known(request.path()) {
        request.path()
    } else {
        "-"
    }
}

struct OrDash<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for OrDash<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}
