//! A reservation in JSON, as `design.md` 9 shows it.
//!
//! What an answer says about a lease is decided here, at the moment in which it is rendered: a
//! lease whose expiration has passed is shown as ended, whatever the pool said a while ago (P3).

use acctpool_actors::pool::{
    AccountId, Credential, EndReason, ReservationStatus, ReservationView, Timestamp,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::Context;
use super::problem::whole_minutes;

/// Where a reservation stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Reservation, example = json!({
    "id": "0b6c1f2e-8a57-4c3d-9e21-5d7f3a9b1c04",
    "state": "active",
    "type": "lite",
    "duration": 60,
    "created_at": "2026-05-01T10:00:00Z",
    "expiration": "2026-05-01T11:00:00Z",
    "account": {"id": "0123456789abcdef0123456789abcdef"},
    "credentials": {
        "api_key": "…",
        "iam_url": "https://iam.cloud.ibm.com",
        "service_id": "ServiceId-4f1e…",
    },
}))]
pub(super) struct ReservationBody<'a> {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// `pending`, `active` or `ended`.
    state: &'static str,
    /// The type of account that was asked for.
    #[serde(rename = "type")]
    account_type: &'a str,
    /// How long its lease may last, in minutes.
    duration: u64,
    /// When it was made.
    #[serde(serialize_with = "whole_seconds")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// While it is pending: its place among those that wait for the same type. 1 is next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    queue_position: Option<u64>,
    /// While it is active: when the lease ends.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    expiration: Option<Timestamp>,
    /// While it is active: what it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    account: Option<AccountBody<'a>>,
    /// While it is active, where a single reservation is asked for: what opens the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    credentials: Option<CredentialsBody<'a>>,
    /// Once it has ended: `cancelled`, `expired`, `abandoned` or `revoked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    end_reason: Option<&'static str>,
    /// Once it has ended: since when.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    ended_at: Option<Timestamp>,
}

/// An account that is held.
#[derive(Serialize, ToSchema)]
#[schema(as = LeasedAccount)]
struct AccountBody<'a> {
    /// Its id at IBM Cloud.
    id: &'a str,
}

/// What opens an account until the lease ends.
#[derive(Serialize, ToSchema)]
#[schema(as = Credentials)]
struct CredentialsBody<'a> {
    /// An API key of IBM Cloud, made for this lease alone.
    #[serde(serialize_with = "reveal")]
    #[schema(value_type = String, format = Password)]
    api_key: SecretString,
    /// Where it is exchanged for a token.
    iam_url: &'a str,
    /// Whose API key it is.
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

    fn claim(view: &'a ReservationView) -> Self {
        Self {
            id: view.id.to_string(),
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
fn maybe_seconds<S: Serializer>(
    moment: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => whole_seconds(moment, serializer),
        None => serializer.serialize_none(),
    }
}
