//! The places that streams take which others have opened to us: so many in all, so many from one network.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What streams of clients may take of a server; see [`ServerBuilder::stream_limits`](crate::ServerBuilder::stream_limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamLimits {
    /// Streams in all, 4096 by default. Each may hold a descriptor and up to 400 KiB.
    pub total: usize,
    /// Streams from one IPv4 address or one IPv6 network of 64 bits, 64 by default.
    pub per_client: usize,
    /// How long a TLS handshake may take, 10 s by default.
    pub handshake: Duration,
    /// How long a client without an allocation may be without a whole message to us, 60 s by default.
    pub idle: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            total: 4096,
            per_client: 64,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(60),
        }
    }
}

/// All places there are.
#[derive(Debug)]
pub(crate) struct Seats {
    limits: StreamLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_network: BTreeMap<IpAddr, usize>,
    /// Clients with allocations, and how many.
    allocations: BTreeMap<SocketAddr, usize>,
}

/// One place, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    network: IpAddr,
}

impl Seats {
    pub(crate) fn new(limits: StreamLimits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// A place for somebody from this address, if there is one left.
    pub(crate) fn take(self: &Arc<Self>, ip: IpAddr) -> Option<Seat> {
        let (network, mut taken) = (network(ip), self.taken());
        let from_there = taken.by_network.get(&network).copied().unwrap_or_default();
        if taken.total >= self.limits.total || from_there >= self.limits.per_client {
            return None;
        }
        taken.total += 1;
        taken.by_network.insert(network, from_there + 1);
        Some(Seat { seats: Arc::clone(self), network })
    }

    pub(crate) fn note_allocated(&self, client: SocketAddr) {
        *self.taken().allocations.entry(client).or_default() += 1;
    }

    pub(crate) fn note_released(&self, client: SocketAddr) {
        decrease(&mut self.taken().allocations, client);
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// How long a TLS handshake may take.
    pub(crate) fn handshake(&self) -> Duration {
        self.seats.limits.handshake
    }

    /// How long whoever sits here may be silent.
    pub(crate) fn patience(&self) -> Duration {
        self.seats.limits.idle
    }

    /// Whether this client may be silent for longer.
    pub(crate) fn has_allocation(&self, client: SocketAddr) -> bool {
        self.seats.taken().allocations.contains_key(&client)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.total = taken.total.saturating_sub(1);
        decrease(&mut taken.by_network, self.network);
    }
}

fn decrease<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    match counts.get_mut(&key) {
        Some(count @ 2..) => *count -= 1,
        _ => drop(counts.remove(&key)),
    }
}

/// One customer of an IPv6 provider has 64 bits of addresses and more.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let seats = Seats::new(StreamLimits { total: 3, per_client: 2, ..StreamLimits::default() });
        let (first, second) = (seats.take(ip("192.0.2.1")), seats.take(ip("::ffff:192.0.2.1")));
        assert!(first.is_some() && second.is_some());
        assert!(seats.take(ip("192.0.2.1")).is_none(), "two from one client");
        let other = seats.take(ip("2001:db8::1"));
        assert!(other.is_some() && seats.take(ip("192.0.2.2")).is_none(), "three in all");
        drop(first);
        assert!(seats.take(ip("2001:db8::ffff")).is_some());
        drop((second, other));
        assert!(seats.taken().by_network.is_empty());
    }

    #[test]
    fn a_client_has_an_allocation_until_the_last_is_released() {
        let seats = Seats::new(StreamLimits::default());
        let seat = seats.take(ip("192.0.2.1")).unwrap();
        let client = "192.0.2.1:7".parse().unwrap();
        for _ in 0..2 {
            seats.note_allocated(client);
        }
        seats.note_released(client);
        assert!(seat.has_allocation(client));
        seats.note_released(client);
        assert!(!seat.has_allocation(client));
        seats.note_released(client);
    }
}
