//! The port to the wall clock.

use crate::pool::Timestamp;

/// Tells the time, in UTC.
///
/// Actors read it once per message and pass the result on, so that everything below them takes
/// time as an argument.
pub trait Clock: Send + Sync + 'static {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;
}
