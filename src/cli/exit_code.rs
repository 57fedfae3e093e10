//! The exit codes, for those who call the program from scripts.
//!
//! 0 is success, and 2 is said by clap too.

use crate::client::ClientError;

/// Nothing more special is known.
pub(super) const FAILURE: u8 = 1;
/// What was typed makes no sense, to the program or to the server.
pub(super) const USAGE: u8 = 2;
/// What was named is not there, or is over.
pub(super) const NOT_FOUND: u8 = 3;
/// `plan` was asked whether there is something to do, and there is.
pub(super) const TO_DO: u8 = 3;
/// The token is not known, or may not do that.
pub(super) const NOT_AUTHORISED: u8 = 4;
/// It cannot be done as things stand.
pub(super) const CONFLICT: u8 = 5;
/// No account became free in time.
pub(super) const WAIT_TIMED_OUT: u8 = 6;
/// The server is not there.
pub(super) const UNREACHABLE: u8 = 7;
/// The configuration is not usable: `EX_CONFIG` of sysexits.h.
pub(super) const CONFIG: u8 = 78;

/// `run`: no account became free in time. Below 124, a code is the command's own.
pub(super) const RUN_WAIT_TIMED_OUT: u8 = 124;
/// `run`: there was no account for another reason, or the lease was lost.
pub(super) const RUN_FAILED: u8 = 125;
/// `run`: the command cannot be executed.
pub(super) const NOT_EXECUTABLE: u8 = 126;
/// `run`: there is no such command.
pub(super) const COMMAND_NOT_FOUND: u8 = 127;

/// Returns the code of an end by a signal, as shells have it.
pub(super) fn of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(FAILURE)
}

/// Returns what it means that a server did not do what it was asked for.
pub(super) fn of(error: &ClientError) -> u8 {
    let Some(status) = error.status() else {
        return match error {
            ClientError::Unreachable { .. } | ClientError::Untrusted { .. } => UNREACHABLE,
            _ => FAILURE,
        };
    };
    match status {
        400 | 413 | 415 => USAGE,
        401 | 403 => NOT_AUTHORISED,
        404 | 410 => NOT_FOUND,
        409 if error.code() == Some("reservation_ended") => NOT_FOUND,
        409 | 422 => CONFLICT,
        502..=504 => UNREACHABLE,
        _ => FAILURE,
    }
}
