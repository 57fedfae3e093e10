//! The process that becomes the command.
//!
//! The command is to die when `acctpool run` dies, even by SIGKILL, as nobody keeps its account then.
//! The system does that for a process that asks for it; it must ask between fork and exec, where safe
//! code cannot be. So this program is started instead, by a word that is no verb: it asks, and then
//! becomes the command, whose process keeps the wish. (A program with set-user-ID loses it.)

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::{env, process};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use secrecy::ExposeSecret;
use tokio::process::{Child as Process, Command};

use super::super::super::{Failure, exit_code};
use super::super::options::{TOKEN, TOKEN_FILE};
use super::super::variables::Variable;
use super::failed;

/// What this program is called with to be one. No user types that, so the help does not have it.
const WORD: &str = "run-child";

/// This program, also when its file has been replaced meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// See the module.
pub(in crate::cli) struct Child {
    /// The process with which this one is to die.
    parent: OsString,
    /// The command's file.
    program: OsString,
    /// The command's words, its name first.
    words: Vec<OsString>,
}

impl Child {
    /// Tells whether this process was started to be one.
    pub(in crate::cli) fn of_arguments() -> Option<Self> {
        let mut arguments = env::args_os().skip(1);
        if arguments.next()? != WORD {
            return None;
        }
        Some(Self {
            parent: arguments.next()?,
            program: arguments.next()?,
            words: arguments.collect(),
        })
    }

    /// Does not return, unless that is impossible.
    pub(in crate::cli) fn become_the_command(self) -> Failure {
        if let Err(why) = set_parent_process_death_signal(Some(Signal::KILL)) {
            return failed("cannot ask to die with the parent")(why.into());
        }
        // It may have died before that.
        let parent = getppid().map(|parent| parent.as_raw_pid().to_string());
        if parent.is_none_or(|parent| self.parent != *parent) {
            return failed("the parent has died")(ErrorKind::NotFound.into());
        }
        let mut words = self.words.into_iter();
        let name = words.next().unwrap_or_default();
        let why = process::Command::new(&self.program)
            .arg0(&name)
            .args(words)
            .exec();
        let code = match why.kind() {
            // Its interpreter, as it was there itself.
            ErrorKind::NotFound => exit_code::COMMAND_NOT_FOUND,
            _ => exit_code::NOT_EXECUTABLE,
        };
        Failure::Exit {
            code,
            message: format!("cannot run {}", self.program.display()),
            source: Some(Box::new(why)),
        }
    }
}

/// Starts a command, with these variables and without the token. It dies with this process, and must
/// be called from a thread that lasts as long: the system takes the thread for the parent.
pub(super) fn start(
    program: &Path,
    words: &[OsString],
    variables: &[Variable],
) -> std::io::Result<Process> {
    let mut command = Command::new(THIS_PROGRAM);
    command
        .arg(WORD)
        .arg(process::id().to_string())
        .arg(program)
        .args(words)
        .env_remove(TOKEN)
        .env_remove(TOKEN_FILE)
        .kill_on_drop(true);
    for variable in variables {
        command.env(&variable.name, variable.value.expose_secret());
    }
    command.spawn()
}
