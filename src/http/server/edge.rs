//! What holds for every exchange, whatever is asked: limits before anything else runs, a request
//! id, problems in one form, headers that keep answers out of caches and frames, the access log.

use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use acctpool_actors::PoolUnavailable;
use acctpool_actors::store::StoreError;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Version;
use actix_web::http::header::{
    CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage};
use uuid::Uuid;

use super::connection::{Busy, Connection};
use super::{access, proxy};
use crate::http::answer::waits::Waits;
use crate::http::monitoring::measure::Exchange;
use crate::http::problem::HttpError;
use crate::http::request::body::{self, Unread};
use crate::http::request::caller::ClientAddress;
use crate::http::{Context, routes};

/// The longest request target, in bytes.
const MAX_URI: usize = 2 * 1024;
/// The largest sum of header names and values, in bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// The largest number of headers. Above 96, and above 128 KiB, the framework refuses a head by
/// itself, without a body.
const MAX_HEADER_COUNT: usize = 64;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 64;

/// Runs one exchange.
pub(crate) async fn exchange(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let request_id = request_id(request.headers());
    let client = request.app_data::<Data<Context>>().and_then(|context| {
        let settings = context.settings.load();
        let trusted = &settings.trusted_proxies;
        proxy::client_address(request.peer_addr(), request.headers(), trusted)
    });
    if let Some(client) = client {
        request.extensions_mut().insert(ClientAddress(client));
    }
    let unread = Unread::of(request.take_payload());
    if let Some(unread) = &unread {
        request.extensions_mut().insert(unread.clone());
    }

    let (busy, room) = begin(&request);
    let allowed = room.and_then(|()| check_limits(&request));
    let answered = match allowed {
        Ok(()) => next.call(request).await?,
        Err(error) => request.error_response(error),
    };
    let mut answer = with_problem(answered, &request_id);
    add_headers(answer.headers_mut(), &request_id);
    let took = began.elapsed();
    access::write(&answer, client, &request_id, took);
    count(&answer, took);
    Ok(answer.map_body(|_, body| hold(unread, busy, body)))
}

/// Notes that an exchange runs on its connection, and refuses it if that is one too many: over HTTP/2,
/// many run at once, and begin while the server stops, too.
fn begin(request: &ServiceRequest) -> (Option<Busy>, Result<(), HttpError>) {
    let is_multiplexed = request.version() == Version::HTTP_2;
    if is_multiplexed && Waits::of(request.request()).is_stopping() {
        // Not noted: the connection rests, and is closed.
        return (None, Err(PoolUnavailable::Stopped.into()));
    }
    let Some(connection) = Connection::of(request) else {
        return (None, Ok(()));
    };
    let busy = connection.begin();
    let room = if connection.is_crowded() {
        Err(PoolUnavailable::Full.into())
    } else {
        Ok(())
    };
    (Some(busy), room)
}

fn count(answer: &ServiceResponse<BoxBody>, took: Duration) {
    let request = answer.request();
    let context: &Data<Context> = request
        .app_data()
        .expect("the server gives every request the context");
    context.metrics.answered(&Exchange {
        route: routes::route_of(request.path()).unwrap_or("other"),
        method: access::standard_method(request.method()).unwrap_or("other"),
        status: answer.status().as_u16(),
        took,
    });
}

fn check_limits(request: &ServiceRequest) -> Result<(), HttpError> {
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > MAX_URI {
        return Err(HttpError::UriTooLong { max: MAX_URI });
    }
    let headers = request.headers();
    let header_bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if header_bytes > MAX_HEADER_BYTES || headers.len() > MAX_HEADER_COUNT {
        return Err(HttpError::HeadersTooLarge {
            max_bytes: MAX_HEADER_BYTES,
            max_count: MAX_HEADER_COUNT,
        });
    }
    body::check_announced(headers)
}

/// Takes over the id that a client or proxy gave its request, if it is short and plain, so that it
/// can stand in a log line; makes one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    headers
        .get(X_REQUEST_ID)
        .map(HeaderValue::as_bytes)
        .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID)
        .filter(|id| id.iter().copied().all(is_plain))
        .and_then(|id| std::str::from_utf8(id).ok())
        .map_or_else(new_request_id, str::to_owned)
}

/// Returns an id that no other request has, in this process or another.
fn new_request_id() -> String {
    // Drawn once: randomness for each request would be a call into the kernel for each.
    static PROCESS: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().0);
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}{count:016x}", *PROCESS)
}

/// Gives an error the body of its problem. Errors that the framework made by itself become problems
/// too.
fn with_problem(answer: ServiceResponse<BoxBody>, request_id: &str) -> ServiceResponse<BoxBody> {
    let status = answer.status();
    if !status.is_client_error() && !status.is_server_error() {
        return answer;
    }
    let cause = answer.response().error();
    let problem = if let Some(error) = cause.and_then(|cause| cause.as_error::<HttpError>()) {
        if let HttpError::Unreadable(StoreError { action, cause }) = error {
            log::error!("request {request_id} failed: {action}: {cause}");
        }
        error.render(request_id)
    } else {
        if let Some(cause) = cause.filter(|_| status.is_server_error()) {
            log::error!("request {request_id} failed: {cause}");
        }
        HttpError::of_status(status).render(request_id)
    };
    answer.into_response(problem)
}

fn add_headers(headers: &mut HeaderMap, request_id: &str) {
    // Static assets say how long they may be kept; nothing else may be.
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
}

/// Keeps alive until the answer is written:
/// - what is unread of a request body. The framework then closes the connection; had the body been
///   dropped, it would wait without limit for the rest of a chunked one;
/// - that the connection does not rest.
fn hold(unread: Option<Unread>, busy: Option<Busy>, body: BoxBody) -> BoxBody {
    BoxBody::new(Holding {
        body,
        _unread: unread,
        _busy: busy,
    })
}

struct Holding {
    body: BoxBody,
    _unread: Option<Unread>,
    _busy: Option<Busy>,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(task)
    }
}
