//! A load generator: as many connections as wanted, each asking the next question as soon as the
//! last one is answered.
//!
//! It speaks just enough HTTP/1.1 to keep a connection alive, so that it costs less than any server
//! that it is pointed at. Every answer is checked; one wrong answer fails the measurement.

use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use actix_rt::Runtime;
use actix_rt::net::TcpStream;
use actix_rt::task::JoinHandle;

use crate::Failure;
use crate::process::{CpuTime, Process};
use crate::statistics::quantile;

/// What one connection asks, and what it expects.
pub(crate) trait Script: Send + 'static {
    /// Writes the next request.
    fn ask(&mut self, request: &mut Vec<u8>);

    /// Looks at the answer to it; `Err` says what is wrong with it.
    fn hear(&mut self, answer: &Answer<'_>) -> Result<(), Failure>;

    /// Tells whether to stop here leaves nothing half done.
    fn may_stop(&self) -> bool {
        true
    }
}

/// An answer to a request.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    head: &'a str,
    pub(crate) body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Returns the value of a header; `name` is in small letters, as actix writes them.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name)
    }

    /// Makes sure of the status.
    pub(crate) fn expect(&self, status: u16) -> Result<(), Failure> {
        if self.status == status {
            return Ok(());
        }
        let body = String::from_utf8_lossy(self.body);
        Err(format!("{} instead of {status}: {body}", self.status).into())
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n")
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A load, and how long it runs.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) slice: Duration,
}

/// What one load on one server came to.
pub(crate) struct Measured {
    /// How long each request took, in ascending order.
    latencies: Vec<Duration>,
    slice: Duration,
    /// What the server used meanwhile.
    cpu: Duration,
}

impl Measured {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.slice.as_secs_f64()
    }

    /// The server's CPU time for 1,000 requests.
    pub(crate) fn cpu(&self) -> Duration {
        self.cpu
            .mul_f64(1000.0 / self.latencies.len().max(1) as f64)
    }

    /// The latency below which `share` of all requests stayed.
    pub(crate) fn latency(&self, share: f64) -> Duration {
        quantile(&self.latencies, share)
    }
}

/// Puts a load on a server. `script` makes what each connection asks, by its number.
pub(crate) fn drive<S: Script>(
    server: &Process,
    load: Load,
    script: impl Fn(usize) -> S,
) -> Result<Measured, Failure> {
    drive_at(server.address, server.id(), load, script)
}

/// Puts a load on the server at an address, in the process of that id.
pub(crate) fn drive_at<S: Script>(
    address: SocketAddr,
    process: u32,
    load: Load,
    script: impl Fn(usize) -> S,
) -> Result<Measured, Failure> {
    let threads = thread::available_parallelism()?.get().min(load.connections);
    let mut shares: Vec<Vec<Connection<S>>> = (0..threads).map(|_| Vec::new()).collect();
    for number in 0..load.connections {
        shares[number % threads].push(Connection::open(address, script(number))?);
    }
    let begin = Instant::now() + load.warm_up;
    let window = begin..begin + load.slice;
    let workers: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let window = window.clone();
            thread::spawn(move || Runtime::new()?.block_on(work(share, window)))
        })
        .collect();
    thread::sleep(load.warm_up);
    let before = CpuTime::of(process)?;
    thread::sleep(load.slice);
    let cpu = CpuTime::of(process)?.since(before);

    let mut latencies = Vec::new();
    for worker in workers {
        let of_worker = worker.join().map_err(|_| "a client's thread panicked")?;
        latencies.extend(of_worker?);
    }
    latencies.sort_unstable();
    Ok(Measured {
        latencies,
        slice: load.slice,
        cpu,
    })
}

/// Asks one question, and returns the body of the answer.
pub(crate) fn once(address: SocketAddr, script: &mut impl Script) -> Result<Vec<u8>, Failure> {
    let mut request = Vec::new();
    script.ask(&mut request);
    let mut stream = net::TcpStream::connect(address)?;
    stream.write_all(&request)?;
    let mut received = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(answer) = whole(&received)? {
            script.hear(&answer)?;
            return Ok(answer.body.to_owned());
        }
        match stream.read(&mut piece)? {
            0 => return Err("the server closed a connection".into()),
            length => received.extend_from_slice(&piece[..length]),
        }
    }
}

async fn work<S: Script>(
    connections: Vec<Connection<S>>,
    window: Range<Instant>,
) -> Result<Vec<Duration>, Failure> {
    let running: Vec<JoinHandle<_>> = connections
        .into_iter()
        .map(|connection| actix_rt::spawn(connection.run(window.clone())))
        .collect();
    let mut latencies = Vec::new();
    for connection in running {
        latencies.extend(connection.await??);
    }
    Ok(latencies)
}

/// One connection and what it asks.
struct Connection<S> {
    stream: net::TcpStream,
    script: S,
}

impl<S: Script> Connection<S> {
    fn open(address: SocketAddr, script: S) -> io::Result<Self> {
        let stream = net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, script })
    }

    /// Asks until the window is over; returns how long the answers took that came within it.
    async fn run(self, window: Range<Instant>) -> Result<Vec<Duration>, Failure> {
        let Self { stream, mut script } = self;
        let stream = TcpStream::from_std(stream)?;
        let mut latencies = Vec::new();
        let (mut request, mut received) = (Vec::new(), Vec::new());
        loop {
            request.clear();
            script.ask(&mut request);
            let asked = Instant::now();
            send(&stream, &request).await?;
            script.hear(&receive(&stream, &mut received).await?)?;
            let answered = Instant::now();
            if window.contains(&answered) {
                latencies.push(answered - asked);
            }
            if answered >= window.end && script.may_stop() {
                return Ok(latencies);
            }
        }
    }
}

async fn send(stream: &TcpStream, mut rest: &[u8]) -> Result<(), Failure> {
    while !rest.is_empty() {
        match stream.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn receive<'a>(stream: &TcpStream, received: &'a mut Vec<u8>) -> Result<Answer<'a>, Failure> {
    received.clear();
    while whole(received)?.is_none() {
        stream.readable().await?;
        match stream.try_read_buf(received) {
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(whole(received)?.ok_or("no answer")?)
}

/// Reads an answer, once all of it has come.
fn whole(received: &[u8]) -> Result<Option<Answer<'_>>, Failure> {
    let Some(head_length) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&received[..head_length])?;
    let status = head.get("HTTP/1.1 ".len()..).and_then(|rest| rest.get(..3));
    let length = header(head, "content-length").map_or(Ok(0), str::parse::<usize>)?;
    let body = received.get(head_length + 4..head_length + 4 + length);
    Ok(match body {
        Some(body) => Some(Answer {
            status: status.ok_or("not HTTP")?.parse()?,
            head,
            body,
        }),
        None => None,
    })
}
