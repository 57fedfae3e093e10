//! Counts what happens in the pool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use acctpool_actors::Listener;
use acctpool_actors::pool::{
    AccountId, AccountState, AccountType, EndReason, Event, Pool, Purpose, ReservationId,
    ReservationState, Timestamp,
};
use prometheus_client::registry::{Registry, Unit};

use super::{CLEANINGS, Counters, Histograms, LEASES, OldestWaits, WAITS, of_type, seconds};

/// How a cleaning can end.
const RESULTS: [&str; 4] = ["ready", "drained", "quarantined", "timed_out"];

const END_REASONS: [EndReason; 4] = [
    EndReason::Cancelled,
    EndReason::Expired,
    EndReason::Abandoned,
    EndReason::Revoked,
];

/// Hears what happens in the pool, and counts it. It begins with what was under way at the start.
pub struct Meter {
    waits: Histograms<1>,
    leases: Histograms<1>,
    cleanings: Histograms<1>,
    cleaned: Counters<2>,
    ended: Counters<2>,
    oldest_waits: OldestWaits,
    /// Those that are not over.
    open: BTreeMap<ReservationId, Open>,
    /// Who waits, in the order of asking.
    waiting: BTreeMap<AccountType, BTreeSet<(Timestamp, ReservationId)>>,
    types: BTreeMap<AccountId, AccountType>,
    /// When the full cleanings that are under way began.
    begun: BTreeMap<AccountId, Timestamp>,
}

/// A reservation that is not over.
struct Open {
    account_type: AccountType,
    requested_at: Timestamp,
    granted_at: Option<Timestamp>,
}

impl Meter {
    pub(super) fn new(pool: &Pool, oldest_waits: OldestWaits, registry: &mut Registry) -> Self {
        let mut meter = Self {
            waits: Histograms::new_with_constructor(WAITS),
            leases: Histograms::new_with_constructor(LEASES),
            cleanings: Histograms::new_with_constructor(CLEANINGS),
            cleaned: Counters::default(),
            ended: Counters::default(),
            oldest_waits,
            open: BTreeMap::new(),
            waiting: BTreeMap::new(),
            types: BTreeMap::new(),
            begun: BTreeMap::new(),
        };
        meter.register(registry);
        meter.know(pool);
        meter
    }

    fn register(&self, registry: &mut Registry) {
        let mut histogram = |name, help, family: &Histograms<1>| {
            registry.register_with_unit(name, help, Unit::Seconds, family.clone());
        };
        histogram(
            "reservation_wait",
            "How long reservations waited for their accounts",
            &self.waits,
        );
        histogram("reservation_held", "How long leases lasted", &self.leases);
        histogram(
            "clean_duration",
            "How long full cleanings took, whatever their end",
            &self.cleanings,
        );
        registry.register("cleans", "Full cleanings that ended", self.cleaned.clone());
        registry.register(
            "reservations",
            "Reservations that ended, by the reason",
            self.ended.clone(),
        );
    }

    /// Takes in what there is at the start.
    fn know(&mut self, pool: &Pool) {
        for account_type in pool.policy().types.keys() {
            self.begin_at_zero(account_type);
        }
        for account in pool.accounts() {
            self.types
                .insert(account.id.clone(), account.account_type.clone());
            self.begin_at_zero(&account.account_type);
            if let AccountState::Cleaning(cleaning) = &account.state
                && cleaning.purpose == Purpose::Full
            {
                self.begun.insert(account.id.clone(), account.since);
            }
        }
        for reservation in pool.reservations() {
            let granted_at = match reservation.state {
                ReservationState::Pending => None,
                ReservationState::Active { granted_at, .. } => Some(granted_at),
                ReservationState::Ended { .. } => continue,
            };
            self.requested(
                reservation.id,
                reservation.account_type.clone(),
                reservation.created_at,
            );
            if let Some(granted_at) = granted_at {
                self.leave_line(reservation.id);
                if let Some(open) = self.open.get_mut(&reservation.id) {
                    open.granted_at = Some(granted_at);
                }
            }
        }
        self.tell_oldest();
    }

    fn begin_at_zero(&self, account_type: &AccountType) {
        let labels = [of_type(account_type)];
        for histograms in [&self.waits, &self.leases, &self.cleanings] {
            drop(histograms.get_or_create(&labels));
        }
        for result in RESULTS {
            let labels = [of_type(account_type), ("result", result.into())];
            drop(self.cleaned.get_or_create(&labels));
        }
        for reason in END_REASONS {
            let labels = [of_type(account_type), ("outcome", reason.as_str().into())];
            drop(self.ended.get_or_create(&labels));
        }
    }

    fn requested(&mut self, id: ReservationId, account_type: AccountType, at: Timestamp) {
        let line = self.waiting.entry(account_type.clone()).or_default();
        line.insert((at, id));
        let open = Open {
            account_type,
            requested_at: at,
            granted_at: None,
        };
        self.open.insert(id, open);
    }

    fn granted(&mut self, id: ReservationId, at: Timestamp) {
        self.leave_line(id);
        // One that holds several accounts is granted several times in a turn.
        if let Some(open) = self.open.get_mut(&id).filter(|o| o.granted_at.is_none()) {
            open.granted_at = Some(at);
            let labels = [of_type(&open.account_type)];
            let waited = seconds(open.requested_at, at);
            self.waits.get_or_create(&labels).observe(waited);
        }
    }

    fn ended(&mut self, id: ReservationId, reason: EndReason, at: Timestamp) {
        self.leave_line(id);
        let Some(open) = self.open.remove(&id) else {
            return;
        };
        let outcome = ("outcome", reason.as_str().into());
        let labels = [of_type(&open.account_type), outcome];
        self.ended.get_or_create(&labels).inc();
        if let Some(granted_at) = open.granted_at {
            let labels = [of_type(&open.account_type)];
            let held = seconds(granted_at, at);
            self.leases.get_or_create(&labels).observe(held);
        }
    }

    fn leave_line(&mut self, id: ReservationId) {
        if let Some(open) = self.open.get(&id)
            && let Some(line) = self.waiting.get_mut(&open.account_type)
        {
            line.remove(&(open.requested_at, id));
        }
    }

    fn cleaned(&mut self, account: &AccountId, result: &'static str, at: Timestamp) {
        let (Some(begun), Some(account_type)) =
            (self.begun.remove(account), self.types.get(account))
        else {
            return;
        };
        let labels = [of_type(account_type), ("result", result.into())];
        self.cleaned.get_or_create(&labels).inc();
        let labels = [of_type(account_type)];
        let took = seconds(begun, at);
        self.cleanings.get_or_create(&labels).observe(took);
    }

    fn tell_oldest(&self) {
        let oldest = self.waiting.iter().filter_map(|(account_type, line)| {
            let (since, _) = line.first()?;
            Some((account_type.clone(), *since))
        });
        let oldest = oldest.collect();
        *self
            .oldest_waits
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = oldest;
    }
}

impl Listener for Meter {
    fn hear(&mut self, at: Timestamp, events: &[Event]) {
        let mut has_line_changed = false;
        for event in events {
            match event {
                Event::ReservationRequested {
                    reservation,
                    account_type,
                    ..
                } => {
                    self.requested(*reservation, account_type.clone(), at);
                    has_line_changed = true;
                }
                Event::ReservationGranted { reservation, .. } => {
                    self.granted(*reservation, at);
                    has_line_changed = true;
                }
                Event::ReservationEnded {
                    reservation,
                    reason,
                    ..
                } => {
                    self.ended(*reservation, *reason, at);
                    has_line_changed = true;
                }
                Event::CleaningStarted {
                    account,
                    purpose: Purpose::Full,
                } => {
                    self.begun.insert(account.clone(), at);
                }
                Event::AccountReady { account } => self.cleaned(account, "ready", at),
                Event::AccountDrained { account } => self.cleaned(account, "drained", at),
                Event::AccountQuarantined { account, .. } => {
                    self.cleaned(account, "quarantined", at);
                }
                Event::CleaningTimedOut { account, .. } if !is_quarantined(account, events) => {
                    self.cleaned(account, "timed_out", at);
                }
                _ => {}
            }
        }
        if has_line_changed {
            self.tell_oldest();
        }
    }
}

/// Tells whether a turn quarantined an account: then it is not tried again.
fn is_quarantined(account: &AccountId, turn: &[Event]) -> bool {
    turn.iter().any(
        |event| matches!(event, Event::AccountQuarantined { account: other, .. } if other == account),
    )
}
