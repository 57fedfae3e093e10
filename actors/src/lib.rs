//! The deciding half of acctpool.
pub mod clock;
pub mod cloud;
pub mod pool;
