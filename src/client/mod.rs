//! The client of acctpool's own HTTP API: what the verbs speak through that use a running server.
//!
//! Depends on `outgoing` alone; of the server it knows the contract (`design.md` 9), not the code, so
//! it also speaks to servers of other versions: of an answer it reads what it needs, and what it does
//! not know does not disturb it.
//!
//! Promises that the token goes to the given address only (no redirect is followed), that it crosses
//! no network in the clear unless that was asked for, and that no secret is in an error or in the log.
//!
//! - `address`: where the server is.
//! - `call`, `exchange`: one request and its answer, with a deadline.
//! - `error`: everything that can go wrong, and whether trying again may help.
//! - `backoff`: how long to wait before that.
//! - `pages`: lists.
//! - `reservations`, `accounts`, `statistics`: what can be asked, one file per resource.

mod accounts;
mod address;
mod backoff;
mod call;
mod error;
mod exchange;
mod pages;
mod reservations;
mod statistics;

pub(crate) use accounts::{
    Account, AccountAction, AccountFilter, Cleaning, Collection, Holder, Leftover, Progress,
    Quarantine,
};
pub(crate) use address::ServerAddress;
pub(crate) use backoff::Backoff;
pub(crate) use error::ClientError;
pub(crate) use exchange::{Client, Told};
pub(crate) use reservations::{Reservation, ReservationFilter, Seen, State, Wish};
pub(crate) use statistics::Statistics;
