//! One request and its answer, within a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use awc::error::{ConnectError, SendRequestError};
use awc::http::StatusCode;
use awc::http::header::{
    ACCEPT, AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use awc::{Client as HttpClient, Connector};
use rustls::RootCertStore;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::address::ServerAddress;
use super::call::Call;
use super::error::{ClientError, Problem};
use crate::outgoing;

/// How long it may take until somebody listens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may rest before it is not used again: less than the 15 s after which the
/// server closes it, as what is sent right then is lost.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes. A page of accounts with their receipts is far below.
const ANSWER_SIZE: usize = 16 * 1024 * 1024;

/// No `Retry-After` is believed beyond this.
const LONGEST_PATIENCE: Duration = Duration::from_mins(5);

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Speaks to one server, as the holder of one token. It belongs to this thread.
pub(crate) struct Client {
    http: HttpClient,
    address: ServerAddress,
    token: Option<SecretString>,
}

impl Client {
    /// Makes a client. Over https, whoever one of `roots` vouches for is believed.
    pub(crate) fn new(
        address: ServerAddress,
        token: Option<SecretString>,
        roots: impl FnOnce() -> RootCertStore,
    ) -> Self {
        // Reading the system's roots takes a while, and in clear text nobody asks for them.
        let roots = if address.is_encrypted() {
            roots()
        } else {
            RootCertStore::empty()
        };
        let connector = Connector::new()
            .rustls_0_23(Arc::new(outgoing::tls(roots)))
            .timeout(CONNECT_TIMEOUT)
            .handshake_timeout(CONNECT_TIMEOUT)
            .conn_keep_alive(KEEP_ALIVE);
        let http = HttpClient::builder()
            .connector(connector)
            .disable_redirects()
            // Each call has its own, which also covers the body.
            .disable_timeout()
            .add_default_header((
                "User-Agent",
                concat!("acctpool/", env!("CARGO_PKG_VERSION")),
            ))
            .finish();
        Self {
            http,
            address,
            token,
        }
    }

    /// Sends a call and reads the whole answer. Any status but a success is an error.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, ClientError> {
        let may_redirect = call.may_redirect;
        let what = format!("{} {}", call.method, path_of(&call.target));
        let limit = call.timeout;
        let answer = timeout(limit, self.exchange(call))
            .await
            .unwrap_or_else(|_| {
                Err(self.unreachable(format!("no answer within {} s", limit.as_secs())))
            })
            .inspect_err(|error| log::debug!("{what}: {error}"))?;
        log::debug!("{what}: {}", answer.status);
        match answer.status {
            status if status.is_success() => Ok(answer),
            status if status.is_redirection() && may_redirect => Ok(answer),
            status if status.is_redirection() => {
                Err(self.unreadable(format!("{status}; it may be at another address")))
            }
            _ => Err(ClientError::Refused(answer.problem())),
        }
    }

    async fn exchange(&self, call: Call) -> Result<Answer, ClientError> {
        let url = format!("{}{}", self.address, call.target);
        let mut request = self
            .http
            .request(call.method, url)
            .insert_header((ACCEPT, "application/json"));
        if let Some(token) = &self.token {
            let value = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| self.unreachable("the token cannot be sent"))?;
            value.set_sensitive(true);
            request = request.insert_header((AUTHORIZATION, value));
        }
        for header in call.headers {
            request = request.insert_header(header);
        }
        let sent = match call.body {
            Some(body) => request.send_json(&body),
            None => request.send(),
        };
        let mut response = sent.await.map_err(|error| self.unsent(&error))?;
        let status = response.status();
        let body = response.body().limit(ANSWER_SIZE).await;
        let body = body.map_err(|error| self.unreachable(format!("{status}, then {error}")))?;
        Ok(Answer {
            status,
            headers: response.headers().clone(),
            body: Zeroizing::new(body.into()),
            at: Instant::now(),
        })
    }

    /// Reads the JSON of an answer.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        answer: &Answer,
    ) -> Result<Told<T>, ClientError> {
        let unreadable = |error: serde_json::Error| {
            // Its text may quote a value.
            let place = format!("line {}, column {}", error.line(), error.column());
            self.unreadable(format!("its answer is not what was asked for, at {place}"))
        };
        Ok(Told {
            facts: serde_json::from_slice(&answer.body).map_err(unreadable)?,
            document: serde_json::from_slice(&answer.body).map_err(unreadable)?,
        })
    }

    fn unsent(&self, error: &SendRequestError) -> ClientError {
        if let SendRequestError::Connect(ConnectError::Io(failure)) = error
            && let Some(cause) = failure.get_ref()
            && let Some(rustls::Error::InvalidCertificate(_)) = cause.downcast_ref()
        {
            return ClientError::Untrusted {
                address: self.address.to_string(),
                cause: cause.to_string(),
            };
        }
        self.unreachable(error.to_string())
    }

    fn unreachable(&self, cause: impl Into<String>) -> ClientError {
        ClientError::Unreachable {
            address: self.address.to_string(),
            cause: cause.into(),
        }
    }

    pub(super) fn unreadable(&self, why: impl Into<String>) -> ClientError {
        ClientError::Unreadable {
            address: self.address.to_string(),
            why: why.into(),
        }
    }
}

/// What a server told: read, and as it came. Both may hold credentials, so it cannot be shown.
pub(crate) struct Told<T> {
    /// What this client knows of it.
    pub(crate) facts: T,
    /// All of it.
    pub(crate) document: Value,
}

/// An answer. It may carry secrets, so it cannot be shown.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    /// When it had come.
    at: Instant,
}

impl Answer {
    /// Returns how long the server wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        // The service says it in seconds; a proxy that says it as a date is asked by our own pauses.
        let seconds = self.header(&RETRY_AFTER)?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(LONGEST_PATIENCE))
    }

    /// Tells whether the server heeded the wish to wait.
    pub(super) fn has_waited(&self) -> bool {
        let applied = self.header(&PREFERENCE_APPLIED);
        applied.is_some_and(|applied| applied.contains("wait"))
    }

    /// Returns where it leads to.
    pub(super) fn location(&self) -> Option<&str> {
        self.header(&LOCATION)
    }

    /// Returns when a moment that the server named is here. Its own clock is what it was named by,
    /// so the difference to its `Date` is what counts, however wrong the clock of this machine is.
    pub(super) fn instant_of(&self, moment: OffsetDateTime) -> Instant {
        let date = self.header(&DATE);
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let now = date.map_or_else(OffsetDateTime::now_utc, OffsetDateTime::from);
        let left = Duration::try_from(moment - now).unwrap_or_default();
        self.at + left
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn problem(&self) -> Problem {
        let mut problem: Problem = serde_json::from_slice(&self.body).unwrap_or_default();
        problem.status = self.status.as_u16();
        problem.retry_after = self.retry_after();
        problem
    }
}

/// What may be logged of a target: what users wrote about themselves is in the query.
fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or(target)
}
