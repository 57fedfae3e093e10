//! `/reservations`: what consumers ask for. One file for each thing that can be done with one.
//!
//! - `ask`, `show`, `renew`, `cancel`: the life of a reservation; `waiting` holds answers back.
//! - `list`: one's own, page by page.
//! - `receipts`, in the words of `receipt_schema`: what became of what a lease left behind.
//! - `body`: what a reservation looks like in JSON.

pub(super) mod ask;
pub(super) mod body;
pub(super) mod cancel;
pub(super) mod list;
pub(super) mod receipt_schema;
pub(super) mod receipts;
pub(super) mod renew;
pub(super) mod show;
mod waiting;
