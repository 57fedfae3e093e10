//! Disks that are full, cannot be written or are taken away, as the kernel has them: nothing
//! acknowledged is lost, and when there is space again the service comes back.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::bench::{Bench, address, curl};
use crate::consumer::{Consumer, check_one_holder, policy};
use crate::process::{Ended, Process, command, eventually};
use crate::spoiled::{EVERYTHING, Spoil, Spoiled, state_directory};
use crate::wire::Connection;

/// What a small disk has left for the records: less than a write-ahead log grows to.
const LEFT: u64 = 2 * 256 * 1024;

/// How long consumers may work until it is used up, on a machine that has other work too.
const PATIENCE: Duration = Duration::from_mins(3);

/// A file system of its own below the state directory, which only those see who enter. Where the
/// system lets nobody mount one, there is none.
struct SmallDisk {
    keeper: Process,
    mounted_at: PathBuf,
}

impl SmallDisk {
    fn mount(bench: &Bench) -> Option<Self> {
        let mounted_at = state_directory(bench);
        fs::create_dir_all(&mounted_at).unwrap();
        let mount = "mount -t tmpfs -o size=8m,mode=700 tmpfs \"$0\" && echo mounted >&2 && \
                     exec sleep 600";
        let mut unshare = command("unshare", bench.path());
        unshare.args(["--mount", "--map-root-user", "sh", "-c", mount]);
        let mut keeper = Process::start(unshare.arg(&mounted_at));
        keeper.may_say("mounted")?;
        Some(Self { keeper, mounted_at })
    }

    /// A command that sees the disk.
    fn enter(&self, bench: &Bench) -> Command {
        let mut enter = command("nsenter", bench.path());
        let keeper = self.keeper.id().to_string();
        enter.args([
            "--preserve-credentials",
            "--user",
            "--mount",
            "--target",
            &keeper,
        ]);
        enter
    }

    /// Carries out a line of shell, in which `$0` is where the disk is.
    fn shell(&self, bench: &Bench, line: &str) {
        let mut shell = self.enter(bench);
        let ended = Process::start(shell.args(["sh", "-c", line]).arg(&self.mounted_at)).end();
        assert_eq!(ended.code, Some(0), "{line}: {}", ended.stderr);
    }

    fn fill(&self, bench: &Bench) {
        let line = format!(
            "free=$(df -k --output=avail \"$0\" | tail -1) && \
             head -c $(($free * 1024 - {LEFT})) /dev/zero > \"$0/filler\""
        );
        self.shell(bench, &line);
    }
}

fn serve(mut command: Command, config: &Path) -> Process {
    command.arg(env!("CARGO_BIN_EXE_acctpool"));
    command.args(["serve", "--bind", "127.0.0.1:0", "--config"]);
    Process::start(command.arg(config))
}

fn listens(process: &mut Process) -> Option<SocketAddr> {
    let said = process.may_say("listening on ")?;
    Some(address(said.split_once(',').unwrap().0))
}

fn assert_ended_with_a_reason(ended: &Ended) {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.reason().contains(": "), "{}", ended.stderr);
}

/// Lets a consumer work until the disk is full.
fn work_until_the_end(mut server: Process, consumer: &mut Consumer<'_>) {
    let address = listens(&mut server).unwrap();
    let start = Instant::now();
    while server.is_running() {
        assert!(start.elapsed() < PATIENCE, "the disk is never full");
        consumer.work(address, Duration::from_secs(1));
    }
    let ended = server.end();
    assert_ended_with_a_reason(&ended);
    assert!(
        ended.stderr.contains("nothing can be kept"),
        "{}",
        ended.stderr
    );
}

/// With space again, all that the consumer knows is true, and everything comes back to order.
fn recover(bench: &Bench, mut server: Process, consumer: &mut Consumer<'_>) {
    let address = listens(&mut server).unwrap();
    let mut connection = Connection::open(address).unwrap();
    consumer.look_at_all(&mut connection).unwrap();
    consumer.cancel_all(&mut connection).unwrap();
    eventually("accounts that are ready", || {
        let status = curl(bench.path(), &[&format!("http://{address}")]).json();
        (status["accounts"]["lite"]["ready"] == 1).then_some(())
    });
    check_one_holder(std::slice::from_ref(consumer));
    server.signal("KILL");
    server.end();
}

#[test]
fn a_full_disk_loses_nothing_and_the_service_comes_back_with_space() {
    let bench = Bench::new(1);
    let config = bench.configure(&policy("1s"));
    let mut consumer = Consumer::new(&bench, 1);
    let Some(disk) = SmallDisk::mount(&bench) else {
        // The kernel refuses to let a file grow instead, which is as good.
        eprintln!("nothing can be mounted here: files are kept small instead");
        work_until_the_end(serve(with_small_files(&bench), &config), &mut consumer);
        recover(
            &bench,
            serve(command("env", bench.path()), &config),
            &mut consumer,
        );
        return;
    };
    disk.fill(&bench);
    work_until_the_end(serve(disk.enter(&bench), &config), &mut consumer);
    // Still full: it works on what little there is, or says why not.
    let mut server = serve(disk.enter(&bench), &config);
    match listens(&mut server) {
        Some(_) => {
            server.signal("KILL");
            server.end();
        }
        None => assert_ended_with_a_reason(&server.end()),
    }
    disk.shell(&bench, "rm \"$0/filler\"");
    recover(&bench, serve(disk.enter(&bench), &config), &mut consumer);
}

#[test]
fn files_that_may_not_grow_lose_nothing() {
    let bench = Bench::new(1);
    let config = bench.configure(&policy("1s"));
    let mut consumer = Consumer::new(&bench, 2);
    work_until_the_end(serve(with_small_files(&bench), &config), &mut consumer);
    recover(
        &bench,
        serve(command("env", bench.path()), &config),
        &mut consumer,
    );
}

/// A command whose files cannot grow beyond a quarter of a MiB; where the attempt is an error, and no signal.
fn with_small_files(bench: &Bench) -> Command {
    let mut shell = command("sh", bench.path());
    shell.args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""]);
    shell
}

#[test]
fn a_disk_that_cannot_be_written_is_refused_and_nothing_on_it_is_lost() {
    let bench = Bench::new(1);
    let config = bench.configure(&policy("1s"));
    let mut consumer = Consumer::new(&bench, 3);
    let Some(disk) = SmallDisk::mount(&bench) else {
        eprintln!("nothing can be mounted here: opening files is made to fail instead");
        let spoil = Spoil {
            call: "openat",
            how: "error=EROFS",
            nth: None,
            files: EVERYTHING,
        };
        let mut server = Spoiled::start(&bench, &config, spoil);
        assert!(server.listens().is_none());
        assert_ended_with_a_reason(&server.process.end());
        return;
    };
    let mut server = serve(disk.enter(&bench), &config);
    let address = listens(&mut server).unwrap();
    consumer.work(address, Duration::from_secs(2));
    server.signal("KILL");
    server.end();
    disk.shell(&bench, "mount -o remount,ro \"$0\"");
    let ended = serve(disk.enter(&bench), &config).end();
    assert_ended_with_a_reason(&ended);
    assert!(
        ended.stderr.contains("Read-only file system"),
        "{}",
        ended.stderr
    );
    disk.shell(&bench, "mount -o remount,rw \"$0\"");
    recover(&bench, serve(disk.enter(&bench), &config), &mut consumer);
}

#[test]
fn a_state_directory_that_is_removed_ends_the_service_before_it_answers() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let server = bench.serve(&config);
    server.until("ready", 1);
    let mut connection = Connection::open(server.address()).unwrap();
    fs::remove_dir_all(state_directory(&bench)).unwrap();
    let answer = connection.ask("POST", "/reservations?type=lite", &bench.token);
    assert!(
        answer.is_err(),
        "what nobody can find again was acknowledged"
    );
    let ended = server.process.end();
    assert_ended_with_a_reason(&ended);
    assert!(
        ended.stderr.contains("removed or replaced while in use"),
        "{}",
        ended.stderr
    );
    bench.serve(&config).until("ready", 1);
}
