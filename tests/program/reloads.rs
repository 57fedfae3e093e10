//! A thousand edits of the configuration, good and bad, while consumers reserve: whatever was answered
//! stays true, and every account is lent as the file says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use acctpool::token::NewToken;
use serde_json::Value;

use crate::bench::{Bench, Server, write_private};
use crate::chance::{Random, number, seed};
use crate::process::eventually;
use crate::reload::reload;
use crate::wire::Connection;

const EDITS: u64 = 1000;
/// A machine that has other work too gets on with fewer.
const AT_MOST: Duration = Duration::from_secs(50);
const FEWEST: u64 = 200;
const TYPES: [&str; 3] = ["free", "gold", "lite"];

/// What a good file says.
#[derive(Clone, Debug, Default)]
struct Said {
    /// By their places in the bench.
    accounts: BTreeMap<usize, &'static str>,
    minutes: u64,
    /// The one token that only this file knows.
    marker: String,
}

impl Said {
    fn types(&self) -> BTreeSet<&'static str> {
        self.accounts.values().copied().collect()
    }

    fn text(&self, bench: &Bench, marker: &NewToken) -> String {
        let policy = format!("pending_timeout = \"{}m\"", self.minutes);
        let accounts = self.accounts.iter();
        let accounts = accounts.map(|(place, label)| (&bench.accounts[*place], *label));
        let text = bench.configuration(&policy, accounts);
        format!("{text}\n{}", marker.toml())
    }
}

/// What consumers may believe.
#[derive(Default)]
struct Truth {
    /// Every good file so far. The last but one may be in force still.
    said: Vec<Said>,
    /// Who holds which account, as far as anybody was told and has not given it back.
    holders: BTreeMap<String, String>,
    leases: usize,
}

impl Truth {
    /// The files that may have been in force since there were so many, the one before them included.
    fn since(&self, count: usize) -> &[Said] {
        &self.said[count.saturating_sub(2)..]
    }
}

struct Stage<'a> {
    bench: &'a Bench,
    truth: Mutex<Truth>,
    is_over: AtomicBool,
}

impl Stage<'_> {
    fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a consumer was told of one reservation.
struct Asked {
    path: String,
    label: &'static str,
    /// How many good files there were when it was asked for.
    at: usize,
    lease: Option<Value>,
}

/// Reserves, looks and gives back, and believes nothing that the file does not say.
fn consume(stage: &Stage<'_>, server: SocketAddr, seed: u64) {
    let mut random = Random(seed);
    let mut connection = Connection::open(server).unwrap();
    let mut open: Vec<Asked> = Vec::new();
    while !stage.is_over.load(Ordering::Relaxed) {
        if open.len() < 3 {
            open.extend(ask(stage, &mut connection, &mut random));
        }
        let Some(place) = random.pick(&open) else {
            continue;
        };
        let is_over = look(stage, &mut connection, &mut open[place]);
        let gives_back = random.below(6) == 0;
        if gives_back && !is_over {
            give_back(stage, &mut connection, &open[place]);
        }
        if gives_back || is_over {
            open.swap_remove(place);
        }
        thread::sleep(Duration::from_millis(random.below(5)));
    }
    for asked in &mut open {
        if !look(stage, &mut connection, asked) {
            give_back(stage, &mut connection, asked);
        }
    }
}

fn ask(stage: &Stage<'_>, connection: &mut Connection, random: &mut Random) -> Option<Asked> {
    let label = TYPES[random.pick(&TYPES).unwrap()];
    let at = stage.truth().said.len();
    let target = format!("/reservations?type={label}");
    let answer = connection.ask("POST", &target, &stage.bench.token).unwrap();
    let truth = stage.truth();
    let mut in_force = truth.since(at).iter();
    match answer.status {
        302 => {
            assert!(
                in_force.any(|said| said.types().contains(label)),
                "{answer:?}"
            );
            Some(Asked {
                path: answer.location.unwrap(),
                label,
                at,
                lease: None,
            })
        }
        400 => {
            assert!(
                in_force.any(|said| !said.types().contains(label)),
                "{answer:?}"
            );
            None
        }
        _ => panic!("{answer:?}"),
    }
}

/// Asks about a reservation, and tells whether it is over.
fn look(stage: &Stage<'_>, connection: &mut Connection, asked: &mut Asked) -> bool {
    let answer = connection
        .ask("GET", &asked.path, &stage.bench.token)
        .unwrap();
    assert_eq!(answer.status, 200, "a lost reservation: {answer:?}");
    let shown = answer.body;
    assert_eq!(shown["type"], asked.label);
    let mut truth = stage.truth();
    match shown["state"].as_str().unwrap() {
        "pending" => assert!(asked.lease.is_none(), "a lost lease: {shown}"),
        "active" => {
            if let Some(lease) = &asked.lease {
                assert_eq!(shown, *lease);
            } else {
                check_lease(stage, &mut truth, asked, &shown);
                asked.lease = Some(shown);
            }
        }
        _ => {
            // Nobody else ends it, nothing is due, and what is held is left alone.
            let mut in_force = truth.since(asked.at).iter();
            let type_was_gone = in_force.any(|said| !said.types().contains(asked.label));
            let is_told = shown["end_reason"] == "revoked" && type_was_gone;
            assert!(
                asked.lease.is_none() && is_told,
                "a lost reservation: {shown}"
            );
            return true;
        }
    }
    false
}

/// Looks at a lease that is seen for the first time.
fn check_lease(stage: &Stage<'_>, truth: &mut Truth, asked: &Asked, shown: &Value) {
    let account = shown["account"]["id"].as_str().unwrap();
    let mut accounts = stage.bench.accounts.iter();
    let place = accounts.position(|known| known.id == account);
    let place = place.expect("an account of the file");
    let mut in_force = truth.since(asked.at).iter();
    let is_meant = |said: &Said| said.accounts.get(&place) == Some(&asked.label);
    assert!(in_force.any(is_meant), "a wrong account: {shown}");
    let key = shown["credentials"]["api_key"].as_str().unwrap();
    let works = stage.bench.simulator.working_key(key).is_some();
    assert!(works, "a key that does not work: {shown}");
    let path = asked.path.clone();
    let holder = truth.holders.insert(account.to_owned(), path);
    assert_eq!(holder, None, "two holders of {account}");
    truth.leases += 1;
}

fn give_back(stage: &Stage<'_>, connection: &mut Connection, asked: &Asked) {
    if let Some(lease) = &asked.lease {
        let account = lease["account"]["id"].as_str().unwrap();
        stage.truth().holders.remove(account);
    }
    let answer = connection
        .ask("DELETE", &asked.path, &stage.bench.token)
        .unwrap();
    assert_eq!(answer.status, 204, "{answer:?}");
    let shown = connection.ask("GET", &asked.path, &stage.bench.token);
    let shown = shown.unwrap().body;
    let reason = shown["end_reason"].as_str();
    // It may have been ended before, since its type was gone.
    let was_told = reason == Some("revoked") && asked.lease.is_none();
    assert!(reason == Some("cancelled") || was_told, "{shown}");
}

/// Changes one thing.
fn vary(said: &Said, random: &mut Random, accounts: usize) -> Said {
    let mut next = said.clone();
    let place = usize::try_from(random.below(accounts as u64)).unwrap();
    match random.below(4) {
        0 if next.accounts.contains_key(&place) && next.accounts.len() > 2 => {
            next.accounts.remove(&place);
        }
        0 | 1 => {
            let label = TYPES[random.pick(&TYPES).unwrap()];
            next.accounts.insert(place, label);
        }
        2 => next.minutes = 10 + random.below(50),
        _ => {}
    }
    next
}

/// Makes a good text bad.
fn spoil(text: &str, random: &mut Random) -> Vec<u8> {
    let keys: Vec<usize> = text
        .match_indices("api_key = \"")
        .map(|(at, _)| at)
        .collect();
    let at = keys[random.pick(&keys).unwrap()];
    match random.below(6) {
        // Half a file: in the middle of a value.
        0 => text.as_bytes()[..at + 12 + usize::try_from(random.below(20)).unwrap()].to_vec(),
        1 => format!("{text}\ntype = 7\n").into_bytes(),
        2 => text.replacen("settle =", "setle =", 1).into_bytes(),
        3 => [text.as_bytes(), b"\n# \xff\n"].concat(),
        4 => text
            .replacen("api_key = \"", "api_key = \"x\" \"", 1)
            .into_bytes(),
        _ => {
            let account = &text[text.find("[[accounts]]").unwrap()..];
            format!("{text}\n{account}").into_bytes()
        }
    }
}

fn write(path: &Path, bytes: &[u8], random: &mut Random) {
    if random.below(2) == 0 {
        let other = path.with_extension("new");
        write_private(&other, "");
        fs::write(&other, bytes).unwrap();
        fs::rename(&other, path).unwrap();
    } else {
        fs::write(path, bytes).unwrap();
    }
}

fn knows(connection: &mut Connection, marker: &str) -> bool {
    let answer = connection.ask("GET", "/reservations", marker).unwrap();
    assert!(matches!(answer.status, 200 | 401), "{answer:?}");
    answer.status == 200
}

/// Edits the file, and checks after each edit that it is in force, or that nothing is changed.
fn edit(stage: &Stage<'_>, server: &mut Server, config: &Path, random: &mut Random) -> u64 {
    let start = Instant::now();
    let mut connection = Connection::open(server.address()).unwrap();
    let limit = number("ACCTPOOL_TEST_EDITS").unwrap_or(EDITS);
    for edits in 0..limit {
        if start.elapsed() > AT_MOST {
            return edits;
        }
        let before = stage.truth().said.last().unwrap().clone();
        let marker = NewToken::generate("marker".parse().unwrap()).unwrap();
        let mut next = vary(&before, random, stage.bench.accounts.len());
        let text = next.text(stage.bench, &marker);
        if random.below(5) < 2 {
            let bad = spoil(&text, random);
            write(config, &bad, random);
            reload(server);
            assert!(
                !knows(&mut connection, marker.reveal()),
                "a bad file was used"
            );
            assert!(
                knows(&mut connection, &before.marker),
                "a bad file was used"
            );
            continue;
        }
        marker.reveal().clone_into(&mut next.marker);
        stage.truth().said.push(next.clone());
        write(config, text.as_bytes(), random);
        reload(server);
        eventually("the tokens of the file", || {
            knows(&mut connection, &next.marker).then_some(())
        });
        assert!(before.marker.is_empty() || !knows(&mut connection, &before.marker));
        let shown = connection.send("GET", "/", "", "").unwrap().body;
        for label in TYPES {
            let expected = next.accounts.values().filter(|of| **of == label).count();
            let total = shown["accounts"][label]["total"].as_u64().unwrap_or(0);
            // Those that leave are counted until the next start.
            assert!(total >= expected as u64, "{label}: {shown}");
        }
    }
    limit
}

#[test]
fn a_thousand_edits_lose_no_reservation_and_lend_no_wrong_account() {
    let bench = Bench::new(8);
    let seed = seed();
    println!("ACCTPOOL_TEST_SEED={seed}");
    let mut random = Random(seed);
    let marker = NewToken::generate("marker".parse().unwrap()).unwrap();
    let first = Said {
        accounts: (0..6).map(|place| (place, TYPES[place % 3])).collect(),
        minutes: 15,
        marker: marker.reveal().to_owned(),
    };
    let config = bench.path().join("accounts.toml");
    write_private(&config, &first.text(&bench, &marker));
    let mut server = Server::start_with(
        bench.path(),
        &config,
        "127.0.0.1:0",
        &[("ACCTPOOL_LOG", "info")],
    );
    let stage = Stage {
        bench: &bench,
        truth: Mutex::new(Truth {
            said: vec![first],
            ..Truth::default()
        }),
        is_over: AtomicBool::new(false),
    };
    let address = server.address();
    let edits = thread::scope(|scope| {
        for consumer in 0..2 {
            let stage = &stage;
            scope.spawn(move || consume(stage, address, seed ^ consumer));
        }
        let over = Over(&stage.is_over);
        let edits = edit(&stage, &mut server, &config, &mut random);
        drop(over);
        edits
    });
    let leases = stage.truth().leases;
    println!("{edits} edits, {leases} leases");
    assert!(edits >= FEWEST.min(number("ACCTPOOL_TEST_EDITS").unwrap_or(FEWEST)));
    assert!(
        leases as u64 >= edits / 10,
        "{leases} leases in {edits} edits"
    );
    assert!(server.process.is_running());
    assert_eq!(server.end().code, Some(0));
}

/// Ends the consumers, whatever ends the edits.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
