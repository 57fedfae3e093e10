//! What is to happen in the world, in the order of time.

use std::collections::BTreeMap;

use acctpool::ibm::{Incoming, Outgoing};
use acctpool_actors::pool::{AccountId, Fence, ReservationId, Timestamp};

use crate::line::Reply;
use crate::weather::Fate;

/// Something that is to happen.
pub(crate) enum Happening {
    /// Somebody asks for an account.
    Arrival,
    /// A consumer comes back to its reservation.
    Visit(ReservationId),
    /// A borrower does something with a lease.
    Use(AccountId, Fence),
    /// Somebody tries a back door.
    SneakIn(AccountId),
    /// A request comes to the cloud.
    Request(Box<Flight>),
    /// Something comes back for a request, or the connection breaks.
    Reply(Reply, Result<Incoming, String>),
    /// A report comes that is not about the present call of a cleaner.
    StaleReport,
    /// The credential of a lease that has ended must be dead by now.
    KeyIsDead {
        account: AccountId,
        lease: Fence,
        process: u64,
    },
    OperatorLooks {
        season: u64,
    },
    WeatherChanges,
    AllHasRecovered {
        season: u64,
    },
    Crash {
        season: u64,
    },
    DiskRecovers {
        process: u64,
    },
}

/// A request on its way to the cloud.
pub(crate) struct Flight {
    pub(crate) account: AccountId,
    pub(crate) outgoing: Outgoing,
    pub(crate) fate: Fate,
    /// Where the answer goes; `None` if nobody waits for it.
    pub(crate) reply: Option<Reply>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Agenda {
    items: BTreeMap<(Timestamp, u64), Happening>,
    /// How many things have ever been on it.
    planned: u64,
}

impl Agenda {
    /// Puts something on the agenda.
    pub(crate) fn plan(&mut self, at: Timestamp, happening: Happening) {
        self.planned += 1;
        self.items.insert((at, self.planned), happening);
    }

    /// Returns when the next thing happens.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.items.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next thing off the agenda if it happens by `now`.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Happening> {
        let first = self.items.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Takes off what `is_over`.
    pub(crate) fn drop_all(&mut self, mut is_over: impl FnMut(&mut Happening) -> bool) {
        self.items.retain(|_, happening| !is_over(happening));
    }
}
