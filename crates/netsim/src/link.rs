//! Links: what happens to a packet between a node and the network it hangs on.

use core::time::Duration;

use crate::chance::Chance;
use crate::id::Node;

/// The qualities of one direction of a link.
///
/// ```
/// # use floe_netsim::Link;
/// let bad_wifi = Link { loss: 0.3, ..Link::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// How long every packet takes.
    pub latency: Duration,
    /// Up to so much longer, evenly drawn for each packet. More than the gap between two packets reorders them.
    pub jitter: Duration,
    /// The part of packets that vanish, 0 to 1.
    pub loss: f64,
    /// The part of packets that arrive twice, 0 to 1. The copy is delayed by a jitter of its own.
    pub duplicate: f64,
    /// The largest packet that fits, with its IP and UDP headers. A larger one vanishes.
    pub mtu: usize,
}

impl Default for Link {
    /// 5 ms, no jitter, no loss, no copies, Ethernet's 1500 bytes.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(5),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            mtu: 1500,
        }
    }
}

/// A direction, seen from the node whose link it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the node into the network.
    Out,
    /// From the network to the node.
    In,
}

/// The link of one node, both ways, and whether it is plugged in.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) up: bool,
    out: Lane,
    into: Lane,
}

impl Access {
    pub(crate) fn new(seed: [u8; 32], node: Node) -> Self {
        Self {
            up: true,
            out: Lane::new(seed, node, Direction::Out),
            into: Lane::new(seed, node, Direction::In),
        }
    }

    pub(crate) fn set(&mut self, direction: Direction, link: Link) {
        self.lane(direction).link = link;
    }

    /// Sends a packet of `size` bytes over the link.
    pub(crate) fn carry(&mut self, direction: Direction, size: usize) -> Crossing {
        self.lane(direction).carry(size)
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Out => &mut self.out,
            Direction::In => &mut self.into,
        }
    }
}

/// What became of a packet on a link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Crossing {
    Carried { after: Duration, copy_after: Option<Duration> },
    Lost,
    TooBig,
}

#[derive(Debug)]
struct Lane {
    link: Link,
    chance: Chance,
}

impl Lane {
    fn new(seed: [u8; 32], node: Node, direction: Direction) -> Self {
        Self { link: Link::default(), chance: Chance::of_link(seed, node, direction) }
    }

    /// Always draws four values, so that one packet's bad luck does not change the luck of the next.
    fn carry(&mut self, size: usize) -> Crossing {
        let Link { latency, jitter, loss, duplicate, mtu } = self.link;
        let lost = self.chance.happens(loss);
        let after = latency.saturating_add(self.chance.up_to(jitter));
        let doubled = self.chance.happens(duplicate);
        let copy_after = latency.saturating_add(self.chance.up_to(jitter));
        match (size > mtu, lost) {
            (true, _) => Crossing::TooBig,
            (false, true) => Crossing::Lost,
            (false, false) => Crossing::Carried { after, copy_after: doubled.then_some(copy_after) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostId;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn access(link: Link) -> Access {
        let mut access = Access::new([3; 32], Node::Host(HostId(0)));
        access.set(Direction::Out, link);
        access
    }

    #[test]
    fn a_packet_fits_up_to_the_mtu() {
        let mut access = access(Link { mtu: 576, ..Link::default() });
        assert_eq!(access.carry(Direction::Out, 576), Crossing::Carried { after: ms(5), copy_after: None });
        assert_eq!(access.carry(Direction::Out, 577), Crossing::TooBig);
        assert_eq!(access.carry(Direction::In, 577), Crossing::Carried { after: ms(5), copy_after: None });
    }

    #[test]
    fn jitter_stays_within_its_bounds_and_uses_them() {
        let mut access = access(Link { jitter: ms(20), ..Link::default() });
        let delays: alloc::vec::Vec<Duration> = (0..1_000)
            .map(|_| match access.carry(Direction::Out, 1) {
                Crossing::Carried { after, .. } => after,
                other @ (Crossing::Lost | Crossing::TooBig) => panic!("{other:?}"),
            })
            .collect();
        assert!(delays.iter().all(|delay| (ms(5)..=ms(25)).contains(delay)));
        assert!(delays.iter().min().unwrap() < &ms(6) && delays.iter().max().unwrap() > &ms(24));
    }

    #[test]
    fn a_changed_loss_leaves_the_other_draws_as_they_were() {
        let sure = Link { jitter: ms(20), ..Link::default() };
        let mut before = access(sure);
        let mut after = access(Link { loss: 0.5, ..sure });
        let mut lost = 0;
        for _ in 0..1_000 {
            match (before.carry(Direction::Out, 1), after.carry(Direction::Out, 1)) {
                (Crossing::Carried { .. }, Crossing::Lost) => lost += 1,
                (one, other) => assert_eq!(one, other),
            }
        }
        assert!((400..600).contains(&lost), "{lost}");
    }
}
