//! The one place that sends: bounded, timed, retried, logged without secrets.
//!
//! Depends on requests, faults and limits; knows nothing of what is asked. Promises that calls go
//! to configured endpoints only, that no redirect is followed, that at most
//! `Limits::requests_per_host` requests per account and host are under way at once, and that a host
//! which asked for patience is left alone until then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::Timestamp;
use awc::http::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER};
use awc::{Client, Connector};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::fault::{Fault, Refusal, scrub};
use super::request::{Reply, Request};
use super::settings::{BaseUrl, Endpoints, Limits};

/// No `Retry-After` is believed beyond this: by then the pool asks again anyway.
const LONGEST_PATIENCE: Duration = Duration::from_hours(1);

/// Where services put their request ids, in order of preference (`ibm-cloud.md` 1.6).
const REQUEST_IDS: [&str; 4] = [
    "Transaction-Id",
    "X-Global-Transaction-Id",
    "X-Correlation-Id",
    "X-Request-Id",
];

/// Makes the HTTP client of an arbiter: TLS with the system's roots, no redirects, timeouts as in
/// `limits`.
///
/// A root certificate that cannot be read is not trusted, and the log says so. Without any, every
/// call over https fails; calls within this machine do not need one.
#[must_use]
pub fn client(limits: &Limits) -> Client {
    let connector = Connector::new()
        .rustls_0_23(Arc::new(tls()))
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

fn tls() -> ClientConfig {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        log::warn!("a root certificate of the system cannot be read: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if unusable > 0 {
        log::warn!("{unusable} root certificates of the system are not usable");
    }
    if roots.is_empty() {
        log::warn!("the system has no root certificates: nothing can be reached over https");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the versions that it was built with")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    tls
}

/// Sends the calls of one account.
pub(super) struct Transport {
    client: Client,
    endpoints: Endpoints,
    limits: Limits,
    clock: Arc<dyn Clock>,
    lanes: RefCell<BTreeMap<BaseUrl, Rc<Lane>>>,
}

/// What is under way to one host.
struct Lane {
    permits: Semaphore,
    /// Until when the host asked to be left alone.
    closed_until: Cell<Option<Timestamp>>,
}

impl Transport {
    pub(super) fn new(
        client: Client,
        endpoints: Endpoints,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            client,
            endpoints,
            limits,
            clock,
            lanes: RefCell::default(),
        }
    }

    /// Returns how many requests may be under way at once to one host.
    pub(super) fn width(&self) -> usize {
        self.limits.requests_per_host.max(1)
    }

    /// Returns the pause before the attempt after `attempts` ones: exponential, with jitter, so that
    /// accounts that failed together do not come back together.
    pub(super) fn backoff(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(16);
        let full = self
            .limits
            .backoff_min
            .saturating_mul(1 << doublings)
            .min(self.limits.backoff_max);
        // Without randomness there is only less spread.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        full.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
    }

    /// Sends `request`, again while that may help.
    ///
    /// Any status but a success is a [`Fault::Refused`].
    pub(super) async fn send(
        &self,
        request: &Request,
        bearer: Option<&SecretString>,
    ) -> Result<Reply, Fault> {
        let mut attempts = 0;
        loop {
            let fault = match self.attempt(request, bearer).await {
                Ok(reply) => return Ok(reply),
                Err(fault) => fault,
            };
            attempts += 1;
            match self.pause_after(&fault, request, attempts) {
                Some(pause) => sleep(pause).await,
                None => return Err(fault),
            }
        }
    }

    /// Returns how long to wait before the next attempt, or `None` if there should not be one.
    fn pause_after(&self, fault: &Fault, request: &Request, attempts: u32) -> Option<Duration> {
        if attempts >= self.limits.attempts || !fault.is_passing() {
            return None;
        }
        let backoff = self.backoff(attempts);
        let Fault::Refused(refusal) = fault else {
            return request.may_be_repeated().then_some(backoff);
        };
        // A 429 was not done, whatever the method; of a 5xx one cannot know.
        let repeatable = refusal.status == 429 || request.may_be_repeated();
        if !repeatable || request.takes_as_answer(refusal.status) {
            return None;
        }
        match refusal.retry_after {
            Some(wait) if wait > self.limits.backoff_max => None,
            Some(wait) => Some(wait.max(backoff)),
            None => Some(backoff),
        }
    }

    async fn attempt(
        &self,
        request: &Request,
        bearer: Option<&SecretString>,
    ) -> Result<Reply, Fault> {
        let base = self.endpoints.of(request.api);
        let lane = self.lane(base);
        let _permit = lane
            .permits
            .acquire()
            .await
            .expect("the semaphore is never closed");
        // Asked after the wait: the answer before this one may have closed the lane.
        if let Some(wait) = lane.closed_for(self.clock.now()) {
            return Err(Fault::Closed {
                call: request.describe(),
                wait,
            });
        }
        let started = Instant::now();
        let trace = Uuid::new_v4().to_string();
        let sent = timeout(
            self.limits.request_timeout,
            self.exchange(base, request, bearer, &trace),
        );
        let outcome = sent.await.unwrap_or_else(|_| {
            Err(Fault::Silent {
                call: request.describe(),
                problem: format!("no answer within {:?}", self.limits.request_timeout),
            })
        });
        log_attempt(base, request, &outcome, started.elapsed(), &trace);
        if let Err(Fault::Refused(refusal)) = &outcome
            && let Some(wait) = refusal.retry_after
            && wait > self.limits.backoff_max
        {
            lane.closed_until.set(Some(self.clock.now() + wait));
        }
        outcome.map(|(reply, _)| reply)
    }

    /// Sends once and reads the whole answer.
    async fn exchange(
        &self,
        base: &BaseUrl,
        request: &Request,
        bearer: Option<&SecretString>,
        trace: &str,
    ) -> Result<(Reply, Option<String>), Fault> {
        let call = request.describe();
        let mut secrets = request.secrets();
        secrets.extend(bearer.cloned());
        let silent = |problem: String| Fault::Silent {
            call: call.clone(),
            problem: scrub(&problem, &secrets),
        };

        let url = format!("{base}{}", request.target);
        let mut sending = self
            .client
            .request(request.method.clone(), url)
            .insert_header(("Accept", "application/json"))
            .insert_header(("Transaction-Id", trace))
            .insert_header(("X-Correlation-Id", trace));
        if let Some(bearer) = bearer {
            let value = format!("Bearer {}", bearer.expose_secret());
            sending = sending.insert_header((AUTHORIZATION, value));
        }
        for (name, value) in &request.headers {
            sending = sending.insert_header((*name, value.expose_secret()));
        }
        let sent = match &request.body {
            Some(body) => sending
                .content_type(body.content_type)
                .send_body(body.text.expose_secret().to_owned()),
            None => sending.send(),
        };
        let mut response = sent.await.map_err(|error| silent(error.to_string()))?;

        let status = response.status();
        let id = request_id(response.headers(), &secrets);
        let retry_after = retry_after(response.headers(), self.clock.now());
        let read = response.body().limit(self.limits.answer_size).await;
        let body = read.map_err(|error| silent(format!("{status}, then {error}")))?;
        if status.is_success() {
            let body = serde_json::from_slice(&body).ok();
            return Ok((Reply { call, body }, id));
        }
        let mut refusal = Refusal::read(call, status.as_u16(), &body, &secrets);
        refusal.retry_after = retry_after;
        refusal.request_id = id;
        Err(Fault::Refused(refusal))
    }

    fn lane(&self, base: &BaseUrl) -> Rc<Lane> {
        let mut lanes = self.lanes.borrow_mut();
        if let Some(lane) = lanes.get(base) {
            return lane.clone();
        }
        let lane = Rc::new(Lane {
            permits: Semaphore::new(self.width()),
            closed_until: Cell::new(None),
        });
        lanes.insert(base.clone(), lane.clone());
        lane
    }
}

impl Lane {
    fn closed_for(&self, now: Timestamp) -> Option<Duration> {
        let left = self.closed_until.get()? - now;
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }
}

/// Returns what the service calls this request, for IBM's support.
fn request_id(headers: &HeaderMap, secrets: &[SecretString]) -> Option<String> {
    REQUEST_IDS
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .map(|id| scrub(id, secrets))
}

/// Reads either form of `Retry-After`.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = Timestamp::from(httpdate::parse_http_date(text).ok()?);
        Duration::try_from(until - now).unwrap_or_default()
    };
    Some(wait.min(LONGEST_PATIENCE))
}

fn log_attempt(
    base: &BaseUrl,
    request: &Request,
    outcome: &Result<(Reply, Option<String>), Fault>,
    took: Duration,
    trace: &str,
) {
    let (status, id) = match outcome {
        Ok((_, id)) => ("ok".to_owned(), id.as_deref()),
        Err(Fault::Refused(refusal)) => (refusal.words(), refusal.request_id.as_deref()),
        Err(fault) => (fault.to_string(), None),
    };
    log::debug!(
        "{} at {base}: {status} in {} ms, request {}, sent as {trace}",
        request.describe(),
        took.as_millis(),
        id.unwrap_or("-"),
    );
}

#[cfg(test)]
mod tests {
    use awc::http::header::HeaderValue;
    use time::macros::datetime;

    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers, datetime!(2026-05-01 10:00:00 UTC))
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            asked("Fri, 01 May 2026 10:00:20 GMT"),
            Some(Duration::from_secs(20))
        );
        assert_eq!(
            asked("Fri, 01 May 2026 09:00:00 GMT"),
            Some(Duration::ZERO),
            "a moment that has passed"
        );
        assert_eq!(asked("99999999999"), Some(LONGEST_PATIENCE));
        assert_eq!(asked("soon"), None);
    }
}
