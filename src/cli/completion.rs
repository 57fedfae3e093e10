//! `acctpool completion`: what a shell completes by.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Failure;

/// See the verb.
#[derive(Args, Debug)]
#[command(after_help = "\
For bash:  source <(acctpool completion bash)
For zsh:   acctpool completion zsh > \"${fpath[1]}/_acctpool\"
For fish:  acctpool completion fish > ~/.config/fish/completions/acctpool.fish")]
pub(super) struct Completion {
    /// The shell.
    shell: Shell,
}

impl Completion {
    /// Prints it for the command line that `Arguments` describe.
    pub(super) fn run<Arguments: CommandFactory>(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(
            self.shell,
            &mut Arguments::command(),
            "acctpool",
            &mut script,
        );
        std::io::stdout()
            .write_all(&script)
            .map_err(Failure::of("cannot print"))
    }
}
