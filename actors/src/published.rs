//! What has been said: everything that is durable and may be read (`design.md` 6).
//!
//! Whoever answers reads holds [`Published`]; the store's actor alone holds the [`Publisher`]. No
//! read waits for a mailbox, for the disk or for a lock, and none shows what could still be lost.
//! Two readings may have a commit between them; each is of what was committed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bytes::Bytes;
use papaya::HashMap;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::pool::{
    AccountType, News, Publication, ReservationId, ReservationStatus, ReservationView, Statistics,
    Timestamp, TokenId, UnknownReservation,
};
use crate::published::listing::Listing;
pub use crate::published::listing::{Page, PageOf};

mod listing;

/// How long one note of a poll counts, in seconds: those who poll more often are noted once.
const POLL_COUNTS_FOR: i64 = 1;

/// A handle on what was said last. Cheap to clone.
#[derive(Clone)]
pub struct Published(Arc<View>);

struct View {
    reservations: HashMap<ReservationId, Arc<PublishedReservation>>,
    /// What is about more than one reservation; replaced as a whole after each commit.
    summary: ArcSwap<Summary>,
}

/// Clones share what they have in common.
#[derive(Clone)]
struct Summary {
    as_of: Timestamp,
    /// The places in the order of asking of those who wait, per type. Each commit that changes a
    /// line copies it: 8 bytes for each who waits, next to nothing beside the commit itself.
    lines: BTreeMap<AccountType, Arc<VecDeque<u64>>>,
    listing: Listing,
    statistics: Arc<Statistics>,
}

impl Published {
    /// Returns a reservation of the consumer `token`.
    pub fn reservation(
        &self,
        id: ReservationId,
        token: &TokenId,
    ) -> Result<Arc<PublishedReservation>, UnknownReservation> {
        let reservations = self.0.reservations.pin();
        let reservation = reservations.get(&id).filter(|found| found.token == *token);
        reservation.cloned().ok_or(UnknownReservation)
    }

    /// Returns a reservation, whoever has it: for those who may see everybody's.
    pub fn anybodys(
        &self,
        id: ReservationId,
    ) -> Result<Arc<PublishedReservation>, UnknownReservation> {
        let reservations = self.0.reservations.pin();
        reservations.get(&id).cloned().ok_or(UnknownReservation)
    }

    /// Tells whether nothing newer has been said of a reservation.
    #[must_use]
    pub fn is_latest(&self, reservation: &Arc<PublishedReservation>) -> bool {
        let reservations = self.0.reservations.pin();
        let latest = reservations.get(&reservation.view.id);
        latest.is_some_and(|latest| Arc::ptr_eq(latest, reservation))
    }

    /// Returns the part of a list that `of` asks for, in the order of asking, without those that are
    /// not wanted.
    #[must_use]
    pub fn page(&self, of: &PageOf, is_wanted: impl Fn(&PublishedReservation) -> bool) -> Page {
        let summary = self.0.summary.load();
        let reservations = self.0.reservations.pin();
        summary.listing.page(of, |id| {
            let reservation = reservations.get(&id)?;
            is_wanted(reservation).then(|| Arc::clone(reservation))
        })
    }

    /// Returns where a reservation stands, with its present place in the line.
    #[must_use]
    pub fn show(&self, reservation: &PublishedReservation) -> ReservationView {
        let mut view = reservation.view.clone();
        if let ReservationStatus::Pending { queue_position } = &mut view.status {
            let summary = self.0.summary.load();
            let line = summary.lines.get(&view.account_type);
            let place = line.and_then(|line| line.binary_search(&reservation.sequence).ok());
            // Whoever has just left the line was next.
            *queue_position = place.map_or(1, |ahead| ahead as u64 + 1);
        }
        view
    }

    /// Returns the counts of everything.
    #[must_use]
    pub fn statistics(&self) -> Arc<Statistics> {
        self.0.summary.load().statistics.clone()
    }

    /// Returns the time, given what the clock shows: it never runs backwards behind a decision.
    #[must_use]
    pub fn time(&self, clock: Timestamp) -> Timestamp {
        self.0.summary.load().as_of.max(clock)
    }
}

/// The only one who says anything new.
pub struct Publisher {
    published: Published,
    next: Summary,
}

impl Publisher {
    /// Publishes what is known at the start.
    #[must_use]
    pub fn new(first: Publication) -> Self {
        let next = Summary {
            as_of: first.at,
            lines: BTreeMap::new(),
            listing: Listing::default(),
            statistics: Arc::default(),
        };
        let view = View {
            reservations: HashMap::new(),
            summary: ArcSwap::from_pointee(next.clone()),
        };
        let mut publisher = Self {
            published: Published(Arc::new(view)),
            next,
        };
        publisher.publish([first]);
        publisher
    }

    /// Returns a handle for those who read.
    #[must_use]
    pub fn published(&self) -> Published {
        self.published.clone()
    }

    /// Publishes what a batch of decisions changed. Whoever reads from then on sees all of it.
    pub(crate) fn publish(&mut self, batch: impl IntoIterator<Item = Publication>) {
        let reservations = self.published.0.reservations.pin();
        let mut superseded = Vec::new();
        for publication in batch {
            self.next.as_of = self.next.as_of.max(publication.at);
            for news in publication.news {
                match news {
                    News::Reservation {
                        token,
                        sequence,
                        view,
                    } => {
                        let id = view.id;
                        let now = Arc::new(PublishedReservation::new(token, sequence, view));
                        let before = reservations.insert(id, Arc::clone(&now)).cloned();
                        self.next.change(before.as_deref(), Some(&now));
                        superseded.extend(before);
                    }
                    News::Forgotten(id) => {
                        let before = reservations.remove(&id).cloned();
                        self.next.change(before.as_deref(), None);
                        superseded.extend(before);
                    }
                    News::Counts(label, counts) => {
                        let statistics = Arc::make_mut(&mut self.next.statistics);
                        statistics.types.insert(label, counts);
                    }
                    News::TypeGone(label) => {
                        Arc::make_mut(&mut self.next.statistics)
                            .types
                            .remove(&label);
                        self.next.lines.remove(&label);
                    }
                }
            }
        }
        let summary = Arc::new(self.next.clone());
        self.published.0.summary.store(summary);
        // Last: whoever is woken reads all of it.
        for reservation in superseded {
            reservation.superseded.notify_waiters();
        }
    }
}

impl Summary {
    /// Keeps lines and lists as the reservations are.
    fn change(
        &mut self,
        before: Option<&PublishedReservation>,
        now: Option<&PublishedReservation>,
    ) {
        self.line_up(before, now);
        self.listing.change(before, now);
    }

    fn line_up(
        &mut self,
        before: Option<&PublishedReservation>,
        now: Option<&PublishedReservation>,
    ) {
        let place = |reservation: Option<&PublishedReservation>| {
            let reservation = reservation?;
            Some((reservation.waits_for()?.clone(), reservation.sequence))
        };
        let (before, now) = (place(before), place(now));
        if before == now {
            return;
        }
        if let Some((label, sequence)) = before {
            let line = Arc::make_mut(self.lines.entry(label).or_default());
            if let Ok(place) = line.binary_search(&sequence) {
                line.remove(place);
            }
        }
        if let Some((label, sequence)) = now {
            let line = Arc::make_mut(self.lines.entry(label).or_default());
            if let Err(place) = line.binary_search(&sequence) {
                line.insert(place, sequence);
            }
        }
    }
}

/// A reservation that may be read.
pub struct PublishedReservation {
    /// Whose it is.
    token: TokenId,
    /// Its place in the order of asking.
    sequence: u64,
    view: ReservationView,
    /// Until when, in seconds of Unix time, its owner's interest was noted.
    interest_noted_until: AtomicI64,
    /// What those who read made of it, so that they make it once.
    answer: OnceLock<Bytes>,
    /// Wakes those who wait for something newer.
    superseded: Notify,
}

impl PublishedReservation {
    fn new(token: TokenId, sequence: u64, view: ReservationView) -> Self {
        Self {
            token,
            sequence,
            view,
            interest_noted_until: AtomicI64::new(i64::MIN),
            answer: OnceLock::new(),
            superseded: Notify::new(),
        }
    }

    /// Returns whose it is.
    #[must_use]
    pub fn token(&self) -> &TokenId {
        &self.token
    }

    /// Returns its place in the order of asking, over all types.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Resolves once something newer is said of the reservation.
    ///
    /// What is said before this is called wakes nobody: call it first, and make sure then that this
    /// [is the latest](Published::is_latest).
    pub fn superseded(&self) -> Notified<'_> {
        self.superseded.notified()
    }

    /// Returns where it stood when this was said. Of a pending one, [`Published::show`] knows the place
    /// in the line; of an active one, the credential is there once its owner has claimed it.
    #[must_use]
    pub fn view(&self) -> &ReservationView {
        &self.view
    }

    /// Returns what `make` made of it, now or before.
    pub fn answer(&self, make: impl FnOnce(&ReservationView) -> Bytes) -> Bytes {
        self.answer.get_or_init(|| make(&self.view)).clone()
    }

    /// Tells whether the pool has to be told that somebody asks about it at `now`, and until when
    /// that counts. Says so once a second.
    #[must_use]
    pub fn interest_to_note(&self, now: Timestamp) -> Option<Timestamp> {
        let until = now.unix_timestamp() + POLL_COUNTS_FOR;
        let before = self
            .interest_noted_until
            .fetch_max(until, Ordering::Relaxed);
        let is_news = before < until && self.waits_for().is_some();
        is_news.then(|| now + time::Duration::seconds(POLL_COUNTS_FOR))
    }

    fn is_over(&self) -> bool {
        matches!(self.view.status, ReservationStatus::Ended { .. })
    }

    fn waits_for(&self) -> Option<&AccountType> {
        matches!(self.view.status, ReservationStatus::Pending { .. })
            .then_some(&self.view.account_type)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use proptest::prelude::*;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::pool::EndReason;

    const NOW: Timestamp = datetime!(2026-05-01 10:00 UTC);
    const LABELS: [&str; 2] = ["free", "lite"];

    fn id(sequence: u64) -> ReservationId {
        Uuid::from_u128(sequence.into()).into()
    }

    fn news(sequence: u64, status: ReservationStatus) -> News {
        News::Reservation {
            token: "ci".into(),
            sequence,
            view: ReservationView {
                id: id(sequence),
                account_type: LABELS[usize::from(sequence.is_multiple_of(3))].into(),
                count: 1,
                duration: Duration::from_hours(1),
                ttl: None,
                purpose: None,
                link: None,
                created_at: NOW,
                status,
            },
        }
    }

    fn publisher() -> Publisher {
        Publisher::new(Publication {
            at: NOW,
            news: Vec::new(),
        })
    }

    fn publish(publisher: &mut Publisher, news: Vec<News>) {
        publisher.publish([Publication { at: NOW, news }]);
    }

    const WAITING: ReservationStatus = ReservationStatus::Pending { queue_position: 0 };
    const ENDED: ReservationStatus = ReservationStatus::Ended {
        reason: EndReason::Cancelled,
        ended_at: NOW,
    };

    proptest! {
        /// The model is a plain list of those who wait.
        #[test]
        fn everybody_has_their_place_in_the_line(
            steps in prop::collection::vec((0_u8..4, any::<u16>()), 1..200)
        ) {
            let mut publisher = publisher();
            let mut waiting: Vec<u64> = Vec::new();
            let mut next = 0;
            for (step, pick) in steps {
                let pick = usize::from(pick) % waiting.len().max(1);
                let news = match step {
                    0 if !waiting.is_empty() => News::Forgotten(id(waiting.remove(pick))),
                    1 if !waiting.is_empty() => news(waiting.remove(pick), ENDED),
                    _ => {
                        next += 1;
                        waiting.push(next);
                        news(next, WAITING)
                    }
                };
                publish(&mut publisher, vec![news]);
                let view = publisher.published();
                for label in LABELS {
                    let line = waiting.iter().filter(|s| LABELS[usize::from(s.is_multiple_of(3))] == label);
                    for (ahead, sequence) in line.enumerate() {
                        let shown = view.show(&view.reservation(id(*sequence), &"ci".into()).unwrap());
                        let queue_position = ahead as u64 + 1;
                        prop_assert_eq!(shown.status, ReservationStatus::Pending { queue_position });
                    }
                }
            }
        }
    }

    #[test]
    fn a_batch_is_seen_as_a_whole_by_whoever_asks_after_it() {
        let mut publisher = publisher();
        let view = publisher.published();
        let token = "ci".into();
        let status = |sequence| {
            let reservation = view.reservation(id(sequence), &token)?;
            Ok::<_, UnknownReservation>(view.show(&reservation).status)
        };
        publish(&mut publisher, vec![news(1, WAITING), news(2, WAITING)]);
        let second = ReservationStatus::Pending { queue_position: 2 };
        assert_eq!(status(2), Ok(second));
        publish(&mut publisher, vec![news(1, ENDED), news(4, WAITING)]);
        assert_eq!(status(1), Ok(ENDED));
        let first = ReservationStatus::Pending { queue_position: 1 };
        assert_eq!((status(2), status(3)), (Ok(first), Err(UnknownReservation)));
    }

    #[test]
    fn whoever_waits_is_woken_by_what_is_newer_and_finds_it() {
        let mut publisher = publisher();
        let view = publisher.published();
        let token = "ci".into();
        publish(&mut publisher, vec![news(1, WAITING), news(2, WAITING)]);
        let first = view.reservation(id(1), &token).unwrap();
        let mut superseded = Box::pin(first.superseded());
        assert!(view.is_latest(&first));
        publish(&mut publisher, vec![news(2, ENDED)]);
        assert!(superseded.as_mut().now_or_never().is_none());
        publish(&mut publisher, vec![news(1, ENDED)]);
        assert!(superseded.as_mut().now_or_never().is_some());
        assert!(!view.is_latest(&first));
        assert_eq!(view.reservation(id(1), &token).unwrap().view.status, ENDED);

        let second = view.reservation(id(2), &token).unwrap();
        let superseded = second.superseded();
        publish(&mut publisher, vec![News::Forgotten(id(2))]);
        assert!(superseded.now_or_never().is_some());
        assert!(!view.is_latest(&second));
    }

    #[test]
    fn only_its_owner_finds_a_reservation() {
        let mut publisher = publisher();
        publish(&mut publisher, vec![news(1, WAITING)]);
        let view = publisher.published();
        assert!(view.reservation(id(1), &"ci".into()).is_ok());
        assert!(view.reservation(id(1), &"other".into()).is_err());
        publish(&mut publisher, vec![News::Forgotten(id(1))]);
        let view = publisher.published();
        assert!(view.reservation(id(1), &"ci".into()).is_err());
    }

    #[test]
    fn time_does_not_fall_behind_a_decision() {
        let view = publisher().published();
        let second = Duration::from_secs(1);
        assert_eq!(view.time(NOW - second), NOW);
        assert_eq!(view.time(NOW + second), NOW + second);
    }

    #[test]
    fn an_answer_is_made_once() {
        let reservation = PublishedReservation::new(
            "ci".into(),
            1,
            match news(1, ENDED) {
                News::Reservation { view, .. } => view,
                _ => unreachable!(),
            },
        );
        assert_eq!(
            reservation.answer(|_| Bytes::from_static(b"first")),
            "first"
        );
        assert_eq!(
            reservation.answer(|_| Bytes::from_static(b"second")),
            "first"
        );
    }
}
