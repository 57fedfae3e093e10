//! The HTTP contract over real sockets: a server on a port of its own, a real pool behind it, and a
//! cloud in which everything goes well.
//!
//! Clients are raw sockets, so that a test sees every byte that a user sees.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod accounts;
mod app;
mod audit;
mod auth;
mod body;
mod estimates;
mod fuzz;
mod health;
mod known;
mod limits;
mod listing;
mod log;
mod metrics;
mod openapi;
mod page;
mod ports;
mod problems;
mod receipts;
mod renewals;
mod repeatable;
mod roles;
mod several;
mod token_limits;
mod unseen;
mod waiting;
mod wire;
mod workflow;
