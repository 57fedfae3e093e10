//! Ten thousand clients that wait at once, a thousand of which go away.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::Value;

use crate::bench::{Bench, Server};
use crate::process::eventually;

/// How many reservations are waited for.
const RESERVATIONS: usize = 100;
/// How many clients wait for each.
const WAITERS: usize = 100;
/// How many of them go away.
const GONE: usize = 10;

/// How much more memory the process may hold afterwards than before, in bytes for each that waited.
/// While they wait, it is more than twice as much.
const KEPT: u64 = 4096;

#[test]
fn ten_thousand_wait_at_once_and_who_went_away_costs_nothing() {
    allow_many_descriptors();
    let bench = Bench::new(1);
    let settings = "max_pending_per_token = 1000\n[server]\nmax_connections = 12000\n";
    let config = bench.configure(settings);
    // What is measured is what the program holds, not what its allocator keeps for later.
    let frugal = [("MIMALLOC_PURGE_DELAY", "0")];
    let server = Server::start_with(bench.path(), &config, "127.0.0.1:0", &frugal);
    server.until("ready", 1);
    let holder = reserve(&server, &bench.token);
    let waiting: Vec<String> = (0..RESERVATIONS)
        .map(|_| reserve(&server, &bench.token))
        .collect();
    let before = memory(&server);

    let mut clients = crowd(&server, &bench.token, &waiting);
    until_connected(&server, RESERVATIONS * WAITERS);
    let during = memory(&server);
    for of_one in clients.values_mut() {
        of_one.truncate(WAITERS - GONE);
    }
    // Nothing has happened that they could be told, and yet they are forgotten.
    until_connected(&server, RESERVATIONS * (WAITERS - GONE));

    // Nobody has looked at its credential, so the account is granted to the next one at once.
    cancel(&server, &bench.token, &holder);
    let (granted, others) = waiting.split_first().unwrap();
    let mut key = None;
    for client in clients.remove(granted).unwrap() {
        let told = client.answer(granted);
        assert_eq!(told["state"], "active", "{told}");
        let shown = told["credentials"]["api_key"].clone();
        assert!(shown.is_string(), "{told}");
        assert_eq!(*key.get_or_insert(shown.clone()), shown);
    }
    for path in others {
        cancel(&server, &bench.token, path);
    }
    for (path, of_one) in clients {
        for client in of_one {
            let told = client.answer(&path);
            assert_eq!(told["end_reason"], "cancelled", "{told}");
        }
    }
    until_connected(&server, 0);
    let waited = (RESERVATIONS * WAITERS) as u64;
    eventually("the memory comes back", || {
        let kept = memory(&server).saturating_sub(before);
        (kept < KEPT * waited).then_some(())
    });
    assert!(during > before + 2 * KEPT * waited, "{before} {during}");
}

/// A client that has asked and waits.
struct Client(BufReader<TcpStream>);

impl Client {
    fn ask(address: SocketAddr, token: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: pool\r\nauthorization: Bearer {token}\r\n\
             prefer: wait=60\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        Self(BufReader::with_capacity(512, stream))
    }

    /// Returns what it is told of the reservation at `path`.
    fn answer(mut self, path: &str) -> Value {
        let mut line = String::new();
        let mut length = None;
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim_end().parse().ok();
            }
        }
        let mut body = vec![0; length.unwrap()];
        self.0.read_exact(&mut body).unwrap();
        let told: Value = serde_json::from_slice(&body).unwrap();
        assert!(path.ends_with(told["id"].as_str().unwrap()), "{told}");
        told
    }
}

/// Lets clients wait for every reservation.
fn crowd(server: &Server, token: &str, waiting: &[String]) -> BTreeMap<String, Vec<Client>> {
    let address = server.address();
    let of_one = |path: &String| {
        let clients = (0..WAITERS).map(|_| Client::ask(address, token, path));
        (path.clone(), clients.collect())
    };
    waiting.iter().map(of_one).collect()
}

/// Sends a request of one line and a token, and returns the head of the answer.
fn send(server: &Server, token: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = format!(
        "{request} HTTP/1.1\r\nhost: pool\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn reserve(server: &Server, token: &str) -> String {
    let answer = send(server, token, "POST /reservations?type=lite");
    let location = answer
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    location.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn cancel(server: &Server, token: &str, path: &str) {
    let answer = send(server, token, &format!("DELETE {path}"));
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

/// Waits until the server holds so many connections.
fn until_connected(server: &Server, count: usize) {
    eventually(&format!("{count} connections"), || {
        (connections(server) == count).then_some(())
    });
}

/// Counts the server's ends of connections that it has not closed, as the system tells everybody.
fn connections(server: &Server) -> usize {
    const ESTABLISHED: &str = "01";
    const CLIENT_HAS_CLOSED: &str = "08";
    let port = format!(":{:04X}", server.address().port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_open = |line: &&str| {
        let mut columns = line.split_whitespace().skip(1);
        let is_servers = columns.next().is_some_and(|local| local.ends_with(&port));
        is_servers && [Some(ESTABLISHED), Some(CLIENT_HAS_CLOSED)].contains(&columns.nth(1))
    };
    table.lines().filter(is_open).count()
}

/// Returns how much memory of the server is in use, in bytes.
fn memory(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// Lets this process, and those that it starts, open as many files as the system allows.
fn allow_many_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
