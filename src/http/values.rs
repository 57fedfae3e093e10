//! What the values of parameters look like, beside durations. Refusals say what is allowed, and never
//! what was given.

use std::time::Duration;

use super::parameters::Parameters;
use super::problem::HttpError;

/// The shortest time without a renewal: a client that renews at a third of it still has time to try
/// again.
const SHORTEST_TTL: Duration = Duration::from_secs(10);

/// Reads `ttl`: a span of whole seconds with its unit. A bare number would be minutes to one reader
/// and seconds to the next.
pub(super) fn ttl(parameters: &Parameters) -> Result<Option<Duration>, HttpError> {
    read(
        parameters,
        "ttl",
        |text| {
            let ttl = humantime::parse_duration(text).ok()?;
            let has_unit = text.bytes().any(|byte| byte.is_ascii_alphabetic());
            (has_unit && ttl >= SHORTEST_TTL && ttl.subsec_nanos() == 0).then_some(ttl)
        },
        "10s or more, in whole seconds and with its unit, such as 90s or 5m",
    )
}

/// Reads `count`. How many there may be is for the pool to say.
pub(super) fn count(parameters: &Parameters) -> Result<Option<usize>, HttpError> {
    read(
        parameters,
        "count",
        |text| {
            let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_digits)
        },
        "a number of accounts, 1 or more",
    )
}

fn read<T>(
    parameters: &Parameters,
    parameter: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
    allowed: &str,
) -> Result<Option<T>, HttpError> {
    let Some(text) = parameters.get(parameter) else {
        return Ok(None);
    };
    let value = read(text).ok_or_else(|| HttpError::InvalidParameter {
        parameter,
        allowed: vec![allowed.to_owned()],
    })?;
    Ok(Some(value))
}
