//! Chance, from a seed: the same seed throws the same dice.

use std::time::Duration;

/// A small generator (SplitMix64): good enough to choose with, and not for secrets.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Returns the dice of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, which is positive and fits in 32 bits.
    pub fn below(&mut self, end: u64) -> u64 {
        debug_assert!((1..=u64::from(u32::MAX)).contains(&end));
        ((self.throw() >> 32) * end) >> 32
    }

    /// Returns true in so many cases of a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// Returns a whole number of seconds of a range that includes both ends.
    pub fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let seconds = longest.saturating_sub(shortest).as_secs();
        shortest + Duration::from_secs(self.below(seconds + 1))
    }

    /// Returns a place in a list of so many, which is not empty.
    pub fn place(&mut self, len: usize) -> usize {
        let len = u64::try_from(len).expect("a length fits in 64 bits");
        usize::try_from(self.below(len)).expect("it is below a length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_are_fair_enough_and_stay_in_their_range() {
        let mut dice = Dice::new(1);
        let mut seen = [0_u32; 6];
        for _ in 0..6000 {
            seen[dice.place(6)] += 1;
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "{seen:?}");
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
        assert!((0..100).all(|_| (one..=two).contains(&dice.between(one, two))));
        assert_eq!((0..1000).filter(|_| dice.chance(0)).count(), 0);
        assert_eq!((0..1000).filter(|_| dice.chance(1000)).count(), 1000);
    }
}
