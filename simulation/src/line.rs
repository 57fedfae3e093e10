//! The line between one process and the world around it: everything that leaves the process goes
//! through here, so that after a crash nothing does.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use acctpool::ibm::{Incoming, Outgoing, Wire};
use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{
    AccountId, Done, Job, ManagementKeys, RenewError, RequestError, RequestReservation,
    ReservationId, ReservationView, UnknownReservation,
};
use acctpool_soak::dice::Dice;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::{Notify, oneshot};

/// See the module.
pub(crate) struct Line {
    signals: RefCell<VecDeque<Signal>>,
    /// Rung when there is something to look at.
    bell: Arc<Notify>,
    dead: Cell<bool>,
    /// How many requests may still leave before the process dies; `None` for all.
    requests_left: Cell<Option<u64>>,
    /// Calls of cleaners and questions to the pool that are under way.
    under_way: Cell<u32>,
    chance: RefCell<Dice>,
}

/// What a process lets the world know.
pub(crate) enum Signal {
    /// It sends a request for an account, and waits for what comes back.
    Request(AccountId, Outgoing, Reply),
    /// A cleaner was called.
    Began(AccountId, Job),
    /// A cleaner's call ended.
    Ended(AccountId, ManagementKeys, Job, Result<Done, CloudError>),
    /// A consumer is answered.
    Heard(ReservationId, Heard),
}

/// Where the answer to a request goes: what came back, or why nothing did.
pub(crate) type Reply = oneshot::Sender<Result<Incoming, String>>;

/// What a consumer is answered.
pub(crate) enum Heard {
    Asked(Result<ReservationView, RequestError>),
    /// To a request that it had made before, as it was then or not.
    AskedAgain(RequestReservation, Result<ReservationView, RequestError>),
    Looked(Result<ReservationView, UnknownReservation>),
    Renewed(Result<ReservationView, RenewError>),
    GaveBack(Result<(), UnknownReservation>),
}

impl Line {
    /// Returns the line of a process that has just been started. `chance` is what the process draws
    /// random numbers from.
    pub(crate) fn new(chance: Dice) -> Rc<Self> {
        Rc::new(Self {
            signals: RefCell::default(),
            bell: Arc::default(),
            dead: Cell::new(false),
            requests_left: Cell::new(None),
            under_way: Cell::new(0),
            chance: RefCell::new(chance),
        })
    }

    /// Returns what is rung when there is something to look at.
    pub(crate) fn bell(&self) -> Arc<Notify> {
        self.bell.clone()
    }

    /// Says something, unless the process is dead.
    pub(crate) fn say(&self, signal: Signal) {
        if !self.dead.get() {
            self.signals.borrow_mut().push_back(signal);
            self.bell.notify_one();
        }
    }

    /// Takes the next signal.
    pub(crate) fn next(&self) -> Option<Signal> {
        self.signals.borrow_mut().pop_front()
    }

    /// Lets the process die. What it has said and nobody has heard is lost but for its requests, which
    /// are on their way.
    pub(crate) fn cut(&self) {
        self.dead.set(true);
        self.bell.notify_one();
    }

    /// Lets the process die as soon as so many more requests have left it.
    pub(crate) fn cut_after(&self, requests: u64) {
        self.requests_left.set(Some(requests));
    }

    /// Takes back what [`Line::cut_after`] said.
    pub(crate) fn spare(&self) {
        self.requests_left.set(None);
    }

    /// Tells whether the process is dead.
    pub(crate) fn is_cut(&self) -> bool {
        self.dead.get()
    }

    /// Tells whether nothing is under way: the process waits for time to pass, or for somebody to ask.
    pub(crate) fn is_quiet(&self) -> bool {
        self.under_way.get() == 0 && self.signals.borrow().is_empty()
    }

    /// Tells whether a call of an account's cleaner has ended and nobody has taken it in yet.
    pub(crate) fn has_ended(&self, account: &AccountId) -> bool {
        let signals = self.signals.borrow();
        signals
            .iter()
            .any(|signal| matches!(signal, Signal::Ended(of, ..) if of == account))
    }

    /// Counts something as under way for as long as what is returned lives.
    pub(crate) fn busy(self: &Rc<Self>) -> Busy {
        self.under_way.set(self.under_way.get() + 1);
        Busy(self.clone())
    }
}

/// Something that is under way.
pub(crate) struct Busy(Rc<Line>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

/// The wire of one account's adapter.
pub(crate) struct Cable {
    pub(crate) account: AccountId,
    pub(crate) line: Rc<Line>,
}

impl Wire for Cable {
    fn exchange(&self, outgoing: Outgoing) -> LocalBoxFuture<'_, Result<Incoming, String>> {
        let (reply, answer) = oneshot::channel();
        if self.line.requests_left.get() == Some(0) {
            self.line.cut();
        }
        let left = self.line.requests_left.get();
        self.line
            .requests_left
            .set(left.map(|left| left.saturating_sub(1)));
        self.line
            .say(Signal::Request(self.account.clone(), outgoing, reply));
        async move {
            match answer.await {
                Ok(answer) => answer,
                // Nobody will ever answer.
                Err(_) => std::future::pending().await,
            }
        }
        .boxed_local()
    }

    fn random(&self) -> u32 {
        let drawn = self.line.chance.borrow_mut().below(u64::from(u32::MAX));
        u32::try_from(drawn).expect("it is below the largest one")
    }
}
