//! A reservation in JSON, as `design.md` 9 shows it.
//!
//! What an answer says about a lease is decided here, at the moment in which it is rendered: a
//! lease whose expiration has passed is shown as ended, whatever the pool said a while ago (P3).

use std::time::Duration;

use acctpool_actors::pool::{
    AccountType, EndReason, Lease, ReservationStatus, ReservationView, Statistics, Timestamp,
    TokenId,
};
use humantime::format_duration;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::list::State;
use crate::http::Context;
use crate::http::answer::words::ReservationEndReason;
use crate::http::monitoring::statistics::AccountCounts;
use crate::http::problem::whole_minutes;

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
pub(crate) struct ReservationBody<'a> {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// Whose it is, for those who see everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    consumer: Option<&'a str>,
    /// Where it stands.
    #[schema(value_type = State)]
    state: &'static str,
    /// The type of account that was asked for.
    #[serde(rename = "type")]
    account_type: &'a str,
    /// How many accounts were asked for, where there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    count: Option<usize>,
    /// How long its lease may last, in minutes.
    duration: u64,
    /// How long the lease may go on without being renewed, as it can be sent back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ttl: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    purpose: Option<&'a str>,
    /// Where what it is for can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    link: Option<&'a str>,
    /// When it was made.
    #[serde(serialize_with = "whole_seconds")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// While it is pending: its place among those that wait for the same type. 1 is next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    queue_position: Option<u64>,
    /// While it is pending: how long it may still take, in seconds, where it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    estimated_wait: Option<u64>,
    /// While it is pending: why, where it is not only for leases to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    accounts: Option<AccountCounts>,
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
    /// Instead of these two, where several accounts were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    leases: Vec<LeaseBody<'a>>,
    /// Once it has ended: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ReservationEndReason>, nullable = false)]
    end_reason: Option<&'static str>,
    /// Once it has ended: since when.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    ended_at: Option<Timestamp>,
}

/// One of several accounts that are held.
#[derive(Serialize, ToSchema)]
#[schema(as = Lease)]
struct LeaseBody<'a> {
    /// The account.
    account: AccountBody<'a>,
    /// What opens it, where a single reservation is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    credentials: Option<CredentialsBody<'a>>,
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
    #[schema(format = "uri")]
    iam_url: Box<str>,
    /// Whose API key it is.
    service_id: &'a str,
}

impl<'a> ReservationBody<'a> {
    /// Says where a reservation stands at `now`, without credentials.
    pub(crate) fn without_credentials(view: &'a ReservationView, now: Timestamp) -> Self {
        Self::new(view, now, |_| None)
    }

    /// Says where a reservation stands at `now`, with the credentials if it has a lease that is
    /// live and was claimed.
    pub(crate) fn with_credentials(
        view: &'a ReservationView,
        now: Timestamp,
        context: &'a Context,
    ) -> Self {
        Self::new(view, now, |lease| {
            let credential = lease.credential.as_ref()?;
            Some(CredentialsBody {
                api_key: context.keys.reveal(&lease.account, credential)?,
                iam_url: context.settings.load().iam_url.clone(),
                service_id: &credential.service_id,
            })
        })
    }

    /// Says of one that waits for how long and why, as far as these counts of everything tell.
    pub(crate) fn with_reasons(mut self, statistics: &Statistics) -> Self {
        let counts = statistics.types.get(&AccountType::from(self.account_type));
        if let (Some(queue_position), Some(counts)) = (self.queue_position, counts) {
            let wait = counts.estimated_wait(queue_position);
            // Rather a little too long than too short.
            let seconds = |wait: Duration| wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            self.estimated_wait = wait.map(seconds);
            let others = counts.total() > counts.leased;
            self.accounts = others.then(|| AccountCounts::new(counts));
        }
        self
    }

    fn new(
        view: &'a ReservationView,
        now: Timestamp,
        credentials: impl Fn(&'a Lease) -> Option<CredentialsBody<'a>>,
    ) -> Self {
        let mut body = Self::claim(view);
        match &view.status {
            ReservationStatus::Pending { queue_position } => {
                body.state = "pending";
                body.queue_position = Some(*queue_position);
            }
            ReservationStatus::Active {
                expiration, leases, ..
            } if now < *expiration => {
                body.state = "active";
                body.expiration = Some(*expiration);
                let leases = leases.iter().map(|lease| LeaseBody {
                    account: AccountBody {
                        id: lease.account.as_str(),
                    },
                    credentials: credentials(lease),
                });
                body.hold(leases.collect());
            }
            ReservationStatus::Active {
                expiration, lapse, ..
            } => body.end(*lapse, *expiration),
            ReservationStatus::Ended { reason, ended_at } => body.end(*reason, *ended_at),
        }
        body
    }

    /// Adds whose it is.
    pub(crate) fn of(mut self, consumer: &'a TokenId) -> Self {
        self.consumer = Some(consumer.as_str());
        self
    }

    fn claim(view: &'a ReservationView) -> Self {
        Self {
            id: view.id.to_string(),
            consumer: None,
            state: "ended",
            account_type: view.account_type.as_str(),
            count: (view.count > 1).then_some(view.count),
            duration: whole_minutes(view.duration),
            ttl: view.ttl.map(|ttl| format_duration(ttl).to_string()),
            purpose: view.purpose.as_deref(),
            link: view.link.as_deref(),
            created_at: view.created_at,
            queue_position: None,
            estimated_wait: None,
            accounts: None,
            expiration: None,
            account: None,
            credentials: None,
            leases: Vec::new(),
            end_reason: None,
            ended_at: None,
        }
    }

    /// Shows what is held: one account as such, several as a list.
    fn hold(&mut self, mut leases: Vec<LeaseBody<'a>>) {
        if self.count.is_none()
            && let Some(only) = leases.pop()
        {
            self.account = Some(only.account);
            self.credentials = only.credentials;
        }
        self.leases = leases;
    }

    fn end(&mut self, reason: EndReason, ended_at: Timestamp) {
        self.state = "ended";
        self.end_reason = Some(reason.as_str());
        self.ended_at = Some(ended_at);
    }
}

/// The one place where a lease credential becomes text.
fn reveal<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// Writes a moment as RFC 3339. Fractions are cut off, so that a client that trusts an expiration
/// stops a little early rather than late.
pub(crate) fn whole_seconds<S: Serializer>(
    moment: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time::serde::rfc3339::serialize(&moment.truncate_to_second(), serializer)
}

#[expect(
    clippy::ref_option,
    reason = "serde passes a reference to the field, whatever its type"
)]
pub(crate) fn maybe_seconds<S: Serializer>(
    moment: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => whole_seconds(moment, serializer),
        None => serializer.serialize_none(),
    }
}
