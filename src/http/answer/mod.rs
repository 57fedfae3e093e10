//! How an answer is given, whatever it says.
//!
//! - `negotiation`: as JSON, or as a page for people.
//! - `representation`: not again to a client that has it already.
//! - `waits`: held back until there is something new to say.
//! - `words`: what states are called, for the document of the API.

pub(super) mod negotiation;
pub(super) mod representation;
pub(super) mod waits;
pub(super) mod words;
