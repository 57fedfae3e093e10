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

use super::Context;
use super::problem::whole_minutes;
use super::statistics::AccountCounts;

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
    /// Where several accounts were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    /// In minutes.
    duration: u64,
    /// As it can be sent back.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(serialize_with = "whole_seconds")]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_position: Option<u64>,
    /// In seconds, where it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_wait: Option<u64>,
    /// Why it waits, where it is not only for leases to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<AccountCounts>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    expiration: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<CredentialsBody<'a>>,
    /// Instead of these two, where several accounts were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leases: Vec<LeaseBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<&'static str>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    ended_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct LeaseBody<'a> {
    account: AccountBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<CredentialsBody<'a>>,
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
        Self::new(view, now, |_| None)
    }

    /// Says where a reservation stands at `now`, with the credentials if it has a lease that is
    /// live and was claimed.
    pub(super) fn with_credentials(
        view: &'a ReservationView,
        now: Timestamp,
        context: &'a Context,
    ) -> Self {
        Self::new(view, now, |lease| {
            let credential = lease.credential.as_ref()?;
            Some(CredentialsBody {
                api_key: context.keys.reveal(&lease.account, credential)?,
                iam_url: &context.iam_url,
                service_id: &credential.service_id,
            })
        })
    }

    /// Says of one that waits for how long and why, as far as these counts of everything tell.
    pub(super) fn with_reasons(mut self, statistics: &Statistics) -> Self {
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
