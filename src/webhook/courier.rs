//! The adapter of the Courier port over awc.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use acctpool_actors::Notification;
use acctpool_actors::courier::{Courier, Delivery};
use acctpool_actors::pool::Timestamp;
use awc::http::StatusCode;
use awc::http::header::{HeaderMap, RETRY_AFTER};
use awc::{Client, Connector};

use super::address::Address;
use super::message::Message;
use super::secret::Secret;
use crate::outgoing;

/// How long a receiver may take to answer, all told. The specification advises 15 to 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where messages go, and how they are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Where the receiver is.
    pub address: Address,
    /// What it tells our messages by.
    pub secret: Secret,
}

/// Takes messages to one receiver.
pub struct HttpCourier {
    client: Client,
    destination: Destination,
}

/// What a receiver answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// Makes the HTTP client of an arbiter: TLS with the system's roots, no redirects.
#[must_use]
pub fn client() -> Client {
    let connector = Connector::new()
        .rustls_0_23(Arc::new(outgoing::tls(outgoing::system_roots())))
        .timeout(TIMEOUT)
        .handshake_timeout(TIMEOUT);
    Client::builder()
        .connector(connector)
        .disable_redirects()
        .timeout(TIMEOUT)
        .add_default_header((
            "User-Agent",
            concat!("acctpool/", env!("CARGO_PKG_VERSION")),
        ))
        .finish()
}

impl HttpCourier {
    /// Returns a courier, to be used on the client's arbiter.
    #[must_use]
    pub fn new(client: Client, destination: Destination) -> Self {
        Self {
            client,
            destination,
        }
    }

    /// Returns one that goes elsewhere, by the same client.
    #[must_use]
    pub fn bound_for(&self, destination: Destination) -> Self {
        Self::new(self.client.clone(), destination)
    }

    /// Sends a message once. The error says, for people, why there is no answer.
    pub async fn post(&self, message: &Message, now: Timestamp) -> Result<Answer, String> {
        let Destination { address, secret } = &self.destination;
        let Message { id, body } = message;
        let timestamp = now.unix_timestamp();
        let request = self
            .client
            .post(address.reveal())
            .content_type("application/json")
            .insert_header(("webhook-id", id.as_str()))
            .insert_header(("webhook-timestamp", timestamp.to_string()))
            .insert_header(("webhook-signature", secret.sign(id, timestamp, body)));
        // The body of the answer is nobody's business.
        let response = request.send_body(body.clone()).await;
        let response = response.map_err(|error| format!("{}: {error}", address.host()))?;
        Ok(Answer {
            status: response.status(),
            retry_after: retry_after(response.headers(), now),
        })
    }
}

impl Courier for HttpCourier {
    async fn deliver(&self, notification: &Notification, now: Timestamp) -> Delivery {
        match self.post(&Message::of(notification), now).await {
            Ok(Answer { status, .. }) if status.is_success() => Delivery::Accepted,
            Ok(Answer { status, .. }) if status == StatusCode::GONE => Delivery::Gone,
            Ok(Answer {
                status,
                retry_after,
            }) => Delivery::Failed {
                reason: format!("{}: {status}", self.destination.address.host()),
                retry_after,
            },
            Err(reason) => Delivery::Failed {
                reason,
                retry_after: None,
            },
        }
    }
}

/// Reads `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    at.duration_since(SystemTime::from(now)).ok()
}

#[cfg(test)]
mod tests {
    use awc::http::header::HeaderValue;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn patience_is_asked_for_in_seconds_or_by_a_date() {
        let now = datetime!(2026-05-01 10:00 UTC);
        let said = [
            ("90", Some(90)),
            ("Fri, 01 May 2026 10:02:00 GMT", Some(120)),
            ("Fri, 01 May 2026 09:00:00 GMT", None),
            ("soon", None),
            ("-1", None),
        ];
        for (text, seconds) in said {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            let asked = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), asked, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
