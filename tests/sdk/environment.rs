//! The Python of the tests: a virtual environment with what `requirements.txt` pins.
//!
//! Included by every test binary that runs Python. Made once under cargo's target directory, for
//! each base interpreter and each text of `requirements.txt`; test processes that need it at the same
//! time wait for the one that makes it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

const REQUIREMENTS_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/requirements.txt");
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Written last: an environment without it was not finished.
const FINISHED: &str = "finished";

/// Returns the environment's interpreter, which is made when it is not there.
pub(crate) fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| make().unwrap_or_else(|why| panic!("{why}")))
}

fn make() -> Result<PathBuf, String> {
    let base = base_interpreter()?;
    let key = Sha256::digest(format!("{}\n{REQUIREMENTS}", base.display()));
    let name = format!(
        "python-{:02x}{:02x}{:02x}{:02x}",
        key[0], key[1], key[2], key[3]
    );
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let interpreter = directory.join("bin/python");

    let lock = directory.with_extension("lock");
    let lock =
        File::create(&lock).map_err(|why| format!("cannot make {}: {why}", lock.display()))?;
    lock.lock()
        .map_err(|why| format!("cannot wait for the environment: {why}"))?;
    if directory.join(FINISHED).exists() {
        return Ok(interpreter);
    }
    match fs::remove_dir_all(&directory) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            return Err(format!("cannot remove {}: {why}", directory.display()));
        }
        _ => {}
    }
    run(Command::new(base).args(["-m", "venv"]).arg(&directory))?;
    run(Command::new(&interpreter)
        .args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(REQUIREMENTS_FILE))?;
    fs::write(directory.join(FINISHED), "")
        .map_err(|why| format!("cannot finish {}: {why}", directory.display()))?;
    Ok(interpreter)
}

/// Returns the interpreter itself: `python3` is often a wrapper that is slow to start, or a link
/// whose target changes.
fn base_interpreter() -> Result<PathBuf, String> {
    let program = "import os, sys; print(os.path.realpath(sys.executable))";
    let path = run(Command::new("python3").args(["-c", program]))?;
    Ok(PathBuf::from(path.trim()))
}

fn run(command: &mut Command) -> Result<String, String> {
    let ended = command.output().map_err(|why| {
        format!("the tests need Python 3.10 or newer with its venv module (package python3-venv): {command:?}: {why}")
    })?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    Err(format!(
        "the tests need Python 3.10 or newer with its venv module (package python3-venv) and the packages of \
         tests/sdk/requirements.txt: {command:?} failed:\n{}{}",
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    ))
}
