//! HTTP/2 by hand (RFC 9113): a client that does what no well-behaved one does.

use std::io::{ErrorKind, Read, Write};

use crate::authority::TlsStream;

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

pub(crate) struct Http2 {
    stream: TlsStream,
    next: u32,
}

impl Http2 {
    pub(crate) fn over(stream: TlsStream) -> Self {
        let mut client = Self { stream, next: 1 };
        client
            .stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        client.send(SETTINGS, 0, 0, &[]);
        client
    }

    /// Begins a request without a body, and returns its stream.
    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> u32 {
        let head = [
            (":method", method),
            (":scheme", "https"),
            (":authority", "pool"),
            (":path", path),
        ];
        let mut block = Vec::new();
        for (name, value) in head.iter().chain(headers) {
            // A literal without indexing (RFC 7541, 6.2.2), in plain letters.
            block.push(0);
            for text in [name, value] {
                let length = u8::try_from(text.len()).unwrap();
                assert!(length < 127, "a longer text needs another encoding");
                block.push(length);
                block.extend_from_slice(text.as_bytes());
            }
        }
        let stream = self.next;
        self.next += 2;
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &block);
        stream
    }

    /// Waits until the server has read everything that was sent.
    pub(crate) fn settle(&mut self) {
        self.send(PING, 0, 0, &[7; 8]);
        while !matches!(self.frame(), Some((PING, ACK, _))) {}
    }

    /// Waits until the answer of a stream begins.
    pub(crate) fn answered(&mut self, stream: u32) {
        while !matches!(self.frame().unwrap(), (HEADERS, _, of) if of == stream) {}
    }

    /// Reads until the server closes.
    pub(crate) fn read_to_end(&mut self) {
        while self.frame().is_some() {}
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).unwrap();
        self.stream.flush().unwrap();
    }

    /// Reads a frame, and returns its kind, flags and stream; `None` at the end.
    fn frame(&mut self) -> Option<(u8, u8, u32)> {
        let mut head = [0; 9];
        if let Err(error) = self.stream.read_exact(&mut head) {
            let is_end = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
            assert!(is_end.contains(&error.kind()), "{error}");
            return None;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).unwrap();
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], head[4], stream))
    }
}
