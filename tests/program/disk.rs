//! Disks that fail, fill up, are slow, or change what was written: nothing acknowledged is lost, and
//! nothing that cannot be kept is acknowledged.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::consumer::{Consumer, check_one_holder, policy};
use crate::process::{Ended, Process, eventually};
use crate::spoiled::{EVERYTHING, RECORDS, SYNC, Spoil, Spoiled, state_directory};
use crate::wire::Connection;

/// How long a life may take in which a call is to be spoiled; one takes what it needs.
const LIFE: Duration = Duration::from_secs(30);

/// A process that cannot keep anything says so and ends.
fn assert_ended_with_a_reason(ended: &Ended, spoil: Spoil) {
    let said = &ended.stderr;
    assert_eq!(ended.code, Some(1), "{spoil:?}: {said}");
    assert!(ended.reason().contains(": "), "{spoil:?}: {said}");
}

/// Checks all that consumers know on a healthy disk, and that everything comes back to order.
fn recover(bench: &Bench, config: &Path, consumers: &mut [Consumer<'_>]) {
    let server = bench.serve(config);
    let mut connection = Connection::open(server.address()).unwrap();
    for consumer in consumers.iter_mut() {
        consumer.look_at_all(&mut connection).unwrap();
        consumer.cancel_all(&mut connection).unwrap();
    }
    server.until("ready", u64::try_from(bench.accounts.len()).unwrap());
    check_one_holder(consumers);
    kill(server.process);
}

fn kill(process: Process) {
    process.signal("KILL");
    assert_eq!(process.end().code, None);
}

/// Lets consumers work until a spoiled call ends the service, or has been lived through: what fails
/// when the log is brought into the file is done again at the next commit.
fn live(bench: &Bench, config: &Path, spoil: Spoil, consumers: &mut [Consumer<'_>]) {
    let mut server = Spoiled::start(bench, config, spoil);
    if let Some(address) = server.listens() {
        let end = Instant::now() + LIFE;
        let mut struck = false;
        // A connection that broke is not the end yet: the error comes a moment later.
        while !struck && server.process.is_running() && Instant::now() < end {
            struck = server.was_struck();
            for consumer in consumers.iter_mut() {
                consumer.work(address, Duration::from_secs(1));
            }
        }
    }
    let may_be_killed = server.process.is_running() || spoil.how.starts_with("signal=");
    if server.process.is_running() {
        assert!(server.was_struck(), "{spoil:?} never struck");
        server.process.signal("KILL");
    }
    let ended = server.process.end();
    // It may have been about to end by itself.
    if ended.code.is_some() || !may_be_killed {
        assert_ended_with_a_reason(&ended, spoil);
    }
}

/// Spoils a call of one kind in every life, early ones and late ones, in each way in turn.
fn nothing_acknowledged_is_lost(call: &'static str, hows: &[&'static str], last: usize) {
    let bench = Bench::new(1);
    let config = bench.configure(&policy("1s"));
    let mut consumers = [Consumer::new(&bench, 1)];
    // The file is there, so that it is the work which is struck and not the making of the file.
    recover(&bench, &config, &mut consumers);
    let moments = std::iter::successors(Some(1), |nth| Some(nth + 1 + nth / 3));
    let lives = moments
        .take_while(|nth| *nth <= last)
        .zip(hows.iter().cycle());
    for (nth, how) in lives {
        let spoil = Spoil {
            call,
            how,
            nth: Some(nth),
            files: RECORDS,
        };
        live(&bench, &config, spoil, &mut consumers);
    }
    recover(&bench, &config, &mut consumers);
    // How much happens in a life depends on the machine: there are more until enough has.
    for _ in 0..20 {
        if check_one_holder(&consumers) > 2 {
            return;
        }
        let spoil = Spoil {
            call,
            how: hows[0],
            nth: Some(last),
            files: RECORDS,
        };
        live(&bench, &config, spoil, &mut consumers);
        recover(&bench, &config, &mut consumers);
    }
    panic!("too little happened");
}

#[test]
fn failing_writes_lose_nothing_acknowledged() {
    let hows = ["error=ENOSPC", "error=EIO", "error=EROFS"];
    nothing_acknowledged_is_lost("pwrite64", &hows, 600);
}

#[test]
fn failing_syncs_lose_nothing_acknowledged() {
    nothing_acknowledged_is_lost(SYNC, &["error=EIO", "error=ENOSPC"], 250);
}

#[test]
fn ends_in_the_middle_of_a_write_lose_nothing_acknowledged() {
    nothing_acknowledged_is_lost("pwrite64", &["signal=KILL"], 600);
}

#[test]
fn ends_before_a_commit_lose_nothing_acknowledged() {
    nothing_acknowledged_is_lost(SYNC, &["signal=KILL"], 250);
}

#[test]
fn ends_between_a_commit_and_its_answer_lose_nothing_acknowledged() {
    // After its sync a commit gives back its locks, then the answer goes out.
    nothing_acknowledged_is_lost("fcntl", &["signal=KILL"], 600);
}

#[test]
fn a_change_is_answered_when_the_disk_has_it_and_no_sooner() {
    const DELAY: Duration = Duration::from_millis(100);
    let bench = Bench::new(1);
    let config = bench.configure("");
    kill(bench.serve(&config).process);
    let slow = Spoil {
        call: SYNC,
        how: "delay_enter=100000",
        nth: None,
        files: RECORDS,
    };
    let mut server = Spoiled::start(&bench, &config, slow);
    let mut connection = Connection::open(server.listens().unwrap()).unwrap();
    eventually("an account that is ready", || {
        let status = connection.ask("GET", "/", &bench.token).unwrap().body;
        (status["accounts"]["lite"]["ready"] == 1).then_some(())
    });
    let mut change = |method, target: &str| {
        // What was being written has been, so that a change waits for nothing but itself.
        thread::sleep(DELAY * 3);
        let start = Instant::now();
        let answer = connection.ask(method, target, &bench.token).unwrap();
        assert!(start.elapsed() >= DELAY, "{method} was answered too early");
        answer
    };
    let first = change("POST", "/reservations?type=lite");
    let waiting = change("POST", "/reservations?type=lite");
    change("DELETE", &waiting.location.unwrap());
    change("DELETE", &first.location.unwrap());
}

/// Starts with one call after the other spoiled, until none is left to be.
fn starts_fail_whole(bench: &Bench, call: &'static str, how: &'static str, before: impl Fn()) {
    let config = bench.configure("");
    for nth in 1.. {
        before();
        let spoil = Spoil {
            call,
            how,
            nth: Some(nth),
            files: EVERYTHING,
        };
        let mut server = Spoiled::start(bench, &config, spoil);
        let listens = server.listens().is_some();
        let struck = server.was_struck();
        if listens {
            // Bytes 18 and 19 of a SQLite file say how it is written; 2 is a write-ahead log.
            let file = std::fs::read(state_directory(bench).join("state.db")).unwrap();
            assert_eq!(&file[18..20], [2, 2], "{spoil:?}");
            server.process.signal("KILL");
            server.process.end();
        } else {
            assert_ended_with_a_reason(&server.process.end(), spoil);
        }
        kill(bench.serve(&config).process);
        if listens && !struck {
            assert!(nth > 1, "{call} was never struck");
            return;
        }
    }
}

#[test]
fn a_first_start_that_fails_anywhere_can_be_repeated() {
    let bench = Bench::new(1);
    let anew = || {
        // Not there the first time.
        let _ = std::fs::remove_dir_all(state_directory(&bench));
    };
    for (call, how) in [
        ("openat", "error=EROFS"),
        ("pwrite64", "error=ENOSPC"),
        (SYNC, "error=EIO"),
        ("rename", "error=EIO"),
        ("linkat", "error=ENOSPC"),
    ] {
        starts_fail_whole(&bench, call, how, anew);
    }
}
