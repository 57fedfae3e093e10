//! The HTTP contract over real sockets: a server on a port of its own, a real pool behind it, and a
//! cloud in which everything goes well.
//!
//! Clients are raw sockets, so that a test sees every byte that a user sees.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod app;
mod auth;
mod body;
mod estimates;
mod fuzz;
mod known;
mod limits;
mod listing;
mod log;
mod openapi;
mod page;
mod ports;
mod problems;
mod receipts;
mod renewals;
mod repeatable;
mod several;
mod token_limits;
mod waiting;
mod wire;
mod workflow;
