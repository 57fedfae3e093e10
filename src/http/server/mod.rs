//! Listens, and bounds what clients can hold on to: connections, and the time to send a request.
//!
//! - `tls`: the handshake, where TLS is spoken.
//! - `connection`: closes what rests too long.
//! - `edge`: what holds for every exchange: limits, headers, problems; `access` logs it, and `proxy`
//!   tells where it came from.

mod access;
pub(super) mod connection;
mod edge;
mod proxy;
mod tls;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, Error};
use futures_util::future::{Either as First, select};
use tokio_util::either::Either;

use self::connection::{Stream, Watch};
use self::tls::Tls;
use crate::http::answer::waits::Waits;
use crate::http::request::rates::Rates;
use crate::http::{Context, routes};

/// How many connections the system keeps until they are accepted. Beyond that, whoever connects is
/// silently put off for a second; a crowd that comes at once is larger than what is usual.
const BACKLOG: i32 = 4096;

/// How long a connection that is being closed may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves the contract on `listener` until the returned server's handle stops it; signals are left
/// to the caller.
///
/// A graceful stop takes no new connections, answers those who wait for something to change, lets
/// requests that run finish within
/// [`Settings::shutdown_timeout`](crate::http::Settings::shutdown_timeout), and leaves leases alone.
pub fn serve(listener: TcpListener, context: Context) -> io::Result<Server> {
    rustix::net::listen(&listener, BACKLOG)?;
    let settings = context.settings.load_full();
    let workers = available_parallelism()?.get();
    let builder = Server::build();
    let signal = builder.graceful_shutdown_signal();
    let stopping = move || {
        let signal = signal.clone();
        async move { signal.notified().await }
    };
    let waits = Waits::start(Arc::clone(&context.clock), stopping());
    let tls = Tls::of(&context.settings);
    let context = Data::new(context);
    let rates = Data::new(Rates::default());
    let builder = builder
        .workers(workers)
        // The limit counts per worker.
        .max_concurrent_connections(settings.max_connections.div_ceil(workers).max(1))
        .shutdown_timeout(settings.shutdown_timeout.as_secs().max(1))
        .disable_signals();
    // As `actix_web::HttpServer` does it, but with a stream of our own in between.
    let builder = builder.listen("acctpool", listener, move || {
        let app = App::new()
            .app_data(context.clone())
            .app_data(rates.clone())
            .app_data(Arc::clone(&waits))
            .wrap(from_fn(edge::exchange))
            .configure(routes::configure);
        let app = app
            .into_factory()
            .map_err(|error: Error| error.error_response());
        let longest_rest = settings.keep_alive + settings.client_timeout;
        let watch = Watch::start(longest_rest, stopping());
        let (tls, stopping) = (tls.clone(), stopping.clone());
        let http = HttpService::build()
            .graceful_shutdown_signal(stopping.clone())
            .keep_alive(settings.keep_alive)
            .client_request_timeout(settings.client_timeout)
            .client_disconnect_timeout(GOODBYE)
            .on_connect_ext(|stream: &Stream, data| stream.remember(data))
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |socket: TcpStream| {
            open(socket, tls.clone(), stopping(), Rc::clone(&watch))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}

/// Makes a connection of a socket: by a handshake where TLS is spoken, which the end of the server breaks
/// off.
async fn open(
    socket: TcpStream,
    tls: Option<Tls>,
    stopping: impl Future<Output = ()>,
    watch: Rc<Watch>,
) -> Result<(Stream, Protocol, Option<SocketAddr>), DispatchError> {
    let peer = socket.peer_addr().ok();
    let (socket, protocol) = if let Some(tls) = tls {
        let accepted = pin!(tls.accept(socket));
        let First::Left((accepted, _)) = select(accepted, pin!(stopping)).await else {
            return Err(DispatchError::DisconnectTimeout);
        };
        let (stream, protocol) = accepted.inspect_err(|error| {
            log::debug!("no TLS with {}: {error}", access::OrDash(peer));
        })?;
        (Either::Right(stream), protocol)
    } else {
        (Either::Left(socket), Protocol::Http1)
    };
    Ok((Stream::new(socket, &watch), protocol, peer))
}
