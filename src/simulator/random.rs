//! The simulator's only source of chance: a small seeded generator, so that a run can be repeated.
//!
//! Depends on nothing of the simulator. Not for cryptography: the secrets made here open nothing but
//! a simulated account.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Builder;

/// A `SplitMix64` generator (Steele, Lea, Flood 2014): the same seed gives the same sequence.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Makes a generator whose sequence depends on `self`'s place and not on its later use.
    pub(super) fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Answers true once in a while: `per_million` times in a million.
    pub(super) fn chance(&mut self, per_million: u32) -> bool {
        self.next() % 1_000_000 < u64::from(per_million)
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of these, if there is any.
    pub(super) fn choose<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        let bound = u64::try_from(among.len()).ok().filter(|bound| *bound > 0)?;
        among.get(usize::try_from(self.below(bound)).ok()?)
    }

    /// 32 lower-case hex digits, the form of most IBM ids.
    pub(super) fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// A version 4 UUID.
    pub(super) fn uuid(&mut self) -> String {
        Builder::from_random_bytes(self.bytes())
            .into_uuid()
            .to_string()
    }

    /// A secret of the form of an API key's value: 43 characters of base64url.
    pub(super) fn key_value(&mut self) -> String {
        let bytes: [u8; 32] = self.bytes();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn equal_seeds_give_equal_sequences() {
        let (mut one, mut other) = (Random::new(7), Random::new(7));
        assert_eq!(one.uuid(), other.uuid());
        assert_eq!(one.key_value(), other.key_value());
        assert_ne!(one.hex(), Random::new(8).hex());
    }

    #[test]
    fn chance_keeps_to_its_rate() {
        let mut random = Random::new(1);
        let hits = (0..10_000).filter(|_| random.chance(250_000)).count();
        assert!((2_300..2_700).contains(&hits), "{hits} of 10000");
    }
}
