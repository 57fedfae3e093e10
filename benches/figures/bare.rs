//! What everything is compared with: actix-web with one handler that has its answer ready.

use std::path::Path;

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use std::io::Write as _;
use std::{fs, io, thread};

use crate::Failure;

/// Says that this process is the bare server; the file with the body follows.
pub(crate) const FLAG: &str = "--bare";

/// Serves until it is killed.
pub(crate) fn serve(body: &Path) -> Result<(), Failure> {
    let body = Bytes::from(fs::read(body)?);
    actix_rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let body = body.clone();
            let show = move || {
                let body = body.clone();
                async move {
                    HttpResponse::Ok()
                        .content_type("application/json")
                        .body(body)
                }
            };
            App::new().route("/reservations/{id}", web::get().to(show))
        })
        .workers(thread::available_parallelism()?.get())
        .bind(("127.0.0.1", 0))?;
        for address in server.addrs() {
            writeln!(io::stderr(), "listening on http://{address}")?;
        }
        Ok(server.run().await?)
    })
}
