//! The pure state machine.
pub mod credentials;
pub mod ids;
pub mod policy;
pub mod reservation;
pub mod view;
pub use credentials::{Credential, ManagementKeys};
pub use ids::*;
