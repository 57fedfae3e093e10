//! The whole service over HTTP, against the simulator: what consumers, operators and IBM Cloud see.
//!
//! Everything runs in this process, on a clock that the tests move; `program.rs` runs the real
//! binary. Each test ends by searching the log for every secret that it knew.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod app;
mod consumer;
mod contention;
mod everything;
mod faults;
mod interlock;
mod keys;
mod log_capture;
mod mess;
mod python;
mod quarantine;
mod restarts;
mod time_passes;
