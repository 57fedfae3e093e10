//! A plain HTTP client that says when an answer did not come. Knows nothing of acctpool.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection on which one request follows the other.
pub(crate) struct Connection<S = TcpStream>(BufReader<S>);

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    /// Null if it is no JSON.
    pub(crate) body: Value,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::over(stream))
    }
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// Asks with a bearer token.
    pub(crate) fn ask(&mut self, method: &str, target: &str, token: &str) -> io::Result<Answer> {
        let authorization = format!("authorization: Bearer {token}\r\n");
        self.send(method, target, &authorization, "")
    }

    /// Sends a request; `headers` are whole lines. An error means that nobody knows whether it was
    /// carried out.
    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Answer> {
        let length = body.len();
        write!(
            self.0.get_mut(),
            "{method} {target} HTTP/1.1\r\nhost: pool\r\n{headers}content-length: {length}\r\n\r\n{body}"
        )?;
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("{status_line:?}")))?;
        let (mut length, mut location) = (0, None);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            match &*name.to_ascii_lowercase() {
                "content-length" => length = value.parse().map_err(io::Error::other)?,
                "location" => location = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(Answer {
            status,
            location,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    /// Reads a line, which must be whole.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n");
        line.map(ToOwned::to_owned)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
