//! `acctpool serve`: the workflow with curl and with Python, and its end.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::bench::{Bench, Server, curl, status_of};
use crate::environment;
use crate::process::{acctpool, command, run};

#[test]
fn curl_reserves_polls_and_gives_back() {
    let bench = Bench::new(1);
    let server = bench.serve(&bench.configure(""));
    let home = bench.path();
    server.until("ready", 1);

    let asked = format!(
        "{}/reservations?type=lite&duration=30&token={}",
        server.url, bench.token
    );
    // Without -L curl shows the redirect itself.
    let redirect = curl(home, &["-i", "-d", "", &asked]).body;
    assert!(redirect.starts_with("HTTP/1.1 302 Found"), "{redirect}");
    let first = redirect.split_once("\r\n\r\n").unwrap().1;
    assert!(!first.contains("api_key"), "only GET shows credentials");
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    let first = format!(
        "{}/reservations/{}",
        server.url,
        first["id"].as_str().unwrap()
    );
    let bearer = format!("Authorization: Bearer {}", bench.token);
    assert_eq!(
        status_of(home, &["-X", "DELETE", "-H", &bearer, &first]),
        204
    );

    let (location, lease) = server.lease(&bench.token);
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    assert!(bench.simulator.working_key(key).is_some());
    assert_eq!(lease["account"]["id"], *bench.accounts[0].id);
    assert_eq!(status_of(home, &["-X", "DELETE", &location]), 204);
    assert_eq!(status_of(home, &["-X", "DELETE", &location]), 204);
    let shown = curl(home, &[&location]).json();
    assert_eq!(shown["end_reason"], "cancelled");
    server.until("ready", 1);
    assert_eq!(bench.simulator.working_key(key), None);
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn python_requests_lands_on_its_reservation() {
    let bench = Bench::new(1);
    let server = bench.serve(&bench.configure(""));
    server.until("ready", 1);
    let program = "\
import requests, sys
pool, token = sys.argv[1:]
asked = requests.post(f'{pool}/reservations', params={'token': token, 'type': 'lite'}, timeout=10)
assert [hop.status_code for hop in asked.history] == [302], asked.history
lease = requests.get(asked.url, timeout=10).json()
assert lease['state'] == 'active', lease
assert lease['credentials']['api_key']
assert requests.delete(asked.url, timeout=10).status_code == 204
print(requests.get(asked.url, timeout=10).json()['end_reason'])
";
    let mut python = command(environment::interpreter(), bench.path());
    let ended = run(python.args(["-c", program, &server.url, &bench.token]));
    assert_eq!(ended.stdout, "cancelled\n", "{}", ended.stderr);
}

#[test]
fn sigterm_finishes_what_runs_and_leaves_leases_alive() {
    ends_gracefully("TERM");
}

#[test]
fn sigint_does_the_same() {
    ends_gracefully("INT");
}

fn ends_gracefully(signal: &str) {
    let bench = Bench::new(1);
    let mut server = bench.serve(&bench.configure(""));
    let (location, lease) = server.lease(&bench.token);
    let path = location.strip_prefix(&server.url).unwrap();

    // All of these were accepted. Some rest, one is in the middle of a head, and as many as there
    // are workers and more wait for an answer.
    let mut resting = accepted(&server);
    let mut half = accepted(&server);
    half.send("GET / HTTP/1.1\r\nhost: po");
    let mut asking: Vec<_> = (0..16).map(|_| accepted(&server)).collect();
    for held in &mut asking {
        held.send(&format!("GET {path} HTTP/1.1\r\nhost: pool\r\n\r\n"));
    }
    server.process.signal(signal);
    server.process.says("finishing what runs");
    for held in &mut asking {
        let answer = held.rest();
        // Whole, or not begun; never cut off.
        assert!(answer.is_empty() || answer.ends_with("}}"), "{answer:?}");
    }
    assert_eq!(
        (resting.rest(), half.rest()),
        (String::new(), String::new())
    );

    let address = server.address();
    let ended = server.process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "serve prints no data");
    TcpStream::connect(address).expect_err("nobody listens any more");
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    let works = bench.simulator.working_key(key).is_some();
    assert!(works, "the lease lives on");
}

/// A connection that has had an answer.
fn accepted(server: &Server) -> Held {
    let mut held = Held::open(server.address());
    held.send("GET / HTTP/1.1\r\nhost: pool\r\n\r\n");
    held.until("\"reservations\":{\"lite\":{\"pending\":0,\"active\":1}}}");
    held
}

#[test]
fn a_port_that_is_taken_is_left_to_its_holder() {
    let bench = Bench::new(1);
    let server = bench.serve(&bench.configure(""));
    let port = server.address().port().to_string();
    let other = tempfile::tempdir().unwrap();
    let config = bench.path().join("accounts.toml");
    let mut second = acctpool(other.path(), &["serve", "--config"]);
    second
        .arg(config)
        .args(["--bind", &format!("127.0.0.1:{port}")]);
    let ended = run(&mut second);
    assert_eq!(ended.code, Some(1));
    let complaint = ended.stderr.lines().last().unwrap();
    assert!(
        complaint.starts_with(&format!("error: cannot listen on 127.0.0.1:{port}: ")),
        "{complaint}"
    );
    server.until("ready", 1);
}

/// A connection that a test holds open.
struct Held(TcpStream);

impl Held {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(stream)
    }

    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until a text has come.
    fn until(&mut self, text: &str) -> String {
        let mut read = String::new();
        let mut buffer = [0; 4096];
        while !read.contains(text) {
            let count = self.0.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "closed after {read:?}");
            read.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        read
    }

    /// Reads until the other side closes.
    fn rest(&mut self) -> String {
        let mut read = Vec::new();
        match self.0.read_to_end(&mut read) {
            // What was sent to a closed socket comes back as a reset.
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => String::from_utf8(read).unwrap(),
        }
    }
}
