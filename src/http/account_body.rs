//! An account in JSON, for those who look after the pool. Times are whole seconds.

use acctpool_actors::pool::{
    AccountView, Holder, Leftover, Progress, QuarantineView, Receipt, Timestamp,
};
use serde::Serialize;

use super::reservation_body::{maybe_seconds, whole_seconds};

/// The JSON of an account.
#[derive(Serialize)]
pub(super) struct AccountBody<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    account_type: &'a str,
    state: &'static str,
    #[serde(serialize_with = "whole_seconds")]
    since: Timestamp,
    configured: bool,
    draining: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<HolderBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<&'a Progress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine: Option<QuarantineBody<'a>>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    last_verification: Option<Timestamp>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds"
    )]
    last_key_rotation: Option<Timestamp>,
    key_epoch: u32,
    /// The newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    cleanings: Option<Vec<Receipt>>,
}

#[derive(Serialize)]
struct HolderBody<'a> {
    reservation: String,
    consumer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(serialize_with = "whole_seconds")]
    expiration: Timestamp,
}

#[derive(Serialize)]
struct QuarantineBody<'a> {
    reason: &'a str,
    /// How many items could not be deleted.
    leftovers: usize,
    /// The first of them, where one account is told of.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    items: &'a [Leftover],
    /// Whether a lease credential may still work.
    revoking: bool,
}

impl<'a> AccountBody<'a> {
    /// Says where an account stands.
    pub(super) fn new(view: &'a AccountView) -> Self {
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
    pub(super) fn with_cleanings(mut self, mut cleanings: Vec<Receipt>) -> Self {
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
