//! What anyone may watch, counts only.
//!
//! - `statistics`: `GET /`, for people and machines.
//! - `health`: whether the process runs, and whether it can do what it is for.
//! - `measure`: what is counted, for graphs.

pub(super) mod health;
pub(super) mod measure;
pub(super) mod statistics;
