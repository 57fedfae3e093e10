//! A connection as its exchanges know it: whether the client may still listen, and for how long it
//! has rested.
//!
//! The framework times the first head of a connection, and the silence after an answer; but a
//! client that then sends the first byte of a second head is waited for without limit. So each
//! worker looks through its connections and closes those that have rested too long. Nor does the
//! framework tell an exchange that its client has closed: the stream does, which sees it first.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How often connections are looked through, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The bytes of a connection, on their way between the system and the framework.
pub(crate) struct Stream {
    socket: TcpStream,
    connection: Rc<Connection>,
}

/// What is known of an open connection.
#[derive(Default)]
pub(crate) struct Connection {
    /// When its last exchange ended; `None` while one runs.
    resting_since: Cell<Option<Instant>>,
    is_watched: Cell<bool>,
    /// Whether the client has said that it sends nothing more.
    has_ended: Cell<bool>,
    /// Whether the server listens no more.
    is_given_up: Cell<bool>,
    /// Whoever waits for more bytes.
    reader: RefCell<Option<Waker>>,
}

impl Stream {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            connection: Rc::default(),
        }
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }

    /// Puts what is known of the connection beside each of its requests.
    pub(crate) fn remember(&self, data: &mut Extensions) {
        data.insert(Rc::clone(&self.connection));
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.is_given_up.get() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if read.is_pending() {
            self.connection.keep(context.waker());
        }
        ready!(read)?;
        if buffer.filled().len() == before && buffer.remaining() > 0 {
            self.connection.has_ended.set(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

impl Connection {
    /// Tells whether the client has closed its side. It may be gone, or just have nothing more to
    /// ask; only an answer would show.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    fn keep(&self, waker: &Waker) {
        let mut reader = self.reader.borrow_mut();
        match &mut *reader {
            Some(reader) => reader.clone_from(waker),
            None => *reader = Some(waker.clone()),
        }
    }

    /// Listens to the client no more. What is still to be written is written.
    fn give_up(&self) {
        self.is_given_up.set(true);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
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
    pub(crate) fn new(limit: Duration) -> Rc<Self> {
        Rc::new(Self {
            limit,
            connections: RefCell::default(),
            is_looking: Cell::new(false),
        })
    }

    /// Notes that an exchange runs on the connection of `request`.
    pub(crate) fn begin(request: &ServiceRequest) -> Busy {
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
                connection.give_up();
            }
            true
        });
    }
}
