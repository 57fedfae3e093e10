//! A server that says what a test wants it to say, to see what the client makes of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Heard {
    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// What becomes of a request.
pub(crate) enum Said {
    /// The status with its reason, further lines of the head, and the body.
    Answer(&'static str, String, Value),
    /// The connection is closed without a word.
    Nothing,
}

/// See the module.
pub(crate) struct ScriptedPool {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl ScriptedPool {
    /// Listens until the test ends; `script` is given each request and how many came before it.
    pub(crate) fn start(script: impl Fn(&Heard, usize) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                thread::spawn(move || serve(stream.unwrap(), &log, &*script));
            }
        });
        Self { url, heard }
    }

    /// Returns all requests that came so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Heard>>, script: &impl Fn(&Heard, usize) -> Said) {
    let mut reader = BufReader::new(stream);
    while let Some(heard) = read(&mut reader) {
        let before = {
            let mut log = log.lock().unwrap();
            log.push(heard.clone());
            log.len() - 1
        };
        let Said::Answer(status, head, body) = script(&heard, before) else {
            return;
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{head}\r\n{body}",
            body.len()
        );
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut line = String::new();
    let mut next = |reader: &mut BufReader<TcpStream>| {
        line.clear();
        let count = reader.read_line(&mut line).ok()?;
        (count > 0).then(|| line.trim_end().to_owned())
    };
    let first = next(reader)?;
    let (method, rest) = first.split_once(' ')?;
    let mut headers = Vec::new();
    loop {
        let line = next(reader)?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut heard = Heard {
        method: method.to_owned(),
        target: rest.split(' ').next()?.to_owned(),
        headers,
        body: String::new(),
    };
    let length = heard
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    heard.body = String::from_utf8(body).ok()?;
    Some(heard)
}
