//! A server that answers by a test's script and remembers what it was asked.

use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{Epoch, ManagementKey, ManagementKeys, Timestamp};
use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data, to};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use awc::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::api::Endpoints;
use super::super::baseline::FleetingBaselines;
use super::super::settings::{BaseUrl, Keep, Limits, Profile, Rights, Settings};
use super::super::{Ibm, client};
use crate::keyring::{Keyring, MasterKey};

/// The account of all these tests.
pub(in super::super) const ACCOUNT: &str = "acct";

/// The epoch-0 key in use.
pub(in super::super) const CONFIGURED: ManagementKeys = ManagementKeys {
    current: ManagementKey::CONFIGURED,
    pending: None,
    previous: None,
    newest: Epoch(0),
    verified: false,
};

/// The value of the epoch-0 key.
pub(in super::super) const CONFIGURED_KEY: &str = "configured-key-configured-key-01";

/// What the server was asked.
#[derive(Clone, Debug)]
pub(in super::super) struct Asked {
    pub(in super::super) method: String,
    pub(in super::super) path: String,
    pub(in super::super) query: String,
    pub(in super::super) body: String,
    pub(in super::super) bearer: Option<String>,
}

/// What it is to say.
#[derive(Clone, Debug)]
pub(in super::super) struct Answer {
    pub(in super::super) status: u16,
    pub(in super::super) headers: Vec<(&'static str, String)>,
    pub(in super::super) body: String,
    pub(in super::super) delay: Duration,
}

impl Answer {
    pub(in super::super) fn status(status: u16) -> Self {
        Self::new(status, "{}")
    }

    pub(in super::super) fn json(body: &Value) -> Self {
        Self::new(200, &body.to_string())
    }

    pub(in super::super) fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
            delay: Duration::ZERO,
        }
    }

    pub(in super::super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(in super::super) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

type Script = dyn Fn(&Asked, usize) -> Answer + Send + Sync;

struct Shared {
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
    under_way: AtomicI64,
    most_at_once: AtomicI64,
}

/// A running server; it ends when dropped.
pub(in super::super) struct Server {
    url: BaseUrl,
    shared: Data<Shared>,
    handle: ServerHandle,
}

impl Server {
    /// Starts a server whose answers are `script`'s, which is told how many requests with the same
    /// path came before.
    pub(in super::super) fn start(
        script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Data::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            under_way: AtomicI64::new(0),
            most_at_once: AtomicI64::new(0),
        });
        let data = shared.clone();
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).default_service(to(serve)))
                .workers(1)
                .disable_signals()
                .listen(listener)
                .unwrap()
                .run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Self {
            url: url.parse().unwrap(),
            shared,
            handle,
        }
    }

    /// Starts a server that also exchanges the configured key for a token of [`ACCOUNT`].
    pub(in super::super) fn signed_in(
        script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |asked, before| match asked.path.as_str() {
            "/identity/token" => token(ACCOUNT, before),
            _ => script(asked, before),
        })
    }

    /// Everything that was asked, in order.
    pub(in super::super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// What was asked of one path.
    pub(in super::super) fn asked_of(&self, path: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.path == path);
        asked
    }

    pub(in super::super) fn most_at_once(&self) -> i64 {
        self.shared.most_at_once.load(Ordering::SeqCst)
    }

    pub(in super::super) fn url(&self) -> &BaseUrl {
        &self.url
    }

    /// Makes an adapter that talks to this server, and its clock.
    pub(in super::super) fn ibm(&self) -> (Ibm, Arc<HandClock>) {
        self.ibm_with(|_| {})
    }

    pub(in super::super) fn ibm_with(
        &self,
        change: impl FnOnce(&mut Settings),
    ) -> (Ibm, Arc<HandClock>) {
        let limits = Limits {
            request_timeout: Duration::from_millis(500),
            backoff_min: Duration::from_millis(1),
            backoff_max: Duration::from_millis(5),
            answer_size: 64 * 1024,
            ..Limits::default()
        };
        let mut settings = Settings {
            account: ACCOUNT.into(),
            api_key: Some(CONFIGURED_KEY.into()),
            owner: None,
            rights: Rights::Standard,
            keep: Keep::default(),
            protected: [].into(),
            endpoints: Endpoints::all_at(&self.url).into(),
            limits,
            profile: Profile::Lite,
            baselines: Arc::new(FleetingBaselines::default()),
        };
        change(&mut settings);
        let clock = Arc::new(HandClock(AtomicI64::new(1_000_000)));
        let keyring = Arc::new(Keyring::new(
            MasterKey::random().unwrap(),
            Uuid::from_u128(1),
        ));
        let http = client(&settings.limits);
        (Ibm::new(settings, keyring, clock.clone(), http), clock)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn serve(request: HttpRequest, body: Bytes, shared: Data<Shared>) -> HttpResponse {
    let bearer = request.headers().get("Authorization");
    let asked = Asked {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        bearer: bearer.map(|value| value.to_str().unwrap().to_owned()),
    };
    let before = {
        let mut log = shared.asked.lock().unwrap();
        let before = log.iter().filter(|other| other.path == asked.path).count();
        log.push(asked.clone());
        before
    };
    let under_way = shared.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most_at_once.fetch_max(under_way, Ordering::SeqCst);
    let answer = (shared.script)(&asked, before);
    if !answer.delay.is_zero() {
        actix_rt::time::sleep(answer.delay).await;
    }
    shared.under_way.fetch_sub(1, Ordering::SeqCst);
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap());
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    response.body(answer.body)
}

/// An answer of the token endpoint: the `n`th token of an account's owner, good for an hour.
pub(in super::super) fn token(account: &str, n: usize) -> Answer {
    Answer::json(&json!({"access_token": jwt(account, n), "refresh_token": "not_supported"}))
}

pub(in super::super) fn jwt(account: &str, n: usize) -> String {
    let claims = json!({
        "iam_id": "IBMid-1", "account": {"valid": true, "bss": account, "frozen": true},
        "iat": 100, "exp": 3700, "jti": n,
    });
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// An answer of the token endpoint that refuses a key.
pub(in super::super) fn no_token(status: u16, code: &str) -> Answer {
    let body = json!({"errorCode": code, "errorMessage": "no"});
    Answer::new(status, &body.to_string())
}

/// A clock that a test moves.
pub(in super::super) struct HandClock(AtomicI64);

impl HandClock {
    pub(in super::super) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_timestamp(self.0.load(Ordering::SeqCst)).unwrap()
    }
}
