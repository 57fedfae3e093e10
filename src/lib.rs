//! `acctpool` lends whole IBM Cloud accounts to test systems, and cleans them before they are lent
//! again.
//!
//! This library is the shell around `acctpool_actors`, which decides. See the README's code map.

pub mod ibm;
pub mod keyring;
pub mod simulator;
