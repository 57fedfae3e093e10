//! What is in memory stays there: no core is written, whatever ends the process, and no other process
//! of the same user may look.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use secrecy::ExposeSecret;

use crate::bench::{Bench, address, curl, status_of};
use crate::process::{Ended, Process, command, eventually, run};
use crate::spoiled::install;

/// Somebody whom the kernel lets do no more than others: a tester who is root could look anywhere.
const NOBODY: u32 = 65534;

/// A home in which nobody in particular runs the program.
struct Home {
    bench: Bench,
    program: PathBuf,
    is_root: bool,
}

impl Home {
    fn new() -> Self {
        let bench = Bench::new(1);
        bench.configure("rotate_every = \"1s\"");
        let program = bench.path().join("acctpool");
        fs::copy(env!("CARGO_BIN_EXE_acctpool"), &program).unwrap();
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if is_root {
            give_away(bench.path());
        }
        Self {
            bench,
            program,
            is_root,
        }
    }

    /// A command as the user of the program, who may write cores as large as they get.
    fn user(&self) -> Command {
        let shell = ["sh", "-c", "ulimit -c unlimited; exec \"$0\" \"$@\""];
        let home = self.bench.path();
        if !self.is_root {
            let mut user = command(shell[0], home);
            user.args(&shell[1..]);
            return user;
        }
        let mut user = command("setpriv", home);
        let id = NOBODY.to_string();
        user.args(["--reuid", &id, "--regid", &id, "--clear-groups"])
            .args(shell);
        user
    }

    fn serve(&self) -> Process {
        let mut serve = self.user();
        serve
            .arg(&self.program)
            .args(["serve", "--bind", "127.0.0.1:0", "--config"]);
        Process::start(serve.arg(self.bench.path().join("accounts.toml")))
    }

    /// Tries to read a file as the user of the program.
    fn read(&self, path: &str) -> Ended {
        run(self.user().args(["head", "-c", "1", path]))
    }
}

fn give_away(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

/// Every file below a directory, with its bytes.
fn files(below: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(below)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                let bytes = fs::read(&path).unwrap();
                vec![(path, bytes)]
            }
        })
        .collect()
}

/// Lets a server live through a lease and a rotation, ends it by a signal that writes cores, and
/// looks through everything that it leaves.
fn leaves_no_secret(signal: &str) {
    let home = Home::new();
    let bench = &home.bench;
    let mut server = home.serve();
    let said = server.says("listening on ");
    let url = format!("http://{}", address(said.split_once(',').unwrap().0));
    let lease = |()| {
        let asked = format!("{url}/reservations?type=lite&token={}", bench.token);
        let landed = curl(
            bench.path(),
            &["-L", "-d", "", "-w", "\n%{url_effective}", &asked],
        );
        let location = landed.body.rsplit_once('\n').unwrap().1.to_owned();
        let lease = eventually("a lease", || {
            let shown = curl(bench.path(), &[&location]).json();
            (shown["state"] == "active").then_some(shown)
        });
        (
            location,
            lease["credentials"]["api_key"].as_str().unwrap().to_owned(),
        )
    };
    let (first, over) = lease(());
    assert_eq!(status_of(bench.path(), &["-X", "DELETE", &first]), 204);
    let configured = bench.accounts[0].api_key.expose_secret();
    eventually("a rotation", || {
        bench
            .simulator
            .working_key(configured)
            .is_none()
            .then_some(())
    });
    let (_, held) = lease(());

    // Rust's own handler lets the first one of some signals pass.
    eventually("the end by a signal", || {
        server.signal(signal);
        (!server.is_running()).then_some(())
    });
    let ended = server.end();
    assert_eq!((ended.code, ended.dumped_core), (None, false));

    let master = fs::read(bench.path().join(".local/state/acctpool/master.key")).unwrap();
    let mut secrets: Vec<Vec<u8>> = bench
        .simulator
        .secrets()
        .into_iter()
        .map(String::into_bytes)
        .collect();
    secrets.extend([over, held, bench.token.clone()].map(String::into_bytes));
    secrets.push(master);
    let mut left = files(bench.path());
    left.push(("stderr".into(), ended.stderr.into_bytes()));
    // These two hold what they are for; the program is as it was built.
    let meant = ["accounts.toml", "master.key", "acctpool"];
    left.retain(|(path, _)| !meant.iter().any(|name| path.ends_with(name)));
    let names: Vec<_> = left
        .iter()
        .map(|(path, _)| path.display().to_string())
        .collect();
    for name in ["state.db", "state.db-wal", "state.head", "stderr"] {
        assert!(
            names.iter().any(|left| left.ends_with(name)),
            "{name} of {names:?}"
        );
    }
    assert!(!names.iter().any(|name| name.contains("core")), "{names:?}");
    let shown = b"credential_shown";
    let is_in = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(
        left.iter().any(|(_, bytes)| is_in(bytes, shown)),
        "the audit was looked through"
    );
    for secret in &secrets {
        for (path, bytes) in &left {
            assert!(!is_in(bytes, secret), "{} holds a secret", path.display());
        }
    }
}

#[test]
fn an_abort_leaves_no_core_and_no_secret() {
    leaves_no_secret("ABRT");
}

#[test]
fn a_segmentation_fault_leaves_no_core_and_no_secret() {
    leaves_no_secret("SEGV");
}

#[test]
fn no_process_of_the_same_user_can_look_into_the_memory() {
    let home = Home::new();
    let mut server = home.serve();
    server.says("listening on ");
    let mut other = home.user();
    let other = Process::start(other.args(["sleep", "600"]));
    let of = |process: &Process, file: &str| format!("/proc/{}/{file}", process.id());
    eventually("that a process of the user's can be looked into", || {
        (home.read(&of(&other, "environ")).code == Some(0)).then_some(())
    });
    for file in ["environ", "mem", "maps"] {
        let refused = home.read(&of(&server, file));
        assert_eq!(refused.code, Some(1), "{file}");
        assert!(
            refused.stderr.contains("Permission denied"),
            "{file}: {}",
            refused.stderr
        );
    }
    install();
    let id = server.id().to_string();
    let attached = run(home.user().args(["strace", "-p", &id]));
    assert!(
        attached.stderr.contains("Operation not permitted"),
        "{}",
        attached.stderr
    );
    let limits = fs::read_to_string(of(&server, "limits")).unwrap();
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let words: Vec<_> = cores.split_whitespace().collect();
    assert_eq!(
        words[4..6],
        ["0", "0"],
        "it may have been started with more"
    );
}
