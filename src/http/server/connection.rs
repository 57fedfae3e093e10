//! A connection as its exchanges know it: whether the client may still listen, and for how long it
//! has rested.
//!
//! Over HTTP/1, the framework times the first head of a connection, and the silence after an answer; but
//! a client that then sends the first byte of a second head is waited for without limit. Over HTTP/2, it
//! waits for whoever answers a ping, also when the server stops. So each worker looks through its
//! connections and closes those that have rested too long. Nor does the framework tell an exchange that
//! its client has closed: the stream does, which sees it first.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt;
use actix_web::rt::net::TcpStream;
use futures_util::future::select;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::GOODBYE;

/// How often connections are looked through, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often they are while the server stops.
const LOOK_EVERY_AT_THE_END: Duration = Duration::from_millis(100);

/// How many exchanges may run at once on a connection. Only HTTP/2 has several; the framework does not
/// let its clients know of a limit, and some assume this one until they hear.
const MAX_AT_ONCE: usize = 1000;

/// Clear text, or TLS, which is boxed for its size.
pub(super) type Socket = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// The bytes of a connection, on their way between the system and the framework.
pub(crate) struct Stream {
    socket: Socket,
    connection: Rc<Connection>,
}

/// What is known of an open connection.
pub(crate) struct Connection {
    /// How many exchanges run.
    running: Cell<usize>,
    /// When it was opened, or an exchange ended on it.
    resting_since: Cell<Instant>,
    /// Whether the client sends nothing more.
    has_ended: Cell<bool>,
    /// Tells those who wait of that.
    end: Notify,
    /// Whether the server listens no more.
    is_given_up: Cell<bool>,
    /// Whoever waits for more bytes.
    reader: RefCell<Option<Waker>>,
}

impl Stream {
    /// Makes a connection that `watch` closes when it has rested too long.
    pub(super) fn new(socket: Socket, watch: &Rc<Watch>) -> Self {
        let connection = Rc::new(Connection::new());
        watch.add(&connection);
        Self { socket, connection }
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
            self.connection.note_end();
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

/// Over HTTP/2, exchanges outlive their connection.
impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.note_end();
    }
}

impl Connection {
    fn new() -> Self {
        Self {
            running: Cell::new(0),
            resting_since: Cell::new(Instant::now()),
            has_ended: Cell::new(false),
            end: Notify::new(),
            is_given_up: Cell::new(false),
            reader: RefCell::default(),
        }
    }

    /// Returns the connection of a request.
    pub(super) fn of(request: &ServiceRequest) -> Option<&Rc<Self>> {
        request.conn_data()
    }

    /// Notes that an exchange runs.
    pub(super) fn begin(self: &Rc<Self>) -> Busy {
        self.running.set(self.running.get() + 1);
        if self.running.get() > 2 * MAX_AT_ONCE {
            // It does not even read its refusals.
            self.give_up();
        }
        Busy(Rc::clone(self))
    }

    /// Tells whether more exchanges run than may.
    pub(super) fn is_crowded(&self) -> bool {
        self.running.get() > MAX_AT_ONCE
    }

    /// Tells whether the client has closed its side. It may be gone, or just have nothing more to
    /// ask; only an answer would show.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    /// Resolves when the client closes its side after this call.
    pub(crate) fn end(&self) -> Notified<'_> {
        self.end.notified()
    }

    fn note_end(&self) {
        self.has_ended.set(true);
        self.end.notify_waiters();
    }

    fn has_rested(&self, limit: Duration) -> bool {
        self.running.get() == 0 && self.resting_since.get().elapsed() > limit
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
pub(super) struct Busy(Rc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        let Self(connection) = self;
        connection.running.set(connection.running.get() - 1);
        connection.resting_since.set(Instant::now());
    }
}

/// The connections of one worker.
#[derive(Default)]
pub(super) struct Watch(RefCell<Vec<Weak<Connection>>>);

impl Watch {
    /// Starts a watch that closes connections which rest for longer than `limit`; and all that rest,
    /// once `stopping` resolves.
    ///
    /// Needs a runtime of actix. Its task ends when nobody holds the watch any more.
    pub(super) fn start(limit: Duration, stopping: impl Future<Output = ()> + 'static) -> Rc<Self> {
        let watch = Rc::<Self>::default();
        let watched = Rc::downgrade(&watch);
        rt::spawn(async move {
            let pause = (limit / 4).min(LOOK_EVERY);
            let looking = pin!(Self::keep_looking(&watched, pause, limit));
            select(looking, pin!(stopping)).await;
            // What has been answered just now is on its way.
            Self::keep_looking(&watched, LOOK_EVERY_AT_THE_END, GOODBYE).await;
        });
        watch
    }

    fn add(&self, connection: &Rc<Connection>) {
        self.0.borrow_mut().push(Rc::downgrade(connection));
    }

    /// Looks again and again, for as long as there is the watch.
    async fn keep_looking(watch: &Weak<Self>, pause: Duration, limit: Duration) {
        loop {
            rt::time::sleep(pause).await;
            match watch.upgrade() {
                Some(watch) => watch.look(limit),
                None => return,
            }
        }
    }

    /// Closes what has rested for longer than `limit`, and forgets what is closed.
    fn look(&self, limit: Duration) {
        self.0.borrow_mut().retain(|connection| {
            let Some(connection) = connection.upgrade() else {
                return false;
            };
            if connection.has_rested(limit) {
                connection.give_up();
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_rests_when_the_last_of_its_exchanges_has_ended() {
        let connection = Rc::new(Connection::new());
        assert!(connection.has_rested(Duration::ZERO), "none has begun");
        let exchanges = [connection.begin(), connection.begin()];
        for exchange in exchanges {
            assert!(!connection.has_rested(Duration::ZERO));
            drop(exchange);
        }
        assert!(connection.has_rested(Duration::ZERO));
        assert!(!connection.has_rested(Duration::from_mins(1)));
    }

    #[test]
    fn more_exchanges_than_may_run_are_crowded_and_many_more_are_given_up() {
        let connection = Rc::new(Connection::new());
        let mut running: Vec<_> = (0..MAX_AT_ONCE).map(|_| connection.begin()).collect();
        assert!(!connection.is_crowded());
        running.extend((0..MAX_AT_ONCE).map(|_| connection.begin()));
        assert!(connection.is_crowded() && !connection.is_given_up.get());
        running.push(connection.begin());
        assert!(connection.is_given_up.get());
        running.truncate(MAX_AT_ONCE);
        assert!(!connection.is_crowded());
    }
}
