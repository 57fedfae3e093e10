//! The port under the transport: one exchange over HTTP, and chance. Everything above it is logic.
//!
//! Depends on `awc`, which is the adapter that talks to IBM Cloud. Promises that no redirect is
//! followed and that answers beyond a given size are not read.

use std::sync::Arc;

use awc::http::header::HeaderMap;
use awc::http::{Method, StatusCode};
use awc::{Client, Connector};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::settings::Limits;
use crate::outgoing;

/// What the adapter reaches the world by.
///
/// An exchange that is dropped may have been done or not.
pub trait Wire: 'static {
    /// Sends a request and reads the whole answer, whatever its status. The error says, for people,
    /// why there is no answer; it may quote what was sent.
    fn exchange(&self, outgoing: Outgoing) -> LocalBoxFuture<'_, Result<Incoming, String>>;

    /// Draws a random number, from all of its type with equal chance.
    fn random(&self) -> u32;
}

/// A request, ready to be sent. It carries secrets, so it cannot be shown.
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// The headers besides those that follow from the body.
    pub headers: HeaderMap,
    /// The body and its media type, where there is one.
    pub body: Option<(&'static str, String)>,
    /// The largest answer that is read, in bytes.
    pub answer_size: usize,
}

/// An answer. It may carry secrets, so it cannot be shown.
pub struct Incoming {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Vec<u8>,
}

impl Wire for Client {
    fn exchange(&self, outgoing: Outgoing) -> LocalBoxFuture<'_, Result<Incoming, String>> {
        async move {
            let mut request = self.request(outgoing.method, outgoing.url);
            for header in outgoing.headers {
                request = request.insert_header(header);
            }
            let sent = match outgoing.body {
                Some((content_type, body)) => request.content_type(content_type).send_body(body),
                None => request.send(),
            };
            let mut response = sent.await.map_err(|error| error.to_string())?;
            let status = response.status();
            let read = response.body().limit(outgoing.answer_size).await;
            let body = read.map_err(|error| format!("{status}, then {error}"))?;
            Ok(Incoming {
                status,
                headers: response.headers().clone(),
                body: body.into(),
            })
        }
        .boxed_local()
    }

    /// Without randomness in the system, the largest number.
    fn random(&self) -> u32 {
        getrandom::u32().unwrap_or(u32::MAX)
    }
}

/// Makes the HTTP client of an arbiter: TLS with the system's roots, no redirects, timeouts as in
/// `limits`.
///
/// A root certificate that cannot be read is not trusted, and the log says so. Without any, every
/// call over https fails; calls within this machine do not need one.
#[must_use]
pub fn client(limits: &Limits) -> Client {
    let connector = Connector::new()
        .rustls_0_23(Arc::new(outgoing::tls(outgoing::system_roots())))
        .timeout(limits.connect_timeout)
        .handshake_timeout(limits.connect_timeout);
    Client::builder()
        .connector(connector)
        .disable_redirects()
        // Each attempt has its own, which also covers the body.
        .disable_timeout()
        .add_default_header((
            "User-Agent",
            concat!("acctpool/", env!("CARGO_PKG_VERSION")),
        ))
        .finish()
}
