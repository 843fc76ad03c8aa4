//! One stream of chance, cut from the seed of the world.

use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::{Direction, Node};

/// An endless row of draws. Whole numbers only: floating-point sums are not the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    stream: ChaCha8Rng,
}

impl Chance {
    /// For the losses and delays of one direction of a link.
    pub(crate) fn of_link(seed: [u8; 32], node: Node, direction: Direction) -> Self {
        let direction = match direction {
            Direction::Out => 0,
            Direction::In => 1,
        };
        Self::numbered(seed, node, direction)
    }

    /// For the ports a NAT picks.
    pub(crate) fn of_ports(seed: [u8; 32], node: Node) -> Self {
        Self::numbered(seed, node, 2)
    }

    fn numbered(seed: [u8; 32], node: Node, purpose: u64) -> Self {
        let (kind, id) = match node {
            Node::Host(host) => (0, host.0),
            Node::Nat(nat) => (1, nat.0),
        };
        let mut stream = ChaCha8Rng::from_seed(seed);
        stream.set_stream(kind << 63 | purpose << 32 | u64::from(id));
        Self { stream }
    }

    /// True in `probability` of all cases; below 0 (or not a number) never, from 1 on always.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        // Exact, as only the exponent changes; the cast saturates.
        let threshold = (probability * TWO_TO_THE_32) as u64;
        u64::from(self.stream.next_u32()) < threshold
    }

    /// Evenly between nothing and `most`, both included.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.at_most(most))
    }

    /// Evenly in `first..=last`.
    pub(crate) fn port(&mut self, first: u16, last: u16) -> u16 {
        let offset = self.at_most(u64::from(last.saturating_sub(first)));
        first.saturating_add(u16::try_from(offset).unwrap_or(0))
    }

    fn at_most(&mut self, most: u64) -> u64 {
        let scaled = u128::from(self.stream.next_u64()) * (u128::from(most) + 1);
        u64::try_from(scaled >> 64).unwrap_or(most)
    }
}

const TWO_TO_THE_32: f64 = 4_294_967_296.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostId;

    fn chance() -> Chance {
        Chance::of_link([1; 32], Node::Host(HostId(0)), Direction::Out)
    }

    #[test]
    fn never_is_never_and_always_is_always() {
        let mut chance = chance();
        for _ in 0..10_000 {
            assert!(!chance.happens(0.0) && !chance.happens(-1.0) && !chance.happens(f64::NAN));
            assert!(chance.happens(1.0) && chance.happens(7.0));
        }
    }

    #[test]
    fn the_ends_of_a_range_are_drawn_and_nothing_beyond() {
        let mut chance = chance();
        let drawn: alloc::collections::BTreeSet<u16> = (0..1_000).map(|_| chance.port(10, 14)).collect();
        assert_eq!(drawn.into_iter().collect::<alloc::vec::Vec<_>>(), [10, 11, 12, 13, 14]);
        assert_eq!(chance.up_to(Duration::ZERO), Duration::ZERO);
        assert!(chance.up_to(Duration::MAX) <= Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn every_purpose_has_a_stream_of_its_own() {
        let node = Node::Host(HostId(3));
        let mut streams = [
            Chance::of_link([1; 32], node, Direction::Out),
            Chance::of_link([1; 32], node, Direction::In),
            Chance::of_ports([1; 32], node),
            Chance::of_ports([1; 32], Node::Nat(crate::NatId(3))),
            Chance::of_ports([2; 32], node),
        ];
        let firsts: alloc::collections::BTreeSet<u64> =
            streams.iter_mut().map(|s| s.stream.next_u64()).collect();
        assert_eq!(firsts.len(), streams.len());
    }

    #[test]
    fn the_stream_is_the_one_that_old_seeds_were_saved_with() {
        assert_eq!(chance().stream.next_u64(), 5_518_247_365_082_443_045);
    }
}
