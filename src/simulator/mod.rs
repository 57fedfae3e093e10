//! A server that imitates IBM Cloud, for demonstrations and tests: any number of accounts, every API
//! under one address, with the awkward truths of `ibm-cloud.md` 14.1.
//!
//! Knows nothing of the rest of the program, and is judged by IBM's own SDKs (`tests/sdk`). Promises:
//! - Time is the simulator's own: it runs with real time or stands still, and both can be advanced.
//! - Equal settings and equal requests give equal answers, ids and secrets included.
//! - [`Simulator::requests`] has every request in the order in which it was served, and
//!   [`Simulator::inventory`] is the truth, past the API.
//!
//! One file per IBM service is in `services`; each is a list of routes over one world.

mod call;
pub mod catalog;
mod clock;
mod control;
mod direct;
mod faults;
mod inventory;
mod journal;
mod mess;
mod paging;
mod random;
mod refusal;
mod rights;
mod server;
mod services;
mod settings;
#[cfg(test)]
mod tests;
mod world;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::web::{Data, PayloadConfig, to};
use actix_web::{App, HttpServer};
use secrecy::ExposeSecret;
use time::OffsetDateTime;

use self::server::Shared;
use self::world::World;

pub use self::clock::Time;
pub use self::direct::{Direct, DirectAnswer};
pub use self::faults::{Fault, FaultAction, FaultPlan, RetryAfter};
pub use self::inventory::Inventory;
pub use self::journal::LoggedRequest;
pub use self::mess::{MadeMess, Mess};
pub use self::settings::{AccountSpec, Lags, Settings};

/// The largest body that the server reads.
const LARGEST_BODY: usize = 1 << 20;

/// A handle on a running simulator. Clones are handles on the same one; it ends at
/// [`stop`](Self::stop), or when the last handle is dropped.
#[derive(Clone)]
pub struct Simulator {
    running: Arc<Running>,
}

struct Running {
    address: SocketAddr,
    shared: Data<Shared>,
    server: ServerHandle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Simulator {
    /// Starts a server on `bind` (port 0 takes any free one), on threads of its own. It accepts
    /// connections once this returns.
    pub fn start(bind: SocketAddr, settings: &Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(bind)?;
        let address = listener.local_addr()?;
        let base = format!("http://{address}");
        let shared = Shared::new(World::new(settings), base, settings.seed);
        let shared = Data::new(shared);
        let (started, start) = mpsc::channel();
        let data = shared.clone();
        let thread = thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || System::new().block_on(run(listener, data, started)))?;
        let server = start
            .recv()
            .map_err(|_| io::Error::other("the simulator's thread ended at once"))??;
        Ok(Self {
            running: Arc::new(Running {
                address,
                shared,
                server,
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// The address at which every API is served, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        self.running.shared.base()
    }

    /// The socket's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// The simulator's time.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.running.shared.settled().1
    }

    /// Moves the simulator's time forward; what falls due happens.
    pub fn advance(&self, by: Duration) {
        let (mut state, _) = self.running.shared.settled();
        state.world.clock.advance(by);
        let now = state.world.clock.now();
        state.world.settle(now);
    }

    /// Every request since the start, or since [`clear_requests`](Self::clear_requests).
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.running.shared.settled().0.requests.clone()
    }

    /// Empties the log of requests.
    pub fn clear_requests(&self) {
        self.running.shared.settled().0.requests.clear();
    }

    /// Adds a scripted fault.
    pub fn inject(&self, fault: Fault) {
        self.running.shared.settled().0.faults.inject(fault);
    }

    /// Adds random faults, by a seed; a plan that is there is replaced. Scripted faults go first.
    pub fn inject_at_random(&self, plan: FaultPlan) {
        self.running.shared.settled().0.faults.plan(plan);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.running.shared.settled().0.faults.clear();
    }

    /// Every secret that ever existed: values of API keys, HMAC secrets, access tokens. For tests that
    /// search output for them.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let (state, _) = self.running.shared.settled();
        let secrets = state.world.secrets.iter();
        secrets
            .map(|secret| secret.expose_secret().to_owned())
            .collect()
    }

    /// What an account holds, in truth; empty for an account that does not exist.
    #[must_use]
    pub fn inventory(&self, account_id: &str) -> Inventory {
        self.running.shared.inventory(account_id)
    }

    /// Makes a mess in an account, as its owner and without a request: past faults, and past the log.
    ///
    /// # Panics
    ///
    /// Panics when there is no such account.
    #[must_use = "it says what nobody can delete"]
    pub fn mess(&self, account_id: &str, mess: &Mess) -> MadeMess {
        let (mut state, now) = self.running.shared.settled();
        mess::make(&mut state.world, account_id, self.url(), mess, now)
            .expect("recipes ask for nothing that a service refuses")
    }

    /// Orders an item of classic infrastructure in an account, such as a `virtual-server`: what a person
    /// does past every API that is imitated, and what only a person cancels. Gives its CRN, or `None`
    /// when there is no such account.
    #[must_use = "nothing but its CRN names it"]
    pub fn order_classic(&self, account_id: &str, kind: &str, name: &str) -> Option<String> {
        self.running.shared.order_classic(account_id, kind, name)
    }

    /// Cancels an item of classic infrastructure, as a person does; answers whether there was one.
    #[must_use = "an item that is not there cannot be cancelled"]
    pub fn cancel_classic(&self, account_id: &str, crn: &str) -> bool {
        self.running.shared.cancel_classic(account_id, crn)
    }

    /// The id of the API key with this value, if it could be exchanged now: it exists, is enabled and
    /// has not expired.
    #[must_use]
    pub fn working_key(&self, value: &str) -> Option<String> {
        self.running.shared.working_key(value)
    }

    /// Ends the server: once this returns, no request is served, and those under way are cut off. The
    /// truth stays readable.
    pub fn stop(&self) {
        self.running.stop();
    }
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator")
            .field("address", &self.running.address)
            .finish_non_exhaustive()
    }
}

impl Running {
    fn stop(&self) {
        self.shared.settled().0.stopped = true;
        // The command is sent by the call itself; the future only waits, as joining does.
        drop(self.server.stop(false));
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // The thread's panic was printed where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn run(
    listener: TcpListener,
    shared: Data<Shared>,
    started: mpsc::Sender<io::Result<ServerHandle>>,
) {
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(PayloadConfig::new(LARGEST_BODY))
            .default_service(to(server::answer))
    };
    let server = HttpServer::new(app)
        .workers(2)
        .disable_signals()
        .listen(listener)
        .map(HttpServer::run);
    match server {
        Ok(server) => {
            // The receiver waits for this message and for nothing else.
            let _ = started.send(Ok(server.handle()));
            if let Err(error) = server.await {
                log::error!("simulator: the server failed: {error}");
            }
        }
        Err(error) => {
            let _ = started.send(Err(error));
        }
    }
}
