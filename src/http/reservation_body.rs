//! A reservation in JSON, as `design.md` 9 shows it.
//!
//! What an answer says about a lease is decided here, at the moment in which it is rendered: a
//! lease whose expiration has passed is shown as ended, whatever the pool said a while ago (P3).

use acctpool_actors::pool::{
    AccountId, Credential, EndReason, ReservationStatus, ReservationView, Timestamp, TokenId,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

use super::Context;
use super::problem::whole_minutes;

/// The JSON of a reservation.
#[derive(Serialize)]
pub(super) struct ReservationBody<'a> {
    id: String,
    /// Whose it is, for those who see everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'a str>,
    state: &'static str,
    #[serde(rename = "type")]
    account_type: &'a str,
    /// In minutes.
    duration: u64,
    #[serde(serialize_with = "whole_seconds")]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_position: Option<u64>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    expiration: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<CredentialsBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<&'static str>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    ended_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct AccountBody<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct CredentialsBody<'a> {
    #[serde(serialize_with = "reveal")]
    api_key: SecretString,
    iam_url: &'a str,
    service_id: &'a str,
}

impl<'a> ReservationBody<'a> {
    /// Says where a reservation stands at `now`, without credentials.
    pub(super) fn without_credentials(view: &'a ReservationView, now: Timestamp) -> Self {
        let mut body = Self::claim(view);
        match &view.status {
            ReservationStatus::Pending { queue_position } => {
                body.state = "pending";
                body.queue_position = Some(*queue_position);
            }
            ReservationStatus::Active {
                expiration,
                account,
                ..
            } if now < *expiration => {
                body.state = "active";
                body.expiration = Some(*expiration);
                body.account = Some(AccountBody {
                    id: account.as_str(),
                });
            }
            ReservationStatus::Active { expiration, .. } => {
                body.end(EndReason::Expired, *expiration);
            }
            ReservationStatus::Ended { reason, ended_at } => body.end(*reason, *ended_at),
        }
        body
    }

    /// Says where a reservation stands at `now`, with the credential if it has a lease that is
    /// live.
    pub(super) fn with_credentials(
        view: &'a ReservationView,
        now: Timestamp,
        context: &'a Context,
    ) -> Self {
        let mut body = Self::without_credentials(view, now);
        if let Some((account, credential)) = live_credential(view, now)
            && let Some(api_key) = context.keys.reveal(account, credential)
        {
            body.credentials = Some(CredentialsBody {
                api_key,
                iam_url: &context.iam_url,
                service_id: &credential.service_id,
            });
        }
        body
    }

    /// Adds whose it is.
    pub(super) fn of(mut self, consumer: &'a TokenId) -> Self {
        self.consumer = Some(consumer.as_str());
        self
    }

    fn claim(view: &'a ReservationView) -> Self {
        Self {
            id: view.id.to_string(),
            consumer: None,
            state: "ended",
            account_type: view.account_type.as_str(),
            duration: whole_minutes(view.duration),
            created_at: view.created_at,
            queue_position: None,
            expiration: None,
            account: None,
            credentials: None,
            end_reason: None,
            ended_at: None,
        }
    }

    fn end(&mut self, reason: EndReason, ended_at: Timestamp) {
        self.state = "ended";
        self.end_reason = Some(reason.as_str());
        self.ended_at = Some(ended_at);
    }
}

fn live_credential(view: &ReservationView, now: Timestamp) -> Option<(&AccountId, &Credential)> {
    match &view.status {
        ReservationStatus::Active {
            expiration,
            account,
            credential: Some(credential),
        } if now < *expiration => Some((account, credential)),
        _ => None,
    }
}

/// The one place where a lease credential becomes text.
fn reveal<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// Writes a moment as RFC 3339. Fractions are cut off, so that a client that trusts an expiration
/// stops a little early rather than late.
pub(super) fn whole_seconds<S: Serializer>(
    moment: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time::serde::rfc3339::serialize(&moment.truncate_to_second(), serializer)
}

#[expect(
    clippy::ref_option,
    reason = "serde passes a reference to the field, whatever its type"
)]
pub(super) fn maybe_seconds<S: Serializer>(
    moment: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => whole_seconds(moment, serializer),
        None => serializer.serialize_none(),
    }
}
