//! As many connections at once as the configuration allows need as many descriptors.

use log::warn;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Lets this process open as many files as the system lets it. Most systems allow few at first, for
/// programs that cannot count beyond 1,024, and many to who asks.
pub(super) fn allow_many() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!("the number of open files stays limited: {error}");
    }
}
