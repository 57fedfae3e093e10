//! First come, first served, with everybody's place in the line.
//!
//! A `BTreeMap` keeps the order; a Fenwick tree over the sequence numbers counts how many are ahead
//! of one, so that telling a place costs O(log n) however long the line is. Numbers of those who
//! left are dropped when they outnumber those who wait.

use std::collections::BTreeMap;

use super::ids::{ReservationId, Timestamp};

/// One who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) id: ReservationId,
    /// For how many accounts at once.
    pub(super) count: usize,
    /// When it asked.
    pub(super) since: Timestamp,
}

/// The pending reservations of one type, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<u64, Waiting>,
    /// Sequence numbers in ascending order, of those who wait and of some who left.
    sequences: Vec<u64>,
    /// Fenwick tree over `sequences`: 1 for each who waits.
    tree: Vec<usize>,
}

impl Queue {
    /// Adds a reservation at the end. `sequence` is greater than any that was added before.
    pub(super) fn push(&mut self, sequence: u64, waiting: Waiting) {
        debug_assert!(self.sequences.last().is_none_or(|last| *last < sequence));
        self.waiting.insert(sequence, waiting);
        self.append(sequence);
    }

    fn append(&mut self, sequence: u64) {
        self.sequences.push(sequence);
        // A new node of a Fenwick tree covers the nodes below it, which are complete already.
        let index = self.sequences.len();
        let mut sum = 1;
        let mut step = 1;
        while index & step == 0 {
            sum += self.tree[index - step - 1];
            step <<= 1;
        }
        self.tree.push(sum);
    }

    /// Removes a reservation, wherever it stands.
    pub(super) fn remove(&mut self, sequence: u64) {
        if self.waiting.remove(&sequence).is_none() {
            return;
        }
        let mut index = self.slot(sequence) + 1;
        while index <= self.tree.len() {
            self.tree[index - 1] -= 1;
            index += index & index.wrapping_neg();
        }
        if self.sequences.len() > 64 + 2 * self.waiting.len() {
            self.compact();
        }
    }

    /// Returns the oldest.
    pub(super) fn first(&self) -> Option<Waiting> {
        self.waiting.values().next().copied()
    }

    /// Returns the place of a waiting reservation: 1 is next.
    pub(super) fn position(&self, sequence: u64) -> u64 {
        let mut index = self.slot(sequence) + 1;
        let mut ahead_and_self = 0;
        while index > 0 {
            ahead_and_self += self.tree[index - 1];
            index &= index - 1;
        }
        ahead_and_self as u64
    }

    fn slot(&self, sequence: u64) -> usize {
        self.sequences
            .binary_search(&sequence)
            .expect("a waiting reservation has a slot")
    }

    fn compact(&mut self) {
        self.sequences.clear();
        self.tree.clear();
        let waiting: Vec<u64> = self.waiting.keys().copied().collect();
        for sequence in waiting {
            self.append(sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        /// The model is a plain vector that is searched from its start.
        #[test]
        fn the_line_agrees_with_a_plain_vector(steps in prop::collection::vec((any::<bool>(), any::<u16>()), 1..600)) {
            let mut queue = Queue::default();
            let mut model: Vec<(u64, Waiting)> = Vec::new();
            let mut next = 0;
            for (push, pick) in steps {
                if push || model.is_empty() {
                    next += 1 + u64::from(pick % 3);
                    let waiting = Waiting {
                        id: Uuid::from_u128(next.into()).into(),
                        count: usize::from(pick),
                        since: Timestamp::UNIX_EPOCH,
                    };
                    queue.push(next, waiting);
                    model.push((next, waiting));
                } else {
                    let gone = model.remove(usize::from(pick) % model.len());
                    queue.remove(gone.0);
                }
                prop_assert_eq!(queue.first(), model.first().map(|(_, waiting)| *waiting));
                for (index, (sequence, _)) in model.iter().enumerate() {
                    prop_assert_eq!(queue.position(*sequence), index as u64 + 1);
                }
            }
        }
    }
}
