//! A receiver of webhooks that answers as a test wants, and remembers what it was sent.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

use crate::process::eventually;

/// What one attempt brought, and how it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) request_line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) answered: u16,
}

impl Attempt {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn is_about(&self, kind: &str, account: &str) -> bool {
        let body = self.json();
        body["type"] == kind && body["data"]["account"] == account
    }

    /// Whether the signature is right, in the eyes of Python's own HMAC.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let asked = json!({ "secret": secret, "headers": self.headers, "body": self.body });
        let mut python = Command::new("python3")
            .args(["-c", JUDGE])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = python.stdin.take().unwrap();
        serde_json::to_writer(stdin, &asked).unwrap();
        python.wait().unwrap().success()
    }
}

const JUDGE: &str = r#"
import base64, hashlib, hmac, json, sys, time
asked = json.load(sys.stdin)
headers, key = asked["headers"], base64.b64decode(asked["secret"].removeprefix("whsec_"))
signed = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.{asked["body"]}'
digest = hmac.new(key, signed.encode(), hashlib.sha256).digest()
expected = "v1," + base64.b64encode(digest).decode()
recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
sys.exit(0 if hmac.compare_digest(expected, headers["webhook-signature"]) and recent else 1)
"#;

/// What is answered: a status, with more headers where there are any.
type Script = Box<dyn FnMut(&Attempt) -> (u16, &'static str) + Send>;

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) url: String,
    attempts: Arc<Mutex<Vec<Attempt>>>,
    script: Arc<Mutex<Script>>,
}

impl Receiver {
    pub(crate) fn start(
        script: impl FnMut(&Attempt) -> (u16, &'static str) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let url = format!(
            "http://{}/hook?key=k3y-in-the-url",
            listener.local_addr().unwrap()
        );
        let attempts = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let (heard, asked) = (Arc::clone(&attempts), Arc::clone(&script));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (heard, asked) = (Arc::clone(&heard), Arc::clone(&asked));
                thread::spawn(move || answer(&stream.unwrap(), &heard, &asked));
            }
        });
        Self {
            url,
            attempts,
            script,
        }
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer_with(
        &self,
        script: impl FnMut(&Attempt) -> (u16, &'static str) + Send + 'static,
    ) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits for an attempt.
    pub(crate) fn gets(&self, what: &str, is_it: impl Fn(&Attempt) -> bool) -> Attempt {
        eventually(what, || {
            let attempts = self.attempts();
            attempts.iter().find(|attempt| is_it(attempt)).cloned()
        })
    }
}

fn answer(mut stream: &TcpStream, heard: &Mutex<Vec<Attempt>>, script: &Mutex<Script>) {
    let mut reader = BufReader::new(stream);
    let mut request_line = String::new();
    // One that was killed may have connected and sent nothing.
    while matches!(reader.read_line(&mut request_line), Ok(1..)) {
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let mut attempt = Attempt {
            request_line: std::mem::take(&mut request_line).trim().to_owned(),
            headers,
            body: String::from_utf8(body).unwrap(),
            answered: 0,
        };
        let (status, more) = script.lock().unwrap()(&attempt);
        attempt.answered = status;
        heard.lock().unwrap().push(attempt);
        let said = format!("HTTP/1.1 {status} So\r\ncontent-length: 2\r\n{more}\r\nok");
        if stream.write_all(said.as_bytes()).is_err() {
            return;
        }
    }
}
