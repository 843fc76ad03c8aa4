//! Which relayed ports are free.

use alloc::collections::BTreeSet;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use floe_stun::Chance;

/// The relayed addresses in use, and the range that others are taken from.
#[derive(Debug)]
pub(crate) struct Ports {
    range: RangeInclusive<u16>,
    taken: BTreeSet<SocketAddr>,
}

/// What a client asks of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parity {
    Any,
    Even,
}

impl Ports {
    pub(crate) const fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, taken: BTreeSet::new() }
    }

    /// Takes a port of this address that is not taken and not among `tried`: a random one, and where that is no
    /// use the next that is (RFC 6056 §3.3.1). `None` if there is none.
    pub(crate) fn take(
        &mut self,
        chance: &mut Chance,
        ip: IpAddr,
        parity: Parity,
        tried: &[SocketAddr],
    ) -> Option<SocketAddr> {
        let (first, last) = (*self.range.start(), *self.range.end());
        if (first, last) == (0, 0) {
            return Some(SocketAddr::new(ip, 0));
        }
        let count = u32::from(last.checked_sub(first)?) + 1;
        let start = chance.below(count);
        let found = (0..count)
            .filter_map(|step| u16::try_from((start + step) % count).ok()?.checked_add(first))
            .filter(|port| parity == Parity::Any || port % 2 == 0)
            .map(|port| SocketAddr::new(ip, port))
            .find(|address| !tried.contains(address) && !self.taken.contains(address))?;
        self.taken.insert(found);
        Some(found)
    }

    /// Takes the port behind this one, for a pair of them. `None` if it is not free.
    pub(crate) fn take_next(&mut self, first: SocketAddr) -> Option<SocketAddr> {
        let next = SocketAddr::new(first.ip(), first.port().checked_add(1)?);
        let is_ours = self.range == (0..=0) || self.range.contains(&next.port());
        (is_ours && self.taken.insert(next)).then_some(next)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    pub(crate) fn give_back(&mut self, address: SocketAddr) {
        self.taken.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_used_up_to_its_last_port_and_given_back() {
        let (mut ports, mut chance) = (Ports::new(65_530..=65_535), Chance::new([1; 32]));
        let ip = "192.0.2.1".parse().unwrap();

        let mut taken: BTreeSet<_> =
            (0..5).filter_map(|_| ports.take(&mut chance, ip, Parity::Any, &[])).collect();
        let last = ports.take(&mut chance, ip, Parity::Any, &[]).unwrap();
        assert_eq!(ports.take(&mut chance, ip, Parity::Any, &[]), None);
        ports.give_back(last);
        assert_eq!(ports.take(&mut chance, ip, Parity::Any, &[last]), None, "tried already");
        assert_eq!(ports.take(&mut chance, ip, Parity::Any, &[]), Some(last));
        taken.insert(last);
        assert_eq!(taken.len(), 6);
        assert!(taken.iter().all(|address| address.port() >= 65_530));
    }

    #[test]
    fn even_ports_are_even_and_an_empty_range_has_none() {
        let mut chance = Chance::new([1; 32]);
        let ip = "192.0.2.1".parse().unwrap();
        let mut ports = Ports::new(1025..=1028);
        let even: BTreeSet<_> = (0..3)
            .filter_map(|_| ports.take(&mut chance, ip, Parity::Even, &[]).map(|address| address.port()))
            .collect();
        assert_eq!(even, BTreeSet::from([1026, 1028]));
        #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
        let mut none = Ports::new(2..=1);
        assert_eq!(none.take(&mut chance, ip, Parity::Any, &[]), None);
    }
}
