//! What those who look after the pool see and do.
//!
//! - `accounts`, with its shape in `account_body`: where each account stands.
//! - `interventions`: what is done to accounts and reservations by hand.
//! - `audit`: who did what, and when.

mod account_body;
pub(super) mod accounts;
pub(super) mod audit;
pub(super) mod interventions;
