//! The `acctpool` program.

fn main() {}
