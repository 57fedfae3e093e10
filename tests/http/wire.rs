//! A client that hides nothing: what is sent and what comes back are bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long a test waits for a server that should have answered.
const PATIENCE: Duration = Duration::from_secs(10);

/// One answer, as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The bytes of head and body.
    pub(crate) bytes: Vec<u8>,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Returns a header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Returns a problem's code, after making sure that it is a problem.
    pub(crate) fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.head
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap());
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("urn:acctpool:problem:{code}"));
        code.to_owned()
    }

    fn parse(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no status line: {head:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
            bytes,
        }
    }
}

/// A connection.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end_sending(&mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads until the server closes. Fails when it does not.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return bytes,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return bytes,
                Err(error) => panic!(
                    "the connection is still open: {error}; read {:?}",
                    String::from_utf8_lossy(&bytes)
                ),
            }
        }
    }

    /// Reads an answer whose connection is then closed by the server.
    pub(crate) fn last_answer(&mut self) -> Answer {
        Answer::parse(self.read_to_end())
    }

    /// Reads one answer and leaves the connection open.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).unwrap();
            bytes.push(byte[0]);
        }
        let head = Answer::parse(bytes.clone());
        let length = head.header("content-length").unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        bytes.extend(body);
        Answer::parse(bytes)
    }
}
