//! Webhooks: how a notification gets to a receiver over HTTP, signed as the Standard Webhooks
//! specification has it (standardwebhooks.com, version 1.0.0).
//!
//! Knows the port to a courier and what a notification is; nothing of the configuration, the store or the
//! server. When something is sent again, and in which order, is decided by the actor behind the port.
//! Promises:
//! - what is sent is signed over its id, the moment and the very bytes of its body;
//! - no redirect is followed, and nothing of an answer is believed but its status and `Retry-After`;
//! - neither a secret nor more of an address than its host is in an error or in `Debug`.

mod address;
mod courier;
mod message;
mod secret;

pub use address::Address;
pub use courier::{Answer, Destination, HttpCourier, client};
pub use message::Message;
pub use secret::{Secret, UnfitSecret};
