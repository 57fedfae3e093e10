//! The deciding half of acctpool.
