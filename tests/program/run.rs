//! `acctpool run`: whatever happens to the command, to the program or to the server, the exit code says
//! it and no account stays leased.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io};

use serde_json::Value;

use crate::bench::{Bench, Server, curl, status_of};
use crate::environment;
use crate::process::{Ended, Process, acctpool, command, eventually, run};

/// How long after a signal a cancelled CI job is killed, at the earliest.
const CANCELLED_WITHIN: Duration = Duration::from_secs(7);

/// Ends by default at any signal; says so when it can be sent one.
const SLEEPER: &str = "\
import os, signal
print('up', os.getpid(), flush=True)
while True: signal.pause()";

/// Counts the interrupts that it gets, and tells when it is asked to.
const COUNTER: &str = "\
import os, signal, sys
count = 0
def interrupted(*_):
    global count
    count += 1
    print('interrupted', flush=True)
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(40 + count))
print('up', os.getpid(), flush=True)
while True: signal.pause()";

/// Ends by no signal that it can help.
const STUBBORN: &str = "\
import os, signal
for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
    signal.signal(number, lambda *_: print('no', flush=True))
print('up', os.getpid(), flush=True)
while True: signal.pause()";

/// A pool of one account, and a server for it.
struct Pool {
    bench: Bench,
    server: Server,
}

impl Pool {
    fn start(policy: &str) -> Self {
        let bench = Bench::new(1);
        let server = bench.serve(&bench.configure(policy));
        server.until("ready", 1);
        Self { bench, server }
    }

    /// Prepares `acctpool run` with options and a Python program.
    fn command(&self, options: &[&str], program: &str) -> Command {
        let mut command = client(self.bench.path(), &self.server.url, &self.bench.token);
        command
            .args(["run", "--type", "lite"])
            .args(options)
            .arg("--")
            .arg(environment::interpreter())
            .args(["-u", "-c", program]);
        command
    }

    /// Starts it; returns it with the process id of the program, which says `up`.
    fn running(&self, options: &[&str], program: &str) -> (Process, u32) {
        let mut process = Process::start(&mut self.command(options, program));
        let id = process.prints("up ").parse().unwrap();
        self.server.until("leased", 1);
        (process, id)
    }

    /// Sees to it that nobody holds or awaits the account.
    fn is_given_back(&self) {
        let reservations = &curl(self.bench.path(), &[&self.server.url]).json()["reservations"];
        let lite = &reservations["lite"];
        assert_eq!(
            (&lite["pending"], &lite["active"]),
            (&0.into(), &0.into()),
            "{reservations}"
        );
        self.server.until("ready", 1);
    }

    /// Ends the one lease that there is, as its holder.
    fn end_lease(&self) {
        let listed = ["list", "--state", "active", "-o", "json"];
        let ended =
            run(client(self.bench.path(), &self.server.url, &self.bench.token).args(listed));
        let listed: Value = serde_json::from_str(&ended.stdout).unwrap();
        let id = listed[0]["id"].as_str().unwrap();
        let mut release = client(self.bench.path(), &self.server.url, &self.bench.token);
        assert_eq!(run(release.args(["release", id])).code, Some(0));
    }
}

/// The program as a consumer calls it.
pub(crate) fn client(home: &Path, url: &str, token: &str) -> Command {
    let mut command = acctpool(home, &[]);
    command
        .env("ACCTPOOL_URL", url)
        .env("ACCTPOOL_TOKEN", token)
        .env("ACCTPOOL_LOG", "trace");
    command
}

fn is_running(id: u32) -> bool {
    // What has ended and was not waited for is none.
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn the_command_has_an_account_of_its_own_and_its_exit_code_is_passed_on() {
    let pool = Pool::start("");
    let program = "\
import os, stat, sys, urllib.parse, urllib.request
env = os.environ
assert env['IC_API_KEY'] == env['IBMCLOUD_API_KEY']
assert 'ACCTPOOL_TOKEN' not in env and 'ACCTPOOL_TOKEN_FILE' not in env
assert env['ACCTPOOL_EXPIRATION'].endswith('Z') and len(env['ACCTPOOL_RESERVATION_ID']) == 36
assert stat.S_IMODE(os.stat(env['IBMCLOUD_HOME']).st_mode) == 0o700
open(env['IBMCLOUD_HOME'] + '/token', 'w').write('kept by a tool')
form = {'grant_type': 'urn:ibm:params:oauth:grant-type:apikey', 'apikey': env['IC_API_KEY']}
form = urllib.parse.urlencode(form).encode()
urllib.request.urlopen(env['IBMCLOUD_IAM_API_ENDPOINT'] + '/identity/token', form).read()
print('account', env['ACCTPOOL_ACCOUNT_ID'])
print('home', env['IBMCLOUD_HOME'])
print('key', env['IC_API_KEY'][:6])
print('said', sys.argv[1:], sys.stdin.read())
sys.exit(7)";
    let mut command = pool.command(&[], program);
    command
        .args(["--duration", "-x", "", "a b"])
        .env("IBMCLOUD_API_KEY", "another account's")
        .env("ACCTPOOL_TOKEN_FILE", "/nowhere");
    let ended = run(&mut command);
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    let account = &pool.bench.accounts[0].id;
    assert!(ended.stdout.contains(&format!("account {account}\n")));
    let said = "said ['--duration', '-x', '', 'a b'] \n";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let (_, home) = ended.stdout.split_once("home ").unwrap();
    let home = home.lines().next().unwrap();
    let gone = fs::metadata(home).unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::NotFound, "{home}");
    pool.is_given_back();
    says_no_secret(&pool, &ended.stderr);
}

fn says_no_secret(pool: &Pool, said: &str) {
    assert!(said.contains("DEBUG"), "nothing is shown: {said}");
    let mut secrets = pool.bench.simulator.secrets();
    secrets.push(pool.bench.token.clone());
    for secret in secrets {
        assert!(!said.contains(&secret), "a secret was printed: {said}");
    }
}

#[test]
fn a_signal_is_passed_on_and_its_end_is_the_commands() {
    let pool = Pool::start("");
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        let (process, child) = pool.running(&[], SLEEPER);
        let start = Instant::now();
        process.signal(signal);
        let ended = process.end();
        assert_eq!(ended.code, Some(code), "{signal}: {}", ended.stderr);
        assert!(start.elapsed() < CANCELLED_WITHIN, "{signal}");
        assert!(!is_running(child), "{signal}");
        pool.is_given_back();
    }
}

#[test]
fn a_command_that_handles_a_signal_decides_its_exit_code() {
    let pool = Pool::start("");
    let (mut process, _) = pool.running(&[], COUNTER);
    process.signal("INT");
    process.prints("interrupted");
    process.signal("USR1");
    let ended = process.end();
    assert_eq!(ended.code, Some(41), "{}", ended.stderr);
    pool.is_given_back();
}

#[test]
fn signals_that_mean_no_end_leave_time() {
    let pool = Pool::start("");
    let program = "\
import os, signal, sys
signal.signal(signal.SIGUSR2, lambda *_: print('usr2', flush=True))
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(3))
print('up', os.getpid(), flush=True)
while True: signal.pause()";
    // Without any grace, a signal that means an end would kill it.
    let (mut process, _) = pool.running(&["--grace", "0s"], program);
    process.signal("USR2");
    process.prints("usr2");
    process.signal("USR1");
    assert_eq!(process.end().code, Some(3));
    pool.is_given_back();
}

#[test]
fn a_command_that_does_not_end_is_killed_before_the_job_is() {
    let pool = Pool::start("");
    let (mut process, child) = pool.running(&[], STUBBORN);
    let start = Instant::now();
    process.signal("INT");
    process.prints("no");
    let ended = process.end();
    let took = start.elapsed();
    assert_eq!(ended.code, Some(137), "{}", ended.stderr);
    assert!(took < CANCELLED_WITHIN, "{took:?}");
    assert!(!is_running(child));
    pool.is_given_back();
}

#[test]
fn ctrl_c_on_a_terminal_reaches_the_command_once_and_gives_it_the_time_that_it_wants() {
    let pool = Pool::start("");
    // Python has terminals in its library. Its child is a session of its own, whose foreground has
    // the program and the command in it.
    let driver = "\
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
heard = b''
def hear(what):
    global heard
    while what not in heard: heard += os.read(terminal, 4096)
    heard = heard.split(what, 1)[1]
try:
    hear(b'up ')
    os.write(terminal, b'\\x03')
    hear(b'interrupted')
    os.kill(pid, signal.SIGUSR1)
    while True: heard += os.read(terminal, 4096)
except OSError: pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
    let inner = pool.command(&["--grace", "0s"], COUNTER);
    let mut python = command(environment::interpreter(), pool.bench.path());
    python.args(["-c", driver]).arg(inner.get_program());
    python.args(inner.get_args());
    python.envs(
        inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let ended = run(&mut python);
    assert_eq!(ended.stdout, "41\n", "{}", ended.stderr);
    pool.is_given_back();
}

#[test]
fn a_killed_command_is_told_as_shells_tell_it() {
    let pool = Pool::start("");
    let (process, child) = pool.running(&[], SLEEPER);
    kill(child);
    assert_eq!(process.end().code, Some(137));
    pool.is_given_back();
}

fn kill(process: u32) {
    let id = process.to_string();
    let sent = Command::new("sh")
        .args(["-c", "kill -KILL \"$0\"", &id])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_killed_run_takes_its_command_along_and_its_account_comes_back() {
    let pool = Pool::start("");
    let (process, child) = pool.running(&["--ttl", "10s"], STUBBORN);
    process.signal("KILL");
    eventually("the end of the command", || {
        (!is_running(child)).then_some(())
    });
    assert_eq!(process.end().code, None);
    pool.server.until("leased", 0);
    pool.is_given_back();
}

#[test]
fn a_lease_lasts_longer_than_its_time_to_live_while_the_command_runs() {
    let pool = Pool::start("");
    let program = "import os, time; print('up', os.getpid(), flush=True); time.sleep(14)";
    let (process, _) = pool.running(&["--ttl", "10s"], program);
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let renewals = ended.stderr.matches("/renew: 200").count();
    assert!((3..=5).contains(&renewals), "{renewals}");
    pool.is_given_back();
}

#[test]
fn a_restart_of_the_server_in_the_middle_disturbs_nobody() {
    let pool = Pool::start("");
    let (process, _) = pool.running(&["--ttl", "20s"], COUNTER);
    let Pool { bench, server } = pool;
    let address = server.address();
    assert_eq!(server.end().code, Some(0));
    let config = bench.path().join("accounts.toml");
    let server = Server::start_at(bench.path(), &config, &address.to_string());
    server.until("leased", 1);
    process.signal("USR1");
    let ended = process.end();
    assert_eq!(ended.code, Some(40), "{}", ended.stderr);
    Pool { bench, server }.is_given_back();
}

#[test]
fn a_server_that_is_away_at_the_end_is_waited_for() {
    let pool = Pool::start("");
    let (mut process, _) = pool.running(&[], COUNTER);
    let Pool { bench, server } = pool;
    let address = server.address();
    assert_eq!(server.end().code, Some(0));
    process.signal("USR1");
    process.says("DELETE /reservations/");
    let config = bench.path().join("accounts.toml");
    let server = Server::start_at(bench.path(), &config, &address.to_string());
    let ended = process.end();
    assert_eq!(ended.code, Some(40), "{}", ended.stderr);
    Pool { bench, server }.is_given_back();
}

#[test]
fn who_is_told_to_end_does_not_wait_for_a_server_that_is_away() {
    let pool = Pool::start("");
    let (process, _) = pool.running(&[], SLEEPER);
    assert_eq!(pool.server.end().code, Some(0));
    let start = Instant::now();
    process.signal("INT");
    let ended = process.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(start.elapsed() < CANCELLED_WITHIN);
    assert!(
        ended.stderr.contains("is not given back"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_lost_lease_ends_the_command() {
    let pool = Pool::start("");
    let program = "\
import os, signal, sys
def told(*_):
    print('told to end', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
print('up', os.getpid(), flush=True)
while True: signal.pause()";
    let (process, _) = pool.running(&["--ttl", "10s"], program);
    pool.end_lease();
    let ended = process.end();
    assert_eq!(ended.code, Some(125), "{}", ended.stderr);
    assert!(ended.stdout.contains("told to end"));
    assert!(
        ended
            .reason()
            .starts_with("the lease was lost: the server has ended it"),
        "{}",
        ended.stderr
    );
    pool.is_given_back();
}

#[test]
fn a_command_that_goes_on_without_its_lease_is_killed() {
    let pool = Pool::start("");
    let options = ["--ttl", "10s", "--grace", "500ms"];
    let (process, child) = pool.running(&options, STUBBORN);
    pool.end_lease();
    let ended = process.end();
    assert_eq!(ended.code, Some(125), "{}", ended.stderr);
    assert!(!is_running(child));
    pool.is_given_back();
}

#[test]
fn the_end_of_its_duration_ends_the_command() {
    let pool = Pool::start("\n[types.lite]\nprofile = \"lite\"\ndefault_duration = \"3s\"\n");
    // Nothing is renewed within that time: the program knows the expiration that it was told.
    let ended = run(&mut pool.command(&[], SLEEPER));
    assert_eq!(ended.code, Some(125), "{}", ended.stderr);
    assert!(!ended.stderr.contains("/renew"), "{}", ended.stderr);
    pool.is_given_back();
}

#[test]
fn for_a_command_that_cannot_be_started_nothing_is_reserved() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).unwrap();
    // Nobody is there to reserve anything: it would take the whole wait to find that out.
    let try_to = |word: &str| run(client(home.path(), NOWHERE, "token").args(["run", "--", word]));
    for (word, code, why) in [
        ("no-such-command", 127, "command not found"),
        ("./no/such/command", 127, "command not found"),
        ("./script", 126, "not executable"),
        ("/", 126, "not executable"),
    ] {
        let ended = try_to(word);
        assert_eq!(ended.code, Some(code), "{word}: {}", ended.stderr);
        assert_eq!(ended.reason(), format!("{word}: {why}"));
    }
}

/// Nobody listens there: the port is for the discard service, and far below those that are handed out.
const NOWHERE: &str = "http://127.0.0.1:9";

#[test]
fn a_command_whose_interpreter_is_missing_leaves_nothing_leased() {
    let pool = Pool::start("");
    let script = pool.bench.path().join("script");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = client(pool.bench.path(), &pool.server.url, &pool.bench.token);
    let ended = run(command.args(["run", "--type", "lite", "./script"]));
    assert_eq!(ended.code, Some(127), "{}", ended.stderr);
    pool.is_given_back();
}

#[test]
fn who_waits_in_vain_leaves_the_line() {
    let pool = Pool::start("");
    let (location, _) = pool.server.lease(&pool.bench.token);
    let ended = run(&mut pool.command(&["--wait", "1s"], SLEEPER));
    assert_eq!(ended.code, Some(124), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");

    let mut waiting = Process::start(&mut pool.command(&[], SLEEPER));
    waiting.says("POST /reservations: 302");
    waiting.signal("TERM");
    let ended = waiting.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    assert_eq!(
        status_of(pool.bench.path(), &["-X", "DELETE", &location]),
        204
    );
    pool.is_given_back();
}

#[test]
fn a_server_that_starts_late_is_waited_for() {
    let pool = Pool::start("");
    let url = pool.server.url.clone();
    let mut command = pool.command(&[], "print('done')");
    let address = pool.server.address();
    assert_eq!(pool.server.end().code, Some(0));
    let mut process = Process::start(&mut command);
    process.says("cannot be reached");
    let config = pool.bench.path().join("accounts.toml");
    let server = Server::start_at(pool.bench.path(), &config, &address.to_string());
    assert_eq!(server.url, url);
    let ended = process.end();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "done\n"),
        "{}",
        ended.stderr
    );
    let bench = pool.bench;
    Pool { bench, server }.is_given_back();
}

#[test]
fn what_no_wait_will_change_is_said_at_once() {
    let pool = Pool::start("");
    let try_with = |token: &str, options: &[&str]| -> Ended {
        let mut command = client(pool.bench.path(), &pool.server.url, token);
        run(command.arg("run").args(options).args(["--", "true"]))
    };
    let stranger = try_with("acctpool_unknown", &[]);
    assert_eq!(stranger.code, Some(125), "{}", stranger.stderr);
    assert!(
        stranger.reason().contains("401 unauthorized"),
        "{}",
        stranger.stderr
    );
    let unknown = try_with(&pool.bench.token, &["--type", "gold"]);
    assert_eq!(unknown.code, Some(125), "{}", unknown.stderr);
    let usage = try_with(&pool.bench.token, &["--ttl", "5"]);
    assert_eq!(usage.code, Some(2), "{}", usage.stderr);
    pool.is_given_back();
}
