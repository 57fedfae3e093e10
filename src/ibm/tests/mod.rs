//! Tests of the adapter's lower half over HTTP, against a server that says what a test tells it to.
//!
//! What the verbs promise is tested against the simulator, in `tests/cloud`.

mod accounts;
mod judging;
mod lists;
mod sending;
pub(super) mod server;
mod sessions;
