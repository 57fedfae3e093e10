//! Bounds how long a connection rests between two requests.
//!
//! The framework times the first head of a connection, and the silence after an answer; but a
//! client that then sends the first byte of a second head is waited for without limit. So each
//! worker looks through its connections and closes those that have rested too long.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt;

/// How often connections are looked through, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keeps a second descriptor of a connection beside it, to close it from outside.
///
/// For [`HttpServer::on_connect`](actix_web::HttpServer::on_connect). A connection that no second
/// descriptor can be had for goes without the bound.
pub(super) fn remember(stream: &dyn Any, data: &mut Extensions) {
    let stream = stream.downcast_ref::<rt::net::TcpStream>();
    let Some(Ok(socket)) = stream.map(|stream| stream.as_fd().try_clone_to_owned()) else {
        return;
    };
    data.insert(Rc::new(Connection {
        socket: TcpStream::from(socket),
        resting_since: Cell::new(None),
        is_watched: Cell::new(false),
    }));
}

/// An open connection.
struct Connection {
    socket: TcpStream,
    /// When its last exchange ended; `None` while one runs.
    resting_since: Cell<Option<Instant>>,
    is_watched: Cell<bool>,
}

/// An exchange that runs. While it exists, its connection does not rest.
pub(super) struct Busy(Option<Rc<Connection>>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.resting_since.set(Some(Instant::now()));
        }
    }
}

/// The connections of one worker that have had an exchange.
pub(super) struct Watch {
    limit: Duration,
    connections: RefCell<Vec<Weak<Connection>>>,
    is_looking: Cell<bool>,
}

impl Watch {
    /// Returns a watch that closes connections which rest for longer than `limit`.
    pub(super) fn new(limit: Duration) -> Rc<Self> {
        Rc::new(Self {
            limit,
            connections: RefCell::default(),
            is_looking: Cell::new(false),
        })
    }

    /// Notes that an exchange runs on the connection of `request`.
    pub(super) fn begin(request: &ServiceRequest) -> Busy {
        let connection = request.conn_data::<Rc<Connection>>().map(Rc::clone);
        if let Some(connection) = &connection {
            connection.resting_since.set(None);
            let is_new = !connection.is_watched.replace(true);
            if let Some(watch) = request.app_data::<Rc<Self>>().filter(|_| is_new) {
                watch.add(connection);
            }
        }
        Busy(connection)
    }

    fn add(self: &Rc<Self>, connection: &Rc<Connection>) {
        self.connections
            .borrow_mut()
            .push(Rc::downgrade(connection));
        if !self.is_looking.replace(true) {
            let watch = Rc::downgrade(self);
            let pause = (self.limit / 4).min(LOOK_EVERY);
            rt::spawn(async move {
                loop {
                    rt::time::sleep(pause).await;
                    match watch.upgrade() {
                        Some(watch) => watch.look(),
                        None => return,
                    }
                }
            });
        }
    }

    /// Closes what has rested too long, and forgets what is closed.
    fn look(&self) {
        self.connections.borrow_mut().retain(|connection| {
            let Some(connection) = connection.upgrade() else {
                return false;
            };
            let rested = connection.resting_since.get().map(|since| since.elapsed());
            if rested.is_some_and(|rested| rested > self.limit) {
                // Fails only if the client was faster.
                let _ = connection.socket.shutdown(Shutdown::Both);
            }
            true
        });
    }
}
