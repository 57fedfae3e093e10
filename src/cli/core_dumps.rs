//! No core dump of this process holds its secrets.

use log::warn;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Turns core dumps off, and keeps other processes of the same user from looking into the memory.
pub(super) fn turn_off() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let off = setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = off {
        warn!("core dumps are not off, and could hold secrets: {error}");
    }
}
