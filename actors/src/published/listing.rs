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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::pool::{EndReason, ReservationStatus, ReservationView, Timestamp};

    const NOW: Timestamp = datetime!(2026-05-01 10:00 UTC);
    const TOKENS: [&str; 2] = ["ci", "nightly"];
    const WAITING: ReservationStatus = ReservationStatus::Pending { queue_position: 1 };
    const ENDED: ReservationStatus = ReservationStatus::Ended {
        reason: EndReason::Cancelled,
        ended_at: NOW,
    };

    fn reservation(place: u64, status: ReservationStatus) -> Arc<PublishedReservation> {
        let view = ReservationView {
            id: Uuid::from_u128(place.into()).into(),
            account_type: "lite".into(),
            count: 1,
            duration: Duration::from_hours(1),
            ttl: None,
            purpose: None,
            link: None,
            created_at: NOW,
            status,
        };
        Arc::new(PublishedReservation::new(token(place), place, view))
    }

    fn token(place: u64) -> TokenId {
        TOKENS[usize::from(place.is_multiple_of(3))].into()
    }

    fn places(listing: &Listing, of: &PageOf, known: &[Arc<PublishedReservation>]) -> Vec<u64> {
        let find = |id| known.iter().find(|known| known.view.id == id).cloned();
        let page = listing.page(of, find);
        page.reservations
            .iter()
            .map(|found| found.sequence)
            .collect()
    }

    proptest! {
        /// The model is a plain list of all reservations.
        #[test]
        fn lists_agree_with_a_plain_list(
            steps in prop::collection::vec((0_u8..4, any::<u16>()), 1..100),
            after in prop::option::of(0_u64..100),
            limit in 1_usize..8,
        ) {
            let mut listing = Listing::default();
            let mut known: Vec<Arc<PublishedReservation>> = Vec::new();
            let mut next = 0;
            for (step, pick) in steps {
                let pick = usize::from(pick) % known.len().max(1);
                match step {
                    0 if !known.is_empty() => {
                        let forgotten = known.remove(pick);
                        listing.change(Some(&forgotten), None);
                    }
                    1 if !known.is_empty() => {
                        let ended = reservation(known[pick].sequence, ENDED);
                        listing.change(Some(&known[pick]), Some(&ended));
                        known[pick] = ended;
                    }
                    _ => {
                        next += 1;
                        known.push(reservation(next, WAITING));
                        listing.change(None, known.last().map(AsRef::as_ref));
                    }
                }
            }
            for whose in [None, Some(TOKENS[0]), Some(TOKENS[1]), Some("stranger")] {
                for only_open in [false, true] {
                    let whose = whose.map(TokenId::from);
                    let mut expected: Vec<u64> = known
                        .iter()
                        .filter(|known| whose.as_ref().is_none_or(|whose| known.token == *whose))
                        .filter(|known| !(only_open && known.is_over()))
                        .map(|known| known.sequence)
                        .filter(|place| after.is_none_or(|after| *place > after))
                        .collect();
                    expected.truncate(limit);
                    let of = PageOf { token: whose, only_open, after, limit };
                    prop_assert_eq!(places(&listing, &of, &known), expected);
                }
            }
            for gone in known {
                listing.change(Some(&gone), None);
            }
            prop_assert!(listing.everybodys.all.is_empty() && listing.everybodys.open.is_empty());
            prop_assert!(listing.of_token.is_empty());
        }
    }

    #[test]
    fn a_page_says_whether_there_is_more_of_what_is_wanted() {
        let mut listing = Listing::default();
        let known: Vec<_> = (1..=4).map(|place| reservation(place, WAITING)).collect();
        for known in &known {
            listing.change(None, Some(known));
        }
        let is_more = |limit, wanted: u64| {
            let of = PageOf {
                token: None,
                only_open: true,
                after: None,
                limit,
            };
            let find = |id| {
                let mut wanted = known.iter().filter(|known| known.sequence <= wanted);
                wanted.find(|known| known.view.id == id).cloned()
            };
            listing.page(&of, find).is_more
        };
        assert!(is_more(3, 4));
        assert!(!is_more(4, 4));
        assert!(!is_more(3, 3));
        assert!(is_more(2, 3));
    }
}
