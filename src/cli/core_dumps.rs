//! No core dump of this process holds its secrets.

use log::warn;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Turns core dumps off, and keeps other processes of the same user from looking into the memory.
pub(super) fn turn_off() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        complain(error);
    }
    turn_off_here();
}

/// The same for this process, but not for a command that it starts: that has its own ways.
pub(super) fn turn_off_here() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        complain(error);
    }
}

fn complain(error: Errno) {
    warn!("core dumps are not off, and could hold secrets: {error}");
}
