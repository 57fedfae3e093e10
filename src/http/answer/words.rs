//! The words by which the pool's states are called on the wire, for the document of the API.
//!
//! The states belong to the crate that decides, which knows nothing of documents. What is described
//! here is made of the very words that are answered.

use acctpool_actors::pool::{EndReason, ReceiptState, StateKind};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Where an account stands.
pub(crate) struct AccountState;

/// Why a reservation is over.
pub(crate) struct ReservationEndReason;

/// How a cleaning ended, or that it goes on.
pub(crate) struct CleaningState;

impl PartialSchema for AccountState {
    fn schema() -> RefOr<Schema> {
        let states = StateKind::ALL.map(StateKind::as_str);
        one_of(&states, "Where an account stands.")
    }
}

impl PartialSchema for ReservationEndReason {
    fn schema() -> RefOr<Schema> {
        one_of(&EndReason::ALL, "Why a reservation is over.")
    }
}

impl PartialSchema for CleaningState {
    fn schema() -> RefOr<Schema> {
        let words = "How a cleaning ended; `cleaning` until then.";
        one_of(&ReceiptState::ALL, words)
    }
}

impl ToSchema for AccountState {}

impl ToSchema for ReservationEndReason {}

impl ToSchema for CleaningState {}

fn one_of(words: &[impl Serialize], description: &str) -> RefOr<Schema> {
    let words = words.iter().map(|word| match serde_json::to_value(word) {
        Ok(Value::String(word)) => word,
        _ => unreachable!("a state is written as one word"),
    });
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(words))
        .into()
}
