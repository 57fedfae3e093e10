//! The contract of the Cloud port, kept by the IBM adapter: black box, against the simulator.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cleaning;
mod credentials;
mod kept;
mod keys;
mod mess;
mod rotation;
mod setup;
