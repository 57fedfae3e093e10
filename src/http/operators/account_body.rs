//! An account in JSON, for those who look after the pool. Times are whole seconds.

use acctpool_actors::pool::{
    AccountView, Holder, Leftover, Progress, QuarantineView, Receipt, Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answer::words::AccountState;
use crate::http::reservations::body::{maybe_seconds, whole_seconds};
use crate::http::reservations::receipt_schema;

/// Where an account stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountBody<'a> {
    /// Its id at IBM Cloud.
    id: &'a str,
    /// Its type.
    #[serde(rename = "type")]
    account_type: &'a str,
    /// Where it stands.
    #[schema(value_type = AccountState)]
    state: &'static str,
    /// Since when.
    #[serde(serialize_with = "whole_seconds")]
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Whether it is in the configuration.
    configured: bool,
    /// Whether it will not be lent again.
    draining: bool,
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    holder: Option<HolderBody<'a>>,
    /// Where its cleaning is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<receipt_schema::Progress>, nullable = false)]
    progress: Option<&'a Progress>,
    /// Why it needs a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    quarantine: Option<QuarantineBody<'a>>,
    /// When it was last verified.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_verification: Option<Timestamp>,
    /// When its management key was last changed.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_key_rotation: Option<Timestamp>,
    /// The epoch of its management key: 0 is the configured one.
    key_epoch: u32,
    /// What its last cleanings did, the newest first, where one account is told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<receipt_schema::Receipt>>, nullable = false)]
    cleanings: Option<Vec<Receipt>>,
}

/// Who holds an account.
#[derive(Serialize, ToSchema)]
#[schema(as = Holder)]
struct HolderBody<'a> {
    /// The reservation.
    #[schema(format = "uuid")]
    reservation: String,
    /// Whose it is.
    consumer: &'a str,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    purpose: Option<&'a str>,
    /// Where what it is for can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    link: Option<&'a str>,
    /// When the lease ends.
    #[serde(serialize_with = "whole_seconds")]
    #[schema(value_type = String, format = DateTime)]
    expiration: Timestamp,
}

/// Why an account needs a person.
#[derive(Serialize, ToSchema)]
#[schema(as = Quarantine)]
struct QuarantineBody<'a> {
    /// In words.
    reason: &'a str,
    /// How many items could not be deleted.
    leftovers: usize,
    /// The first of them, where one account is told of.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<receipt_schema::Leftover>, required = false)]
    items: &'a [Leftover],
    /// Whether a lease credential may still work.
    revoking: bool,
}

impl<'a> AccountBody<'a> {
    /// Says where an account stands.
    pub(crate) fn new(view: &'a AccountView) -> Self {
        Self {
            id: view.id.as_str(),
            account_type: view.account_type.as_str(),
            state: view.state.as_str(),
            since: view.since,
            configured: view.configured,
            draining: view.draining,
            holder: view.holder.as_ref().map(HolderBody::new),
            progress: view.progress.as_ref(),
            quarantine: view.quarantine.as_ref().map(QuarantineBody::new),
            last_verification: view.verified_at,
            last_key_rotation: view.key_changed_at,
            key_epoch: view.key_epoch.0,
            cleanings: None,
        }
    }

    /// Adds what its last cleanings did. What was deleted and what is kept is counted only:
    /// `acctpool receipts` names it.
    pub(crate) fn with_cleanings(mut self, mut cleanings: Vec<Receipt>) -> Self {
        for cleaning in &mut cleanings {
            for collection in &mut cleaning.collections {
                collection.items.deleted.clear();
                collection.items.kept.clear();
            }
        }
        self.cleanings = Some(cleanings);
        self
    }
}

impl<'a> HolderBody<'a> {
    fn new(holder: &'a Holder) -> Self {
        Self {
            reservation: holder.reservation.to_string(),
            consumer: holder.consumer.as_str(),
            purpose: holder.purpose.as_deref(),
            link: holder.link.as_deref(),
            expiration: holder.expiration,
        }
    }
}

impl<'a> QuarantineBody<'a> {
    fn new(quarantine: &'a QuarantineView) -> Self {
        Self {
            reason: &quarantine.reason,
            leftovers: quarantine.leftovers,
            items: &quarantine.items,
            revoking: quarantine.revoking,
        }
    }
}
