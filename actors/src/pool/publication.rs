//! What a turn changed of that which may be read: for the published view.

use std::collections::BTreeSet;

use super::Pool;
use super::ids::{AccountType, ReservationId, Timestamp, TokenId};
use super::record::Change;
use super::reservation::Reservation;
use super::view::{ReservationView, TypeStatistics};

/// What there is to say of a decision once it is durable.
#[derive(Clone, Debug)]
pub struct Publication {
    /// When it was decided.
    pub at: Timestamp,
    /// What is not as it was.
    pub news: Vec<News>,
}

/// One thing that may be read and is not as it was.
#[derive(Clone, Debug)]
pub enum News {
    /// A reservation is now this.
    Reservation {
        /// Whose it is.
        token: TokenId,
        /// Its place in the order of asking, over all types.
        sequence: u64,
        /// Where it stands; with the credentials if its owner has claimed them.
        view: ReservationView,
    },
    /// A reservation can no longer be read.
    Forgotten(ReservationId),
    /// These are now the counts of a type.
    Counts(AccountType, TypeStatistics),
    /// There is no such type any more.
    TypeGone(AccountType),
}

impl Pool {
    /// Returns what there is to say of a turn that made these changes: the last one.
    #[must_use]
    pub fn publication(&self, changes: &[Change]) -> Publication {
        let mut types: BTreeSet<&AccountType> = self.recounted.iter().collect();
        let mut news = Vec::with_capacity(changes.len() + 1);
        for change in changes {
            match change {
                Change::Account(account) => {
                    types.insert(&account.account_type);
                }
                Change::Reservation(reservation) => {
                    types.insert(&reservation.account_type);
                    news.push(self.news(reservation));
                }
                // Nobody's business.
                Change::MasterKey { .. }
                | Change::MasterKeyForgotten(_)
                | Change::Exhaustion { .. }
                | Change::Delivered { .. } => {}
                Change::ReservationForgotten { id, .. } => news.push(News::Forgotten(*id)),
            }
        }
        let counts = types.into_iter().map(|label| {
            if self.index.knows(label) {
                self.counts(label)
            } else {
                News::TypeGone(label.clone())
            }
        });
        news.extend(counts);
        Publication { at: self.now, news }
    }

    /// Returns what there is to say at the start.
    #[must_use]
    pub fn first_publication(&self) -> Publication {
        let reservations = self.reservations.values().map(|r| self.news(r));
        let counts = self.index.types().map(|label| self.counts(label));
        Publication {
            at: self.now,
            news: reservations.chain(counts).collect(),
        }
    }

    fn news(&self, reservation: &Reservation) -> News {
        News::Reservation {
            token: reservation.token.clone(),
            sequence: reservation.sequence,
            view: self.view(reservation.id),
        }
    }

    fn counts(&self, label: &AccountType) -> News {
        News::Counts(label.clone(), self.statistics_of(label))
    }
}
