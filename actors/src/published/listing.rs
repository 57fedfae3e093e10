//! Who has which reservations, in the order of asking: for lists that are read page by page.
//!
//! Persistent maps: a commit copies the few nodes that it changes, and a reader keeps the rest as it
//! was. What is not over has maps of its own, so that looking for it never leafs through the past.

use std::sync::Arc;

use imbl::OrdMap;

use super::PublishedReservation;
use crate::pool::{ReservationId, TokenId};

/// Which part of which list is asked for.
#[derive(Clone, Debug)]
pub struct PageOf {
    /// Whose reservations; `None` for everybody's.
    pub token: Option<TokenId>,
    /// Whether only those that are pending or active are wanted.
    pub only_open: bool,
    /// The place in the order of asking after which it begins.
    pub after: Option<u64>,
    /// How many are wanted at most.
    pub limit: usize,
}

/// A part of a list.
pub struct Page {
    /// What is in it, oldest first.
    pub reservations: Vec<Arc<PublishedReservation>>,
    /// Whether there are more behind it.
    pub is_more: bool,
}

/// The reservations of everybody and of each consumer. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Listing {
    everybodys: InOrder,
    of_token: OrdMap<TokenId, InOrder>,
}

/// Reservations by their place in the order of asking.
#[derive(Clone, Default)]
struct InOrder {
    all: OrdMap<u64, ReservationId>,
    open: OrdMap<u64, ReservationId>,
}

impl Listing {
    /// Keeps the lists as a reservation is.
    pub(super) fn change(
        &mut self,
        before: Option<&PublishedReservation>,
        now: Option<&PublishedReservation>,
    ) {
        let Some(reservation) = now.or(before) else {
            return;
        };
        let is_there = |reservation: Option<&PublishedReservation>| {
            let is_open = reservation.is_some_and(|reservation| !reservation.is_over());
            (reservation.is_some(), is_open)
        };
        if is_there(before) == is_there(now) {
            return;
        }
        self.everybodys.set(reservation, is_there(now));
        let of_token = self.of_token.entry(reservation.token.clone()).or_default();
        of_token.set(reservation, is_there(now));
        if of_token.all.is_empty() {
            self.of_token.remove(&reservation.token);
        }
    }

    /// Returns a part of a list; `find` knows the reservations that are wanted in it.
    pub(super) fn page(
        &self,
        of: &PageOf,
        find: impl Fn(ReservationId) -> Option<Arc<PublishedReservation>>,
    ) -> Page {
        let list = match &of.token {
            None => Some(&self.everybodys),
            Some(token) => self.of_token.get(token),
        };
        let places = list.map(|list| if of.only_open { &list.open } else { &list.all });
        let first = of.after.map_or(0, |after| after.saturating_add(1));
        let behind = places.into_iter().flat_map(|places| places.range(first..));
        let mut wanted = behind.filter_map(|(_, id)| find(*id));
        Page {
            reservations: wanted.by_ref().take(of.limit).collect(),
            is_more: wanted.next().is_some(),
        }
    }
}

impl InOrder {
    fn set(&mut self, reservation: &PublishedReservation, (is_known, is_open): (bool, bool)) {
        let (place, id) = (reservation.sequence, reservation.view.id);
        for (places, is_in) in [(&mut self.all, is_known), (&mut self.open, is_open)] {
            if is_in {
                places.insert(place, id);
            } else {
                places.remove(&place);
            }
        }
    }
}
