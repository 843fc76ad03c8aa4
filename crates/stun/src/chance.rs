//! Chance as an argument: one seed in, ids and passwords out.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::TransactionId;

/// A cryptographic random generator, ChaCha20 expanded from one 32-byte seed.
///
/// Same seed, same bytes, on every platform and in every release: a recorded run replays. The host draws the
/// seed from its operating system once for each machine and never uses a seed twice outside of tests.
#[derive(Clone)]
pub struct Chance(ChaCha20Rng);

impl Chance {
    /// A generator for this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A seed for a machine that lives inside ours.
    #[must_use]
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// Uniform over all 64-bit values; the form of an ICE tie-breaker (RFC 8445 §16.1).
    #[must_use]
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform below `bound`, zero for a bound of zero.
    #[must_use]
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(self.0.next_u32()).saturating_mul(bound.into());
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    /// Uniform over 96 bits (RFC 8489 §5).
    #[must_use]
    pub fn transaction_id(&mut self) -> TransactionId {
        let mut id = [0; 12];
        self.0.fill_bytes(&mut id);
        TransactionId::from(id)
    }

    /// `len` characters of the `ice-char` alphabet, 6 bits of entropy each (RFC 8839 §5.1).
    #[must_use]
    pub fn ice_chars(&mut self, len: usize) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..len)
            .map(|_| {
                let index = usize::try_from(self.0.next_u32() & 63).unwrap_or(0);
                char::from(ALPHABET.get(index).copied().unwrap_or(b'A'))
            })
            .collect()
    }

    /// Uniform between `base * (1 - spread)` and `base * (1 + spread)`, `spread` in percent up to 100.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "the spread is at most 100")]
    pub fn jitter(&mut self, base: Duration, spread: u32) -> Duration {
        let spread = spread.min(100);
        let thousandths = 1000 - 10 * spread + self.below(20 * spread + 1);
        base.saturating_mul(thousandths) / 1000
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_life() {
        let (mut a, mut b) = (Chance::new([3; 32]), Chance::new([3; 32]));
        assert_eq!(a.transaction_id(), b.transaction_id());
        assert_eq!(a.ice_chars(24), b.ice_chars(24));
        assert_ne!(a.u64(), Chance::new([4; 32]).u64());
    }

    #[test]
    fn jitter_stays_inside_its_spread() {
        let mut chance = Chance::new([5; 32]);
        for _ in 0..1000 {
            let wait = chance.jitter(Duration::from_secs(5), 20);
            assert!((4.0..=6.0).contains(&wait.as_secs_f64()), "{wait:?}");
        }
    }
}
