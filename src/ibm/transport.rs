//! The one place that sends: bounded, timed, retried, logged without secrets.
//!
//! Depends on the wire, requests, faults and limits; knows nothing of what is asked. Promises that
//! calls go to configured endpoints only, that at most
//! `Limits::requests_per_host` requests per account and host are under way at once, and that a host
//! which asked for patience is left alone until then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acctpool_actors::clock::Clock;
use acctpool_actors::cloud::{CloudError, Traffic};
use acctpool_actors::pool::Timestamp;
use awc::http::header::{
    ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue, RETRY_AFTER,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::api::Endpoints;
use super::fault::{Fault, Refusal, scrub};
use super::request::{Reply, Request};
use super::settings::{BaseUrl, Limits};
use super::wire::{Incoming, Outgoing, Wire};

/// No `Retry-After` is believed beyond this: by then the pool asks again anyway.
const LONGEST_PATIENCE: Duration = Duration::from_hours(1);

/// How a request is named towards the services (`ibm-cloud.md` 1.6).
const TRANSACTION_ID: HeaderName = HeaderName::from_static("transaction-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Where services put their request ids, in order of preference (`ibm-cloud.md` 1.6).
const REQUEST_IDS: [&str; 4] = [
    "Transaction-Id",
    "X-Global-Transaction-Id",
    "X-Correlation-Id",
    "X-Request-Id",
];

/// Sends the calls of one account.
pub(super) struct Transport {
    wire: Rc<dyn Wire>,
    endpoints: Arc<Endpoints>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    lanes: RefCell<BTreeMap<BaseUrl, Rc<Lane>>>,
    traffic: Cell<Traffic>,
    /// Nothing is sent any more.
    has_ended: Cell<bool>,
}

/// What is under way to one host.
struct Lane {
    permits: Semaphore,
    /// Until when the host asked to be left alone.
    closed_until: Cell<Option<Timestamp>>,
}

impl Transport {
    pub(super) fn new(
        wire: Rc<dyn Wire>,
        endpoints: Arc<Endpoints>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            wire,
            endpoints,
            limits,
            clock,
            lanes: RefCell::default(),
            traffic: Cell::default(),
            has_ended: Cell::new(false),
        }
    }

    /// Returns what it reaches the world by.
    pub(super) fn wire(&self) -> Rc<dyn Wire> {
        Rc::clone(&self.wire)
    }

    /// Sends nothing from now on. What is under way is not broken off.
    pub(super) fn end(&self) {
        self.has_ended.set(true);
    }

    /// Returns how many requests were sent so far.
    pub(super) fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    fn count(&self, is_retry: bool) {
        let mut traffic = self.traffic.get();
        traffic.requests += 1;
        traffic.retries += u32::from(is_retry);
        self.traffic.set(traffic);
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
        let random = self.wire.random();
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
            self.count(attempts > 0);
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
        let base = &self.endpoints.of(request.api, request.region.as_ref());
        let lane = self.lane(base);
        let _permit = lane
            .permits
            .acquire()
            .await
            .expect("the semaphore is never closed");
        if self.has_ended.get() {
            let words = format!("{}: not sent, the end was asked for", request.describe());
            return Err(CloudError::Transient(words).into());
        }
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

        let outgoing = Outgoing {
            method: request.method.clone(),
            url: format!("{base}{}", request.target),
            headers: headers(request, bearer, trace).map_err(|error| silent(error.to_string()))?,
            body: request.body.as_ref().map(|body| {
                let text = body.text.expose_secret().to_owned();
                (body.content_type, text)
            }),
            answer_size: self.limits.answer_size,
        };
        let Incoming {
            status,
            headers,
            body,
        } = self.wire.exchange(outgoing).await.map_err(silent)?;
        let id = request_id(&headers, &secrets);
        if status.is_success() {
            let body = serde_json::from_slice(&body).ok();
            return Ok((Reply { call, body }, id));
        }
        let mut refusal = Refusal::read(call, status.as_u16(), &body, &secrets);
        refusal.retry_after = retry_after(&headers, self.clock.now());
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

fn headers(
    request: &Request,
    bearer: Option<&SecretString>,
    trace: &str,
) -> Result<HeaderMap, InvalidHeaderValue> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(TRANSACTION_ID, HeaderValue::from_str(trace)?);
    headers.insert(CORRELATION_ID, HeaderValue::from_str(trace)?);
    if let Some(bearer) = bearer {
        let value = format!("Bearer {}", bearer.expose_secret());
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
    }
    for (name, value) in &request.headers {
        let value = HeaderValue::from_str(value.expose_secret())?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
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
