//! `acctpool` lends whole IBM Cloud accounts to test systems, and cleans them before they are lent
//! again.
//!
//! This library is the shell around `acctpool_actors`, which decides. See the README's code map.

pub mod app;
pub mod baselines;
pub mod certificate;
pub mod cli;
mod client;
pub mod clock;
pub mod config;
pub mod http;
pub mod ibm;
pub mod keyring;
pub mod metrics;
mod outgoing;
pub mod simulator;
pub mod store;
pub mod token;
pub mod webhook;
