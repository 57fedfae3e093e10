//! `/reservations`: ask, look, wait, renew, give back, list.

use std::time::{Duration, Instant};

use awc::http::header::HeaderName;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::call::{Call, segment};
use super::error::ClientError;
use super::exchange::{Client, Told};
use super::pages::PAGE;
use super::statistics::Counts;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What is asked for. What is `None` is left to the server.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// The type of the account.
    pub(crate) account_type: Option<String>,
    /// How long at most, as a user writes it.
    pub(crate) duration: Option<String>,
    /// How long it lasts without being renewed.
    pub(crate) ttl: Option<Duration>,
    /// How many accounts.
    pub(crate) count: Option<u32>,
    /// What for, for operators to read.
    pub(crate) purpose: Option<String>,
    /// Where there is more about it.
    pub(crate) link: Option<String>,
}

impl Wish {
    fn to_json(&self) -> Value {
        let mut body = Map::new();
        let ttl = self
            .ttl
            .map(|ttl| humantime::format_duration(ttl).to_string());
        let texts = [
            ("type", &self.account_type),
            ("duration", &self.duration),
            ("ttl", &ttl),
            ("purpose", &self.purpose),
            ("link", &self.link),
        ];
        for (name, text) in texts {
            let text = text.as_deref();
            body.extend(text.map(|text| (name.to_owned(), text.into())));
        }
        let count = self.count.map(|count| ("count".to_owned(), count.into()));
        body.extend(count);
        body.into()
    }
}

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It waits for accounts.
    Pending,
    /// It holds them.
    Active,
    /// It is over.
    Ended,
    /// A later version of the server says something else.
    #[serde(other)]
    Unknown,
}

/// A reservation, as far as this client reads it.
#[derive(Deserialize)]
pub(crate) struct Reservation {
    /// Its id.
    pub(crate) id: String,
    /// Where it stands.
    pub(crate) state: State,
    /// The type of its accounts.
    #[serde(rename = "type", default)]
    pub(crate) account_type: String,
    /// How many stand before it, and itself: 1 is next.
    #[serde(default)]
    pub(crate) queue_position: Option<u64>,
    /// In how many seconds it is probably active.
    #[serde(default)]
    pub(crate) estimated_wait: Option<u64>,
    /// How many accounts of its type are in each state, while it waits.
    #[serde(default)]
    pub(crate) accounts: Option<Counts>,
    /// When its lease ends unless it is renewed.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(crate) expiration: Option<OffsetDateTime>,
    /// Why it is over.
    #[serde(default)]
    pub(crate) end_reason: Option<String>,
    #[serde(default)]
    account: Option<AccountName>,
    #[serde(default)]
    credentials: Option<Credentials>,
    #[serde(default)]
    leases: Vec<Lease>,
}

impl Reservation {
    /// Tells whether there is a way into every account that it holds, and at least one.
    pub(crate) fn has_credentials(&self) -> bool {
        if self.account.is_some() {
            return self.credentials.is_some();
        }
        let mut leases = self.leases.iter();
        !self.leases.is_empty() && leases.all(|lease| lease.credentials.is_some())
    }

    /// Takes out what it holds: one lease per account.
    pub(crate) fn take_leases(&mut self) -> Vec<Lease> {
        let single = self.account.take().map(|account| Lease {
            account,
            credentials: self.credentials.take(),
        });
        single.into_iter().chain(self.leases.drain(..)).collect()
    }

    /// Returns the ids of the accounts that it holds.
    pub(crate) fn held(&self) -> impl Iterator<Item = &str> {
        let leases = self.leases.iter().map(|lease| &lease.account);
        let accounts = self.account.iter().chain(leases);
        accounts.map(|account| account.id.as_str())
    }
}

#[derive(Deserialize)]
struct AccountName {
    id: String,
}

/// One account that a reservation holds.
#[derive(Deserialize)]
pub(crate) struct Lease {
    account: AccountName,
    /// The way in, if it was asked for and there is one.
    #[serde(default)]
    pub(crate) credentials: Option<Credentials>,
}

impl Lease {
    /// Returns the account's id.
    pub(crate) fn account(&self) -> &str {
        &self.account.id
    }
}

/// The way into an account.
#[derive(Clone, Deserialize)]
pub(crate) struct Credentials {
    /// The API key that was made for this lease.
    #[serde(deserialize_with = "secret")]
    pub(crate) api_key: SecretString,
    /// Where it is exchanged for a token.
    #[serde(default)]
    pub(crate) iam_url: Option<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// A reservation as one answer showed it.
pub(crate) struct Seen {
    /// The reservation.
    pub(crate) told: Told<Reservation>,
    /// When its lease ends, by the clock of this machine.
    pub(crate) expires_at: Option<Instant>,
    /// Whether the server held the answer as long as it was asked to.
    pub(crate) has_waited: bool,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// Which reservations to list.
#[derive(Debug, Default)]
pub(crate) struct ReservationFilter {
    /// Only those in this state.
    pub(crate) state: Option<String>,
    /// Everybody's, for those who may see them.
    pub(crate) all: bool,
}

impl Client {
    /// Asks for accounts; returns the reservation's id. Repeated with the same key, it is the same
    /// reservation.
    pub(crate) async fn reserve(&self, wish: &Wish, key: Uuid) -> Result<String, ClientError> {
        let call = Call::post("/reservations")
            .header(IDEMPOTENCY_KEY, key.to_string())
            .json(wish.to_json())
            .redirecting();
        let answer = self.send(call).await?;
        // It leads to the reservation; where that is, is known but for the id. So the token is never
        // sent to an address out of an answer.
        let id = answer
            .location()
            .and_then(|location| location.split('?').next()?.rsplit('/').next())
            .filter(|id| Uuid::try_parse(id).is_ok());
        id.map(ToOwned::to_owned)
            .ok_or_else(|| self.unreadable("it leads to no reservation"))
    }

    /// Looks at a reservation, with its credentials if it is active. Told to wait, the server answers
    /// when it is active, or after so many seconds.
    pub(crate) async fn show(&self, id: &str, wait: Option<u64>) -> Result<Seen, ClientError> {
        let call = Call::get(path(id));
        let call = match wait {
            Some(seconds) => call.waiting(seconds),
            None => call,
        };
        self.see(call).await
    }

    /// Lets the time to live of a lease begin anew, and with a duration extends the lease.
    pub(crate) async fn renew(
        &self,
        id: &str,
        duration: Option<&str>,
    ) -> Result<Seen, ClientError> {
        self.see(Call::post(format!("{}/renew", path(id))).query("duration", duration))
            .await
    }

    /// Gives back what a reservation holds, or stops waiting. May be repeated.
    pub(crate) async fn release(&self, id: &str) -> Result<(), ClientError> {
        self.send(Call::delete(path(id))).await.map(drop)
    }

    /// Lists reservations, the oldest first.
    pub(crate) async fn list(
        &self,
        filter: &ReservationFilter,
    ) -> Result<Vec<Told<Reservation>>, ClientError> {
        let call = |cursor: Option<&str>| {
            Call::get("/reservations")
                .query("limit", Some(PAGE))
                .query("state", filter.state.as_deref())
                .query("all", filter.all.then_some("true"))
                .query("cursor", cursor)
        };
        self.all_pages("reservations", call).await
    }

    async fn see(&self, call: Call) -> Result<Seen, ClientError> {
        let answer = self.send(call).await?;
        let told: Told<Reservation> = self.read(&answer)?;
        Ok(Seen {
            expires_at: told
                .facts
                .expiration
                .map(|expiration| answer.instant_of(expiration)),
            told,
            has_waited: answer.has_waited(),
            retry_after: answer.retry_after(),
        })
    }
}

pub(super) fn path(id: &str) -> String {
    format!("/reservations/{}", segment(id))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn read(document: Value) -> Reservation {
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn what_is_not_known_does_not_disturb() {
        let mut reservation = read(json!({
            "id": "0b6c", "state": "hibernating", "type": "lite", "mood": {"good": true},
            "account": {"id": "A", "region": "eu-de"}, "credentials": {"api_key": "k", "kind": 7},
        }));
        assert_eq!(reservation.state, State::Unknown);
        let leases = reservation.take_leases();
        assert_eq!(leases.len(), 1);
        assert_eq!(leases[0].account(), "A");
        let credentials = leases[0].credentials.as_ref().unwrap();
        assert_eq!(credentials.api_key.expose_secret(), "k");
    }

    #[test]
    fn several_accounts_are_several_leases() {
        let lease = |id: &str| json!({"account": {"id": id}, "credentials": {"api_key": id}});
        let mut reservation = read(json!({
            "id": "0b6c", "state": "active", "count": 2, "leases": [lease("A"), lease("B")],
        }));
        let accounts: Vec<_> = reservation.held().collect();
        assert_eq!(accounts, ["A", "B"]);
        assert_eq!(reservation.take_leases().len(), 2);
    }

    #[test]
    fn only_what_was_asked_for_is_sent() {
        assert_eq!(Wish::default().to_json(), json!({}));
        let wish = Wish {
            account_type: Some("lite".to_owned()),
            duration: Some("90".to_owned()),
            ttl: Some(Duration::from_secs(90)),
            count: Some(3),
            ..Wish::default()
        };
        let sent = json!({"type": "lite", "duration": "90", "ttl": "1m 30s", "count": 3});
        assert_eq!(wish.to_json(), sent);
    }
}
