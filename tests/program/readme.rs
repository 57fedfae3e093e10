//! The README is true: every block of code in it is tried.
