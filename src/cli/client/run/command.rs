//! Which program a word means: found before anything is reserved, as nothing should be reserved for a
//! command that cannot be started.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::super::super::{Failure, exit_code};

/// Where a shell looks when nobody tells where.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Why a word means no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unresolved {
    /// There is no such file.
    #[error("command not found")]
    NotFound,
    /// There is, but it cannot be executed.
    #[error("not executable")]
    NotExecutable,
}

impl Unresolved {
    /// Wraps it, with its exit code.
    pub(super) fn of(self, word: &OsStr) -> Failure {
        Failure::Exit {
            code: match self {
                Self::NotFound => exit_code::COMMAND_NOT_FOUND,
                Self::NotExecutable => exit_code::NOT_EXECUTABLE,
            },
            message: word.to_string_lossy().into_owned(),
            source: Some(Box::new(self)),
        }
    }
}

/// Finds the program that a word means, as a shell does: by its path if there is a slash in it, else
/// in the directories of `PATH`.
pub(super) fn resolve(word: &OsStr) -> Result<PathBuf, Unresolved> {
    resolve_in(word, env::var_os("PATH").as_deref())
}

fn resolve_in(word: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Unresolved> {
    if word.is_empty() {
        return Err(Unresolved::NotFound);
    }
    if word.as_bytes().contains(&b'/') {
        let program = PathBuf::from(word);
        return judge(&program).map(|()| program);
    }
    let mut worst = Unresolved::NotFound;
    for directory in env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH))) {
        // An empty entry is the current directory. With a slash in it, nobody searches again.
        let program = Path::new(".").join(directory).join(word);
        match judge(&program) {
            Ok(()) => return Ok(program),
            Err(Unresolved::NotExecutable) => worst = Unresolved::NotExecutable,
            Err(Unresolved::NotFound) => {}
        }
    }
    Err(worst)
}

fn judge(program: &Path) -> Result<(), Unresolved> {
    if !program.exists() {
        return Err(Unresolved::NotFound);
    }
    let is_executable = program.is_file() && access(program, Access::EXEC_OK).is_ok();
    is_executable.then_some(()).ok_or(Unresolved::NotExecutable)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_that_can_be_executed_is_meant() {
        let root = tempfile::tempdir().unwrap();
        let place = |directory: &str, mode: u32| {
            let directory = root.path().join(directory);
            fs::create_dir_all(&directory).unwrap();
            let file = directory.join("tool");
            fs::write(&file, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            (directory, file)
        };
        let (plain, plain_file) = place("plain", 0o644);
        let (good, good_file) = place("good", 0o755);
        let resolve = |word: &OsStr, directories: &[&PathBuf]| {
            let path = env::join_paths(directories).unwrap();
            resolve_in(word, Some(&path))
        };
        let tool = OsStr::new("tool");
        let found = resolve(tool, &[&plain, &good]);
        assert_eq!(found, Ok(good_file.clone()));
        assert_eq!(resolve(tool, &[&plain]), Err(Unresolved::NotExecutable));
        assert_eq!(resolve(tool, &[]), Err(Unresolved::NotFound));
        let missing = OsStr::new("no-such-tool");
        assert_eq!(resolve(missing, &[&good]), Err(Unresolved::NotFound));

        let by_path = |file: &Path| resolve(file.as_os_str(), &[]);
        assert_eq!(by_path(&good_file), Ok(good_file.clone()));
        assert_eq!(by_path(&plain_file), Err(Unresolved::NotExecutable));
        assert_eq!(by_path(&good), Err(Unresolved::NotExecutable));
        assert_eq!(by_path(&good.join("x")), Err(Unresolved::NotFound));
        assert_eq!(resolve(OsStr::new(""), &[&good]), Err(Unresolved::NotFound));
    }
}
