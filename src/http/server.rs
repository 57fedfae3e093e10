//! Listens, and bounds what clients can hold on to: connections, and the time to send a request.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::available_parallelism;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use super::connection::{self, Watch};
use super::rates::Rates;
use super::{Context, edge, routes};

/// Serves the contract on `listener` until the returned server's handle stops it; signals are left
/// to the caller.
///
/// A graceful stop takes no new connections, lets requests that run finish within
/// [`Settings::shutdown_timeout`](super::Settings::shutdown_timeout), and leaves leases alone.
pub fn serve(listener: TcpListener, context: Context) -> io::Result<Server> {
    let settings = Arc::clone(&context.settings);
    let workers = available_parallelism()?.get();
    let context = Data::new(context);
    let rates = Data::new(Rates::default());
    let longest_rest = settings.keep_alive + settings.client_timeout;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(context.clone())
            .app_data(rates.clone())
            .app_data(Watch::new(longest_rest))
            .wrap(from_fn(edge::exchange))
            .configure(routes::configure)
    })
    .on_connect(connection::remember)
    .workers(workers)
    // The limit counts per worker.
    .max_connections(settings.max_connections.div_ceil(workers).max(1))
    .client_request_timeout(settings.client_timeout)
    .keep_alive(settings.keep_alive)
    .shutdown_timeout(settings.shutdown_timeout.as_secs().max(1))
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}
