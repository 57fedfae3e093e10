//! What a receipt looks like on the wire, for the document of the API.
//!
//! Receipts are written by the crate that decides, which knows nothing of documents. So their shape
//! is described here a second time; a test compares receipts as they are answered with it.

#![expect(dead_code, reason = "only the document is made of these")]

use utoipa::openapi::schema::{OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::http::answer::words::CleaningState;

/// What is answered: a receipt, or a list of them.
pub(super) struct OneOrSeveral;

impl PartialSchema for OneOrSeveral {
    fn schema() -> RefOr<Schema> {
        let options = ["Receipt", "ReceiptList"].map(Ref::from_schema_name);
        let one_of = options
            .into_iter()
            .fold(OneOfBuilder::new(), OneOfBuilder::item);
        one_of.into()
    }
}

impl ToSchema for OneOrSeveral {}

/// The receipts of a lease of several accounts.
#[derive(ToSchema)]
pub(crate) struct ReceiptList {
    /// One for each account whose cleaning has begun.
    receipts: Vec<Receipt>,
}

/// What a cleaning did, so far or in all. Durations are in seconds.
#[derive(ToSchema)]
pub(crate) struct Receipt {
    /// The account.
    account: String,
    /// Distinguishes the cleaning from others of the account; later ones have higher numbers.
    cleaning: u64,
    /// The reservation whose lease it followed.
    #[schema(format = "uuid", nullable = false)]
    reservation: Option<String>,
    /// How it ended; `cleaning` until then.
    state: CleaningState,
    /// Why a person has to look.
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Where it is, until it has ended.
    #[schema(nullable = false)]
    progress: Option<Progress>,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When no lease credential was left.
    #[schema(format = DateTime, nullable = false)]
    revoked_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime, nullable = false)]
    ended_at: Option<String>,
    /// How long it took.
    #[schema(nullable = false)]
    duration: Option<u64>,
    /// How many passes it took.
    passes: u32,
    /// How many requests to IBM Cloud it took, retries included.
    requests: u64,
    /// How many of those repeated one that was not answered, or not well.
    retries: u64,
    /// What was there, collection by collection, in the order in which they were met.
    collections: Vec<ReceiptCollection>,
    /// The readings of the whole account, also those that found something.
    proofs: Vec<ReceiptProof>,
    /// The epoch of the management key that came into use meanwhile.
    #[schema(nullable = false)]
    key_changed: Option<u32>,
    /// What went wrong and was tried again.
    faults: Vec<ReceiptFault>,
}

/// Where a cleaning is.
#[derive(ToSchema)]
pub(crate) struct Progress {
    /// What is done now.
    phase: String,
    /// The first stage of the plan that still has something to do, while it is swept.
    #[schema(nullable = false)]
    stage: Option<String>,
    /// The collection of which most is left.
    #[schema(nullable = false)]
    collection: Option<String>,
    /// How many items the last pass or proof left, as far as is known.
    remaining: u64,
    /// Since when it is there.
    #[schema(format = DateTime)]
    since: String,
}

/// What was there of one collection.
#[derive(ToSchema)]
struct ReceiptCollection {
    /// Its name.
    collection: String,
    /// How many items were met.
    found: u64,
    /// How many are gone.
    deleted: u64,
    /// How many were there before the lease, or are kept by the operator.
    kept: u64,
    /// How many are still being deleted.
    waiting: u64,
    /// How many cannot be deleted.
    stuck: u64,
    /// When the first was met.
    #[schema(format = DateTime)]
    first_seen: String,
    /// When the last was gone.
    #[schema(format = DateTime, nullable = false)]
    gone_at: Option<String>,
    /// How long that took.
    #[schema(nullable = false)]
    duration: Option<u64>,
    /// The items themselves, as many as are kept.
    items: ReceiptItems,
}

/// Items by what became of them.
#[derive(ToSchema)]
struct ReceiptItems {
    /// What is gone.
    #[schema(nullable = false)]
    deleted: Option<Vec<ReceiptItem>>,
    /// What stays.
    #[schema(nullable = false)]
    kept: Option<Vec<ReceiptItem>>,
    /// What is still being deleted.
    #[schema(nullable = false)]
    waiting: Option<Vec<ReceiptItem>>,
    /// What cannot be deleted.
    #[schema(nullable = false)]
    stuck: Option<Vec<ReceiptItem>>,
}

/// One item.
#[derive(ToSchema)]
struct ReceiptItem {
    /// Its id or CRN.
    id: String,
    /// Its name.
    #[schema(nullable = false)]
    name: Option<String>,
    /// Where it is.
    #[schema(nullable = false)]
    region: Option<String>,
    /// Why it is still there.
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// Something in an account that could not be deleted.
#[derive(ToSchema)]
pub(crate) struct Leftover {
    /// The collection, such as `resource instances`.
    collection: String,
    /// Its id or CRN.
    id: String,
    /// Its name, where it has one.
    #[schema(required = true)]
    name: Option<String>,
    /// Where it is.
    #[schema(nullable = false)]
    region: Option<String>,
    /// Why it is still there.
    reason: String,
}

/// One reading of the whole account.
#[derive(ToSchema)]
struct ReceiptProof {
    /// Which of the two.
    round: u8,
    /// When it was read.
    #[schema(format = DateTime)]
    at: String,
    /// How many items were there that should not be.
    leftovers: u64,
    /// How many items were there that may be.
    kept: u64,
    /// How many requests it took.
    requests: u32,
}

/// Something that went wrong and was tried again.
#[derive(ToSchema)]
struct ReceiptFault {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// What was being done.
    phase: String,
    /// What IBM Cloud said.
    #[schema(nullable = false)]
    error: Option<String>,
}
