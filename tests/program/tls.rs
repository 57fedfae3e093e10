//! TLS, as the server speaks it and towards IBM Cloud: who trusts whom, certificates that are renewed,
//! clients that hang, and the end.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, Pair};
use crate::bench::{Bench, Server, curl, status_of, write_private};
use crate::http_2::Http2;
use crate::process::{Ended, acctpool, command, run};
use crate::reload::reload;
use crate::wire::Connection;

/// Shorter than any deadline that a hanging client could set off by mistake.
const SOON: Duration = Duration::from_secs(15);

/// Simulated accounts, and an authority that vouches for the server above them.
struct Stage {
    bench: Bench,
    authority: Authority,
}

impl Stage {
    fn new(accounts: usize) -> Self {
        let bench = Bench::new(accounts);
        let authority = Authority::new();
        let trusted = authority.write(bench.path(), "ca.pem");
        // What curl trusts, unless it is told otherwise.
        let curlrc = format!("cacert = \"{}\"\n", trusted.display());
        fs::write(bench.path().join(".curlrc"), curlrc).unwrap();
        Self { bench, authority }
    }

    fn path(&self) -> &Path {
        self.bench.path()
    }

    /// Writes a pair and a configuration that names it; `server` are more lines of that section.
    fn configure(&self, pair: &Pair, server: &str) -> String {
        pair.write(self.path());
        let accounts = self.bench.accounts.iter().map(|account| (account, "lite"));
        let text = self.bench.configuration("", accounts);
        let tls = "tls_certificate = \"server.pem\"\ntls_key = \"server.key\"";
        let text = format!("[server]\n{tls}\n{server}\n{text}");
        write_private(&self.path().join("accounts.toml"), &text);
        text
    }

    fn serve(&self) -> Server {
        self.bench.serve(&self.path().join("accounts.toml"))
    }

    fn trusting(&self, server: &Server, arguments: &[&str], ca: &Path) -> Ended {
        let mut command = acctpool(self.path(), arguments);
        command
            .args(["--url", &server.url])
            .env("ACCTPOOL_TOKEN", &self.bench.token)
            .env("ACCTPOOL_CA_FILE", ca);
        run(&mut command)
    }
}

/// Asks for the statistics, on a connection that may go on.
fn ask<S: Read + Write>(connection: &mut Connection<S>) {
    assert_eq!(connection.send("GET", "/", "", "").unwrap().status, 200);
}

#[test]
fn accounts_are_lent_over_tls_to_who_trusts_the_authority() {
    let stage = Stage::new(1);
    let pair = stage.authority.pair(2990);
    stage.configure(&pair, "");
    let server = stage.serve();
    assert!(server.url.starts_with("https://"), "{}", server.url);
    server.until("ready", 1);

    let query = format!("type=lite&token={}", stage.bench.token);
    let asked = format!("{}/reservations?{query}", server.url);
    for (version, spoken) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let format = "\n%{http_version} %{url_effective}";
        let landed = curl(
            stage.path(),
            &[version, "-L", "-d", "", "-w", format, &asked],
        );
        let (_, last) = landed.body.rsplit_once('\n').unwrap();
        let (version, url) = last.split_once(' ').unwrap();
        assert_eq!(version, spoken);
        let shown = curl(stage.path(), &[url]).json();
        assert_eq!(shown["type"], "lite");
        assert_eq!(status_of(stage.path(), &["-X", "DELETE", url]), 204);
        server.until("ready", 1);
    }

    let stranger = Authority::new().write(stage.path(), "stranger.pem");
    let stranger = stranger.to_str().unwrap();
    let mut wary = command("curl", stage.path());
    let ended = run(wary.args(["-sS", "--cacert", stranger, &server.url]));
    assert_eq!(ended.code, Some(60), "{}", ended.stderr);

    let ended = stage.trusting(&server, &["status"], Path::new(stranger));
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    assert!(ended.reason().contains("certificate"), "{}", ended.stderr);
    let reserve = ["reserve", "--type", "lite"];
    // It will not be trusted by and by.
    let ended = stage.trusting(&server, &reserve, Path::new(stranger));
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    assert!(ended.reason().contains("not trusted"), "{}", ended.stderr);
    let ended = stage.trusting(&server, &reserve, &stage.path().join("ca.pem"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let log = server.end().stderr;
    assert!(log.contains(" 127.0.0.1 GET /reservations/"), "{log}");
    let key = pair.key.serialize_pem();
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!log.contains(line), "the key is in the log");
    }
}

#[test]
fn a_renewed_certificate_is_shown_and_a_bad_one_is_not() {
    let stage = Stage::new(1);
    let (first, second) = (stage.authority.pair(2991), stage.authority.pair(2992));
    let text = stage.configure(&first, "");
    let mut server = stage.serve();
    let address = server.address();
    server
        .process
        .says("the certificate is valid until 2991-01-01");
    assert_eq!(stage.authority.shown(address), *first.certificate.der());
    let open = stage.authority.connect(address, "http/1.1");
    let mut open = Connection::over(open);
    ask(&mut open);

    // Half of it is there.
    let said = server.process.said();
    second.write_certificate(stage.path());
    server.process.says_after(said, "not reloaded ");
    let complaint = server.process.stderr()[said..].to_owned();
    assert!(
        complaint.contains("accounts.toml:3:11: `tls_key` "),
        "{complaint}"
    );
    assert_eq!(stage.authority.shown(address), *first.certificate.der());
    ask(&mut open);

    second.write(stage.path());
    server
        .process
        .says(": another certificate, valid until 2992-01-01T00:00:00Z");
    assert_eq!(stage.authority.shown(address), *second.certificate.der());
    ask(&mut open);
    let complaints = server.process.stderr().matches("not reloaded ").count();
    assert_eq!(complaints, 1, "once for each change");

    // At a word, too; and whether TLS is spoken at all stays.
    let third = stage.authority.pair(2993);
    third.write(stage.path());
    let said = reload(&mut server);
    assert!(said.ends_with("valid until 2993-01-01T00:00:00Z"), "{said}");
    assert_eq!(stage.authority.shown(address), *third.certificate.der());
    let clear = text.replace("tls_", "#tls_");
    write_private(&stage.path().join("accounts.toml"), &clear);
    reload(&mut server);
    server
        .process
        .says("[server] tls_certificate is not the one in use: it takes a restart");
    assert_eq!(stage.authority.shown(address), *third.certificate.der());
}

#[test]
fn a_key_that_everybody_can_read_is_not_used() {
    let stage = Stage::new(1);
    stage.configure(&stage.authority.pair(2990), "");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(stage.path().join("server.key"), open).unwrap();
    for verb in ["check", "serve"] {
        let mut command = acctpool(stage.path(), &[verb]);
        let ended = run(command.env("ACCTPOOL_CONFIG", "accounts.toml"));
        assert_eq!(ended.code, Some(78), "{verb}: {}", ended.stderr);
        assert!(ended.stderr.contains("chmod o-r"), "{}", ended.stderr);
    }
}

/// Sends something else than a handshake, and waits until the server has closed the connection.
fn hang(server: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(server).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("it is closed");
    answer
}

#[test]
fn who_does_not_shake_hands_is_closed_in_time_and_disturbs_nobody() {
    let stage = Stage::new(1);
    stage.configure(
        &stage.authority.pair(2990),
        "client_timeout = \"500ms\"\nmax_connections = 8",
    );
    let server = stage.serve();
    let address = server.address();
    let half_a_hello = [0x16, 3, 1, 2, 0, 1, 0];
    thread::scope(|scope| {
        // More than there is room for: they count as connections, and give way in time.
        for _ in 0..10 {
            scope.spawn(|| hang(address, b""));
            scope.spawn(|| hang(address, &half_a_hello));
        }
    });
    hang(address, b"\x16\x03\x01\x00\x05hello");
    let plain = hang(address, b"GET / HTTP/1.1\r\nhost: pool\r\n\r\n");
    let plain = String::from_utf8(plain).unwrap();
    assert!(plain.starts_with("HTTP/1.1 400 "), "{plain}");
    assert!(
        plain.ends_with("\r\n\r\nthis port speaks https.\n"),
        "{plain}"
    );
    server.until("ready", 1);
    let log = server.end().stderr;
    for level in [" WARN ", " ERROR "] {
        assert!(!log.contains(level), "{log}");
    }
}

#[test]
fn who_waits_over_http_2_and_hangs_up_is_forgotten() {
    let stage = Stage::new(1);
    stage.configure(&stage.authority.pair(2990), "");
    let mut server = stage.serve();
    server.lease(&stage.bench.token);
    let mut http_1 = Connection::over(stage.authority.connect(server.address(), "http/1.1"));
    let asked = http_1.ask("POST", "/reservations?type=lite", &stage.bench.token);
    let second = asked.unwrap().location.unwrap();

    let mut client = Http2::over(stage.authority.connect(server.address(), "h2"));
    let bearer = format!("Bearer {}", stage.bench.token);
    let headers = [("authorization", &*bearer), ("prefer", "wait=60")];
    client.request("GET", &second, &headers);
    // Another one on the same connection ends, and this one goes on.
    let other = client.request("GET", "/", &[]);
    client.answered(other);
    client.settle();
    let said = server.process.said();
    let exchange = format!("127.0.0.1 GET {second} 200 ");
    assert!(!server.process.stderr().contains(&exchange), "it waits");
    drop(client);
    // Long before the minute is over.
    server.process.says_after(said, &exchange);
}

#[test]
fn open_connections_do_not_hold_up_the_end() {
    let stage = Stage::new(1);
    stage.configure(&stage.authority.pair(2990), "client_timeout = \"1m\"");
    let server = stage.serve();
    server.lease(&stage.bench.token);
    let mut http_1 = Connection::over(stage.authority.connect(server.address(), "http/1.1"));
    let asked = http_1.ask("POST", "/reservations?type=lite", &stage.bench.token);
    let second = asked.unwrap().location.unwrap();
    let mut http_2 = Http2::over(stage.authority.connect(server.address(), "h2"));
    let other = http_2.request("GET", "/", &[]);
    http_2.answered(other);
    // One that waits, one that has not said anything yet, and one in the middle of a handshake.
    let bearer = format!("Bearer {}", stage.bench.token);
    let headers = [("authorization", &*bearer), ("prefer", "wait=60")];
    let waiting = http_2.request("GET", &second, &headers);
    http_2.settle();
    let mut silent = Http2::over(stage.authority.connect(server.address(), "h2"));
    silent.settle();
    let handshake = TcpStream::connect(server.address()).unwrap();

    let start = Instant::now();
    server.process.signal("TERM");
    http_2.answered(waiting);
    http_2.read_to_end();
    silent.read_to_end();
    let ended = server.process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    drop(handshake);
}

/// Speaks TLS for somebody who does not, until the test ends. Returns where.
fn wrap(server: SocketAddr, pair: &Pair) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(pair.key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let wrapping = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outside = acceptor.accept(socket).await?;
                let mut inside = tokio::net::TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    };
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(wrapping)
    });
    address
}

#[test]
fn ibm_cloud_is_believed_that_the_system_trusts_and_nobody_else() {
    let bench = Bench::new(1);
    let authority = Authority::new();
    let roots = authority.write(bench.path(), "roots.pem");
    let cloud = wrap(
        crate::bench::address(bench.simulator.url()),
        &authority.pair(2990),
    );
    let config = bench.configure("");
    let text = fs::read_to_string(&config).unwrap();
    let text = text
        .replace(bench.simulator.url(), &format!("https://{cloud}"))
        .replace("allow_plain_http = true", "");
    write_private(&config, &text);

    let config = config.to_str().unwrap();
    let stranger = Authority::new().write(bench.path(), "stranger.pem");
    for (trusted, code) in [(&stranger, 1), (&roots, 0)] {
        let mut check = acctpool(bench.path(), &["check", config, "--online"]);
        let ended = run(check.env("SSL_CERT_FILE", trusted));
        assert_eq!(ended.code, Some(code), "{} {}", ended.stdout, ended.stderr);
        let requests = bench.simulator.requests().len();
        assert_eq!(requests == 0, code == 1, "{requests} requests");
    }
    let roots = roots.to_str().unwrap();
    let more = [("SSL_CERT_FILE", roots)];
    let server = Server::start_with(bench.path(), Path::new(config), "127.0.0.1:0", &more);
    let (_, lease) = server.lease(&bench.token);
    let key = lease["credentials"]["api_key"].as_str().unwrap();
    assert!(bench.simulator.working_key(key).is_some());
}
