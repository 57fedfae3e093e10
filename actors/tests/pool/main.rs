//! The pool's promises, held against random histories and against small stories.
//!
//! A failing history is shrunk and printed, with a seed that proptest keeps and replays.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod exactness;
mod exhaustion;
mod histories;
mod keys;
mod lessons;
mod limits;
mod observed;
mod operator;
mod receipts;
mod reconfigurations;
mod renewals;
mod repeatable;
mod several;
mod stories;

use acctpool_soak::{model, promises, world};
